#include "workloads/client_server.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <span>

#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/wait.h"
#include "workloads/any_messages.h"
#include "workloads/fairness.h"

namespace ipcmark {
namespace {

std::uint64_t reply_bytes(const Case& c) { return c.reply_bytes == 0 ? c.message_bytes : c.reply_bytes; }

// Whether all clients send on one link.
bool shares(const Case& c, const TransportTraits& traits) {
  constexpr std::uint64_t says_whose_it_is = 8;  // a stamp, see harness/payload.h
  const Facts& facts = traits.facts;
  if (facts.most_senders == 1) return !traits.duplex && c.senders == 1;
  return c.senders == 1 || (facts.most_senders >= c.senders && c.message_bytes >= says_whose_it_is &&
                            c.message_bytes <= facts.largest_shared_message.value_or(c.message_bytes));
}
bool both_ways(const Case& c, const TransportTraits& traits) { return traits.duplex && !shares(c, traits); }
// What a link carries on which requests come.
std::uint64_t request_link_bytes(const Case& c, bool two_way) {
  return two_way ? std::max(c.message_bytes, reply_bytes(c)) : c.message_bytes;
}

// Receives from whichever of several receivers has something, as the header says. They must stay where they
// are, and each has a buffer of its own, where a message may lie of which only a part has come. One thread's.
class AnyOf {
 public:
  AnyOf(std::vector<AnyEnd>& receivers, Wait wait, std::size_t message_bytes)
      : receivers_(receivers), wait_(wait), open_(receivers.size(), true), left_(receivers.size()) {
    for (std::size_t i = 0; i < receivers_.size(); ++i) buffers_.emplace_back(message_bytes);
    if (receivers_.size() == 1 || !may_sleep(wait_)) return;
    if (wait_ != Wait::poll) epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (wait_ != Wait::poll && !epoll_) fail("epoll_create1");
    for (unsigned i = 0; i < receivers_.size(); ++i) {
      polled_.push_back({.fd = receivers_[i].fd(), .events = POLLIN, .revents = 0});
      epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
      if (epoll_ && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, receivers_[i].fd(), &event) != 0) {
        fail("epoll_ctl for a client's link");
      }
    }
  }

  struct Received {
    unsigned index;                      // of the receiver
    std::span<const std::byte> message;  // until its next one
  };
  // nullopt when all are at their end.
  std::optional<Received> receive() {
    while (left_ > 0) {
      if (candidates_.empty()) find_candidates();
      const unsigned index = candidates_.back();
      candidates_.pop_back();
      if (!open_[index]) continue;
      switch (receivers_[index].receive(buffers_[index].span())) {
        case Io::done:
          idle_ = 0;
          return Received{index, buffers_[index].span()};
        case Io::again:
          // None of all that are left has anything: a pause, where nothing tells which one will.
          if (++idle_ >= left_ && polled_.empty()) {
            receivers_[index].wait_to_receive();
            idle_ = 0;
          }
          break;
        case Io::closed:
          close(index);
      }
    }
    return std::nullopt;
  }

 private:
  void find_candidates() {
    if (polled_.empty()) {
      for (unsigned i = 0; i < receivers_.size(); ++i) candidates_.push_back(i);
    } else if (epoll_) {
      std::array<epoll_event, max_roles> ready;
      const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), -1);
      if (count < 0 && errno != EINTR) fail("epoll_wait for the clients' links");
      for (int i = 0; i < count; ++i) candidates_.push_back(ready[static_cast<std::size_t>(i)].data.u32);
    } else {
      if (::poll(polled_.data(), polled_.size(), -1) < 0 && errno != EINTR) {
        fail("poll for the clients' links");
      }
      for (unsigned i = 0; i < polled_.size(); ++i) {
        if (polled_[i].revents != 0) candidates_.push_back(i);
      }
    }
  }

  void close(unsigned index) {
    open_[index] = false;
    --left_;
    idle_ = 0;
    if (polled_.empty()) return;
    if (epoll_ && ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, polled_[index].fd, nullptr) != 0) {
      fail("epoll_ctl for a client that has gone");
    }
    polled_[index].fd = -1;  // poll passes over it
  }

  std::vector<AnyEnd>& receivers_;
  std::deque<MessageBuffer> buffers_;
  Wait wait_;
  std::vector<bool> open_;
  std::size_t left_;
  std::size_t idle_ = 0;  // attempts in a row that found nothing
  std::vector<unsigned> candidates_;
  std::vector<pollfd> polled_;  // empty: no descriptors are asked
  Descriptor epoll_;
};

}  // namespace

