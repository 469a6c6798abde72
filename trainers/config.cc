#include "trainers/config.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "core/base/error.h"
#include "data/catalogue.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

// The value of a key, or nothing placed where its section is.
Value value_or_nothing(const Value* value, const Location& at) {
  if (value) return *value;
  Value nothing;
  nothing.at = at;
  return nothing;
}

Location location_of(const Value& section, std::string_view key) {
  const Value* value = section.find(key);
  return value ? value->at : section.at;
}

class ConfigReader {
 public:
  ConfigReader(const Value& root, std::string folder, std::string name, Diagnostics& errors)
      : root_(root), folder_(std::move(folder)), errors_(errors) {
    config_.name = std::move(name);
  }

  RunConfig read() {
    Section top(root_, "", errors_);
    top.read({{"name", &config_.name, {}},
              {"seed", &config_.seed, {.min = 0}},
              {"precision", &config_.precision, {.choices = "float32|bf16"}}});
    check_name();
    read_data(value_or_nothing(top.find("data"), root_.at));
    if (const Value* model = required(top, "model"))
      config_.model = read_model(*model, top.find("blocks"), errors_);
    if (const Value* loss = required(top, "loss")) read_loss(*loss);
    if (const Value* optimizer = required(top, "optimizer")) read_optimizer(*optimizer);
    read_train(value_or_nothing(top.find("train"), root_.at));
    top.finish();
    return std::move(config_);
  }

 private:
  const Value* required(Section& section, std::string_view key) {
    const Value* value = section.find(key);
    if (!value && (root_.is_map() || root_.is_null())) {
      errors_.add(root_.at, fmt::format("'{}' must be given", key));
    }
    return value;
  }

  // The name becomes a folder's.
  void check_name() {
    const bool good = !config_.name.empty() && config_.name.find('/') == std::string::npos &&
                      !config_.name.starts_with('.');
    if (good) return;
    errors_.add(location_of(root_, "name"),
                fmt::format("'name' must be a word without '/', got '{}'", config_.name));
  }

  void read_data(const Value& value) {
    DataConfig& data = config_.data;
    Section section(value, "data", errors_);
    section.read(settings_of(data));
    if (const Value* augment = section.find("augment")) read_augment(*augment);
    section.finish();
    config_.data_at = value.at;
    config_.path_at = location_of(value, "path");
    config_.batch_size_at = location_of(value, "batch_size");
    const bool needs_path =
        data.source != "synthetic_regression" && data::find_in_catalogue(data.source) == nullptr;
    if (needs_path && data.path.empty()) errors_.add(value.at, "'data.path' must be given");
    if (data.path.empty()) return;
    const fs::path base = config_.path_at.is_override() ? fs::current_path() : fs::path(folder_);
    data.path = fs::absolute(base / data.path).lexically_normal().string();
  }

  void read_augment(const Value& value) {
    config_.augment_at = value.at;
    const Value list = value.is_list() ? value : Value::list({value});
    for (const Value& item : list.items) {
      const Typed typed = read_typed(item, "an augmentation", errors_);
      const auto* row = find_typed(typed, data::augment_rows(), "augmentation", errors_);
      if (!row) continue;
      std::shared_ptr<data::Augment> augment = row->make();
      read_typed_settings(typed, augment->settings(), errors_);
      config_.augment.push_back({typed.type, std::move(augment)});
    }
  }

  void read_loss(const Value& value) {
    const Typed typed = read_typed(value, "a loss", errors_);
    const nn::LossRow* row = find_typed(typed, nn::loss_rows(), "loss", errors_);
    if (!row) return;
    config_.loss = row->make();
    config_.loss_type = typed.type;
    config_.loss_at = value.at;
    read_typed_settings(typed, config_.loss->settings(), errors_);
  }

  void read_optimizer(const Value& value) {
    OptimizerConfig& optimizer = config_.optimizer;
    if (value.is_scalar()) {
      read_rule(read_typed(value, "an optimizer", errors_));
      return;
    }
    Section section(value, "optimizer", errors_);
    section.read({{"clip_norm", &optimizer.clip_norm, {.min = 0}},
                  {"clip_value", &optimizer.clip_value, {.min = 0}}});
    if (const Value* schedule = section.find("schedule")) read_schedules(*schedule);
    if (const Value* groups = section.find("groups")) read_groups(*groups);
    read_rule_of(value, section);
    section.finish();
  }

  // The one key of the section that names an optimizer.
  void read_rule_of(const Value& value, Section& section) {
    const Entry* chosen = nullptr;
    for (const optim::OptimizerRow& row : optim::optimizer_rows()) {
      if (!section.find(row.name)) continue;
      const auto entry = std::find_if(value.entries.begin(), value.entries.end(),
                                      [&](const Entry& each) { return each.key == row.name; });
      if (chosen) {
        errors_.add(entry->at, fmt::format("one optimizer is enough, got '{}' and '{}'",
                                           chosen->key, entry->key));
        return;
      }
      chosen = &*entry;
    }
    if (chosen)
      read_rule({chosen->key, chosen->value, chosen->at});
    else if (value.is_map())
      errors_.add(value.at, "'optimizer' must name one" + optimizer_names());
  }

  static std::string optimizer_names() {
    std::vector<std::string> names;
    for (const optim::OptimizerRow& row : optim::optimizer_rows()) names.emplace_back(row.name);
    return suggestion("", names);
  }

