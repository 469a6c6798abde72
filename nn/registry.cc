#include "nn/registry.h"

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/softmax.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/resize.h"

namespace mica::nn {
namespace {

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

constexpr ModuleRow kOwnModules[] = {
#define LAYER(name, Type, Config, doc) {#name, doc, make_module_config<Type, Config>},
#include "nn/modules.def"
#undef LAYER
#define ACTIVATION(name, Type, doc) {#name, doc, make_module_config<Type, Type##Config>},
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

std::vector<ModuleRow>& modules() {
  static std::vector<ModuleRow> rows(std::begin(kOwnModules), std::end(kOwnModules));
  return rows;
}

}  // namespace

std::span<const ModuleRow> module_rows() { return modules(); }

void register_module(const ModuleRow& row) {
  if (find_row(module_rows(), row.name)) fail("there is a layer '{}' already", row.name);
  modules().push_back(row);
}

std::span<const LossRow> loss_rows() { return kLosses; }

}  // namespace mica::nn
