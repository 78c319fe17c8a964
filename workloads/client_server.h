// client_server: N clients (`senders`) call one server, each one call at a time; a reply is `reply_bytes`
// long, or as long as the request. The samples are the clients' call times, request and reply.
//
// Where a link takes several senders, the clients share one for requests (messages of 8 bytes or more, which
// say whose they are), and the server waits for it as for any other. Elsewhere each client has a link of its
// own, and the server waits for all of them at once: by epoll(7) where the wait is `block` or `epoll`, by
// poll(2) where it is `poll`, and by trying one after the other where it is `spin` or `yield`; no other wait
// is for several links. Replies go over the same link where it is duplex and the client's own, else over a
// link for each client.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/any_work.h"

namespace ipcmark {

class ClientServer final : public AnyWork {
 public:
  static constexpr std::string_view name = "client_server";
  static constexpr std::string_view samples = "call_ns";
  static constexpr std::array<std::string_view, 2> takes{"senders", "reply_bytes"};
  static constexpr bool one_clock = true;

  static std::vector<RoleKind> roles(const Case& benchmark_case);
  static std::uint64_t bytes_per_message(const Case& benchmark_case);  // of a request and its reply
  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static std::vector<Case> links_of(const Case& benchmark_case);
  // The calls of each client, from its first one's beginning to its last one's end.
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations);

  ClientServer(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

  unsigned links() const override { return request_links() + (both_ways_ ? 0 : clients()); }
  unsigned senders_of(unsigned link) const override;
  void build(const std::string& directory) override;
  void open(Role& role) override;
  void run(Role& role) override;

 private:
  unsigned clients() const { return case_.senders; }
  unsigned request_links() const { return shares_ ? 1 : clients(); }
  unsigned reply_link(unsigned client) const { return request_links() + client; }

  void open_client(Role& role);
  void open_server(Role& role);
  void call(Role& role);
  void serve(Role& role);

  bool shares_;                              // all clients send on one link
  bool both_ways_;                           // else; replies go over the link that the request came by
  std::optional<AnyEnd> sender_, receiver_;  // a client's
  std::vector<AnyEnd> receivers_;            // the server's, by request link
  std::vector<AnyEnd> senders_;              // the server's, by client
};

}  // namespace ipcmark
