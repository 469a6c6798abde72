#include "trainers/value.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

#include "core/base/error.h"
#include "trainers/yaml_documents.h"

namespace mica::trainers {
namespace {

// An alias leads to the node that its anchor names, so a node may hold itself, and a few lines may
// stand for millions of values: both are bounded.
constexpr int kMaxDepth = 64;
constexpr int kMaxValues = 200'000;

// Ends the reading, its error added.
struct Stop {};

// Turns yaml-cpp's nodes into Values; `at_override` is set for the text of a --set.
class Importer {
 public:
  Importer(std::string source, const Location* at_override, Diagnostics& errors)
      : source_(std::move(source)), at_override_(at_override), errors_(errors) {}

  Location locate(const YAML::Mark& mark) const {
    if (at_override_) return *at_override_;
    return {source_, mark.line + 1, mark.column + 1};
  }

  Value import(const YAML::Node& node, int depth = 0) {
    Value value;
    value.at = locate(node.Mark());
    if (depth > kMaxDepth || ++values_ > kMaxValues) {
      errors_.add(
          value.at,
          depth > kMaxDepth
              ? fmt::format("nested more than {} deep (an alias inside its own anchor?)", kMaxDepth)
              : fmt::format("more than {} values (aliases of aliases?)", kMaxValues));
      throw Stop();
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        value.kind = Value::Kind::kScalar;
        value.text = node.Scalar();
        value.quoted = node.Tag() == "!";
        break;
      case YAML::NodeType::Sequence:
        value.kind = Value::Kind::kList;
        for (const auto& item : node) value.items.push_back(import(item, depth + 1));
        break;
      case YAML::NodeType::Map:
        value.kind = Value::Kind::kMap;
        for (const auto& pair : node) add_entry(value, pair.first, pair.second, depth);
        break;
      default: break;
    }
    return value;
  }

 private:
  void add_entry(Value& map, const YAML::Node& key, const YAML::Node& node, int depth) {
    const Location at = locate(key.Mark());
    if (!key.IsScalar()) {
      errors_.add(at, "a key must be a word");
      return;
    }
    const std::string& name = key.Scalar();
    if (name == "<<") {
      errors_.add(at, "merge keys ('<<') are not supported; write the values out");
      return;
    }
    for (const Entry& entry : map.entries) {
      if (entry.key != name) continue;
      errors_.add(at, fmt::format("duplicate key '{}' (first at {})", name, entry.at.text()));
      return;
    }
    map.entries.push_back({name, import(node, depth + 1), at});
  }

  std::string source_;
  const Location* at_override_;
  Diagnostics& errors_;
  int values_ = 0;
};

Value parse(const std::string& text, const std::string& source, const Location* at_override,
            Diagnostics& errors) {
  Importer importer(source, at_override, errors);
  try {
    std::optional<YAML::Mark> more;
    const YAML::Node root = load_document(text, more);
    if (more) {
      const bool marked = text.compare(static_cast<size_t>(more->pos), 3, "---") == 0;
      errors.add(importer.locate(*more),
                 marked
                     ? "only one YAML document may be in a config"
                     : "not valid YAML: this belongs to nothing above it; is it indented right?");
    }
    return importer.import(root);
  } catch (const YAML::Exception& error) {
    errors.add(importer.locate(error.mark), fmt::format("not valid YAML: {}", error.msg));
    return {};
  } catch (const Stop&) {
    return {};
  }
}

// One step of an override's path: a key, or a position in a list.
struct Step {
  std::string key;
  int64_t index = -1;
};

// "model[2].dropout" -> model, [2], dropout. Empty on malformed text.
std::vector<Step> parse_path(std::string_view path) {
  std::vector<Step> steps;
  while (true) {
    const size_t end = path.find_first_of(".[");
    if (end == 0) return {};
    steps.push_back({std::string(path.substr(0, end)), -1});
    if (end == std::string_view::npos) return steps;
    path.remove_prefix(end);
    while (path.starts_with('[')) {
      int64_t index = -1;
      const char* last = path.data() + path.size();
      const auto [stop, code] = std::from_chars(path.data() + 1, last, index);
      if (code != std::errc() || index < 0 || stop == last || *stop != ']') return {};
      steps.push_back({"", index});
      path.remove_prefix(static_cast<size_t>(stop - path.data()) + 1);
    }
    if (path.empty()) return steps;
    if (!path.starts_with('.')) return {};
    path.remove_prefix(1);
  }
}

// The value a step leads to; null, with an error added, when it can't be reached.
Value* descend(Value& value, const Step& step, const std::string& so_far, const Location& at,
               Diagnostics& errors) {
  if (step.index >= 0) {
    if (value.is_list() && step.index < static_cast<int64_t>(value.items.size())) {
      return &value.items[static_cast<size_t>(step.index)];
    }
    errors.add(at, value.is_list() ? fmt::format("'{}' has {} items, there is no [{}]", so_far,
                                                 value.items.size(), step.index)
                                   : fmt::format("'{}' is no list", so_far));
    return nullptr;
  }
  // "relu" and {relu: ...}, "sgd" and {sgd: {lr: ...}} name the same thing.
  if (value.is_scalar() && value.text == step.key) {
    value = Value::map({{step.key, Value{}, value.at}});
  }
  if (value.is_null()) value.kind = Value::Kind::kMap;
  if (!value.is_map()) {
    errors.add(at, fmt::format("'{}' is {}, not a section", so_far, value.describe()));
    return nullptr;
  }
  if (Value* found = value.find(step.key)) return found;
  Value made;
  made.at = at;
  value.entries.push_back({step.key, made, at});
  return &value.entries.back().value;
}

bool needs_quotes(const Value& value) {
  if (value.quoted || value.text.empty()) return true;
  if (value.text.find_first_of(":#{}[],&*!|>'\"%@`\n\t\\") != std::string::npos) return true;
  return value.text.front() == ' ' || value.text.back() == ' ' || value.text.front() == '-' ||
         value.text.front() == '?' || value.text == "~" || value.text == "null";
}

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else
      quoted += c;
  }
  return quoted + '"';
}

