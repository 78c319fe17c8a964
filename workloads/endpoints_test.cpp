#include "workloads/endpoints.h"

#include <gtest/gtest.h>

#include "workloads/registry.h"

namespace ipcmark {
namespace {

// Counts its links and the kernel objects that they could not remove; the second link cannot be made.
class Counted {
 public:
  static inline int links = 0, objects = 0;

  struct Sender {
    Io send(std::span<const std::byte>) { return Io::done; }
    Io finish() { return Io::done; }
    void wait_to_send() {}
  };
  struct Receiver {
    Io receive(std::span<std::byte>) { return Io::closed; }
    void wait_to_receive() {}
  };
  class Remains {
   public:
    Remains() { ++objects; }
    Remains(Remains&& other) noexcept : owns_(std::exchange(other.owns_, false)) {}
    ~Remains() { objects -= owns_; }

   private:
    bool owns_ = true;
  };

  static constexpr std::string_view name = "counted";
  static constexpr Facts facts{.summary = "for a test"};

  explicit Counted(const Shape& shape) {
    if (links == 1 && shape.message_bytes == 13) throw Unsupported("counted: one is enough");
    ++links;
  }
  ~Counted() { --links; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  Sender open_sender(unsigned, Meeting&) { return {}; }
  Receiver open_receiver(unsigned, Meeting&) { return {}; }
  Remains take_remains() { return std::move(remains_); }

 private:
  Remains remains_;
};

TEST(Links, DropRemovesTheLinksAndEndWhatTheyCouldNotRemove) {
  Links<Counted> links;
  links.build(Shape{}, 2);
  EXPECT_EQ(Counted::links, 2);
  links.drop();
  EXPECT_EQ(Counted::links, 0);
  EXPECT_EQ(Counted::objects, 2);
  links.end();
  EXPECT_EQ(Counted::objects, 0);
}

TEST(Links, WhatWasBuiltBeforeOneThatCouldNotBeIsRemovedAtTheEnd) {
  Links<Counted> links;
  EXPECT_THROW(links.build(Shape{.message_bytes = 13}, 2), Unsupported);
  EXPECT_EQ(Counted::links, 1);
  links.end();
  EXPECT_EQ(Counted::links, 0);
  EXPECT_EQ(Counted::objects, 0);
}

TEST(Links, WaitsAndAccessesThatAreNotOfferedAreRefusedByName) {
  const auto reason = [](const Shape& shape) -> std::string {
    try {
      Links<Counted>().build(shape, 1);
      return "";
    } catch (const Unsupported& unsupported) {
      return unsupported.what();
    }
  };
  EXPECT_EQ(reason({}), "");
  EXPECT_EQ(reason({.send_wait = Wait::futex}), "counted: its sender cannot wait by futex");
  EXPECT_EQ(reason({.receive_wait = Wait::spin}), "counted: its receiver cannot wait by spin");
  EXPECT_EQ(reason({.send_access = Access::loan}), "counted: its sender has no access by loan");
  EXPECT_EQ(reason({.receive_access = Access::loan}), "counted: its receiver has no access by loan");
}

}  // namespace
}  // namespace ipcmark
