#include "trainers/override.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "data/augment.h"
#include "nn/registry.h"
#include "optim/registry.h"
#include "optim/schedule.h"

namespace mica::trainers {
namespace {

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
    if (end == 0 || path.empty()) return {};
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

template <class Interface>
std::string first_setting_of(std::span<const Row<Interface>> rows, std::string_view type) {
  const Row<Interface>* row = find_row(rows, type);
  if (!row) return "";
  const auto made = row->make();
  const auto settings = made->settings();
  return settings.empty() ? "" : std::string(settings[0].name);
}

// The setting that `450` stands for in `linear: 450`; empty for a name that is no type.
std::string first_setting(std::string_view type) {
  std::string name = first_setting_of(nn::module_rows(), type);
  if (name.empty()) name = first_setting_of(data::augment_rows(), type);
  if (name.empty()) name = first_setting_of(nn::loss_rows(), type);
  if (name.empty()) name = first_setting_of(optim::optimizer_rows(), type);
  if (name.empty()) name = first_setting_of(optim::schedule_rows(), type);
  return name;
}

void erase_key(Value& map, std::string_view key) {
  std::erase_if(map.entries, [&](const Entry& entry) { return entry.key == key; });
}

// Walks the path of one override from the top of the config.
class Walk {
 public:
  Walk(Value& config, std::vector<Step> path, Location at, Diagnostics& errors)
      : value_(&config), path_(std::move(path)), at_(std::move(at)), errors_(errors) {}

  // The value that the path leads to; null, with an error added, when it can't be reached.
  Value* reach() {
    while (next_ < path_.size()) {
      value_ = step();
      if (!value_) return nullptr;
    }
    return value_;
  }

  // Takes away what the last step names.
  void erase() {
    const Step last = path_.back();
    path_.pop_back();
    Value* parent = reach();
    if (!parent) return;
    if (last.index >= 0 && parent->is_list() &&
        last.index < static_cast<int64_t>(parent->items.size())) {
      parent->items.erase(parent->items.begin() + last.index);
    } else if (last.index < 0 && parent->find(last.key)) {
      erase_key(*parent, last.key);
    } else {
      const std::string what = last.index >= 0 ? fmt::format("[{}]", last.index) : last.key;
      std::vector<std::string> known;
      for (const Entry& entry : parent->entries) known.push_back(entry.key);
      errors_.add(
          at_, fmt::format("there is no '{}' to take away{}", what, suggestion(last.key, known)));
    }
  }

 private:
  // The settings of a list item, and of what type.
  struct Found {
    Value* settings;
    std::string type;
  };

  Value* step() {
    const Step step = path_[next_++];
    const bool by_key = step.index < 0 && !value_->is_list();
    Value* found = step.index >= 0     ? item(step.index)
                   : value_->is_list() ? named_item(step.key)
                                       : entry(step.key);
    if (step.index >= 0)
      so_far_ += fmt::format("[{}]", step.index);
    else
      so_far_ += (so_far_.empty() ? "" : ".") + step.key;
    if (by_key) last_key_ = step.key;
    return found;
  }

  Value* item(int64_t index) {
    if (value_->is_list() && index < static_cast<int64_t>(value_->items.size())) {
      return &value_->items[static_cast<size_t>(index)];
    }
    errors_.add(at_, value_->is_list() ? fmt::format("'{}' has {} item{}, there is no [{}]",
                                                     so_far_, value_->items.size(),
                                                     value_->items.size() == 1 ? "" : "s", index)
                                       : fmt::format("'{}' is no list", so_far_));
    return nullptr;
  }

  Value* entry(const std::string& key) {
    // "relu" and {relu: ...}, "sgd" and {sgd: {lr: ...}} name the same thing.
    const std::vector<std::string> rivals = rival_names(so_far_);
    const bool rival = std::find(rivals.begin(), rivals.end(), key) != rivals.end();
    if (value_->is_scalar() && (value_->text == key || rival)) {
      *value_ = as_choice(*value_);
    }
    expand_short_form();
    if (value_->is_null()) value_->kind = Value::Kind::kMap;
    if (!value_->is_map()) {
      errors_.add(at_, fmt::format("'{}' is {}, not a section", so_far_, value_->describe()));
      return nullptr;
    }
    if (Value* found = value_->find(key)) return found;
    if (rival) {
      for (const std::string& name : rivals) erase_key(*value_, name);
    }
    Value made;
    made.at = at_;
    value_->entries.push_back({key, made, at_});
    return &value_->entries.back().value;
  }

  // `linear: 450` becomes `linear: {out: 450}` before another setting joins it.
  void expand_short_form() {
    if (!value_->is_scalar() && !value_->is_list()) return;
    const std::string first = first_setting(last_key_);
    if (first.empty()) return;
    const Location at = value_->at;
    Value inner = std::move(*value_);
    *value_ = Value::map({{first, std::move(inner), at}});
    value_->at = at;
  }

  // model.conv2d, model.conv2d[1]
  Value* named_item(const std::string& name) {
    std::vector<Found> found;
    std::vector<std::string> known;
    collect(*value_, name, found, known);
    const bool numbered = next_ < path_.size() && path_[next_].index >= 0;
    if (found.empty()) {
      errors_.add(at_,
                  fmt::format("'{}' has no item '{}'{}", so_far_, name, suggestion(name, known)));
      return nullptr;
    }
    if (!numbered && found.size() == 1) return settings_of_item(found[0]);
    if (!numbered) {
      std::vector<std::string> places;
      for (const Found& each : found) places.push_back(each.settings->at.text());
      errors_.add(at_,
                  fmt::format("'{}' has {} items '{}' ({}); say which, from {}.{}[0] on", so_far_,
                              found.size(), name, fmt::join(places, ", "), so_far_, name));
      return nullptr;
    }
    const int64_t index = path_[next_].index;
    if (index >= static_cast<int64_t>(found.size())) {
      errors_.add(at_, fmt::format("'{}' has {} item{} '{}', there is no [{}]", so_far_,
                                   found.size(), found.size() == 1 ? "" : "s", name, index));
      return nullptr;
    }
    ++next_;
    return settings_of_item(found[static_cast<size_t>(index)]);
  }

