// Walks JSON text from front to back, without building it: for readers of many large files who want a few
// members of each object. All of the text's grammar is checked (RFC 8259), and no key may stand twice in an
// object; of strings that are passed over, only where they end.
//
// The text must outlive the scanner and what it returns. Every error is a FileError "FILE:LINE: ...".
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/json_node.h"

namespace ipcmark {

class JsonScanner {
 public:
  // `first_line` is the number of the text's first line in the file.
  JsonScanner(std::string_view text, std::string file, std::size_t first_line = 1)
      : text_(text), file_(std::move(file)), first_line_(first_line) {}

  // Calls member(key) for each member; it must take the value, by one of these functions. The key is as it
  // stands in the text, escapes and all.
  template <class Member>
  void object(Member member) {
    const std::size_t first_key = open('{', "an object");
    for (bool more = !close('}'); more; more = !last('}')) {
      keys_.push_back(quoted());
      expect(':');
      member(keys_.back());
    }
    check_keys(first_key);
  }

  // Calls item() for each entry; it must take it.
  template <class Item>
  void array(Item item) {
    open('[', "a list");
    for (bool more = !close(']'); more; more = !last(']')) item();
    --depth_;
  }

  // Each takes one value.
  std::string_view raw();  // of any kind, as it stands in the text
  void skip() { raw(); }
  std::string text();
  double number();
  std::uint64_t whole_number();
  bool take_null();  // false: the value is another, and still there

  // After the only value. Throws when anything follows but blanks.
  void end();

  [[noreturn]] void fail(std::string_view what) const;

 private:
  std::size_t open(char bracket, std::string_view what);
  bool close(char bracket);
  bool last(char bracket);
  void expect(char mark);
  void check_keys(std::size_t first_key);
  char next();
  std::string_view quoted();
  std::string_view number_text();
  void word(std::string_view expected);

  static constexpr unsigned deepest = 64;

  std::string_view text_;
  std::string file_;
  std::size_t first_line_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  std::vector<std::string_view> keys_;  // of all objects that are open
};

}  // namespace ipcmark
