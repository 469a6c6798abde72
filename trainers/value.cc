#include "trainers/value.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "core/base/error.h"
#include "trainers/yaml_documents.h"
#include "trainers/yaml_problem.h"

namespace mica::trainers {
namespace {

constexpr size_t kMaxBytes = 8 << 20;
constexpr int kMaxDepth = 64;
constexpr int kMaxValues = 200'000;

// Ends the reading, once the reason is among the errors.
struct Stop {};

// Turns yaml-cpp's nodes into Values; `at_override` is set for the text of a --set.
class Importer {
 public:
  Importer(std::string source, const Location* at_override, Diagnostics& errors)
      : source_(std::move(source)), at_override_(at_override), errors_(errors) {}

  Location locate(int line, int column) const {
    if (at_override_) return *at_override_;
    return {source_, line, column};
  }
  Location locate(const YAML::Mark& mark) const { return locate(mark.line + 1, mark.column + 1); }

  // An alias leads to the node that its anchor names, so a node may hold itself, and a few lines
  // may stand for millions of values: both are bounded.
  Value import(const YAML::Node& node, int depth = 0) {
    Value value;
    value.at = locate(node.Mark());
    if (depth > kMaxDepth) {
      errors_.add(value.at, fmt::format("nested more than {} deep; does an alias (*name) stand "
                                        "inside its own anchor (&name)?",
                                        kMaxDepth));
      throw Stop();
    }
    if (++values_ > kMaxValues) {
      errors_.add(value.at, fmt::format("more than {} values; aliases (*name) of aliases multiply",
                                        kMaxValues));
      throw Stop();
    }
    check_tag(node, value.at);
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
  void check_tag(const YAML::Node& node, const Location& at) {
    const std::string& tag = node.Tag();
    if (tag.empty() || tag == "?" || tag == "!") return;
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    const std::string shown = tag.starts_with(kCore) ? "!!" + tag.substr(kCore.size()) : tag;
    errors_.add(at, fmt::format("tags ('{}') are not supported; leave it away", shown));
  }

  void add_entry(Value& map, const YAML::Node& key, const YAML::Node& node, int depth) {
    const Location at = locate(key.Mark());
    if (!key.IsScalar()) {
      errors_.add(at, "a key must be a word");
      return;
    }
    const std::string& name = key.Scalar();
    if (name == "<<") {
      errors_.add(at,
                  "merge keys ('<<') are not supported; write the values out, or put them "
                  "into a file of their own and name it with 'base:'");
      return;
    }
    for (const Entry& entry : map.entries) {
      if (entry.key != name) continue;
      errors_.add(at, fmt::format("duplicate key '{}' (first at {})", name, entry.at.text()));
      return;
    }
    Value value = import(node, depth + 1);
    // What is not there was not written anywhere.
    if (value.is_null()) value.at = at;
    map.entries.push_back({name, std::move(value), at});
  }

  std::string source_;
  const Location* at_override_;
  Diagnostics& errors_;
  int values_ = 0;
};

// What kind of file this is instead of a config; empty if it may be one.
std::string foreign(std::string_view text) {
  if (text.starts_with("\x89HDF")) return "an HDF5 file (a data set or a checkpoint)";
  if (text.starts_with("\x89PNG")) return "a PNG picture";
  if (text.starts_with("\x1f\x8b") || text.starts_with("PK\x03\x04")) return "an archive";
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    return "text in UTF-16; save it as UTF-8";
  }
  if (text.find('\0') != std::string_view::npos) return "a binary file";
  if (text.size() > kMaxBytes) return fmt::format("a file of {} MB", text.size() >> 20);
  return "";
}

Value parse(const std::string& text, const std::string& source, const Location* at_override,
            Diagnostics& errors) {
  Importer importer(source, at_override, errors);
  if (const std::string kind = foreign(text); !kind.empty()) {
    errors.add(importer.locate(1, 1), fmt::format("this is no config but {}", kind));
    return {};
  }
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
    const YamlProblem problem =
        explain_yaml(text, error.mark.line + 1, error.mark.column + 1, error.msg);
    errors.add(importer.locate(problem.line, problem.column), problem.message);
  } catch (const Stop&) {
  }
  return {};
}

// " (did you mean configs/mnist_mlp.yaml?)" for a file of nearly that name.
std::string neighbour_hint(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path).parent_path();
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".yaml" || it->path().extension() == ".yml") {
      names.push_back(it->path().filename().string());
    }
  }
  const std::string near = closest(fs::path(path).filename().string(), names);
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", (folder / near).string());
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool needs_quotes(const Value& value) {
  const std::string& text = value.text;
  if (value.quoted || text.empty()) return true;
  if (text.find_first_of(":#{}[],&*!|>'\"%@`\\") != std::string::npos) return true;
  if (std::any_of(text.begin(), text.end(), is_control)) return true;
  const bool null = text == "~" || text == "null" || text == "Null" || text == "NULL";
  return null || text.front() == ' ' || text.back() == ' ' || text.front() == '-' ||
         text.front() == '?';
}

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else if (is_control(c))
      quoted += fmt::format("\\x{:02x}", static_cast<int>(c));
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

Value parse_override(const std::string& text, const Location& at, Diagnostics& errors) {
  return parse(text, at.source, &at, errors);
}

Value parse_yaml_file(const std::string& path, Diagnostics& errors) {
  namespace fs = std::filesystem;
  if (fs::is_directory(path)) {
    const fs::path inside = fs::path(path) / "config.yaml";
    fail("{}: is a folder, not a config file{}", path,
         fs::exists(inside) ? fmt::format("; did you mean {}?", inside.string()) : "");
  }
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (!file) fail("{}: cannot read the config file{}", path, neighbour_hint(path));
  text << file.rdbuf();
  return parse_yaml(text.str(), path, errors);
}

std::string to_flow(const Value& value) { return flow(value); }

std::string to_yaml(const Value& value) {
  if (!is_block(value, 0)) return flow(value) + "\n";
  std::string text;
  block(value, 0, text);
  return text;
}

}  // namespace mica::trainers
