#include "core/base/settings.h"

#include "core/base/error.h"

namespace mica {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;  // Clang 14 derives none

bool is_choice(std::string_view choices, std::string_view value) {
  while (true) {
    const size_t end = choices.find('|');
    if (choices.substr(0, end) == value) return true;
    if (end == std::string_view::npos) return false;
    choices.remove_prefix(end + 1);
  }
}

std::string range_text(const FieldInfo& info) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (info.max == kInfinity) return fmt::format("must be at least {}", info.min);
  if (info.min == -kInfinity) return fmt::format("must be at most {}", info.max);
  return fmt::format("must lie in [{}, {}]", info.min, info.max);
}

template <class T>
bool in_range(const FieldInfo& info, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    const double number = static_cast<double>(value);
    return number >= info.min && number <= info.max;  // NaN is outside
  } else {
    for (const auto& item : value) {
      if (!in_range(info, item)) return false;
    }
    return true;
  }
}

}  // namespace

std::string_view Setting::type_name() const {
  return std::visit(Overloaded{
                        [](bool*) { return "true or false"; },
                        [](int64_t*) { return "integer"; },
                        [](double*) { return "number"; },
                        [](std::string*) { return "text"; },
                        [](Pair*) { return "integer or pair of integers"; },
                        [](NumberPair*) { return "pair of numbers"; },
                        [](std::vector<int64_t>*) { return "list of integers"; },
                        [](std::vector<double>*) { return "list of numbers"; },
                    },
                    value);
}

std::string Setting::print() const {
  return std::visit([](const auto* pointer) { return fmt::format("{}", *pointer); }, value);
}

std::string Setting::problem() const {
  return std::visit(Overloaded{
                        [](bool*) { return std::string(); },
                        [&](std::string* text) {
                          if (info.choices.empty() || is_choice(info.choices, *text))
                            return std::string();
                          return fmt::format("must be one of {}, got '{}'", info.choices, *text);
                        },
                        [&](auto* number) {
                          if (in_range(info, *number)) return std::string();
                          return fmt::format("{}, got {}", range_text(info), *number);
                        },
                    },
                    value);
}

void check_settings(std::span<const Setting> settings, std::string_view owner) {
  for (const Setting& setting : settings) {
    const std::string problem = setting.problem();
    if (!problem.empty()) fail("[{}] {} {}", owner, setting.name, problem);
  }
}

}  // namespace mica
