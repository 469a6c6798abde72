#include "trainers/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace mica::trainers {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal number as most people write it. from_chars alone would take "inf" and "nan"; YAML 1.1
// takes 010 as eight and 1_000 as a thousand.
std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (!is_digit(digits[0]) && digits[0] != '.')) return {};
  if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) return {};
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || stop != end || !std::isfinite(number)) return {};
  return number;
}

std::string number_hint(const Value& value) {
  if (value.is_null()) return " (leave the key away for the default)";
  if (value.is_list()) return fmt::format(" of {}", value.items.size());
  if (!value.is_scalar()) return "";
  const std::string& text = value.text;
  if (value.quoted) return parse_number(text) ? " (leave the quotes away)" : "";
  if (text.size() > 1 && text[0] == '0' && is_digit(text[1])) return " (no leading zeros, please)";
  if (text.size() > 1 && text.ends_with('%')) {
    const std::optional<double> share =
        parse_number(std::string_view(text).substr(0, text.size() - 1));
    if (share) return fmt::format(" (write {:g})", *share / 100);
  }
  if (text.starts_with("0x") || text.starts_with("0X")) return " (write it in decimal digits)";
  std::string with_point = text;
  std::replace(with_point.begin(), with_point.end(), ',', '.');
  if (with_point != text && parse_number(with_point)) return fmt::format(" (write {})", with_point);
  const bool underscore = text.find('_') != std::string::npos && is_digit(text[0]);
  return underscore ? " (write it without '_')" : "";
}

std::string truth_hint(const Value& value) {
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return value.is_scalar() && std::find(words.begin(), words.end(), value.text) != words.end();
  };
  if (is_one_of({"yes", "on", "Yes", "On", "True", "TRUE", "1", "y"})) return " (write true)";
  if (is_one_of({"no", "off", "No", "Off", "False", "FALSE", "0", "n"})) return " (write false)";
  return "";
}

// " (did you mean 'best'?)" for a text that is none of the choices but like one.
std::string choice_hint(const Value& value, const Setting& setting) {
  if (setting.info.choices.empty() || !value.is_scalar()) return "";
  const std::string hint = suggestion(value.text, choices_of(setting.info));
  return hint.starts_with(" (known") ? "" : hint;
}

// Reads one value into the type that a setting points to; false if it is of another type.
struct ReadInto {
  const Value& value;

  std::optional<double> number() const {
    return value.is_scalar() && !value.quoted ? parse_number(value.text) : std::nullopt;
  }
  bool operator()(bool* out) const {
    if (!value.is_scalar() || value.quoted) return false;
    if (value.text != "true" && value.text != "false") return false;
    *out = value.text == "true";
    return true;
  }
  bool operator()(double* out) const {
    const std::optional<double> x = number();
    if (x) *out = *x;
    return x.has_value();
  }
  bool operator()(int64_t* out) const {
    const std::optional<double> x = number();
    if (!x || *x != std::floor(*x) || std::abs(*x) >= 0x1p63) return false;
    // Beyond 2^53 only the digits themselves are exact; "1e3" has none to read.
    const char* end = value.text.data() + value.text.size();
    const char* begin = value.text.data() + (value.text.starts_with('+') ? 1 : 0);
    const auto [stop, code] = std::from_chars(begin, end, *out);
    if (code != std::errc() || stop != end) *out = static_cast<int64_t>(*x);
    return true;
  }
  bool operator()(std::string* out) const {
    if (value.is_scalar()) *out = value.text;
    return value.is_scalar();
  }
  template <class T, size_t N>
  bool operator()(std::array<T, N>* out) const {
    if (value.is_list() && value.items.size() != N) return false;
    for (size_t i = 0; i < N; ++i) {
      if (!ReadInto{value.is_list() ? value.items[i] : value}(&(*out)[i])) return false;
    }
    return true;
  }
  template <class T>
  bool operator()(std::vector<T>* out) const {
    if (!value.is_list()) return false;
    out->assign(value.items.size(), T{});
    for (size_t i = 0; i < value.items.size(); ++i) {
      if (!ReadInto{value.items[i]}(&(*out)[i])) return false;
    }
    return true;
  }
};

// "an integer", "a pair of numbers"; "text" and "true or false" take no article.
std::string with_article(std::string_view type) {
  if (type == "text" || type.starts_with("true")) return std::string(type);
  return fmt::format("{} {}", type.starts_with('i') ? "an" : "a", type);
}

void read_setting(const Value& value, std::string_view name, const Setting& setting,
                  Diagnostics& errors) {
  if (!std::visit(ReadInto{value}, setting.value)) {
    const bool numeric = setting.type_name().find("number") != std::string_view::npos ||
                         setting.type_name().find("integer") != std::string_view::npos;
    errors.add(value.at,
               fmt::format("'{}' must be {}, got {}{}", name, with_article(setting.type_name()),
                           value.describe(), numeric ? number_hint(value) : truth_hint(value)));
    return;
  }
  const std::string problem = setting.problem();
  if (!problem.empty()) {
    errors.add(value.at, fmt::format("'{}' {}{}", name, problem, choice_hint(value, setting)));
  }
}

