// A blocking transport of the kernel against the shortest program that does the same: write(2), read(2),
// nothing else.
#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "ci/baseline/side_by_side.h"
#include "workloads/any_ends.h"
#include "workloads/ping_pong.h"

namespace ipcmark::accuracy {

// The descriptors of one bare link: the lead writes [0] and reads [1], the follower writes [2] and reads [3].
using BareLink = std::array<int, 4>;

// What a textbook shows: no touch of the payload, no clock, no check beyond the count of bytes.
class BareContestant final : public Contestant {
 public:
  BareContestant(int write_fd, int read_fd) : write_fd_(write_fd), read_fd_(read_fd) {}

  Span lead(std::uint64_t count) override {
    const std::uint64_t begin_ns = now_ns();
    for (std::uint64_t i = 0; i < count; ++i) {
      put();
      take();
    }
    return {begin_ns, now_ns()};
  }
  Span follow(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) {
      take();
      put();
    }
    return {};
  }

 private:
  void put() {
    if (::write(write_fd_, buffer_.data(), buffer_.size()) != static_cast<ssize_t>(buffer_.size())) {
      throw std::system_error(errno, std::generic_category(), "bare write");
    }
  }
  void take() {
    if (::read(read_fd_, buffer_.data(), buffer_.size()) != static_cast<ssize_t>(buffer_.size())) {
      throw std::system_error(errno, std::generic_category(), "bare read");
    }
  }

  int write_fd_, read_fd_;
  std::array<char, 64> buffer_{};
};

// The transport as the workloads reach it: AnyOneWay or AnyDuplex.
template <LinkType T>
class KernelContest final : public Contest {
 public:
  using MakeBareLink = BareLink (*)();
  KernelContest(std::string transport, MakeBareLink make_bare_link)
      : make_bare_link_(make_bare_link),
        case_(sixty_four_bytes(std::move(transport), Wait::block, Access::copy)) {}

  std::string name() const override { return case_.transport; }
  unsigned links() const override { return BothWays<T>::links; }
  unsigned senders_of(unsigned) const override { return DuplexTransport<T> ? 2 : 1; }
  std::uint64_t count() const override { return 100; }

  // The bare links are made before and after the transport's, so that neither kind is always the younger one.
  void build(const std::string& directory) override {
    bare_[0] = make_bare_link_();
    Shape shape;
    shape.transport = case_.transport;
    shape.message_bytes = case_.message_bytes;
    shape.directory = directory;
    links_.build(shape, links());
    bare_[1] = make_bare_link_();
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  std::vector<std::unique_ptr<Contestant>> open(Role& role) override {
    ends_.open(links_, role);
    using W = Writer<Access::copy, std::remove_reference_t<decltype(ends_.sender())>>;
    using R = Reader<Access::copy, std::remove_reference_t<decltype(ends_.receiver())>, SequenceChecker>;
    std::vector<std::unique_ptr<Contestant>> opened;
    opened.push_back(std::make_unique<RoundTripContestant<W, R>>(
        role, std::make_unique<W>(ends_.sender(), case_),
        std::make_unique<R>(ends_.receiver(), case_, false, checker_of(case_))));
    for (const BareLink& link : bare_) {
      const unsigned side = 2 * role.index();
      opened.push_back(std::make_unique<BareContestant>(link[side], link[side + 1]));
    }
    return opened;
  }

 private:
  MakeBareLink make_bare_link_;
  Case case_;
  std::array<BareLink, 2> bare_{};
  Links<T> links_;
  BothWays<T> ends_;
};

[[noreturn]] inline void fail_bare(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

}  // namespace ipcmark::accuracy