  Value* settings_of_item(const Found& found) {
    last_key_ = found.type;
    return found.settings;
  }

  // The settings of every item of that type or with that `name`, those of inner lists too.
  static void collect(Value& list, const std::string& name, std::vector<Found>& found,
                      std::vector<std::string>& known) {
    for (Value& item : list.items) {
      if (item.is_scalar()) {
        if (item.text == name) {
          item = as_choice(item);
          found.push_back({&item.entries[0].value, name});
        } else {
          known.push_back(item.text);
        }
        continue;
      }
      collect_entries(item, name, found, known);
      if (item.is_list()) collect(item, name, found, known);
    }
  }

  static void collect_entries(Value& item, const std::string& name, std::vector<Found>& found,
                              std::vector<std::string>& known) {
    const Value* own_name = item.find("name");
    const bool named = own_name && own_name->text == name;
    if (named && item.find("layers")) {
      found.push_back({&item, ""});
      return;
    }
    if (own_name) known.push_back(own_name->text);
    for (Entry& entry : item.entries) {
      if (entry.key == "name") continue;
      if (entry.key == name || named) {
        found.push_back({&entry.value, entry.key});
        continue;
      }
      known.push_back(entry.key);
      collect_below(entry.value, name, found, known);
    }
  }

  // Lists of layers in lists (concat) and in sections (residual).
  static void collect_below(Value& value, const std::string& name, std::vector<Found>& found,
                            std::vector<std::string>& known) {
    if (value.is_list()) collect(value, name, found, known);
    for (const char* key : {"layers", "shortcut"}) {
      Value* list = value.find(key);
      if (list && list->is_list()) collect(*list, name, found, known);
    }
  }

  Value* value_;
  std::vector<Step> path_;
  size_t next_ = 0;
  std::string so_far_, last_key_;
  Location at_;
  Diagnostics& errors_;
};

void append(Value& target, Value value, const Location& at) {
  if (target.is_null()) target = Value::list({});
  // One schedule may stand without the brackets.
  if (!target.is_list()) target = Value::list({std::move(target)});
  target.at = at;
  if (value.is_list())
    std::move(value.items.begin(), value.items.end(), std::back_inserter(target.items));
  else
    target.items.push_back(std::move(value));
}

template <class Interface>
std::vector<std::string> names_of(std::span<const Row<Interface>> rows) {
  std::vector<std::string> names;
  for (const Row<Interface>& row : rows) names.emplace_back(row.name);
  return names;
}

}  // namespace

std::vector<std::string> rival_names(const std::string& path) {
  if (path == "loss") return names_of(nn::loss_rows());
  if (path == "optimizer") return names_of(optim::optimizer_rows());
  if (path == "optimizer.schedule") return names_of(optim::schedule_rows());
  return {};
}

Value as_choice(const Value& value) {
  if (!value.is_scalar()) return value;
  Value nothing;
  nothing.at = value.at;
  Value map = Value::map({{value.text, nothing, value.at}});
  map.at = value.at;
  return map;
}

void apply_override(Value& config, const std::string& assignment, int number, Diagnostics& errors) {
  const Location at{fmt::format("--set #{}", number), 0, number};
  const bool erases = assignment.starts_with('~'), appends = assignment.starts_with('+');
  const std::string text = assignment.substr(erases || appends ? 1 : 0);
  const size_t equals = text.find('=');
  std::vector<Step> path = parse_path(std::string_view(text).substr(0, equals));
  if ((equals == std::string::npos) != erases || path.empty()) {
    errors.add(at, fmt::format("expected key.path=value, +key.path=value or ~key.path, got '{}'",
                               assignment));
    return;
  }
  if (erases) {
    Walk(config, std::move(path), at, errors).erase();
    return;
  }
  Value value = parse_override(text.substr(equals + 1), at, errors);
  Value* target = Walk(config, std::move(path), at, errors).reach();
  if (!target) return;
  if (appends)
    append(*target, std::move(value), at);
  else
    *target = std::move(value);
  target->at = at;
}

void merge_over(Value& value, const Value& over, const std::string& path) {
  const std::vector<std::string> rivals = rival_names(path);
  const auto is_rival = [&](const std::string& key) {
    return std::find(rivals.begin(), rivals.end(), key) != rivals.end();
  };
  const Value top = rivals.empty() ? over : as_choice(over);
  if (!rivals.empty()) value = as_choice(value);
  if (!value.is_map() || !top.is_map()) {
    value = top;
    return;
  }
  value.at = top.at;
  for (const Entry& entry : top.entries) {
    const bool rival = is_rival(entry.key);
    if (entry.value.is_null() && !rival) {
      erase_key(value, entry.key);
      continue;
    }
    if (Value* below = value.find(entry.key)) {
      const std::string inner = path.empty() ? entry.key : path + "." + entry.key;
      if (!entry.value.is_null()) merge_over(*below, entry.value, inner);
      continue;
    }
    if (rival) std::erase_if(value.entries, [&](const Entry& e) { return is_rival(e.key); });
    value.entries.push_back(entry);
  }
}

}  // namespace mica::trainers
