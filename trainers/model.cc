#include "trainers/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace mica::trainers {
namespace {

// Names that stand for values, innermost last.
using Substitutions = std::vector<Entry>;

constexpr int kMaxDepth = 32;
constexpr size_t kMaxLayers = 100'000;
// Rounds of repeats and values put in place of names: nested ones multiply in a few lines.
constexpr size_t kMaxSteps = 1'000'000;
constexpr std::string_view kProjection = "projection";

void collect_names(const Value& value, std::vector<std::string>& names) {
  for (const Value& item : value.items) collect_names(item, names);
  for (const Entry& entry : value.entries) collect_names(entry.value, names);
  if (value.is_scalar() && !value.quoted && value.text.starts_with('$')) {
    names.push_back(value.text.substr(1));
  }
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A key of `blocks:`.
struct Block {
  const Value* layers = nullptr;
  const Value* defaults = nullptr;
};

class ModelReader {
 public:
  ModelReader(const Value* blocks, Diagnostics& errors) : blocks_(blocks), errors_(errors) {
    if (blocks) check_blocks();
  }

  Model read(const Value& list, const Substitutions& names, int depth) {
    Model model;
    read_into(list, names, depth, model);
    check_names(model);
    return model;
  }

 private:
  void check_blocks() {
    if (!blocks_->is_map()) {
      errors_.add(blocks_->at, fmt::format("'blocks' must be a section of 'name: [layers]', got {}",
                                           blocks_->describe()));
      blocks_ = nullptr;
      return;
    }
    for (const Entry& entry : blocks_->entries) {
      const bool taken = find_row(nn::module_rows(), entry.key) || is_reserved(entry.key);
      if (taken) errors_.add(entry.at, fmt::format("'{}' is the name of a layer", entry.key));
      if (!block_of(entry.value).layers) {
        errors_.add(entry.at, fmt::format("block '{}' must be a list of layers, or {{layers: "
                                          "[...], defaults: {{name: value}}}}",
                                          entry.key));
      }
    }
  }

  static bool is_reserved(std::string_view key) {
    return key == "repeat" || key == "residual" || key == "concat" || key == "layers" ||
           key == "name";
  }

  static Block block_of(const Value& value) {
    if (value.is_list()) return {&value, nullptr};
    const Value* layers = value.find("layers");
    return {layers && layers->is_list() ? layers : nullptr, value.find("defaults")};
  }

  void read_into(const Value& list, const Substitutions& names, int depth, Model& model) {
    if (depth > kMaxDepth) {
      if (!too_deep_) {
        errors_.add(list.at, fmt::format("blocks are nested more than {} deep", kMaxDepth));
      }
      too_deep_ = true;
      return;
    }
    if (!list.is_list()) {
      errors_.add(list.at, fmt::format("expected a list of layers, got {}", list.describe()));
      return;
    }
    if (!count_steps(1, list.at)) return;
    for (const Value& item : list.items) {
      if (count_ > kMaxLayers || too_deep_ || steps_ > kMaxSteps) return;
      read_item(item, names, depth, model);
    }
  }

  bool count_steps(size_t more, const Location& at) {
    if (steps_ > kMaxSteps) return false;
    steps_ += more;
    if (steps_ <= kMaxSteps) return true;
    errors_.add(at, fmt::format("repeats and names make more than {} steps", kMaxSteps));
    return false;
  }

  static size_t count_values(const Value& value) {
    size_t count = 1;
    for (const Value& item : value.items) count += count_values(item);
    for (const Entry& entry : value.entries) count += count_values(entry.value);
    return count;
  }

  void read_item(const Value& item, const Substitutions& names, int depth, Model& model) {
    if (item.find("repeat")) return read_repeat(item, names, depth, model);
    Layer layer;
    Value value = item;
    if (const Value* name = item.find("name")) {
      layer.name = read_name(*name, names);
      std::erase_if(value.entries, [](const Entry& entry) { return entry.key == "name"; });
    }
    layer.typed = read_typed(value, "a layer", errors_);
    if (layer.typed.type.empty() || !count_layer(layer)) return;
    if (const Value* block = blocks_ ? blocks_->find(layer.typed.type) : nullptr) {
      return read_block(*block, std::move(layer), names, depth, model);
    }
    if (layer.typed.type == "layers") {
      layer.kind = Layer::Kind::kGroup;
      layer.parts.push_back(read(layer.typed.settings, names, depth + 1));
    } else if (layer.typed.type == "residual") {
      read_residual(layer, names, depth);
    } else if (layer.typed.type == "concat") {
      read_concat(layer, names, depth);
    } else if (!read_layer(layer, names)) {
      return;
    }
    model.push_back(std::move(layer));
  }

  bool count_layer(const Layer& layer) {
    if (++count_ <= kMaxLayers) return true;
    errors_.add(layer.typed.at, fmt::format("more than {} layers", kMaxLayers));
    return false;
  }

  bool read_layer(Layer& layer, const Substitutions& names) {
    const size_t before = errors_.count();
    layer.typed.settings = substitute(layer.typed.settings, names);
    // A layer without its value would only bring more errors.
    if (errors_.count() != before) return false;
    const nn::ModuleRow* row = nullptr;
    if (find_row(nn::module_rows(), layer.typed.type) || !blocks_) {
      row = find_typed(layer.typed, nn::module_rows(), "layer", errors_);
    } else {
      std::vector<std::string> known;
      for (const nn::ModuleRow& each : nn::module_rows()) known.emplace_back(each.name);
      for (const Entry& entry : blocks_->entries) known.push_back(entry.key);
      errors_.add(layer.typed.at, fmt::format("unknown layer '{}'{}", layer.typed.type,
                                              suggestion(layer.typed.type, known)));
    }
    if (!row) return false;
    layer.config = row->make();
    read_typed_settings(layer.typed, layer.config->settings(), errors_);
    return true;
  }

  // The layers of a block, which sees its own values only.
  void read_block(const Value& definition, Layer use, const Substitutions& names, int depth,
                  Model& model) {
    const Block block = block_of(definition);
    if (!block.layers) return;  // said already
    const Value values = substitute(use.typed.settings, names);
    if (!values.is_map() && !values.is_null()) {
      errors_.add(values.at, fmt::format("block '{}' takes {{name: value}}, got {}", use.typed.type,
                                         values.describe()));
      return;
    }
    std::vector<std::string> wanted;
    collect_names(*block.layers, wanted);
    for (const Entry& entry : values.entries) {
      if (contains(wanted, entry.key)) continue;
      errors_.add(entry.at, fmt::format("block '{}' has no '${}'{}", use.typed.type, entry.key,
                                        suggestion(entry.key, wanted)));
    }
    Substitutions inner;
    if (block.defaults) inner = block.defaults->entries;
    inner.insert(inner.end(), values.entries.begin(), values.entries.end());
    for (const std::string& name : wanted) {
      const auto has_name = [&](const Entry& entry) { return entry.key == name; };
      if (std::any_of(inner.begin(), inner.end(), has_name) || is_bound(*block.layers, name)) {
        continue;
      }
      errors_.add(use.typed.at, fmt::format("block '{}' needs '{}: value'", use.typed.type, name));
      return;
    }
    if (use.name.empty()) return read_into(*block.layers, inner, depth + 1, model);
    use.kind = Layer::Kind::kGroup;
    use.typed.type = "layers";
    use.parts.push_back(read(*block.layers, inner, depth + 1));
    model.push_back(std::move(use));
  }

  // Whether a repeat within the list gives the name its value.
  static bool is_bound(const Value& value, const std::string& name) {
    if (const Value* repeat = value.find("repeat")) {
      for (const Value& set : repeat->items) {
        if (set.find(name)) return true;
      }
    }
    const auto in_value = [&](const Value& each) { return is_bound(each, name); };
    return std::any_of(value.items.begin(), value.items.end(), in_value) ||
           std::any_of(value.entries.begin(), value.entries.end(),
                       [&](const Entry& entry) { return is_bound(entry.value, name); });
  }

  void read_residual(Layer& layer, const Substitutions& names, int depth) {
    layer.kind = Layer::Kind::kResidual;
    const Value& value = layer.typed.settings;
    if (value.is_list()) {
      layer.parts.push_back(read(value, names, depth + 1));
      return;
    }
    Section section(value, "residual", errors_);
    const Value* layers = section.find("layers");
    const Value* shortcut = section.find("shortcut");
    section.finish();
    if (!layers) {
      errors_.add(layer.typed.at,
                  "'residual' needs a list of layers, or {layers: [...], shortcut: "
                  "projection or [...]}");
      return;
    }
    layer.parts.push_back(read(*layers, names, depth + 1));
    if (!shortcut) return;
    const Value resolved = shortcut->is_scalar() ? substitute(*shortcut, names) : *shortcut;
    if (resolved.is_list()) {
      layer.parts.push_back(read(resolved, names, depth + 1));
    } else if (resolved.is_scalar() && resolved.text == kProjection) {
      layer.projection = true;
    } else if (!resolved.is_scalar() || resolved.text != "identity") {
      errors_.add(resolved.at, fmt::format("'shortcut' must be identity, projection or a list of "
                                           "layers, got {}",
                                           resolved.describe()));
    }
  }

  void read_concat(Layer& layer, const Substitutions& names, int depth) {
    layer.kind = Layer::Kind::kConcat;
    const Value& value = layer.typed.settings;
    if (!value.is_list() || value.items.empty()) {
      errors_.add(value.is_null() ? layer.typed.at : value.at,
                  fmt::format("'concat' must be a list of branches, each a list of layers, got {}",
                              value.is_list() ? "an empty one" : value.describe()));
      return;
    }
    for (const Value& branch : value.items) {
      layer.parts.push_back(read(branch, names, depth + 1));
    }
  }

  void read_repeat(const Value& block, const Substitutions& names, int depth, Model& model) {
    Section section(block, "repeat", errors_);
    const Value* repeat = section.find("repeat");
    const Value* list = section.find("layers");
    section.finish();
    if (!list || !list->is_list()) {
      errors_.add(block.at, "a repeat block needs 'layers: [...]'");
      return;
    }
    if (repeat->is_list()) {
      for (const Value& set : repeat->items) repeat_with(set, *list, names, depth, model);
      return;
    }
    int64_t count = 0;
    const Value counted = substitute(*repeat, names);
    const Setting setting{"repeat", &count, {.min = 0, .max = kMaxLayers}};
    // Copies are wrong like the first: nothing is repeated with a mistake in it.
    const size_t before = errors_.count();
    Section({Value::map({{"repeat", counted, block.at}})}, "", errors_).read({setting});
    for (int64_t i = 0; i < count && errors_.count() == before && count_ <= kMaxLayers; ++i) {
      read_into(*list, names, depth + 1, model);
    }
  }

  void repeat_with(const Value& set, const Value& list, Substitutions names, int depth,
                   Model& model) {
    if (!set.is_map()) {
      errors_.add(set.at, fmt::format("each item of 'repeat' must be {{name: value}}, got {}",
                                      set.describe()));
      return;
    }
    // Values may use the names of the blocks around.
    const Value resolved = substitute(set, names);
    names.insert(names.end(), resolved.entries.begin(), resolved.entries.end());
    read_into(list, names, depth + 1, model);
  }

  std::string read_name(const Value& value, const Substitutions& names) {
    const Value name = substitute(value, names);
    const bool good = name.is_scalar() && !name.text.empty() &&
                      name.text.find_first_of("./ *?[") == std::string::npos &&
                      !std::all_of(name.text.begin(), name.text.end(),
                                   [](char c) { return c >= '0' && c <= '9'; });
    if (good) return name.text;
    errors_.add(value.at, fmt::format("a layer's 'name' must be a word without '.' and '/', got {}",
                                      name.describe()));
    return "";
  }

  void check_names(const Model& model) {
    std::vector<std::string> seen;
    for (const Layer& layer : model) {
      if (layer.name.empty()) continue;
      if (contains(seen, layer.name)) {
        errors_.add(layer.typed.at,
                    fmt::format("two layers of one list are named '{}' (in a repeated block, give "
                                "the name as a value: name: $name)",
                                layer.name));
        return;
      }
      seen.push_back(layer.name);
    }
  }

  // `value` with every scalar "$name" replaced.
  Value substitute(Value value, const Substitutions& names) {
    for (Value& item : value.items) item = substitute(std::move(item), names);
    for (Entry& entry : value.entries) entry.value = substitute(std::move(entry.value), names);
    if (!value.is_scalar() || value.quoted || !value.text.starts_with('$')) return value;
    const std::string name = value.text.substr(1);
    std::vector<std::string> known;
    for (auto it = names.rbegin(); it != names.rend(); ++it) {
      if (it->key == name) {
        return count_steps(count_values(it->value), value.at) ? it->value : Value{};
      }
      known.push_back(it->key);
    }
    errors_.add(value.at, fmt::format("unknown name '${}'{}", name, suggestion(name, known)));
    return {};
  }

  const Value* blocks_;
  Diagnostics& errors_;
  size_t count_ = 0;
  size_t steps_ = 0;
  bool too_deep_ = false;
};

Value layer_value(const Layer& layer) {
  Value content;
  switch (layer.kind) {
    case Layer::Kind::kLayer: content = settings_value(layer.config->settings()); break;
    case Layer::Kind::kGroup: content = model_value(layer.parts[0]); break;
    case Layer::Kind::kConcat: {
      std::vector<Value> branches;
      for (const Model& branch : layer.parts) branches.push_back(model_value(branch));
      content = Value::list(std::move(branches));
      break;
    }
    case Layer::Kind::kResidual:
      content = model_value(layer.parts[0]);
      if (layer.parts.size() == 1 && !layer.projection) break;
      Value settings = Value::map({});
      add_entry(settings, "layers", std::move(content));
      add_entry(
          settings, "shortcut",
          layer.projection ? text_value(std::string(kProjection)) : model_value(layer.parts[1]));
      content = std::move(settings);
      break;
  }
  if (content.is_map() && content.entries.empty() && layer.name.empty()) {
    return text_value(layer.typed.type);
  }
  Value item = Value::map({});
  add_entry(item, layer.typed.type, std::move(content));
  if (!layer.name.empty()) add_entry(item, "name", text_value(layer.name));
  return item;
}

}  // namespace

Model read_model(const Value& list, const Value* blocks, Diagnostics& errors) {
  ModelReader reader(blocks, errors);
  if (!list.is_list() || list.items.empty()) {
    errors.add(list.at, fmt::format("'model' must be a list of layers, got {}",
                                    list.is_list() ? "an empty one" : list.describe()));
    return {};
  }
  return reader.read(list, {}, 0);
}

Value model_value(const Model& model) {
  std::vector<Value> items;
  for (const Layer& layer : model) items.push_back(layer_value(layer));
  return Value::list(std::move(items));
}

}  // namespace mica::trainers
