// For tests: a result file with every field filled and every optional one both given and missing. Its figures
// are made from a seed and mean nothing.
#pragma once

#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "harness/histogram.h"
#include "results/result_file.h"

namespace ipcmark::sample {

inline Distribution distribution_of(const std::string& of, std::uint64_t typical_ns, std::uint64_t samples,
                                    std::mt19937_64& random) {
  Histogram histogram;
  std::exponential_distribution<double> tail(20.0 / static_cast<double>(typical_ns));
  for (std::uint64_t i = 0; i < samples; ++i)
    histogram.record(typical_ns + static_cast<std::uint64_t>(tail(random)));
  return {of,
          of == "window_ns" ? 64U : 1U,
          histogram.count(),
          histogram.min_ns(),
          histogram.max_ns(),
          histogram.mean_ns(),
          histogram.percentile(0.5),
          histogram.percentile(0.9),
          histogram.percentile(0.99),
          histogram.percentile(0.999),
          histogram.encode()};
}

inline RoleReport role(const std::string& name, int pu, std::uint64_t messages, std::uint64_t cpu_ns) {
  RoleReport report;
  report.role = name;
  if (pu >= 0) report.asked_pus = {pu};
  report.granted_pus = pu >= 0 ? std::vector{pu} : std::vector{0, 1};
  report.last_os_processor = pu >= 0 ? pu : 1;
  report.numa_node = pu >= 0 ? 0 : -1;
  report.scheduler = "other";
  report.memory_bound = pu >= 0;
  report.memory_locked = pu >= 0;
  report.messages = messages;
  report.cost = {cpu_ns, 12, 3, 1, 0, {}};
  if (pu >= 0) report.cost.run_delay_ns = 1500;
  return report;
}

inline Case ping_pong_over_pipe() {
  Case c;
  c.workload = "ping_pong";
  c.transport = "pipe";
  c.placement = "same_l3";
  return c;
}

inline Case stream_over_ring() {
  Case c;
  c.workload = "stream";
  c.transport = "posix_shm";
  c.message_bytes = 4096;
  c.capacity = Capacity::bounded(64);
  c.send_wait = c.receive_wait = Wait::spin;
  c.receive_access = Access::loan;
  c.placement = "0+1";
  return c;
}

inline Case skipped_queue() {
  Case c;
  c.workload = "stream";
  c.transport = "posix_mq";
  c.message_bytes = 16384;
  c.capacity = Capacity::rendezvous();
  c.touch = Touch::header;
  c.limits = Limits::raised;
  c.sched = "fifo:10";
  return c;
}

inline LaunchRecord ping_pong_launch(unsigned round, double slower, std::mt19937_64& random) {
  LaunchRecord launch;
  launch.benchmark_case = ping_pong_over_pipe();
  launch.capacity.limit = {65536, "bytes", "F_GETPIPE_SZ"};
  launch.capacity.fits_min = 1000;
  launch.capacity.fits_max = 1024;
  launch.capacity.resume_after = 64;
  launch.round = round;
  launch.started = "2026-01-02T03:04:05+00:00";
  Measurement& m = launch.measurement;
  m.distribution = distribution_of("round_trip_ns",
                                   static_cast<std::uint64_t>(9000 * slower) + random() % 200, 20000, random);
  m.messages = m.distribution->count;
  m.span_ns = static_cast<std::uint64_t>(m.distribution->mean_ns * static_cast<double>(m.messages));
  m.warm_up_messages = 500;
  m.warm_up = WarmUpReport{7, 2'100'000, true, round != 2, -0.02, 0.04};
  m.bytes = 2 * 64 * m.messages;
  m.cache_line_round_trip_ns = 310.5;
  m.roles = {role("sender 0", 0, m.messages, m.span_ns / 3),
             role("receiver 1", 1, m.messages, m.span_ns / 4)};
  m.roles[1].cost.user_ns = 900;
  m.roles[1].cost.system_ns = 1100;
  m.disturbance = {{0, 1}, m.span_ns + 50'000, 0, 3, 60, 12'000, 90, 0, 2100.5, 400'000, 0, 100, {}};
  launch.examination = {
      1000,
      {{"sender 0", 5'000'000, 4'000'000, 1200, {}}, {"receiver 1", 5'100'000, {}, 1300, 20}},
      "user and kernel",
      400,
      {{"sender 0", {{"write", 400}, {"read", 401}}}, {"receiver 1", {{"read", 400}}}},
      ""};
  m.integrity = {0, 0, 0, 0, 2 * (m.messages + m.warm_up_messages), false, 0};
  m.isolation = "pid+ipc+mount namespaces";
  m.verdict = {Grade::ok, {"no loss in 41000 messages"}};
  return launch;
}

inline LaunchRecord stream_launch(unsigned round, double slower, std::mt19937_64& random) {
  LaunchRecord launch;
  launch.benchmark_case = stream_over_ring();
  launch.hooks = {{"--on-start", 120'000'000, ""}, {"--on-end", 3'000'000, "exit status 1"}};
  launch.capacity.fits_min = launch.capacity.fits_max = 64;
  launch.capacity.fits_is_lower_bound = true;
  launch.capacity.note = "resume_after: a ring has no blocked sender to wake";
  launch.round = round;
  launch.started = "2026-01-02T03:04:06+00:00";
  Measurement& m = launch.measurement;
  m.messages = 100000;
  m.warm_up = WarmUpReport{2, 60'000'000};
  m.span_ns = m.messages * static_cast<std::uint64_t>(1100 * slower) + random() % 5000000;
  m.bytes = 4096 * m.messages;
  if (round % 2 == 0) {
    m.distribution = distribution_of("window_ns", 70000, 150, random);
    m.further_distributions = {distribution_of("service_ns", 2000, 12000, random),
                               distribution_of("send_lag_ns", 90, 50, random)};
  }
  m.roles = {role("sender 0", -1, m.messages, m.span_ns), role("receiver 1", -1, m.messages, m.span_ns)};
  m.roles[1].empty_tries = 12;
  m.roles[1].work_done = 120;
  m.roles[1].stops = 1;
  m.roles[1].stopped_ns = 300'000'000;
  launch.examination = {0, {}, "perf_event_open: No such file or directory",
                        0, {}, "ptrace: Operation not permitted"};
  m.observations = {{"dropped", "messages", 0.5 * round}};
  m.integrity = {0, 0, 0, 0, m.messages, true, 256};
  m.limit = {64, "messages", "ring slots"};
  m.isolation = "subreaper";
  m.verdict = {round == 1 ? Grade::noisy : Grade::ok, {"involuntary switches 3", "faults 1"}};
  return launch;
}

inline RunHeader header() {
  RunHeader header;
  header.version = "0.1.0";
  header.suite = "quick";
  header.seed = 18446744073709551615U;  // the largest must survive JSON
  header.min_time_ns = 120'000'000;
  header.precision = 0.05;
  header.command_line = {"ipcmark", "run", "--suite", "quick", "-o", "a \"quoted\" name.json"};
  header.on_start = "perf record -C $IPCMARK_CPUS -o \"perf.$IPCMARK_ROUND\" & echo $! >pid";
  header.on_end = "kill -INT $(cat pid)";
  header.started = "2026-01-02T03:04:05+00:00";
  header.executable = "/usr/bin/ipcmark";
  header.load_avg = {0.5, 0.25, 0.125};
  header.library_version = "1.7.1";
  header.library_build_type = "release";
  header.context = {{"commit", "abc123"}};
  header.transports = {{"pipe", {{"direction", "one-way"}, {"keeps", "bytes"}}},
                       {"posix_shm", {{"keeps", "messages"}}}};
  Machine& machine = header.machine;
  machine.fingerprint = "f00d";
  machine.host_name = "sample";
  machine.operating_system = "Debian GNU/Linux 12";
  machine.kernel = "6.1.0";
  machine.architecture = "x86_64";
  machine.cpu_model = "Sample CPU";
  machine.hypervisor = "kvm";
  machine.cpu_mhz = 2100.5;
  machine.memory_bytes = std::uint64_t{8} << 30;
  machine.packages = machine.numa_nodes = 1;
  machine.cores = 2;
  machine.pus = {{0, 0, 0, 0, 0, 0, 0, "P"}, {1, 1, 1, 1, -1, 0, -1, ""}};
  machine.caches = {{"Data", 1, 32768, 1}, {"Unified", 3, 16777216, 2}};
  machine.mitigations = {{"spectre_v2", "Mitigation: Retpolines"}};
  machine.settings = {{"governor", "performance"}};
  machine.limits = {{"fs.pipe-max-size", "1048576"}};
  machine.clock = {
      "CLOCK_MONOTONIC (tsc)", "not the time stamp counter: for a sample", 1, 30.25, true, 100000, 1};
  const std::vector<Floors::Touch> touch{
      {64, 4.4, 4.4, 2.5}, {4096, 110, 130, 60}, {1048576, 27000, 34000, 31000}};
  machine.floors = {
      30.25, 95.5, touch, {{0, 30, 95, 1250.5, touch}, {1, 31, 96, 1260, touch}}, {{0, 1, 330.5, 4400}}, ""};
  return header;
}

// `launches` of each of two cases, the second one `slower` times as slow; one failure, one skipped case.
inline ResultFile results(unsigned launches, double slower = 1, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  ResultFile file;
  file.header = header();
  file.header.launches = launches;
  for (unsigned round = 1; round <= launches; ++round) {
    file.launches.push_back(ping_pong_launch(round, slower, random));
    file.launches.push_back(stream_launch(round, slower, random));
  }
  for (std::size_t i = 0; i < file.launches.size(); ++i) file.launches[i].order = i + 1;
  file.failures = {{stream_over_ring(), launches + 1, "receiver 1: killed by signal 9 after 1204 messages"}};
  file.skips = {{skipped_queue(), "posix_mq: 16384 B is over this machine's msgsize_max 8192"}};
  file.finished = "2026-01-02T03:05:05+00:00";
  file.complete = true;
  file.wall_s = 60.5;
  return file;
}

// As a file would hold it.
inline std::string document_of(const ResultFile& results) {
  std::ostringstream text;
  write_results(text, results);
  return text.str();
}

// What FileError says when `action` throws it, else "no error".
template <class Action>
std::string file_error_of(Action action) {
  try {
    action();
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace ipcmark::sample
