// Every row of activations.def by itself: its first and second derivative against differences.
// Values of most are held to PyTorch's by layers_test.cc, those of elementwise rows to a float64
// reference by the conformance tests of core.
#include <gtest/gtest.h>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"
#include "nn/activations.h"
#include "nn/registry.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

using fixtures::near;

struct NamedFunction {
  std::string_view name;
  Array (*call)(const Array&);
};

constexpr NamedFunction kActivations[] = {
#define ACTIVATION(name, ...) {#name, [](const Array& x) { return nn::name(x); }},
#define ACTIVATION_WITH ACTIVATION
#include "nn/activations.def"
#undef ACTIVATION
#undef ACTIVATION_WITH
};

// In float64, away from the kinks at 0.
const std::vector<double> kPoints = {-3.1, -1.4, -0.6, -0.2, 0.3, 0.8, 1.7, 2.9};

Array differences(const UnaryFunction& f, const Array& x) {
  const double h = 1e-5;
  const Array step = Array::scalar(h, float64);
  return (f(x + step) - f(x - step)) / Array::scalar(2 * h, float64);
}

TEST(Activations, DerivativesEqualDifferences) {
  for (const NamedFunction& activation : kActivations) {
    SCOPED_TRACE(activation.name);
    const Array x = Array::from(kPoints, {8, 1});
    const auto f = [&](const Array& v) {
      // Rows (v, 0.4 v, -0.7 v): softmax has something to divide by.
      const Array rows = v * Array::from(std::vector<double>{1, 0.4, -0.7}, {1, 3});
      return sum(activation.call(rows) * Array::from(std::vector<double>{1, 2, -1}, {1, 3}), {-1},
                 true);
    };
    const UnaryFunction first = [&](const Array& v) {
      return grad([&](const Array& u) { return sum(f(u)); })(v);
    };
    const UnaryFunction second = [&](const Array& v) {
      return grad([&](const Array& u) { return sum(first(u)); })(v);
    };
    EXPECT_TRUE(near(first(x), differences(f, x), 1e-7));
    EXPECT_TRUE(near(second(x), differences(first, x), 1e-7));
  }
}

TEST(Activations, AreKnownByNameAndKeepTheShape) {
  for (const NamedFunction& activation : kActivations) {
    const ModuleRow* row = find_row(module_rows(), activation.name);
    ASSERT_NE(row, nullptr) << activation.name;
    const ModulePointer module = row->make()->build({2, 3}, {});
    EXPECT_EQ(module->output_shape({2, 3}), (Shape{2, 3}));
    const Array x = array({{-1.0f, 0.5f, 2.0f}});
    EXPECT_TRUE(near((*module)(x), activation.call(x), 0));
  }
}

}  // namespace
}  // namespace mica::nn
