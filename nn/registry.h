// The layers and losses known by name, for configs, `--help`, docs and conformance tests. One row
// a type in modules.def, activations.def and losses.def makes it known.
//
//   const ModuleRow* row = find_row(nn::module_rows(), "conv2d");     // null: unknown name
//   std::unique_ptr<nn::ModuleConfig> config = row->make();           // default settings
//   for (Setting& setting : config->settings()) ...                   // fill in from YAML
//   std::shared_ptr<nn::Module> layer = config->build(input_shape, key);
//   Shape next = layer->output_shape(input_shape);
//
// A scalar in place of a mapping ("- linear: 450") is the first setting. Settings whose default is
// out of range must be given: Setting::problem() is not empty for them.
#pragma once

#include "core/base/settings.h"
#include "nn/losses.h"
#include "nn/module.h"

namespace mica::nn {

/// Settings of one layer, and the layer itself once its input is known.
class ModuleConfig {
 public:
  virtual ~ModuleConfig() = default;
  /// Pointers into this object, in the order of FIELDS.
  virtual std::vector<Setting> settings() = 0;
  /// `input` has the batch as its first axis. `key` seeds the initial weights. Throws Error for
  /// settings out of range and for inputs that do not fit, naming the layer, got and wanted.
  virtual ModulePointer build(const Shape& input, const Array& key) const = 0;
};
using ModuleRow = Row<ModuleConfig>;
/// The layers of modules.def and activations.def, then those that were registered.
std::span<const ModuleRow> module_rows();

/// Makes a layer of a program's own known to its configs; call it before any config is read, as in
/// docs/adding_a_layer.md. `name` and `doc` must be string literals. Throws Error for a name that
/// is taken. Layer and Config are as for a row of modules.def.
template <class Layer, class Config>
void register_layer(std::string_view name, std::string_view doc);
void register_module(const ModuleRow& row);

/// A loss with its settings.
class Loss {
 public:
  virtual ~Loss() = default;
  virtual std::vector<Setting> settings() = 0;
  /// What `target` holds: class numbers of shape prediction.shape[:-1], or else numbers of the
  /// shape of the prediction.
  virtual TargetKind target_kind() const = 0;
  /// A scalar unless the setting `reduction` is none.
  virtual Array operator()(const Array& prediction, const Array& target) const = 0;
  /// The loss of each element or label, whatever `reduction` is.
  virtual Array each(const Array& prediction, const Array& target) const = 0;
  /// Factors of the classes; none if all are 1. The mean is sum(each) / sum(factors).
  virtual std::vector<double> class_weights() const = 0;
  /// What predictions mean: probabilities of the classes, of yes (bce_with_logits), or the values
  /// themselves.
  virtual Array meaning(const Array& prediction) const = 0;
};
using LossRow = Row<Loss>;
/// Every loss, in the order of losses.def.
std::span<const LossRow> loss_rows();

template <class Layer, class Config>
class ModuleConfigOf final : public ModuleConfig {
 public:
  std::vector<Setting> settings() override { return settings_of(config_); }
  ModulePointer build(const Shape& input, const Array& key) const override {
    ModulePointer layer;
    if constexpr (std::is_constructible_v<Layer, const Config&, const Shape&, const Array&>) {
      layer = std::make_shared<Layer>(config_, input, key);
    } else {
      layer = std::make_shared<Layer>(config_);
    }
    layer->output_shape(input);  // throws for an input that does not fit
    return layer;
  }

 private:
  Config config_;
};

template <class Layer, class Config>
std::unique_ptr<ModuleConfig> make_module_config() {
  return std::make_unique<ModuleConfigOf<Layer, Config>>();
}

template <class Layer, class Config>
void register_layer(std::string_view name, std::string_view doc) {
  register_module({name, doc, make_module_config<Layer, Config>});
}

}  // namespace mica::nn
