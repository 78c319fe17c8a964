#include "workloads/rendezvous.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "harness/clock.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;

using Message = std::vector<std::byte>;

struct Channel {
  std::deque<Message> messages;
  bool closed = false;
  bool refuses = false;  // says `again` to a sender
};

// Everything in one process: a link is a deque. Tells what was opened and built, in order.
template <std::size_t least_bytes>
class Deque {
 public:
  static inline std::vector<std::string> opened;
  static inline std::vector<Shape> built;
  static inline std::vector<std::shared_ptr<Channel>> channels;

  struct Sender {
    std::shared_ptr<Channel> channel;
    Io send(std::span<const std::byte> message) {
      if (channel->closed) return Io::closed;
      if (channel->refuses) return Io::again;
      channel->messages.emplace_back(message.begin(), message.end());
      return Io::done;
    }
    Io finish() {
      channel->closed = true;
      return Io::done;
    }
    void wait_to_send() { opened.push_back("wait_to_send"); }
    std::optional<CapacityFacts::Limit> limit() const { return CapacityFacts::Limit{7, "messages", "test"}; }
  };
  struct Receiver {
    std::shared_ptr<Channel> channel;
    Io receive(std::span<std::byte> message) {
      if (channel->messages.empty()) return channel->closed ? Io::closed : Io::again;
      if (channel->messages.front().size() != message.size()) throw std::logic_error("another size");
      std::ranges::copy(channel->messages.front(), message.begin());
      channel->messages.pop_front();
      return Io::done;
    }
    void wait_to_receive() { opened.push_back("wait_to_receive"); }
  };
  struct Remains {};

  static constexpr std::string_view name = "deque";
  static constexpr Facts facts{.summary = "for a test",
                               .send_waits = {Wait::spin, Wait::yield, Wait::poll},
                               .receive_waits = {Wait::spin, Wait::yield}};

  explicit Deque(const Shape& shape) : channel_(std::make_shared<Channel>()) {
    if (shape.message_bytes < least_bytes) throw Unsupported("deque: too small a message");
    built.push_back(shape);
    channels.push_back(channel_);
  }
  Sender open_sender(unsigned, Meeting& meeting) {
    meeting.publish_value("sender", 1);  // twice the same name would be found by the wrong one
    opened.push_back("sender");
    return {channel_};
  }
  Receiver open_receiver(unsigned, Meeting& meeting) {
    meeting.publish_value("receiver", 1);
    opened.push_back("receiver");
    return {channel_};
  }
  Remains take_remains() { return {}; }

 private:
  std::shared_ptr<Channel> channel_;
};

class AcknowledgedTest : public testing::Test {
 protected:
  using Link = Deque<1>;

  AcknowledgedTest() {
    Link::opened.clear();
    Link::built.clear();
    Link::channels.clear();
  }
  static Shape shape() {
    return {.message_bytes = 3,
            .capacity = Capacity::rendezvous(),
            .send_wait = Wait::yield,
            .receive_wait = Wait::spin};
  }

  std::unique_ptr<MeetingTable> table_ = std::make_unique<MeetingTable>();
  Meeting meeting_{*table_, now_ns()};
  Message message_{3, std::byte{9}};
  Message received_{3};
};

TEST_F(AcknowledgedTest, ASendIsDoneOnceTheReceiverHasAnsweredAndSendsOnce) {
  Acknowledged<Link> link(shape());
  auto sender = link.open_sender(0, meeting_);
  auto receiver = link.open_receiver(0, meeting_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(sender.send(message_), Io::again);
    EXPECT_EQ(sender.send(message_), Io::again);
    EXPECT_EQ(Link::channels[0]->messages.size(), 1u);
    EXPECT_EQ(receiver.receive(received_), Io::done);
    EXPECT_EQ(received_, message_);
    EXPECT_EQ(receiver.receive(received_), Io::again);
    EXPECT_EQ(sender.send(message_), Io::done);
  }
  EXPECT_EQ(sender.finish(), Io::done);
  EXPECT_EQ(receiver.receive(received_), Io::closed);
  EXPECT_EQ(sender.limit()->value, 7u);
}

TEST_F(AcknowledgedTest, EachSideWaitsForWhatItLacks) {
  Acknowledged<Link> link(shape());
  auto sender = link.open_sender(0, meeting_);
  auto receiver = link.open_receiver(0, meeting_);
  Link::opened.clear();
  Link::channels[0]->refuses = true;
  ASSERT_EQ(sender.send(message_), Io::again);
  sender.wait_to_send();
  Link::channels[0]->refuses = false;
  ASSERT_EQ(sender.send(message_), Io::again);
  sender.wait_to_send();
  EXPECT_THAT(Link::opened, testing::ElementsAre("wait_to_send", "wait_to_receive"));

  Link::opened.clear();
  Link::channels[1]->refuses = true;
  ASSERT_EQ(receiver.receive(received_), Io::again) << "the answer is still owed";
  EXPECT_EQ(received_, message_);
  receiver.wait_to_receive();
  Link::channels[1]->refuses = false;
  ASSERT_EQ(receiver.receive(received_), Io::done);
  receiver.wait_to_receive();
  EXPECT_THAT(Link::opened, testing::ElementsAre("wait_to_send", "wait_to_receive"));
}