std::string dotted(std::string_view section, std::string_view key) {
  return section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
}

struct ToValue {
  Value operator()(bool value) const { return Value::scalar(value ? "true" : "false"); }
  Value operator()(int64_t value) const { return Value::scalar(fmt::format("{}", value)); }
  // fmt prints the shortest text that reads back to the same number.
  Value operator()(double value) const { return Value::scalar(fmt::format("{}", value)); }
  Value operator()(const std::string& text) const { return text_value(text); }
  template <class List>
  Value operator()(const List& list) const {
    std::vector<Value> items;
    for (const auto& item : list) items.push_back((*this)(item));
    return Value::list(std::move(items));
  }
};

}  // namespace

Section::Section(const Value& value, std::string name, Diagnostics& errors)
    : value_(value), name_(std::move(name)), errors_(errors) {
  if (value.is_map() || value.is_null()) return;
  errors.add(value.at, name_.empty() ? fmt::format("a config is made of 'key: value', got {}",
                                                   value.describe())
                                     : fmt::format("'{}' must be a section, got {}{}", name_,
                                                   value.describe(), suggestion(value.text, {})));
}

void Section::read(const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) read_one(setting);
}

void Section::read_one(const Setting& setting) {
  const std::string name = dotted(name_, setting.name);
  if (const Value* value = find(setting.name)) {
    read_setting(*value, name, setting, errors_);
  } else if (!setting.problem().empty()) {
    errors_.add(value_.at, fmt::format("'{}' must be given", name));
  }
}

const Value* Section::find(std::string_view key) {
  known_.emplace_back(key);
  return value_.find(key);
}

void Section::finish(const std::function<std::string(const std::string& key)>& hint) {
  for (const Entry& entry : value_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    const std::string where = name_.empty() ? "" : fmt::format(" in '{}'", name_);
    std::string remedy = hint ? hint(entry.key) : "";
    if (remedy.empty()) remedy = suggestion(entry.key, known_);
    errors_.add(entry.at, fmt::format("unknown key '{}'{}{}", entry.key, where, remedy));
  }
}

Typed read_typed(const Value& value, std::string_view what, Diagnostics& errors) {
  if (value.is_scalar()) return {value.text, {}, value.at};
  if (value.is_map() && value.entries.size() == 1) {
    const Entry& entry = value.entries[0];
    return {entry.key, entry.value, entry.at};
  }
  if (value.is_map() && value.entries.size() > 1) {
    const std::string both =
        fmt::format("got '{}' and '{}'", value.entries[0].key, value.entries[1].key);
    if (what == "a loss") {
      errors.add(value.entries[1].at, fmt::format("one loss is enough, {}", both));
      return {"", {}, value.at};
    }
    errors.add(value.entries[1].at,
               fmt::format("expected {}, {}: each wants a line of its own that starts with '- '",
                           what, both));
    return {"", {}, value.at};
  }
  errors.add(value.at, fmt::format("expected {}, as 'name' or 'name: {{setting: value}}', got {}",
                                   what, value.describe()));
  return {"", {}, value.at};
}

void read_typed_settings(const Typed& typed, const std::vector<Setting>& settings,
                         Diagnostics& errors) {
  const bool short_form = typed.settings.is_scalar() || typed.settings.is_list();
  if (short_form && settings.empty()) {
    errors.add(typed.settings.at,
               fmt::format("'{}' has no settings, got {}", typed.type, typed.settings.describe()));
    return;
  }
  Value map = typed.settings;
  if (short_form) map = Value::map({{std::string(settings[0].name), typed.settings, typed.at}});
  map.at = typed.at;
  Section section(map, typed.type, errors);
  section.read(settings);
  section.finish();
}

std::vector<std::string> choices_of(const FieldInfo& info) {
  std::string_view text = info.choices;
  std::vector<std::string> choices;
  while (!text.empty()) {
    const size_t end = std::min(text.find('|'), text.size());
    choices.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return choices;
}

Value settings_value(const std::vector<Setting>& settings) {
  Value map = Value::map({});
  for (const Setting& setting : settings) {
    Value value =
        std::visit([](const auto* pointer) { return ToValue()(*pointer); }, setting.value);
    add_entry(map, std::string(setting.name), std::move(value));
  }
  return map;
}

Value text_value(const std::string& text) {
  const bool ambiguous = text == "true" || text == "false" || text == "null" || text.empty() ||
                         parse_number(text).has_value();
  return Value::scalar(text, ambiguous);
}

void add_entry(Value& map, std::string key, Value value) {
  map.entries.push_back({std::move(key), std::move(value), {}});
}

}  // namespace mica::trainers
