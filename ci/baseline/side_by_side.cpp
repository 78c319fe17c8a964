#include "ci/baseline/side_by_side.h"

#include <cerrno>
#include <system_error>

#include "ci/baseline/turns.h"

namespace ipcmark::accuracy {

SideBySide::SideBySide(Contest& contest, unsigned rounds, unsigned launch)
    : contest_(contest), rounds_(rounds), launch_(launch) {
  const std::size_t bytes = sizeof(Turn) * rounds * passes_per_round * most_contestants;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap of the times");
  times_ = MemoryMap(memory, bytes);
}

SideBySide::Turn& SideBySide::turn(unsigned pass, unsigned contestant) const {
  return reinterpret_cast<Turn*>(times_.bytes().data())[pass * most_contestants + contestant];
}

double SideBySide::ns(unsigned round, unsigned contestant) const {
  double sum_ns = 0;
  for (unsigned pass = round * passes_per_round; pass < (round + 1) * passes_per_round; ++pass) {
    const Turn& times = turn(pass, contestant);
    const std::uint64_t end_ns = contest_.ends_at_follower() ? times.follow.end_ns : times.lead.end_ns;
    sum_ns += static_cast<double>(end_ns - times.lead.begin_ns);
  }
  return sum_ns / static_cast<double>(passes_per_round * contest_.count());
}

void SideBySide::run(Role& role) {
  constexpr unsigned warm_up_passes = 3 * passes_per_round;
  const unsigned contestants = contest_.contestants();
  std::uint64_t turns = 0;
  for (unsigned pass = 0; pass < warm_up_passes + rounds_ * passes_per_round; ++pass) {
    for (unsigned place = 0; place < contestants; ++place) {
      const unsigned contestant = contestant_at(launch_, pass, place, contestants);
      const unsigned kept = pass < warm_up_passes ? 0 : pass - warm_up_passes;
      if (role.index() == 0) {
        role.announce({PhaseKind::timed, contest_.count()});
        turn(kept, contestant).lead = opened_.at(contestant)->lead(contest_.count());
        role.conclude();
      } else {
        role.next_phase();
        role.enter();
        turn(kept, contestant).follow = opened_.at(contestant)->follow(contest_.count());
        role.leave();
      }
      role.moved(++turns);
    }
  }
}

Case sixty_four_bytes(std::string transport, Wait wait, Access access) {
  Case benchmark_case;
  benchmark_case.transport = std::move(transport);
  benchmark_case.message_bytes = 64;
  benchmark_case.send_wait = benchmark_case.receive_wait = wait;
  benchmark_case.send_access = benchmark_case.receive_access = access;
  return benchmark_case;
}

}  // namespace ipcmark::accuracy