  void read_rule(const Typed& typed) {
    const auto* row = find_typed(typed, optim::optimizer_rows(), "optimizer", errors_);
    if (!row) return;
    config_.optimizer.type = typed.type;
    config_.optimizer.rule = row->make();
    const size_t before = errors_.count();
    read_typed_settings(typed, config_.optimizer.rule->settings(), errors_);
    if (errors_.count() != before) return;
    try {
      config_.optimizer.rule->check();
    } catch (const Error& error) {
      errors_.add(typed.at, error.what());
    }
  }

  void read_schedules(const Value& value) {
    const Value list = value.is_list() ? value : Value::list({value});
    for (const Value& item : list.items) {
      const Typed typed = read_typed(item, "a schedule", errors_);
      const auto* row = find_typed(typed, optim::schedule_rows(), "schedule", errors_);
      if (!row) continue;
      config_.optimizer.schedules.push_back(row->make());
      config_.optimizer.schedule_types.push_back(typed.type);
      read_typed_settings(typed, config_.optimizer.schedules.back()->settings(), errors_);
    }
  }

  void read_groups(const Value& value) {
    if (!value.is_list()) {
      errors_.add(value.at, fmt::format("'optimizer.groups' must be a list of {{match: pattern}}, "
                                        "got {}",
                                        value.describe()));
      return;
    }
    for (const Value& item : value.items) {
      optim::Group group;
      double decay = 0;
      Section section(item, "optimizer.groups", errors_);
      section.read({{"match", &group.pattern, {}},
                    {"lr_factor", &group.lr_factor, {.min = 0}},
                    {"weight_decay", &decay, {.min = 0}}});
      section.finish();
      if (item.find("weight_decay")) group.weight_decay = decay;
      config_.optimizer.groups.push_back(group);
    }
  }

  void read_train(const Value& value) {
    Section section(value, "train", errors_);
    section.read(settings_of(config_.train));
    section.finish();
    config_.monitor_at = location_of(value, "monitor");
  }

  const Value& root_;
  std::string folder_;
  Diagnostics& errors_;
  RunConfig config_;
};

RunConfig read_config(Value root, const std::string& folder, const std::string& name,
                      const std::vector<std::string>& overrides, Diagnostics& errors) {
  // What is no YAML would only bring errors that follow from that.
  errors.throw_if_any();
  for (size_t i = 0; i < overrides.size(); ++i) {
    apply_override(root, overrides[i], static_cast<int>(i) + 1, errors);
  }
  RunConfig config = ConfigReader(root, folder, name, errors).read();
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

Value typed_value(const std::string& type, Value settings) {
  Value value = Value::map({});
  add_entry(value, type, std::move(settings));
  return value;
}

Value data_value(const RunConfig& config) {
  DataConfig data = config.data;
  std::vector<Value> steps;
  for (const data::AugmentStep& step : config.augment) {
    steps.push_back(typed_value(step.type, settings_value(step.augment->settings())));
  }
  Value value = settings_value(settings_of(data));
  add_entry(value, "augment", Value::list(std::move(steps)));
  return value;
}

Value optimizer_value(const OptimizerConfig& optimizer) {
  Value value = typed_value(optimizer.type, settings_value(optimizer.rule->settings()));
  std::vector<Value> schedules, groups;
  for (size_t i = 0; i < optimizer.schedules.size(); ++i) {
    schedules.push_back(typed_value(optimizer.schedule_types[i],
                                    settings_value(optimizer.schedules[i]->settings())));
  }
  for (const optim::Group& group : optimizer.groups) {
    Value item = Value::map({});
    add_entry(item, "match", Value::scalar(group.pattern, true));
    add_entry(item, "lr_factor", Value::scalar(fmt::format("{}", group.lr_factor)));
    if (group.weight_decay) {
      add_entry(item, "weight_decay", Value::scalar(fmt::format("{}", *group.weight_decay)));
    }
    groups.push_back(std::move(item));
  }
  add_entry(value, "schedule", Value::list(std::move(schedules)));
  add_entry(value, "groups", Value::list(std::move(groups)));
  add_entry(value, "clip_norm", Value::scalar(fmt::format("{}", optimizer.clip_norm)));
  add_entry(value, "clip_value", Value::scalar(fmt::format("{}", optimizer.clip_value)));
  return value;
}

}  // namespace

Value RunConfig::to_value() const {
  TrainConfig train_copy = train;
  Value value = Value::map({});
  add_entry(value, "name", text_value(name));
  add_entry(value, "seed", Value::scalar(fmt::format("{}", seed)));
  add_entry(value, "precision", text_value(precision));
  add_entry(value, "data", data_value(*this));
  add_entry(value, "model", model_value(model));
  add_entry(value, "loss", typed_value(loss_type, settings_value(loss->settings())));
  add_entry(value, "optimizer", optimizer_value(optimizer));
  add_entry(value, "train", settings_value(settings_of(train_copy)));
  return value;
}

std::string RunConfig::to_yaml() const { return trainers::to_yaml(to_value()); }

RunConfig load_config(const std::string& path, const std::vector<std::string>& overrides) {
  Diagnostics errors;
  Value root = parse_yaml_file(path, errors);
  const fs::path file = fs::absolute(path);
  return read_config(std::move(root), file.parent_path().string(), file.stem().string(), overrides,
                     errors);
}

RunConfig parse_config(const std::string& text, const std::string& source,
                       const std::string& folder, const std::vector<std::string>& overrides) {
  Diagnostics errors;
  Value root = parse_yaml(text, source, errors);
  return read_config(std::move(root), folder, "run", overrides, errors);
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
