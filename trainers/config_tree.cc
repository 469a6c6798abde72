#include "trainers/config_tree.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "trainers/override.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

class TreeBuilder {
 public:
  TreeBuilder(ConfigTree& tree, Diagnostics& errors) : tree_(tree), errors_(errors) {}

  // A file's values on top of those of its bases.
  Value with_bases(Value value, const std::string& source, const std::string& folder) {
    tree_.folders[source] = folder;
    const Value* base = value.find("base");
    if (!base) return value;
    chain_.push_back(source);
    Value merged;
    for (const Value& file : base->is_list() ? base->items : std::vector<Value>{*base}) {
      if (file.is_scalar()) {
        add_base(merged, file, folder);
      } else {
        errors_.add(file.at, fmt::format("'base' must be a file or a list of files, got {}",
                                         file.describe()));
      }
    }
    chain_.pop_back();
    std::erase_if(value.entries, [](const Entry& entry) { return entry.key == "base"; });
    if (merged.is_null()) return value;
    merge_over(merged, value);
    return merged;
  }

  void overlay(const std::string& path) {
    const fs::path file = fs::absolute(path);
    tree_.folders[path] = file.parent_path().string();
    Value value = parse_yaml_file(path, errors_);
    if (const Value* base = value.find("base")) {
      errors_.add(base->at, "'base' may stand in a config, not in a --set-file");
      return;
    }
    if (value.is_null()) return;
    if (!value.is_map()) {
      errors_.add(value.at,
                  fmt::format("a config is made of 'key: value', got {}", value.describe()));
      return;
    }
    merge_over(tree_.root, value);
  }

 private:
  void add_base(Value& merged, const Value& file, const std::string& folder) {
    // Shown relative to where the program was started, as the config itself is.
    const fs::path path = (fs::path(folder) / file.text).lexically_normal();
    const fs::path near = path.lexically_proximate(fs::current_path());
    const bool below = !near.string().starts_with("..");
    const std::string source = below ? near.string() : path.string();
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      errors_.add(file.at, fmt::format("base: no file {} (it counts from the folder of the file "
                                       "that names it)",
                                       source));
      return;
    }
    for (const std::string& open : chain_) {
      if (!fs::equivalent(open, path, ignored)) continue;
      errors_.add(file.at, fmt::format("base: {} leads back to itself ({} -> {})", source,
                                       fmt::join(chain_, " -> "), source));
      return;
    }
    Value value = parse_yaml_file(source, errors_);
    if (!value.is_map() && !value.is_null()) {
      errors_.add(value.at,
                  fmt::format("a config is made of 'key: value', got {}", value.describe()));
      return;
    }
    value = with_bases(std::move(value), source, path.parent_path().string());
    std::erase_if(value.entries, [](const Entry& entry) { return entry.key == "name"; });
    if (merged.is_null())
      merged = std::move(value);
    else
      merge_over(merged, value);
  }

  ConfigTree& tree_;
  Diagnostics& errors_;
  std::vector<std::string> chain_;
};

ConfigTree build(Value root, const std::string& source, const std::string& folder,
                 const std::vector<std::string>& overrides, Diagnostics& errors) {
  // What is no YAML would only bring errors that follow from that.
  errors.throw_if_any();
  ConfigTree tree;
  TreeBuilder builder(tree, errors);
  tree.root = builder.with_bases(std::move(root), source, folder);
  for (const std::string& each : overrides) {
    if (each.starts_with('@')) builder.overlay(each.substr(1));
  }
  errors.throw_if_any();
  int number = 0;
  for (const std::string& each : overrides) {
    if (!each.starts_with('@')) apply_override(tree.root, each, ++number, errors);
  }
  return tree;
}

}  // namespace

ConfigTree load_tree(const std::string& path, const std::vector<std::string>& overrides,
                     Diagnostics& errors) {
  Value root = parse_yaml_file(path, errors);
  const fs::path file = fs::absolute(path);
  ConfigTree tree = build(std::move(root), path, file.parent_path().string(), overrides, errors);
  tree.name = file.stem().string();
  return tree;
}

ConfigTree parse_tree(const std::string& text, const std::string& source, const std::string& folder,
                      const std::vector<std::string>& overrides, Diagnostics& errors) {
  Value root = parse_yaml(text, source, errors);
  ConfigTree tree = build(std::move(root), source, folder, overrides, errors);
  tree.name = "run";
  return tree;
}

}  // namespace mica::trainers
