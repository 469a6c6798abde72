#include "trainers/config.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "core/base/error.h"
#include "data/catalogue.h"
#include "data/folds.h"
#include "data/prepare.h"
#include "data/split.h"
#include "trainers/config_tree.h"
#include "trainers/override.h"
#include "trainers/schema.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

// Which section each key belongs to.
class Homes final : public ConfigVisitor {
 public:
  void begin_section(std::string_view key, std::string_view) override {
    add(key);
    section_ = key;
  }
  void end_section() override { section_.clear(); }
  void settings(const std::vector<Setting>& settings) override {
    for (const Setting& setting : settings) add(setting.name);
  }
  void one(std::string_view key, std::string_view, std::string_view, TypedPlace& place) override {
    if (!key.empty()) add(key);
    for (const std::string& name : key.empty() ? place.names() : std::vector<std::string>()) {
      add(name);
    }
  }
  void several(std::string_view key, std::string_view, std::string_view, TypedPlace&) override {
    add(key);
  }
  void model(std::string_view) override { add("model"); }
  void groups(std::string_view) override { add("groups"); }

  // " ('epochs' belongs in 'train')" for a key that is known elsewhere than in `section`.
  std::string hint(const std::string& key, const std::string& section) const {
    const auto found = homes_.find(key);
    if (found == homes_.end() || found->second == section) return "";
    if (found->second.empty()) return fmt::format(" ('{}' belongs at the top, not indented)", key);
    return fmt::format(" ('{}' belongs in '{}')", key, found->second);
  }

 private:
  void add(std::string_view key) { homes_.emplace(key, section_); }

  std::string section_;
  std::map<std::string, std::string> homes_;
};

std::string with_article(std::string_view what) {
  const bool vowel = std::string_view("aeiou").find(what.front()) != std::string_view::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", what);
}

// Reads a tree into a RunConfig, place by place as visit_config names them.
class ConfigReader final : public ConfigVisitor {
 public:
  ConfigReader(const ConfigTree& tree, Diagnostics& errors) : tree_(tree), errors_(errors) {
    config_.name = tree.name;
    config_.origins[""] = tree.root.at;
    open_.push_back({"", tree.root, std::make_unique<Section>(tree.root, "", errors)});
  }

  RunConfig read() {
    visit_config(config_, homes_);
    visit_config(config_, *this);
    finish();
    check_name();
    check_data();
    config_.augment_at = config_.origin("data.augment");
    config_.loss_at = config_.origin("loss");
    config_.monitor_at = config_.origin("train.monitor");
    return std::move(config_);
  }

  void begin_section(std::string_view key, std::string_view) override {
    const Value* found = top().section->find(key);
    if (found)
      config_.origins[std::string(key)] = found->at;
    else if (key == "optimizer")
      must_be_given(key);
    Value value;
    value.at = found ? found->at : tree_.root.at;
    if (found) value = *found;
    // "optimizer: adam" stands for {adam: }.
    if (key == "optimizer") value = as_choice(value);
    if (found && value.is_null()) value.kind = Value::Kind::kMap;
    open_.push_back({std::string(key), std::move(value), nullptr});
    Open& opened = top();
    opened.section = std::make_unique<Section>(opened.value, opened.name, errors_);
  }

  void end_section() override {
    finish();
    open_.pop_back();
  }

  void settings(const std::vector<Setting>& settings) override {
    top().section->read(settings);
    for (const Setting& setting : settings) {
      const Value* value = top().value.find(setting.name);
      if (value) config_.origins[path(setting.name)] = value->at;
    }
  }

  void one(std::string_view key, std::string_view what, std::string_view,
           TypedPlace& place) override {
    if (key.empty()) {
      one_inline(what, place);
      return;
    }
    const Value* value = top().section->find(key);
    if (!value) {
      must_be_given(key);
      return;
    }
    config_.origins[path(key)] = value->at;
    read_object(read_typed(*value, with_article(what), errors_), what, path(key), place);
  }

