// A config as a tree of values that know where they were written.
//
//   Value config = parse_yaml(text, "mnist.yaml", errors);
//   if (const Value* seed = config.find("seed")) ...
//
// yaml-cpp reads the text; this tree closes its traps: duplicate keys, merge keys ("<<"), tags and
// more than one document are errors here, aliases that hold themselves or multiply are bounded, and
// whether a scalar was quoted is kept. Everything wrong goes to the Diagnostics; text that is no
// YAML at all ends the reading there, with the likely reason (yaml_problem.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainers/diagnostics.h"

namespace mica::trainers {

struct Entry;

struct Value {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string text;            // of a scalar
  bool quoted = false;         // "5" is text, 5 is a number
  std::vector<Value> items;    // of a list
  std::vector<Entry> entries;  // of a map, in the order written
  Location at;

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  /// The value of a key; null if this is no map or has no such key.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  /// "a list", "'abc'", ...: how messages call it.
  std::string describe() const;

  static Value scalar(std::string text, bool quoted = false);
  static Value list(std::vector<Value> items);
  static Value map(std::vector<Entry> entries);
};

struct Entry {
  std::string key;
  Value value;
  Location at;  // of the key
};

/// Reads YAML text; `source` is how locations call it.
Value parse_yaml(const std::string& text, const std::string& source, Diagnostics& errors);

/// Reads a file. Throws a usage Error when it can't be opened.
Value parse_yaml_file(const std::string& path, Diagnostics& errors);

/// Reads the value of an override; everything in it is located at `at`.
Value parse_override(const std::string& text, const Location& at, Diagnostics& errors);

/// YAML text that parses to the same tree: sections as blocks, what is nested deeper in flow style.
std::string to_yaml(const Value& value);
/// The same on one line: "{lr: 0.1, betas: [0.9, 0.999]}".
std::string to_flow(const Value& value);

}  // namespace mica::trainers
