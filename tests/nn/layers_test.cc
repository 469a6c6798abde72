// Every case of torch_layers.txt: output, shape, gradients and state against PyTorch.
#include <gtest/gtest.h>

#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"
#include "nn/registry.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

using fixtures::Case;
using fixtures::near;

constexpr double kTolerance = 2e-5;

ModulePointer build(const Case& c) {
  const ModuleRow* row = find_row(module_rows(), c.name);
  if (row == nullptr) fail("no layer '{}'", c.name);
  const std::unique_ptr<ModuleConfig> config = row->make();
  std::map<std::string, std::string> settings = c.settings;
  const bool training = !settings.contains("mode") || settings.at("mode") != "eval";
  if (!training) settings.erase("mode");
  fixtures::fill(config->settings(), settings);
  const ModulePointer layer = config->build(c.array("x").shape(), random::key(0));
  layer->train(training);
  return layer;
}

NamedArrays with_prefix(const Case& c, const std::string& prefix) {
  NamedArrays found;
  for (const auto& [name, array] : c.arrays) {
    if (name.starts_with(prefix)) found[name.substr(prefix.size())] = array;
  }
  return found;
}

void check_case(const Case& c) {
  SCOPED_TRACE(c.line);
  const ModulePointer layer = build(c);
  layer->load_state(with_prefix(c, "state."));
  const Array x = c.array("x"), g = c.array("g");
  EXPECT_EQ(layer->output_shape(x.shape()), c.array("y").shape());

  // By the input. PyTorch's gradients are of sum(y * g).
  if (c.has("dx")) {
    const NamedArrays before = layer->state();
    const Array dx = grad([&](const Array& v) { return sum((*layer)(v)*g); })(x);
    EXPECT_TRUE(near(dx, c.array("dx"), kTolerance)) << "dx";
    layer->load_state(before);  // BatchNorm's statistics have moved
  }
  const NamedArrays wanted = with_prefix(c, "grad.");
  Array y;
  if (wanted.empty()) {
    y = (*layer)(x);
  } else {
    const auto [values, gradients] = value_and_grad(*layer, [&](const Array& v) {
      const Array out = (*layer)(v);
      return Arrays{sum(out * g), out};
    })(x);
    y = values[1];
    EXPECT_EQ(gradients.size(), wanted.size());
    for (const auto& [name, gradient] : gradients) {
      EXPECT_TRUE(near(gradient, wanted.at(name), kTolerance)) << "gradient of " << name;
    }
  }
  EXPECT_TRUE(near(y, c.array("y"), kTolerance)) << "y";
  for (const auto& [name, value] : with_prefix(c, "after.")) {
    EXPECT_TRUE(near(layer->state().at(name), value, kTolerance)) << "after, " << name;
  }
}

// Activations are tested by their rows alone (activations_test.cc).
constexpr std::string_view kLayers[] = {
#define LAYER(name, ...) #name,
#include "nn/modules.def"
#undef LAYER
};

TEST(Layers, EqualPyTorch) {
  std::set<std::string, std::less<>> seen;
  for (const Case& c : fixtures::read_cases("torch_layers.txt")) {
    check_case(c);
    seen.insert(c.name);
  }
  for (const std::string_view name : kLayers) {
    EXPECT_TRUE(seen.contains(name)) << "no fixture for " << name;
  }
}

}  // namespace
}  // namespace mica::nn