  void several(std::string_view key, std::string_view what, std::string_view,
               TypedPlace& place) override {
    const Value* value = top().section->find(key);
    if (!value) return;
    config_.origins[path(key)] = value->at;
    const Value list = value->is_list() ? *value : Value::list({*value});
    for (size_t i = 0; i < list.items.size(); ++i) {
      read_object(read_typed(list.items[i], with_article(what), errors_), what,
                  fmt::format("{}[{}]", path(key), i), place);
    }
  }

  void model(std::string_view) override {
    const Value* value = top().section->find("model");
    const Value* blocks = top().section->find("blocks");
    if (!value) {
      must_be_given("model");
      return;
    }
    config_.origins["model"] = value->at;
    config_.model = read_model(*value, blocks, errors_);
  }

  void groups(std::string_view) override {
    const Value* value = top().section->find("groups");
    if (!value) return;
    config_.origins["optimizer.groups"] = value->at;
    if (!value->is_list()) {
      errors_.add(value->at, fmt::format("'optimizer.groups' must be a list of {{match: "
                                         "pattern}}, got {}",
                                         value->describe()));
      return;
    }
    for (const Value& item : value->items) {
      GroupSettings settings;
      Section section(item, "optimizer.groups", errors_);
      section.read(settings_of(settings));
      section.finish();
      optim::Group group{settings.match, settings.lr_factor, {}};
      if (item.find("weight_decay")) group.weight_decay = settings.weight_decay;
      const std::string name = fmt::format("optimizer.groups[{}]", config_.optimizer.groups.size());
      config_.origins[name] = item.at;
      config_.optimizer.groups.push_back(group);
    }
  }

 private:
  struct Open {
    std::string name;
    Value value;
    std::unique_ptr<Section> section;
  };
  // A rate beside the optimizer is meant for it.
  std::string hint(const std::string& key) {
    const std::string& section = top().name;
    if (section == "optimizer" && config_.optimizer.rule) {
      for (const Setting& setting : config_.optimizer.rule->settings()) {
        if (setting.name != key) continue;
        return fmt::format(" ('{}' belongs in 'optimizer.{}')", key, config_.optimizer.type);
      }
    }
    return homes_.hint(key, section);
  }
  void finish() {
    top().section->finish([this](const std::string& key) { return hint(key); });
  }

  // The value must stay where its Section found it.
  Open& top() { return open_.back(); }

  std::string path(std::string_view key) {
    return top().name.empty() ? std::string(key) : fmt::format("{}.{}", top().name, key);
  }

  void must_be_given(std::string_view key) {
    const Value& root = tree_.root;
    if (!root.is_map() && !root.is_null()) return;
    errors_.add(root.at, fmt::format("'{}' must be given{}", key,
                                     suggestion("", rival_names(std::string(key)))));
  }

  // The one key of the open section that names a type.
  void one_inline(std::string_view what, TypedPlace& place) {
    const Value& value = top().value;
    const Entry* chosen = nullptr;
    for (const std::string& name : place.names()) {
      if (!top().section->find(name)) continue;
      const auto entry = std::find_if(value.entries.begin(), value.entries.end(),
                                      [&](const Entry& each) { return each.key == name; });
      if (chosen) {
        errors_.add(entry->at, fmt::format("one {} is enough, got '{}' and '{}'", what, chosen->key,
                                           entry->key));
        return;
      }
      chosen = &*entry;
    }
    if (chosen) {
      read_object({chosen->key, chosen->value, chosen->at}, what, top().name, place);
    } else if (value.is_map() && !nearly_named(place)) {
      errors_.add(value.at,
                  fmt::format("'{}' must name one{}", top().name, suggestion("", place.names())));
    }
  }

  // A misspelt name is told as the unknown key that it is.
  bool nearly_named(const TypedPlace& place) {
    const std::vector<std::string> names = place.names();
    const auto& entries = top().value.entries;
    return std::any_of(entries.begin(), entries.end(),
                       [&](const Entry& entry) { return !closest(entry.key, names).empty(); });
  }

