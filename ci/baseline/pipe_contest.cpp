#include "ci/baseline/kernel_contest.h"

namespace ipcmark::accuracy {
namespace {

BareLink bare_pipes() {
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) fail_bare("pipe");
  return {there[1], back[0], back[1], there[0]};
}

}  // namespace

std::unique_ptr<Contest> pipe_contest() {
  return std::make_unique<KernelContest<AnyOneWay>>("pipe", bare_pipes);
}

}  // namespace ipcmark::accuracy
