#include "nn/registry.h"

#include "core/ops/elementwise.h"
#include "core/ops/softmax.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace mica::nn {
namespace {

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

template <class Options, Array (*kFunction)(const Array&, const Array&, const Options&),
          TargetKind kTarget, Array (*kMeaning)(const Array&)>
class LossOf final : public Loss {
 public:
  std::vector<Setting> settings() override { return settings_of(options_); }
  TargetKind target_kind() const override { return kTarget; }
  Array operator()(const Array& prediction, const Array& target) const override {
    return kFunction(prediction, target, options_);
  }
  Array each(const Array& prediction, const Array& target) const override {
    Options options = options_;
    options.reduction = "none";
    return kFunction(prediction, target, options);
  }
  std::vector<double> class_weights() const override {
    if constexpr (requires { Options::weight; }) return options_.weight;
    return {};
  }
  Array meaning(const Array& prediction) const override { return kMeaning(prediction); }

 private:
  Options options_;
};

template <class Interface, class Implementation>
std::unique_ptr<Interface> make() {
  return std::make_unique<Implementation>();
}

constexpr ModuleRow kModules[] = {
#define LAYER(name, Type, Config, doc) \
  {#name, doc, make<ModuleConfig, ModuleConfigOf<Type, Config>>},
#include "nn/modules.def"
#undef LAYER
#define ACTIVATION(name, Type, doc) \
  {#name, doc, make<ModuleConfig, ModuleConfigOf<Type, Type##Config>>},
#define ACTIVATION_WITH(name, Type, FieldType, field, initial, value, doc) \
  ACTIVATION(name, Type, doc)
#include "nn/activations.def"
#undef ACTIVATION_WITH
#undef ACTIVATION
};

#define LOSS(name, Options, target, doc, meaning) \
  Array meaning_of_##name(const Array& s) { return meaning; }
#include "nn/losses.def"
#undef LOSS

constexpr LossRow kLosses[] = {
#define LOSS(name, Options, target, doc, meaning) \
  {#name, doc, make<Loss, LossOf<Options, name, TargetKind::target, meaning_of_##name>>},
#include "nn/losses.def"
#undef LOSS
};

}  // namespace

std::span<const ModuleRow> module_rows() { return kModules; }
std::span<const LossRow> loss_rows() { return kLosses; }

}  // namespace mica::nn