  void read_object(const Typed& typed, std::string_view what, const std::string& at_path,
                   TypedPlace& place) {
    if (typed.type.empty()) return;
    const std::optional<std::vector<Setting>> settings = place.add(typed.type);
    if (!settings) {
      errors_.add(typed.at, fmt::format("unknown {} '{}'{}", what, typed.type,
                                        suggestion(typed.type, place.names())));
      return;
    }
    const size_t before = errors_.count();
    read_typed_settings(typed, *settings, errors_);
    record(typed, *settings, fmt::format("{}.{}", at_path, typed.type));
    if (errors_.count() != before) return;
    if (const std::string problem = place.problem(); !problem.empty()) {
      errors_.add(typed.at, problem);
    }
  }

  void record(const Typed& typed, const std::vector<Setting>& settings, const std::string& prefix) {
    config_.origins[prefix] = typed.at;
    const bool short_form = !typed.settings.is_map() && !typed.settings.is_null();
    if (short_form && !settings.empty()) {
      config_.origins[fmt::format("{}.{}", prefix, settings[0].name)] = typed.settings.at;
    }
    for (const Entry& entry : typed.settings.entries) {
      config_.origins[fmt::format("{}.{}", prefix, entry.key)] = entry.value.at;
    }
  }

  template <class Parse>
  void try_parse(const char* path, Parse&& parse) {
    try {
      parse();
    } catch (const Error& error) {
      errors_.add(config_.origin(path), error.what());
    }
  }

  void check_source() {
    const std::string& source = config_.data.source;
    std::vector<std::string> names = {std::string(kSyntheticSource)};
    for (const auto& [name, doc] : data::source_names()) names.push_back(name);
    if (source.empty() || std::find(names.begin(), names.end(), source) != names.end()) return;
    errors_.add(config_.origin("data.source"),
                fmt::format("unknown source '{}'{}", source, suggestion(source, names)));
  }

  // The name becomes a folder's.
  void check_name() {
    const bool good = !config_.name.empty() && config_.name.find('/') == std::string::npos &&
                      !config_.name.starts_with('.');
    if (good) return;
    errors_.add(config_.origin("name"),
                fmt::format("'name' must be a word without '/', got '{}'", config_.name));
  }

  void check_data() {
    DataConfig& data = config_.data;
    config_.data_at = config_.origin("data");
    config_.path_at = config_.origin("data.path");
    config_.batch_size_at = config_.origin("data.batch_size");
    check_source();
    try_parse("data.split", [&] { data::parse_split(data.split); });
    if (!data.fold.empty()) try_parse("data.fold", [&] { data::parse_fold(data.fold); });
    const bool needs_path =
        data.source != kSyntheticSource && data::find_in_catalogue(data.source) == nullptr;
    const Value* section = tree_.root.find("data");
    const bool readable = section ? section->is_map() : !tree_.root.is_list();
    if (needs_path && data.path.empty() && readable) {
      errors_.add(config_.data_at, "'data.path' must be given");
    }
    if (data.path.empty()) return;
    const auto folder = tree_.folders.find(config_.path_at.source);
    const fs::path base =
        folder == tree_.folders.end() ? fs::current_path() : fs::path(folder->second);
    data.path = fs::absolute(base / data.path).lexically_normal().string();
  }

  const ConfigTree& tree_;
  Diagnostics& errors_;
  Homes homes_;
  RunConfig config_;
  std::deque<Open> open_;
};

RunConfig read_config(const ConfigTree& tree, Diagnostics& errors) {
  RunConfig config = ConfigReader(tree, errors).read();
  errors.throw_if_any();
  return config;
}

// "a.b" -> text of the value, for every leaf.
void flatten(const Value& value, const std::string& prefix,
             std::vector<std::pair<std::string, std::string>>& leaves) {
  if (value.is_map() && !value.entries.empty()) {
    for (const Entry& entry : value.entries) {
      flatten(entry.value, prefix.empty() ? entry.key : prefix + "." + entry.key, leaves);
    }
  } else if (value.is_list() && !value.items.empty()) {
    for (size_t i = 0; i < value.items.size(); ++i) {
      flatten(value.items[i], fmt::format("{}[{}]", prefix, i), leaves);
    }
  } else {
    leaves.emplace_back(prefix, trainers::to_yaml(value));
  }
}

