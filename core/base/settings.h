// Settings seen without their type: what a config reader, `--help` and the docs need to know of the
// members of a FIELDS struct, and the rows by which a name in a config becomes an object.
//
//   struct DropoutConfig {
//     double p = 0.5;
//     FIELDS(DropoutConfig, p)
//     static constexpr FieldInfo kFieldInfo[] = {{"share of elements dropped", 0, 1}};
//   };
//   DropoutConfig config;
//   for (Setting& setting : settings_of(config)) ...   // {"p", double*, {"share of...", 0, 1}}
//   check_settings(config, "dropout");                 // throws where p lies outside [0, 1]
//
// kFieldInfo is optional and parallel to FIELDS. A setting whose default lies outside its range has
// no default: it must be given. Settings point into the struct they were made of.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/fields.h"

namespace mica {

/// What is known of a field beside its type. The range holds for every element of a list.
struct FieldInfo {
  std::string_view doc = "";
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::string_view choices = "";  // allowed texts, as in "none|mean|sum"
};

using Pair = std::array<int64_t, 2>;  // in a config a single number stands for both
using NumberPair = std::array<double, 2>;
using SettingPointer = std::variant<bool*, int64_t*, double*, std::string*, Pair*, NumberPair*,
                                    std::vector<int64_t>*, std::vector<double>*>;

struct Setting {
  std::string_view name;
  SettingPointer value;
  FieldInfo info;

  /// "integer", "number", "pair of integers", ...
  std::string_view type_name() const;
  /// The value as it would be written in a config: "0.5", "[1, 1]", "mean".
  std::string print() const;
  /// What is wrong with the value ("must lie in [0, 1], got 1.5"), or nothing.
  std::string problem() const;
};

template <HasFields T>
std::vector<Setting> settings_of(T& object) {
  constexpr bool kHasInfo = requires { T::kFieldInfo; };
  if constexpr (kHasInfo) {
    static_assert(std::size(T::kFieldInfo) == std::tuple_size_v<decltype(object.fields())>,
                  "kFieldInfo has one row for every field");
  }
  std::vector<Setting> settings;
  for_each_field(object, [&](std::string_view name, auto& member) {
    FieldInfo info;
    if constexpr (kHasInfo) info = T::kFieldInfo[settings.size()];
    settings.push_back({name, &member, info});
  });
  return settings;
}

/// Throws Error for the first setting that is out of range, naming `owner` and the setting.
void check_settings(std::span<const Setting> settings, std::string_view owner);
template <HasFields T>
void check_settings(const T& object, std::string_view owner) {
  T copy = object;
  check_settings(settings_of(copy), owner);
}

/// A name that configs may use, and how to make what it stands for, with default settings.
template <class Interface>
struct Row {
  std::string_view name;
  std::string_view doc;
  std::unique_ptr<Interface> (*make)();
};

/// The row of that name, or null.
template <class Interface>
const Row<Interface>* find_row(std::span<const Row<Interface>> rows, std::string_view name) {
  for (const Row<Interface>& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace mica
