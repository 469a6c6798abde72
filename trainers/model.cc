#include "trainers/model.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/ops/random.h"

namespace mica::trainers {
namespace {

// Names that a repeat block defines, innermost last.
using Substitutions = std::vector<const Entry*>;

constexpr int kMaxDepth = 32;
constexpr size_t kMaxLayers = 100'000;

// `value` with every scalar "$name" replaced.
Value substitute(Value value, const Substitutions& names, Diagnostics& errors) {
  for (Value& item : value.items) item = substitute(std::move(item), names, errors);
  for (Entry& entry : value.entries) {
    entry.value = substitute(std::move(entry.value), names, errors);
  }
  if (!value.is_scalar() || value.quoted || !value.text.starts_with('$')) return value;
  const std::string name = value.text.substr(1);
  std::vector<std::string> known;
  for (auto it = names.rbegin(); it != names.rend(); ++it) {
    if ((*it)->key == name) return (*it)->value;
    known.push_back((*it)->key);
  }
  errors.add(value.at, fmt::format("unknown name '${}'{}", name, suggestion(name, known)));
  return {};
}

class Expander {
 public:
  explicit Expander(Diagnostics& errors) : errors_(errors) {}

  void expand(const Value& list, const Substitutions& names, int depth) {
    if (depth > kMaxDepth) {
      errors_.add(list.at, fmt::format("blocks are nested more than {} deep", kMaxDepth));
      return;
    }
    for (const Value& item : list.items) {
      if (layers.size() > kMaxLayers) return;
      if (item.find("repeat"))
        expand_block(item, names, depth);
      else
        add_layer(item, names);
    }
    if (layers.size() > kMaxLayers) {
      errors_.add(list.at, fmt::format("more than {} layers", kMaxLayers));
    }
  }

  std::vector<Value> layers;

 private:
  void add_layer(const Value& item, const Substitutions& names) {
    const size_t before = errors_.count();
    Value layer = substitute(item, names, errors_);
    // A layer without its value would only bring more errors.
    if (errors_.count() == before) layers.push_back(std::move(layer));
  }

  void expand_block(const Value& block, const Substitutions& names, int depth) {
    Section section(block, "repeat", errors_);
    const Value* repeat = section.find("repeat");
    const Value* list = section.find("layers");
    section.finish();
    if (!list || !list->is_list()) {
      errors_.add(block.at, "a repeat block needs 'layers: [...]'");
      return;
    }
    if (repeat->is_list()) {
      for (const Value& set : repeat->items) expand_with(set, *list, names, depth);
      return;
    }
    int64_t count = 0;
    const Value counted = substitute(*repeat, names, errors_);
    const Setting setting{"repeat", &count, {.min = 0, .max = kMaxLayers}};
    Section({Value::map({{"repeat", counted, block.at}})}, "", errors_).read({setting});
    for (int64_t i = 0; i < count && layers.size() <= kMaxLayers; ++i) {
      expand(*list, names, depth + 1);
    }
  }

  void expand_with(const Value& set, const Value& list, Substitutions names, int depth) {
    if (!set.is_map()) {
      errors_.add(set.at, fmt::format("each item of 'repeat' must be {{name: value}}, got {}",
                                      set.describe()));
      return;
    }
    // Values may use the names of the blocks around.
    Value resolved = substitute(set, names, errors_);
    for (const Entry& entry : resolved.entries) names.push_back(&entry);
    expand(list, names, depth + 1);
  }

  Diagnostics& errors_;
};

}  // namespace

Model read_model(const Value& list, Diagnostics& errors) {
  if (!list.is_list() || list.items.empty()) {
    errors.add(list.at, fmt::format("'model' must be a list of layers, got {}",
                                    list.is_list() ? "an empty one" : list.describe()));
    return {};
  }
  Expander expander(errors);
  expander.expand(list, {}, 0);
  Model model;
  for (const Value& item : expander.layers) {
    Layer layer{read_typed(item, "a layer", errors), nullptr};
    const nn::ModuleRow* row = find_typed(layer.typed, nn::module_rows(), "layer", errors);
    if (!row) continue;
    layer.config = row->make();
    read_typed_settings(layer.typed, layer.config->settings(), errors);
    model.push_back(std::move(layer));
  }
  return model;
}

Value model_value(const Model& model) {
  std::vector<Value> items;
  for (const Layer& layer : model) {
    Value settings = settings_value(layer.config->settings());
    if (settings.entries.empty()) {
      items.push_back(text_value(layer.typed.type));
      continue;
    }
    Value item = Value::map({});
    add_entry(item, layer.typed.type, std::move(settings));
    items.push_back(std::move(item));
  }
  return Value::list(std::move(items));
}

std::vector<BuiltLayer> build_layers(const Model& model, const Shape& example, int64_t outputs,
                                     int64_t seed) {
  // Any batch size shows whether shapes fit.
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  const Array key = random::key(static_cast<uint64_t>(seed));
  std::vector<BuiltLayer> layers;
  for (size_t i = 0; i < model.size(); ++i) {
    const Typed& typed = model[i].typed;
    try {
      BuiltLayer layer{model[i].config->build(shape, random::fold_in(key, i)), typed.type, {}};
      layer.output = layer.module->output_shape(shape);
      shape = layer.output;
      layers.push_back(std::move(layer));
    } catch (const Error& error) {
      Diagnostics errors;
      errors.add(typed.at, fmt::format("layer {} ({}): {}", i, typed.type, error.what()));
      errors.throw_if_any();
    }
  }
  if (outputs > 0 && shape != Shape{1, outputs}) {
    Diagnostics errors;
    errors.add(model.back().typed.at,
               fmt::format("the model ends with shape {}, but the data wants {} outputs for each "
                           "example: {}",
                           to_string(shape), outputs, to_string(Shape{1, outputs})));
    errors.throw_if_any();
  }
  return layers;
}

}  // namespace mica::trainers
