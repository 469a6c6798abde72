// Errors of a config: collected, placed and told all at once, in the way of a compiler.
//
//   Diagnostics errors;
//   errors.add(value.at, "unknown key 'epoch' in 'train' (did you mean 'epochs'?)");
//   errors.throw_if_any();   // Error (usage): "mnist.yaml:14:5: error: unknown key 'epoch' ..."
//
// A Diagnostics belongs to one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mica::trainers {

/// Where a value was written. Lines and columns count from 1; line 0 means that `source` says all
/// there is to say ("--set #2"), and the column is the override's number.
struct Location {
  std::string source;
  int line = 0;
  int column = 0;

  /// "mnist.yaml:14:5" or "--set #2".
  std::string text() const;
  bool is_override() const { return line == 0; }
};

class Diagnostics {
 public:
  void add(const Location& at, std::string_view message);
  /// Grows with every error that is added, also one that was told already.
  size_t count() const { return added_; }
  /// In the order of the text, file by file, those of overrides after those of files.
  std::vector<std::string> lines() const;
  /// Throws a usage Error with every message, one a line, and their number if there are several.
  void throw_if_any() const;

 private:
  struct Entry {
    Location at;
    std::string line;
  };
  std::vector<Entry> entries_;
  size_t added_ = 0;
};

/// The candidate closest to `word`, at most two edits (insert, delete, replace, swap neighbours)
/// away and fewer than `word` is long; empty if there is none.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// " (here it is 'lr')" for a word of other libraries, " (did you mean 'x'?)" for the closest
/// candidate, else " (known: a, b, c)".
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace mica::trainers
