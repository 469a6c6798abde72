// FIELDS lists the members of a struct once; everything that needs the list is derived from it:
// names, equality, hash and printing here, YAML parsing and saving in the layers above.
//
//   struct Conv2dConfig {
//     int64_t out = 0;
//     int64_t kernel = 3;
//     FIELDS(Conv2dConfig, out, kernel)
//   };
//   print_fields(Conv2dConfig{16, 5});   // "Conv2dConfig(out=16, kernel=5)"
//
// A member may have FIELDS of its own (and then needs ==). Overload
// `void hash_field(size_t& seed, const T&)` or provide a fmt formatter to teach it another type.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

// `fields()` is a tuple of references, in the order written.
#define FIELDS(Type, ...)                                       \
  static constexpr std::string_view kTypeName = #Type;          \
  static constexpr std::string_view kFieldNames = #__VA_ARGS__; \
  auto fields() { return std::tie(__VA_ARGS__); }               \
  auto fields() const { return std::tie(__VA_ARGS__); }

// The same for a type without members.
#define NO_FIELDS(Type)                                \
  static constexpr std::string_view kTypeName = #Type; \
  static constexpr std::string_view kFieldNames = "";  \
  auto fields() { return std::tie(); }                 \
  auto fields() const { return std::tie(); }

namespace mica {

template <class T>
concept HasFields = requires(const T& value) {
  { T::kFieldNames } -> std::convertible_to<std::string_view>;
  value.fields();
};

/// The `index`-th name in a comma-separated list, without the blanks around it.
constexpr std::string_view field_name(std::string_view names, size_t index) {
  while (index-- > 0) names.remove_prefix(names.find(',') + 1);
  names = names.substr(0, names.find(','));
  while (!names.empty() && names.front() == ' ') names.remove_prefix(1);
  while (!names.empty() && names.back() == ' ') names.remove_suffix(1);
  // A trailing underscore marks a private member; its public name goes without.
  if (!names.empty() && names.back() == '_') names.remove_suffix(1);
  return names;
}

/// Calls visit(name, member) for every field, in order.
template <class T, class Visit>
  requires HasFields<std::remove_const_t<T>>
void for_each_field(T& object, Visit&& visit) {
  std::apply(
      [&](auto&... members) {
        size_t index = 0;
        (visit(field_name(std::remove_const_t<T>::kFieldNames, index++), members), ...);
      },
      object.fields());
}

inline void hash_combine(size_t& seed, size_t value) {
  seed ^= value + 0x9e3779b97f4a7c15ull + (seed << 6) + (seed >> 2);
}

template <HasFields T>
size_t hash_fields(const T& object);

template <class T>
void hash_field(size_t& seed, const T& value) {
  if constexpr (HasFields<T>) {
    hash_combine(seed, hash_fields(value));
  } else if constexpr (std::is_enum_v<T>) {
    hash_combine(seed, static_cast<size_t>(value));
  } else if constexpr (requires { std::hash<T>{}(value); }) {
    hash_combine(seed, std::hash<T>{}(value));
  } else {
    hash_combine(seed, value.size());
    for (const auto& item : value) hash_field(seed, item);
  }
}

template <HasFields T>
size_t hash_fields(const T& object) {
  size_t seed = 0;
  for_each_field(object, [&](std::string_view, const auto& member) { hash_field(seed, member); });
  return seed;
}

template <HasFields T>
bool equal_fields(const T& a, const T& b) {
  return a.fields() == b.fields();
}

template <HasFields T>
std::string print_fields(const T& object) {
  std::string text = fmt::format("{}(", T::kTypeName);
  std::string_view separator = "";
  for_each_field(object, [&](std::string_view name, const auto& member) {
    text += fmt::format("{}{}={}", separator, name, member);
    separator = ", ";
  });
  return text + ")";
}

}  // namespace mica

template <class T>
  requires mica::HasFields<T>
struct fmt::formatter<T> : fmt::formatter<std::string_view> {
  auto format(const T& value, format_context& context) const {
    return fmt::formatter<std::string_view>::format(mica::print_fields(value), context);
  }
};