std::string scalar_text(const Value& value) {
  // Negative numbers start with '-' and need no quotes.
  const bool number = !value.quoted && value.text.size() > 1 && value.text[0] == '-' &&
                      value.text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  return needs_quotes(value) && !number ? quote(value.text) : value.text;
}

std::string flow(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull: return "null";
    case Value::Kind::kScalar: return scalar_text(value);
    case Value::Kind::kList: {
      std::string text = "[";
      for (const Value& item : value.items) text += (text.size() > 1 ? ", " : "") + flow(item);
      return text + "]";
    }
    case Value::Kind::kMap: {
      std::string text = "{";
      for (const Entry& entry : value.entries) {
        text += (text.size() > 1 ? ", " : "") + scalar_text(Value::scalar(entry.key)) + ": " +
                flow(entry.value);
      }
      return text + "}";
    }
  }
  return "";
}

bool is_block(const Value& value, int depth) {
  if (depth >= 2) return false;
  return (value.is_map() && !value.entries.empty()) || (value.is_list() && !value.items.empty());
}

void block(const Value& value, int depth, std::string& text) {
  const std::string indent(static_cast<size_t>(depth) * 2, ' ');
  for (const Entry& entry : value.entries) {
    text += fmt::format("{}{}:", indent, scalar_text(Value::scalar(entry.key)));
    if (is_block(entry.value, depth + 1)) {
      text += "\n";
      block(entry.value, depth + 1, text);
    } else {
      text += fmt::format(" {}\n", flow(entry.value));
    }
  }
  for (const Value& item : value.items) {
    const bool pair = item.is_map() && item.entries.size() == 1;
    const std::string line =
        pair ? fmt::format("{}: {}", scalar_text(Value::scalar(item.entries[0].key)),
                           flow(item.entries[0].value))
             : flow(item);
    text += fmt::format("{}- {}\n", indent, line);
  }
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

std::string Value::describe() const {
  switch (kind) {
    case Kind::kNull: return "nothing";
    case Kind::kScalar: return quoted ? quote(text) : fmt::format("'{}'", text);
    case Kind::kList: return "a list";
    case Kind::kMap: return "a section";
  }
  return "";
}

Value Value::scalar(std::string text, bool quoted) {
  Value value;
  value.kind = Kind::kScalar;
  value.text = std::move(text);
  value.quoted = quoted;
  return value;
}

Value Value::list(std::vector<Value> items) {
  Value value;
  value.kind = Kind::kList;
  value.items = std::move(items);
  return value;
}

Value Value::map(std::vector<Entry> entries) {
  Value value;
  value.kind = Kind::kMap;
  value.entries = std::move(entries);
  return value;
}

Value parse_yaml(const std::string& text, const std::string& source, Diagnostics& errors) {
  return parse(text, source, nullptr, errors);
}

Value parse_yaml_file(const std::string& path, Diagnostics& errors) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) fail("{}: cannot read the config file", path);
  return parse_yaml(text.str(), path, errors);
}

void apply_override(Value& config, const std::string& assignment, int number, Diagnostics& errors) {
  const Location at{fmt::format("--set #{}", number), 0, number};
  const size_t equals = assignment.find('=');
  const std::vector<Step> path = parse_path(std::string_view(assignment).substr(0, equals));
  if (equals == std::string::npos || path.empty()) {
    errors.add(at, fmt::format("expected key.path=value, got '{}'", assignment));
    return;
  }
  Value value = parse(assignment.substr(equals + 1), at.source, &at, errors);
  Value* target = &config;
  std::string so_far;
  for (const Step& step : path) {
    target = descend(*target, step, so_far, at, errors);
    if (!target) return;
    so_far +=
        step.index >= 0 ? fmt::format("[{}]", step.index) : (so_far.empty() ? "" : ".") + step.key;
  }
  *target = std::move(value);
  target->at = at;
}

std::string to_yaml(const Value& value) {
  if (!is_block(value, 0)) return flow(value) + "\n";
  std::string text;
  block(value, 0, text);
  return text;
}

}  // namespace mica::trainers