std::vector<RoleKind> ClientServer::roles(const Case& benchmark_case) {
  std::vector<RoleKind> kinds;
  const unsigned clients = std::min(benchmark_case.senders, max_roles - 1);
  for (unsigned i = 0; i < clients; ++i) {
    kinds.push_back({.name = "client " + std::to_string(i), .sends = true, .receives = true, .counts = true});
  }
  kinds.push_back({.name = "server " + std::to_string(clients), .sends = true, .receives = true});
  return kinds;
}

std::uint64_t ClientServer::bytes_per_message(const Case& c) { return c.message_bytes + reply_bytes(c); }

std::string ClientServer::unfit(const Case& c, const TransportTraits& traits) {
  if (c.send_access != Access::copy || c.receive_access != Access::copy) {
    return "client_server has access by copy only";
  }
  const bool shared = shares(c, traits);
  const unsigned most = shared ? max_roles - 1 : traits.duplex ? max_links - 1 : max_links / 2;
  if (c.senders > most) return traits.name + ": clients are at most " + std::to_string(most);
  if (shared || c.senders == 1 || !may_sleep(c.receive_wait)) return {};
  if (traits.receivers_are_polled && descriptor_waits.contains(c.receive_wait)) return {};
  return traits.name + ": each client has a link of its own, and a server cannot wait by " +
         std::string(to_string(c.receive_wait)) + " for several links; it can try them by spin or yield";
}

std::vector<Case> ClientServer::links_of(const Case& c) {
  const TransportTraits& traits = Registry::instance().find(c.transport)->traits;
  Case requests = c;
  requests.reply_bytes = 0;
  if (!shares(c, traits)) requests.senders = 1;
  requests.message_bytes = request_link_bytes(c, both_ways(c, traits));
  if (both_ways(c, traits)) return {requests};
  Case replies = requests;
  replies.senders = 1;
  replies.message_bytes = reply_bytes(c);
  return {requests, replies};
}

void ClientServer::observe(const Case& c, const LaunchBoard& board, std::vector<Observation>& observations) {
  std::vector<double> rates;
  for (const RoleBoard& client : std::span(board.roles, c.senders)) {
    if (client.end_ns <= client.begin_ns) return;
    rates.push_back(static_cast<double>(client.timed_messages) * 1e9 /
                    static_cast<double>(client.end_ns - client.begin_ns));
  }
  observe_rates("client", rates, observations);
}

