#include "optim/registry.h"

namespace mica::optim {
namespace {

template <class T>
std::unique_ptr<Rule> make() {
  return std::make_unique<RuleOf<T>>();
}

constexpr OptimizerRow kOptimizers[] = {
#define OPTIMIZER(name, Type, doc) {#name, doc, make<Type>},
#include "optim/optimizers.def"
#undef OPTIMIZER
};

}  // namespace

std::span<const OptimizerRow> optimizer_rows() { return kOptimizers; }

}  // namespace mica::optim
