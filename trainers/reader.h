// Reading typed settings out of a config, strictly, and writing them back.
//
//   Section section(value, "data", errors);
//   section.read(settings_of(data_config));   // FIELDS and kFieldInfo say what may be there
//   section.finish();                         // every key nobody asked for is an error
//
//   Typed layer = read_typed(value, "a layer", errors);      // "relu", {linear: 450}, {conv2d:
//   {...}} read_typed_settings(layer, config->settings(), errors);
//
// A key that is absent leaves the setting as it is, which is an error where the default lies
// outside its range. Numbers are read as written: 010, 0x10, 1_000, .inf and .nan are errors, 1e3
// is an integer, "5" in quotes is text, and only true and false are booleans.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/settings.h"
#include "trainers/value.h"

namespace mica::trainers {

class Section {
 public:
  /// `value` must be a map or nothing at all; else an error is added and every key counts as
  /// absent.
  Section(const Value& value, std::string name, Diagnostics& errors);

  /// Reads every setting whose key is there.
  void read(const std::vector<Setting>& settings);
  /// The value of a key, which counts as known from now on; null if absent.
  const Value* find(std::string_view key);
  /// Adds an error for each key that was never asked for. `hint` may know better than the nearest
  /// known key what to say behind it.
  void finish(const std::function<std::string(const std::string& key)>& hint = {});

 private:
  void read_one(const Setting& setting);

  const Value& value_;
  std::string name_;
  std::vector<std::string> known_;
  Diagnostics& errors_;
};

/// A name that stands for a type, and its settings: null, a scalar for the first one, or a map.
struct Typed {
  std::string type;  // empty: there was an error
  Value settings;
  Location at;
};

/// "relu", {linear: 450} or {conv2d: {out: 8}}. `what` names it in errors ("a layer").
Typed read_typed(const Value& value, std::string_view what, Diagnostics& errors);
void read_typed_settings(const Typed& typed, const std::vector<Setting>& settings,
                         Diagnostics& errors);

/// Adds "unknown layer 'linaer' (did you mean 'linear'?)" and returns null, or the row of the name.
template <class Interface>
const Row<Interface>* find_typed(const Typed& typed, std::span<const Row<Interface>> rows,
                                 std::string_view what, Diagnostics& errors) {
  const Row<Interface>* row = find_row(rows, typed.type);
  if (row || typed.type.empty()) return row;
  std::vector<std::string> names;
  for (const Row<Interface>& each : rows) names.emplace_back(each.name);
  errors.add(typed.at,
             fmt::format("unknown {} '{}'{}", what, typed.type, suggestion(typed.type, names)));
  return nullptr;
}

/// The texts that a setting may be; none where any will do.
std::vector<std::string> choices_of(const FieldInfo& info);

/// The settings as a map, every default filled in. Numbers read back to the same bits.
Value settings_value(const std::vector<Setting>& settings);
/// The text as a scalar, quoted where it would read as something else.
Value text_value(const std::string& text);
void add_entry(Value& map, std::string key, Value value);

}  // namespace mica::trainers
