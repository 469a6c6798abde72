// What --names says: a framework, or a file of patterns.
#include <filesystem>

#include "core/base/error.h"
#include "trainers/reader.h"
#include "trainers/weights.h"

namespace mica::trainers {
namespace {

const std::vector<std::string> kFrameworks = {"mica", "torch", "mlx", "keras"};

std::optional<nn::Framework> framework_of(std::string_view text) {
  for (size_t i = 0; i < kFrameworks.size(); ++i) {
    if (kFrameworks[i] == text) return static_cast<nn::Framework>(i);
  }
  return std::nullopt;
}

// "0.*" as a regular expression, and "conv.*" as what replaces it ("conv.$1").
std::string glob_pattern(const std::string& glob) {
  std::string pattern;
  for (const char c : glob) {
    if (c == '*')
      pattern += "(.*)";
    else if (std::string_view("\\^$.|?+()[]{}").find(c) != std::string_view::npos)
      pattern += {'\\', c};
    else
      pattern += c;
  }
  return pattern;
}

std::string glob_replacement(const std::string& glob) {
  std::string text;
  int number = 0;
  for (const char c : glob) {
    if (c == '*')
      text += fmt::format("${:02}", ++number);
    else if (c == '$')
      text += "$$";
    else
      text += c;
  }
  return text;
}

WeightNames::Rule read_rule(const Entry& entry, Diagnostics& errors) {
  WeightNames::Rule rule{entry.key, {}, entry.value.text};
  if (!entry.value.is_scalar()) {
    errors.add(entry.value.at,
               fmt::format("'{}' needs a name, got {}", entry.key, entry.value.describe()));
    return rule;
  }
  const std::string& key = entry.key;
  const bool regex = key.size() > 2 && key.front() == '/' && key.back() == '/';
  if (!regex) {
    const auto stars = [](const std::string& text) {
      return std::count(text.begin(), text.end(), '*');
    };
    if (stars(key) < stars(rule.replacement)) {
      errors.add(entry.value.at, fmt::format("'{}' has more '*' than '{}'", rule.replacement, key));
    }
    rule.replacement = glob_replacement(rule.replacement);
  }
  try {
    rule.pattern = std::regex(regex ? key.substr(1, key.size() - 2) : glob_pattern(key));
  } catch (const std::regex_error&) {
    errors.add(entry.at, fmt::format("'{}' is no regular expression", key));
  }
  return rule;
}

std::vector<std::string> read_texts(Section& section, std::string_view key, Diagnostics& errors) {
  std::vector<std::string> texts;
  const Value* list = section.find(key);
  if (!list) return texts;
  if (!list->is_list()) {
    errors.add(list->at,
               fmt::format("'{}' must be a list of names, got {}", key, list->describe()));
  }
  for (const Value& item : list->items) {
    if (!item.is_scalar()) {
      errors.add(item.at, fmt::format("wanted a name, got {}", item.describe()));
    }
    texts.push_back(item.text);
  }
  return texts;
}

WeightNames read_names_file(const std::string& path) {
  Diagnostics errors;
  const Value root = parse_yaml_file(path, errors);
  errors.throw_if_any();
  WeightNames result;
  result.source = path;
  Section section(root, "names file", errors);
  std::string layout = "mica";
  section.read({{"layout", &layout, {.choices = "mica|torch|mlx|keras"}}});
  if (const auto framework = framework_of(layout)) result.layout = *framework;
  if (const Value* names = section.find("names")) {
    if (!names->is_map()) {
      errors.add(names->at, fmt::format("'names' must be a section of 'ours: theirs', got {}",
                                        names->describe()));
    }
    for (const Entry& entry : names->entries) result.rules.push_back(read_rule(entry, errors));
  }
  result.ignore = read_texts(section, "ignore", errors);
  result.keep = read_texts(section, "keep", errors);
  section.finish();
  errors.throw_if_any();
  return result;
}

}  // namespace

WeightNames read_weight_names(const std::string& text) {
  if (const auto framework = framework_of(text)) {
    WeightNames names;
    names.layout = *framework;
    names.source = text;
    return names;
  }
  if (!std::filesystem::exists(text)) {
    fail("--names {}: is neither a framework nor a file{}", text, suggestion(text, kFrameworks));
  }
  return read_names_file(text);
}

}  // namespace mica::trainers