TEST_F(AcknowledgedTest, TheSecondLinkIsTurnedRoundAndOpenedSecondByBothSides) {
  Acknowledged<Link> link(shape());
  ASSERT_EQ(Link::built.size(), 2u);
  EXPECT_EQ(Link::built[0].message_bytes, 3u);
  EXPECT_EQ(Link::built[0].capacity, Capacity{});
  EXPECT_EQ(Link::built[1].message_bytes, 1u);
  EXPECT_EQ(Link::built[1].capacity, Capacity{});
  EXPECT_EQ(Link::built[1].send_wait, Wait::spin);
  EXPECT_EQ(Link::built[1].receive_wait, Wait::yield);
  link.open_sender(0, meeting_);
  link.open_receiver(0, meeting_);
  EXPECT_THAT(Link::opened, testing::ElementsAre("sender", "receiver", "receiver", "sender"));
  EXPECT_EQ(meeting_.await_value<int>("sender"), 1);
  EXPECT_EQ(meeting_.beside().await_value<int>("sender"), 1);
  EXPECT_EQ(link.take_remains().size(), 2u);
}

TEST_F(AcknowledgedTest, AnAnswerIsAsLargeAsTheMessageWhereOneByteIsTooSmall) {
  using Large = Deque<3>;
  Acknowledged<Large> link(shape());
  EXPECT_EQ(Large::built.back().message_bytes, 3u);
  auto sender = link.open_sender(0, meeting_);
  auto receiver = link.open_receiver(0, meeting_);
  ASSERT_EQ(sender.send(message_), Io::again);
  ASSERT_EQ(receiver.receive(received_), Io::done);
  EXPECT_EQ(sender.send(message_), Io::done);
}

TEST_F(AcknowledgedTest, AWaitThatTheAnswerCannotHaveIsRefused) {
  Shape asked = shape();
  asked.send_wait = Wait::poll;
  EXPECT_THROW(Acknowledged<Link>{asked}, Unsupported);
}

TEST_F(AcknowledgedTest, AMessageForASenderThatHasGoneHasComeAllTheSame) {
  Acknowledged<Link> link(shape());
  auto sender = link.open_sender(0, meeting_);
  auto receiver = link.open_receiver(0, meeting_);
  ASSERT_EQ(sender.send(message_), Io::again);
  Link::channels[1]->closed = true;
  EXPECT_EQ(receiver.receive(received_), Io::done);
  EXPECT_EQ(sender.send(message_), Io::closed);
}

// One link, both ways.
class TwoDeques {
 public:
  struct Peer : Deque<1>::Sender, Deque<1>::Receiver {};

  static constexpr std::string_view name = "two_deques";
  static constexpr Facts facts = Deque<1>::facts;

  explicit TwoDeques(const Shape&) {}
  Peer open_peer(unsigned side, Meeting&) { return {{ways_[side]}, {ways_[1 - side]}}; }

 private:
  std::shared_ptr<Channel> ways_[2] = {std::make_shared<Channel>(), std::make_shared<Channel>()};
};

TEST_F(AcknowledgedTest, OverADuplexLinkBothSidesSendInTurn) {
  Shape asked = shape();
  EXPECT_THROW(Acknowledged<TwoDeques>{asked}, Unsupported) << "one link, one way of waiting";
  asked.receive_wait = asked.send_wait;
  Acknowledged<TwoDeques> link(asked);
  auto one = link.open_peer(0, meeting_);
  auto other = link.open_peer(1, meeting_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(one.send(message_), Io::again);
    ASSERT_EQ(other.receive(received_), Io::done);
    ASSERT_EQ(other.send(message_), Io::again);
    ASSERT_EQ(one.send(message_), Io::done);
    ASSERT_EQ(one.receive(received_), Io::done);
    ASSERT_EQ(other.send(message_), Io::done);
  }
}

TEST_F(AcknowledgedTest, AMessageThatComesInsteadOfTheAnswerIsAnError) {
  Shape asked = shape();
  asked.receive_wait = asked.send_wait;
  asked.message_bytes = 1;
  Acknowledged<TwoDeques> link(asked);
  auto one = link.open_peer(0, meeting_);
  auto other = link.open_peer(1, meeting_);
  const Message small{std::byte{9}};
  ASSERT_EQ(one.send(small), Io::again);
  EXPECT_THROW(other.send(small), std::logic_error);
}

// ---- forms ----

template <class T>
std::string_view form_for(const Capacity& capacity) {
  Shape shape;
  shape.capacity = capacity;
  return with_form<T>(shape, []<class Form>(std::type_identity<Form>) -> std::string_view {
    if constexpr (std::is_same_v<Form, T>) {
      return "itself";
    } else if constexpr (std::is_same_v<Form, Acknowledged<T>>) {
      return "acknowledged";
    } else {
      return Form::form;
    }
  });
}

struct WithForms : Deque<1> {
  struct Unbounded : Deque<1> {
    static constexpr std::string_view form = "unbounded";
    using Deque<1>::Deque;
  };
  struct NativeRendezvous : Deque<1> {
    static constexpr std::string_view form = "native";
    using Deque<1>::Deque;
  };
  using Deque<1>::Deque;
};
struct Lossy : Deque<1> {
  static constexpr Facts facts{.summary = "for a test", .lossy = true};
  using Deque<1>::Deque;
};

TEST(FormsOfATransport, AreChosenByTheCapacity) {
  for (const Capacity capacity : {Capacity{}, Capacity::bounded(1)}) {
    EXPECT_EQ(form_for<WithForms>(capacity), "itself");
    EXPECT_EQ(form_for<Deque<1>>(capacity), "itself");
  }
  EXPECT_EQ(form_for<WithForms>(Capacity::rendezvous()), "native");
  EXPECT_EQ(form_for<WithForms>(Capacity::unbounded()), "unbounded");
  EXPECT_EQ(form_for<Deque<1>>(Capacity::rendezvous()), "acknowledged");
  EXPECT_EQ(form_for<Deque<1>>(Capacity::unbounded()), "itself") << "which refuses";
  EXPECT_EQ(form_for<Lossy>(Capacity::rendezvous()), "itself") << "an answer might be lost";
}

}  // namespace
}  // namespace ipcmark