// The effective config as a tree.
class ValueWriter final : public ConfigVisitor {
 public:
  explicit ValueWriter(const RunConfig& config) : config_(config) {}

  void begin_section(std::string_view key, std::string_view) override {
    open_.emplace_back(std::string(key), Value::map({}));
  }
  void end_section() override {
    auto [key, value] = std::move(open_.back());
    open_.pop_back();
    add_entry(top(), key, std::move(value));
  }
  void settings(const std::vector<Setting>& settings) override {
    Value values = settings_value(settings);
    for (Entry& entry : values.entries) top().entries.push_back(std::move(entry));
  }
  void one(std::string_view key, std::string_view, std::string_view, TypedPlace& place) override {
    place.for_each_value(
        [&](std::string_view type, std::string_view, const std::vector<Setting>& settings) {
          if (key.empty()) {
            add_entry(top(), std::string(type), settings_value(settings));
          } else {
            Value value = Value::map({});
            add_entry(value, std::string(type), settings_value(settings));
            add_entry(top(), std::string(key), std::move(value));
          }
        });
  }
  void several(std::string_view key, std::string_view, std::string_view,
               TypedPlace& place) override {
    Value list = Value::list({});
    place.for_each_value(
        [&](std::string_view type, std::string_view, const std::vector<Setting>& settings) {
          Value item = Value::map({});
          add_entry(item, std::string(type), settings_value(settings));
          list.items.push_back(std::move(item));
        });
    add_entry(top(), std::string(key), std::move(list));
  }
  void model(std::string_view) override { add_entry(top(), "model", model_value(config_.model)); }
  void groups(std::string_view) override {
    Value list = Value::list({});
    for (const optim::Group& group : config_.optimizer.groups) {
      Value item = Value::map({});
      add_entry(item, "match", Value::scalar(group.pattern, true));
      add_entry(item, "lr_factor", Value::scalar(fmt::format("{}", group.lr_factor)));
      if (group.weight_decay) {
        add_entry(item, "weight_decay", Value::scalar(fmt::format("{}", *group.weight_decay)));
      }
      list.items.push_back(std::move(item));
    }
    add_entry(top(), "groups", std::move(list));
  }

  Value take() { return std::move(root_); }

 private:
  Value& top() { return open_.empty() ? root_ : open_.back().second; }

  const RunConfig& config_;
  Value root_ = Value::map({});
  std::vector<std::pair<std::string, Value>> open_;
};

}  // namespace

Location RunConfig::origin(std::string path) const {
  while (true) {
    const auto found = origins.find(path);
    if (found != origins.end()) return found->second;
    if (path.empty()) return {};
    const size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
}

Value RunConfig::to_value() const {
  ValueWriter writer(*this);
  // Writing reads only; a visitor that reads a config in needs it changeable.
  visit_config(const_cast<RunConfig&>(*this), writer);
  return writer.take();
}

std::string RunConfig::to_yaml() const { return trainers::to_yaml(to_value()); }

RunConfig load_config(const std::string& path, const std::vector<std::string>& overrides) {
  Diagnostics errors;
  const ConfigTree tree = load_tree(path, overrides, errors);
  return read_config(tree, errors);
}

RunConfig parse_config(const std::string& text, const std::string& source,
                       const std::string& folder, const std::vector<std::string>& overrides) {
  Diagnostics errors;
  const ConfigTree tree = parse_tree(text, source, folder, overrides, errors);
  return read_config(tree, errors);
}

std::vector<std::string> differing_keys(const Value& a, const Value& b) {
  std::vector<std::pair<std::string, std::string>> first, second;
  flatten(a, "", first);
  flatten(b, "", second);
  std::map<std::string, std::string> rest(second.begin(), second.end());
  std::vector<std::string> keys;
  for (const auto& [key, text] : first) {
    const auto found = rest.find(key);
    if (found == rest.end() || found->second != text) keys.push_back(key);
    if (found != rest.end()) rest.erase(found);
  }
  for (const auto& [key, text] : second) {
    if (rest.contains(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace mica::trainers