ClientServer::ClientServer(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : AnyWork(benchmark_case, shape, options),
      shares_(shares(case_, transport_.traits)),
      both_ways_(both_ways(case_, transport_.traits)) {}

unsigned ClientServer::senders_of(unsigned link) const {
  if (link >= request_links()) return 1;
  return shares_ ? clients() : both_ways_ ? 2 : 1;
}

void ClientServer::build(const std::string& directory) {
  shape_.directory = directory;
  shape_.senders = shares_ ? clients() : 1;
  Shape request = shape_;
  request.message_bytes = request_link_bytes(case_, both_ways_);
  links_.build(request, request_links());
  if (both_ways_) return;
  Shape reply = shape_;
  reply.senders = 1;
  reply.message_bytes = reply_bytes(case_);
  links_.build(reply, clients());
}

void ClientServer::open(Role& role) {
  if (role.index() < clients()) {
    open_client(role);
  } else {
    open_server(role);
  }
}

void ClientServer::open_client(Role& role) {
  const unsigned client = role.index();
  const unsigned link = shares_ ? 0 : client;
  sender_.emplace(links_[link].open_sender(shares_ ? client : 0, role.meeting(link)));
  role.keep_limit(sender_->limit());
  if (both_ways_) {
    receiver_ = sender_;
  } else {
    const unsigned back = reply_link(client);
    receiver_.emplace(open_any_receiver(links_[back], transport_.traits.duplex, role.meeting(back)));
  }
}

void ClientServer::open_server(Role& role) {
  const unsigned senders = shares_ ? clients() : 1;
  for (unsigned link = 0; link < request_links(); ++link) {
    receivers_.emplace_back(
        links_[link].open_receiver(transport_.traits.duplex ? senders : 0, role.meeting(link)));
  }
  if (both_ways_) {
    senders_ = receivers_;
  } else {
    for (unsigned client = 0; client < clients(); ++client) {
      const unsigned back = reply_link(client);
      senders_.emplace_back(links_[back].open_sender(0, role.meeting(back)));
    }
  }
}

void ClientServer::run(Role& role) {
  measure_cache_line(role);
  if (role.index() == clients()) {
    serve(role);
  } else {
    call(role);
  }
}

void ClientServer::call(Role& role) {
  RoleBoard& board = role.board();
  const unsigned own = role.index();
  AnyEnd& sender = *sender_;
  AnyEnd& receiver = *receiver_;
  MessageBuffer request(case_.message_bytes), reply(reply_bytes(case_));
  SequenceChecker checker(own, reply_bytes(case_), case_.touch);
  role.lock_memory();
  CostMeter meter;
  std::uint64_t calls = 0;
  const auto call_once = [&] {
    fill(request.span(), own, calls, case_.touch);
    until_done([&] { return sender.send(request.span()); }, [&] { sender.wait_to_send(); }, "send");
    until_done([&] { return receiver.receive(reply.span()); }, [&] { receiver.wait_to_receive(); },
               "receive");
    judge(checker, reply.span(), options_.every_byte, case_.touch);
    role.moved(++calls);
  };
  // One call before the first that is timed: the others may still be on their way from the meeting point.
  const auto move = [&](std::uint64_t messages, bool timed) {
    call_once();
    if (timed) board.histogram = {};
    const std::uint64_t begin_ns = now_ns();
    std::uint64_t before_ns = begin_ns;
    for (std::uint64_t i = 0; i < messages; ++i) {
      call_once();
      const std::uint64_t after_ns = now_ns();
      board.histogram.record(after_ns - before_ns);
      before_ns = after_ns;
    }
    if (!timed) return;
    board.begin_ns = begin_ns;
    board.end_ns = before_ns;
    board.messages_per_sample = 1;
  };
  const auto drain = [&] {
    for (Io io; (io = receiver.receive(reply.span())) != Io::closed;) {
      if (io == Io::done) throw std::runtime_error("receive: a reply to no request");
      receiver.wait_to_receive();
    }
    checker.finish(calls);
  };
  const auto finish = [&] {
    until_done([&] { return sender.finish(); }, [&] { sender.wait_to_send(); }, "finish");
  };
  if (own == 0) {
    lead_phases(role, options_, meter, move);
    finish();
    role.announce({PhaseKind::drain, 0});
    role.conclude();
    drain();
  } else {
    follow_phases(role, meter, move, [&] {
      finish();
      drain();
    });
  }
  board.integrity = checker.counts();
  board.integrity.every_byte = options_.every_byte;
}

void ClientServer::serve(Role& role) {
  MessageBuffer reply(reply_bytes(case_));
  AnyOf incoming(receivers_, case_.receive_wait, case_.message_bytes);
  std::vector<SequenceChecker> checkers;
  for (unsigned i = 0; i < clients(); ++i) checkers.emplace_back(i, case_.message_bytes, case_.touch);
  std::vector<std::uint64_t> served(clients(), 0);
  role.lock_memory();
  CostMeter meter;
  std::uint64_t moved = 0;
  const auto serve_one = [&] {
    const auto request = incoming.receive();
    if (!request) throw PeerClosed("receive: every client has closed its link");
    // A number that no client has is the first one's to complain of.
    std::uint64_t whose = request->index;
    if (shares_ && clients() > 1) whose = read(request->message, case_.touch).stamp >> 48;
    if (whose >= clients()) whose = 0;
    const auto client = static_cast<unsigned>(whose);
    judge(checkers[client], request->message, options_.every_byte, case_.touch);
    fill(reply.span(), client, served[client]++, case_.touch);
    AnyEnd& sender = senders_[client];
    until_done([&] { return sender.send(reply.span()); }, [&] { sender.wait_to_send(); }, "send");
    role.moved(++moved);
  };
  follow_phases(
      role, meter,
      [&](std::uint64_t messages, bool timed) {
        const std::uint64_t calls = clients() * (messages + 1);
        for (std::uint64_t i = 0; i < calls; ++i) serve_one();
        if (timed) role.board().timed_messages = clients() * messages;
      },
      [&] {
        while (incoming.receive()) {
        }
        for (unsigned client = 0; client < clients(); ++client) {
          AnyEnd& sender = senders_[client];
          until_done([&] { return sender.finish(); }, [&] { sender.wait_to_send(); }, "finish");
        }
      });
  Integrity& sum = role.board().integrity;
  for (unsigned client = 0; client < clients(); ++client) {
    checkers[client].finish(served[client]);
    sum += checkers[client].counts();
  }
  sum.every_byte = options_.every_byte;
}

}  // namespace ipcmark
