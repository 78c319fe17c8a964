#include "harness/case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "harness/measurement.h"

namespace ipcmark {
namespace {

Case unlike_the_default() {
  Case c;
  c.workload = "stream";
  c.transport = "posix_shm";
  c.message_bytes = 1500;
  c.capacity = Capacity::bounded(16);
  c.send_wait = Wait::block;
  c.receive_wait = Wait::sysv_semaphore;
  c.send_access = Access::loan;
  c.receive_access = Access::copy;
  c.placement = "0+1";
  c.senders = 4;
  c.receivers = 2;
  c.touch = Touch::header;
  c.limits = Limits::raised;
  c.sched = "fifo:10";
  return c;
}

TEST(CaseId, NamesEveryParameterInOneFixedOrder) {
  Case c;
  c.workload = "stream";
  c.transport = "pipe";
  c.placement = "same_l3";
  EXPECT_EQ(
      case_id(c),
      "workload:stream/transport:pipe/size:64/capacity:default/wait:block/access:copy/placement:same_l3/"
      "senders:1/receivers:1/touch:full/limits:host/sched:other");
  EXPECT_EQ(
      case_id(unlike_the_default()),
      "workload:stream/transport:posix_shm/size:1500/capacity:16/wait:block+sysv_semaphore/access:loan+copy/"
      "placement:0+1/senders:4/receivers:2/touch:header/limits:raised/sched:fifo:10");
}

TEST(CaseId, ReadsBackExactly) {
  EXPECT_EQ(parse_case_id(case_id(unlike_the_default())), unlike_the_default());
  for (const Wait send : all_waits()) {
    for (const Wait receive : all_waits()) {
      for (const Capacity capacity :
           {Capacity{}, Capacity::rendezvous(), Capacity::bounded(1), Capacity::unbounded()}) {
        for (const std::uint64_t bytes : {1ull, 64ull, 1023ull, 4096ull, 3ull << 30, 1ull << 40}) {
          Case c = unlike_the_default();
          c.send_wait = send;
          c.receive_wait = receive;
          c.capacity = capacity;
          c.message_bytes = bytes;
          EXPECT_EQ(parse_case_id(case_id(c)), c) << case_id(c);
        }
      }
    }
  }
}

TEST(CaseId, DiffersWheneverOneParameterDiffers) {
  const Case base = unlike_the_default();
  const auto changed = [&base](auto change) {
    Case c = base;
    change(c);
    return case_id(c);
  };
  EXPECT_NE(case_id(base), changed([](Case& c) { c.workload = "ping_pong"; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.transport = "pipe"; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.message_bytes = 1501; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.capacity = {}; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.send_wait = Wait::spin; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.receive_wait = Wait::spin; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.send_access = Access::copy; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.receive_access = Access::loan; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.placement = "same_pu"; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.senders = 1; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.receivers = 1; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.touch = Touch::full; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.limits = Limits::host; }));
  EXPECT_NE(case_id(base), changed([](Case& c) { c.sched = "other"; }));
}

TEST(CaseId, RefusesWhatItWouldNotWrite) {
  const std::string id = case_id(unlike_the_default());
  const auto replaced = [&id](std::string_view part, std::string_view by) {
    std::string changed = id;
    return changed.replace(changed.find(part), part.size(), by);
  };
  for (const std::string& bad :
       {std::string{}, std::string("workload"), std::string("a/b"), id + "/", "/" + id, id + "/extra:1",
        replaced("/senders:4", ""), replaced("size:1500", "size:0"), replaced("size:1500", "size:1500B"),
        replaced("capacity:16", "capacity:016"), replaced("capacity:16", "capacity:-1"),
        replaced("copy/", "borrow/"), replaced("receivers:2", "receivers:0"),
        replaced("wait:block", "wait:sleep"), replaced("access:loan+copy", "access:loan+"),
        replaced("sched:fifo:10", "sched:"), replaced("senders:4/receivers:2", "receivers:2/senders:4")}) {
    EXPECT_EQ(parse_case_id(bad), std::nullopt) << bad;
  }
}

TEST(CaseId, NamesAFurtherParameterOnlyWhereItIsNotNeutral) {
  Case c;
  c.workload = "mailbox";
  c.transport = "pipe";
  const std::string plain = case_id(c);
  EXPECT_THAT(plain, testing::EndsWith("/sched:other"));
  c.rendezvous = Rendezvous::native;
  c.overflow = Overflow::drop_old;
  c.delivery = Delivery::notify;
  c.burst = 16;
  c.reply_bytes = 4096;
  c.work = 100;
  c.stages = 3;
  c.pairs = 2;
  c.hops = "pipe+tcp";
  c.filter = "tr a/b '%,'";
  EXPECT_EQ(case_id(c), plain +
                            "/rendezvous:native/overflow:drop_old/delivery:notify/burst:16/reply_bytes:4Ki/"
                            "work:100/stages:3/pairs:2/hops:pipe+tcp/filter:tr%20a%2Fb%20'%25%2C'");
  EXPECT_EQ(parse_case_id(case_id(c)), c);
  // Neutral, or in another order: not what case_id writes.
  EXPECT_EQ(parse_case_id(plain + "/burst:0"), std::nullopt);
  EXPECT_EQ(parse_case_id(plain + "/work:1/burst:2"), std::nullopt);
}

TEST(FurtherParameters, AMixHasOneTextAndBringsTheLargestSize) {
  const std::span<const Parameter> table = further_parameters();
  const auto row = std::ranges::find(table, std::string_view("mix"), &Parameter::key);
  ASSERT_NE(row, table.end());
  for (const std::string_view text : {"64:90+4Ki:10", "4096:10+64:90", "4Ki:10+64:90"}) {
    Case c;
    c.workload = "stream";
    c.transport = "pipe";
    EXPECT_TRUE(row->parse(text, c)) << text;
    EXPECT_EQ(c.mix, "64:90+4Ki:10");
    EXPECT_EQ(c.message_bytes, 4096u);
    EXPECT_TRUE(is_mix(c));
    EXPECT_EQ(smallest_message(c), 64u);
    EXPECT_TRUE(case_id(c).ends_with("/mix:64:90+4Ki:10"));
    EXPECT_EQ(parse_case_id(case_id(c)), c);
    // Of another size than its mix says, or in another order: not what case_id writes.
    std::string id = case_id(c);
    id.replace(id.find("size:4Ki"), 8, "size:64");
    EXPECT_EQ(parse_case_id(id), std::nullopt);
  }
  EXPECT_FALSE(is_mix(Case{}));
  EXPECT_EQ(smallest_message(Case{}), 64u);
  EXPECT_EQ(case_id(Case{}).find("mix"), std::string::npos);
}

TEST(Mixes, AreSizesWithWeights) {
  using Shares = std::vector<SizeShare>;
  EXPECT_EQ(parse_mix("64:90+4Ki:10"), (Shares{{64, 90}, {4096, 10}}));
  EXPECT_EQ(parse_mix("64:1"), (Shares{{64, 1}}));
  EXPECT_EQ(parse_mix("1:65535+2:1"), (Shares{{1, 65'535}, {2, 1}}));
  for (const std::string_view bad : {"",
                                     "none",
                                     "64",
                                     "64:",
                                     ":90",
                                     "64:0",
                                     "64:-1",
                                     "64:1.5",
                                     "64:90+",
                                     "+64:90",
                                     "64:90+4Ki",
                                     "64+4Ki:10",
                                     "0:1",
                                     "64:1:2",
                                     "64:90,4Ki:10",
                                     "64:90 +4Ki:10",
                                     "64:1+64:2",
                                     "4Ki:1+4096:1",
                                     "1:65536+2:1",
                                     "64:1000000001",
                                     "64:99999999999999999999"}) {
    EXPECT_EQ(parse_mix(bad), std::nullopt) << bad;
  }
  std::string many = "1:1";
  for (int i = 2; i <= 256; ++i) many += "+" + std::to_string(i) + ":1";
  EXPECT_TRUE(parse_mix(many));
  EXPECT_EQ(parse_mix(many + "+257:1"), std::nullopt);
}

TEST(FurtherParameters, ReadBackTheirOwnTextAndRefuseOtherWords) {
  for (const Parameter& parameter : further_parameters()) {
    Case c;
    EXPECT_TRUE(is_neutral(parameter, c)) << parameter.key;
    EXPECT_TRUE(parameter.parse(parameter.text(c), c)) << parameter.key;
    EXPECT_EQ(c, Case{}) << parameter.key;
    if (parameter.key == "hops" || parameter.key == "filter") continue;  // take nearly any word
    for (const std::string_view bad : {"", "-1", "nonsense", "1.5", "99999999999999999999"}) {
      EXPECT_FALSE(parameter.parse(bad, c)) << parameter.key << " " << bad;
      EXPECT_EQ(c, Case{}) << parameter.key << " " << bad;
    }
  }
}

TEST(FurtherParameters, RatesAndDurationsAreOneWordEach) {
  const auto read_back = [](std::string_view key, std::string_view text) -> std::string {
    for (const Parameter& parameter : further_parameters()) {
      Case c;
      if (parameter.key == key) return parameter.parse(text, c) ? parameter.text(c) : "refused";
    }
    return "unknown";
  };
  for (const std::string_view rate : {"1", "20000", "1000000000", "1%", "75%", "1000%"})
    EXPECT_EQ(read_back("rate", rate), rate);
  for (const std::string_view bad : {"0%", "%", "1001%", "1000000001", "5 %", "10k"})
    EXPECT_EQ(read_back("rate", bad), "refused") << bad;
  EXPECT_EQ(read_back("gap", "1us"), "1us");
  EXPECT_EQ(read_back("gap", "1500ns"), "1500ns");
  EXPECT_EQ(read_back("gap", "0.1s"), "100ms");
  EXPECT_EQ(read_back("p99_bound", "60s"), "60s");
  EXPECT_EQ(read_back("p99_bound", "2min"), "120s");
  for (const std::string_view bad : {"100", "us", "-1us", "2 ms"})
    EXPECT_EQ(read_back("gap", bad), "refused") << bad;
  EXPECT_EQ(read_back("arrivals", "poisson"), "poisson");
  EXPECT_EQ(read_back("caches", "cold"), "cold");
}

TEST(FurtherParameters, HopsAreNamesJoinedByPlus) {
  const auto parses = [](std::string_view text) {
    Case c;
    for (const Parameter& parameter : further_parameters()) {
      if (parameter.key == "hops") return parameter.parse(text, c) && c.hops == text;
    }
    return false;
  };
  for (const std::string_view good : {"pipe", "pipe+tcp", "unix_stream+pipe+pipe"}) EXPECT_TRUE(parses(good));
  for (const std::string_view bad : {"", "+", "pipe+", "+pipe", "pipe++tcp", "pipe,tcp", "a b", "Pipe"}) {
    EXPECT_FALSE(parses(bad)) << bad;
  }
}

TEST(FurtherParameters, AFilterIsAnyCommandPlainOrWithBytesAsPercent) {
  const std::span<const Parameter> table = further_parameters();
  const auto row = std::ranges::find(table, std::string_view("filter"), &Parameter::key);
  ASSERT_NE(row, table.end());
  for (const std::string_view command : {"cat", "tr a-z A-Z", "sed -u s/a,b/%/", "caf\xc3\xa9", "none%"}) {
    Case written, read;
    written.filter = command;
    EXPECT_EQ(row->text(written).find_first_of("/, "), std::string::npos) << command;
    EXPECT_TRUE(row->parse(row->text(written), read)) << command;
    EXPECT_EQ(read.filter, command);
  }
  Case c;
  EXPECT_TRUE(row->parse("tr a-z A-Z", c));
  EXPECT_EQ(c.filter, "tr a-z A-Z");
  for (const std::string_view bad : {"", "%", "%2", "%zz", "%00"}) EXPECT_FALSE(row->parse(bad, c)) << bad;
}

TEST(Words, ReadBackAsThemselves) {
  EXPECT_EQ(all_waits().size(), 11u);
  for (const Wait wait : all_waits()) EXPECT_EQ(parse_wait(to_string(wait)), wait);
  for (const Access access : {Access::copy, Access::loan}) EXPECT_EQ(parse_access(to_string(access)), access);
  for (const Touch touch : {Touch::full, Touch::header}) EXPECT_EQ(parse_touch(to_string(touch)), touch);
  for (const Limits limits : {Limits::host, Limits::raised})
    EXPECT_EQ(parse_limits(to_string(limits)), limits);
  for (const std::string_view other : {"", "Block", "block ", "spin+block", "?"}) {
    EXPECT_EQ(parse_wait(other), std::nullopt) << other;
    EXPECT_EQ(parse_access(other), std::nullopt) << other;
    EXPECT_EQ(parse_touch(other), std::nullopt) << other;
    EXPECT_EQ(parse_limits(other), std::nullopt) << other;
  }
}

TEST(Words, GradesHaveTheirName) {
  EXPECT_EQ(to_string(Grade::ok), "ok");
  EXPECT_EQ(to_string(Grade::noisy), "noisy");
  EXPECT_EQ(to_string(Grade::invalid), "invalid");
}

TEST(Capacity, IsDefaultZeroANumberOrUnbounded) {
  EXPECT_EQ(parse_capacity("default"), Capacity{});
  EXPECT_EQ(parse_capacity("0"), Capacity::rendezvous());
  EXPECT_EQ(parse_capacity("18446744073709551615"), Capacity::bounded(~0ull));
  EXPECT_EQ(parse_capacity("unbounded"), Capacity::unbounded());
  for (const std::string_view bad : {"", "-1", "+1", "1.5", "1 ", "4Ki", "18446744073709551616", "none"}) {
    EXPECT_EQ(parse_capacity(bad), std::nullopt) << bad;
  }
}

TEST(Bytes, TakeBinaryUnitsUpToOneTebibyte) {
  EXPECT_EQ(parse_bytes("1"), 1u);
  EXPECT_EQ(parse_bytes("64"), 64u);
  EXPECT_EQ(parse_bytes("4Ki"), 4096u);
  EXPECT_EQ(parse_bytes("3Gi"), 3ull << 30);
  EXPECT_EQ(parse_bytes("1Ti"), 1ull << 40);
  EXPECT_EQ(parse_bytes("1099511627776"), 1ull << 40);
  for (const std::string_view bad : {"", "0", "0Ki", "-1", "10Ti", "1099511627777", "1.5Ki", "Ki", "4k",
                                     "4KiB", "4 Ki", "17592186044417Mi", "99999999999999999999"}) {
    EXPECT_EQ(parse_bytes(bad), std::nullopt) << bad;
  }
}

TEST(Bytes, AreWrittenInTheLargestUnitThatIsExact) {
  EXPECT_EQ(format_bytes(0), "0");
  EXPECT_EQ(format_bytes(1023), "1023");
  EXPECT_EQ(format_bytes(1024), "1Ki");
  EXPECT_EQ(format_bytes(1500), "1500");
  EXPECT_EQ(format_bytes(1536), "1536");
  EXPECT_EQ(format_bytes(1ull << 20), "1Mi");
  EXPECT_EQ(format_bytes(1025 * 1024), "1025Ki");
}

}  // namespace
}  // namespace ipcmark
