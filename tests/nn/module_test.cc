// Modules: what FIELDS gives them, training mode, freezing, state, printing and gradients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/losses.h"
#include "nn/norm.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

using fixtures::near;
using testing::ElementsAre;

// As in the example of nn/module.h.
class Mlp : public ModuleWith<Mlp> {
 public:
  Linear fc1{6, 4}, fc2{4, 3};
  FIELDS(Mlp, fc1, fc2)
  Array forward(const Array& x) override { return fc2(relu(fc1(x))); }
};

// Children in a vector, an array of its own, a buffer, a setting.
class Stack : public ModuleWith<Stack> {
 public:
  std::vector<ModulePointer> layers = {std::make_shared<Linear>(2, 2),
                                       std::make_shared<Linear>(2, 2, false)};
  Array scale = ones({2});
  Buffer seen = zeros({});
  double slope = 0.5;
  FIELDS(Stack, layers, scale, seen, slope)
  Array forward(const Array& x) override {
    seen = seen.value + 1;
    Array y = x;
    for (const ModulePointer& layer : layers) y = leaky_relu((*layer)(y), slope);
    return y * scale;
  }
};

std::vector<std::string> names_of(const NamedPointers& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  return names;
}

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Module, ListsParametersByDottedName) {
  Mlp mlp;
  EXPECT_THAT(names_of(mlp.named_parameters()),
              ElementsAre("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"));
  EXPECT_EQ(mlp.parameter_count(), 6 * 4 + 4 + 4 * 3 + 3);
  Stack stack;
  EXPECT_THAT(names_of(stack.named_parameters()),
              ElementsAre("layers.0.weight", "layers.0.bias", "layers.1.weight", "scale"));
  EXPECT_THAT(names_of(stack.named_buffers()), ElementsAre("seen"));
  Sequential model(Linear(2, 3), Relu(), BatchNorm(3));
  EXPECT_THAT(names_of(model.named_parameters()),
              ElementsAre("0.weight", "0.bias", "2.weight", "2.bias"));
  EXPECT_THAT(names_of(model.named_buffers()), ElementsAre("2.running_mean", "2.running_var"));
}

TEST(Module, TrainAndEvalReachAllChildren) {
  Sequential inner(Dropout(0.5));
  Sequential model(inner, Dropout(0.5));
  model.eval();
  EXPECT_FALSE(model.layers()[1]->is_training());
  EXPECT_FALSE(inner.layers()[0]->is_training());  // copies share their layers
  const Array x = ones({5});
  EXPECT_TRUE(near(model(x), x, 0));
  model.train();
  EXPECT_TRUE(inner.layers()[0]->is_training());
}

TEST(Module, ValueAndGradEqualsDifferences) {
  Mlp mlp;
  const Array x = random::normal({5, 6}, random::key(1));
  const Array y = array({0, 2, 1, 1, 0});
  const auto step = value_and_grad(
      mlp, [&](const Array& a, const Array& b) { return nn::cross_entropy(mlp(a), b); });
  const NamedArrays before = mlp.state();
  const auto [loss, gradients] = step(x, y);
  for (const auto& [name, parameter] : mlp.named_parameters()) {
    EXPECT_TRUE(parameter->is_same(before.at(name))) << name;
    EXPECT_EQ(gradients.at(name).shape(), parameter->shape());
    // Along the gradient the loss rises by its squared length.
    const Array saved = *parameter;
    const float h = 1e-2f;
    *parameter = saved + h * gradients.at(name);
    const float up = nn::cross_entropy(mlp(x), y).item<float>();
    *parameter = saved - h * gradients.at(name);
    const float down = nn::cross_entropy(mlp(x), y).item<float>();
    *parameter = saved;
    const float slope = sum(square(gradients.at(name))).item<float>();
    EXPECT_NEAR((up - down) / (2 * h), slope, 2e-3 * (1 + slope)) << name;
  }
  EXPECT_EQ(nn::cross_entropy(mlp(x), y).item<float>(), loss.item<float>());
}

TEST(Module, ValueAndGradPutsParametersBackWhenTheFunctionThrows) {
  Stack stack;
  const NamedArrays before = stack.state();
  const auto step = value_and_grad(stack, [&](const Array& x) -> Array {
    stack(x);
    throw std::runtime_error("stop");
  });
  EXPECT_THROW(step(ones({1, 2})), std::runtime_error);
  for (const auto& [name, value] : stack.state()) EXPECT_TRUE(value.is_same(before.at(name)));
}

TEST(Module, ValueAndGradKeepsBuffersAndExtraResults) {
  Stack stack;
  const auto step = value_and_grad(stack, [&](const Array& x) {
    const Array y = stack(x);
    return Arrays{sum(y), y};
  });
  const auto [values, gradients] = step(ones({3, 2}));
  EXPECT_EQ(values.size(), 2u);
  EXPECT_EQ(values[1].shape(), (Shape{3, 2}));
  EXPECT_EQ(gradients.size(), 4u);
  step(ones({3, 2}));
  EXPECT_EQ(stack.seen.value.item<float>(), 2);
}

TEST(Module, FrozenParametersHaveNoGradient) {
  Mlp mlp;
  EXPECT_EQ(mlp.freeze("fc1.*"), 2);
  EXPECT_THAT(names_of(mlp.named_trainable_parameters()), ElementsAre("fc2.weight", "fc2.bias"));
  const auto [loss, gradients] =
      value_and_grad(mlp, [&](const Array& x) { return sum(mlp(x)); })(ones({2, 6}));
  EXPECT_EQ(gradients.size(), 2u);
  EXPECT_FALSE(gradients.contains("fc1.weight"));
  EXPECT_EQ(mlp.named_parameters().size(), 4u);
  EXPECT_EQ(mlp.unfreeze("*.bias"), 2);
  EXPECT_THAT(names_of(mlp.named_trainable_parameters()),
              ElementsAre("fc1.bias", "fc2.weight", "fc2.bias"));
  EXPECT_EQ(error_of([&] { mlp.freeze("fc3.*"); }), "[freeze] no parameter of Mlp matches 'fc3.*'");
  mlp.freeze();
  EXPECT_EQ(error_of([&] { value_and_grad(mlp, [&] {
                             return sum(mlp(ones({2, 6})));
                           })(); }),
            "[value_and_grad] Mlp has no parameter to train");
}

TEST(Module, StateGoesRoundAndRefusesWhatDoesNotFit) {
  Mlp a, b;
  b.load_state(a.state());
  const Array x = random::normal({2, 6}, random::key(3));
  EXPECT_TRUE(near(b(x), a(x), 0));
  NamedArrays state = a.state();
  state["fc1.weight"] = zeros({6, 4});
  EXPECT_EQ(error_of([&] { b.load_state(state); }),
            "[load_state] 'fc1.weight' has shape (6, 4), the module's has (4, 6)");
  state.erase("fc1.weight");
  EXPECT_EQ(error_of([&] { b.load_state(state); }), "[load_state] 'fc1.weight' of Mlp is missing");
  state = a.state();
  state["fc9.weight"] = zeros({1});
  EXPECT_EQ(error_of([&] { b.load_state(state); }),
            "[load_state] Mlp has nothing named 'fc9.weight'");
  EXPECT_TRUE(near(b(x), a(x), 0));  // untouched by the failures
}

TEST(Module, FilesGoRound) {
  const std::string path = testing::TempDir() + "module_test.h5";
  Sequential a(Linear(2, 3), BatchNorm(3)), b(Linear(2, 3), BatchNorm(3));
  a(random::normal({4, 2}, random::key(5)));  // moves the running statistics
  a.save(path);
  b.load(path);
  for (const auto& [name, value] : a.state()) {
    EXPECT_EQ(b.state().at(name).to_bytes(), value.to_bytes()) << name;
  }
  Mlp other;
  EXPECT_EQ(error_of([&] { other.load(path); }),
            path + ": [load_state] 'fc1.weight' of Mlp is missing");
  EXPECT_THROW(other.load(path + ".none"), Error);
  std::remove(path.c_str());
}

TEST(Module, CopiesHaveTheirOwnParameters) {
  Mlp a;
  Mlp b = a;
  b.fc1.weight = zeros({4, 6});
  EXPECT_NE(sum(abs(a.fc1.weight)).item<float>(), 0);
}

TEST(Module, PrintsATree) {
  Sequential model(Conv2d(3, {.out = 8}), Relu(), Flatten(), Linear(72, 1000));
  model.freeze("0.bias");
  EXPECT_EQ(model.to_string(),
            "Sequential(): 73,224 parameters\n"
            "  0: Conv2d(in=3, out=8, kernel=[3, 3], stride=[1, 1], padding=[0, 0], "
            "dilation=[1, 1], groups=1, bias=true): weight(8, 3, 3, 3), bias(8,) frozen: "
            "224 parameters\n"
            "  1: Relu()\n"
            "  2: Flatten()\n"
            "  3: Linear(in=72, out=1000): weight(1000, 72), bias(1000,): 73,000 parameters\n");
}

TEST(Module, ShapesAndOperationsWithoutRunning) {
  Sequential model(Conv2d(1, {.out = 20, .kernel = {5, 5}, .padding = {2, 2}}), Relu(), MaxPool2d(),
                   Flatten(), Linear(3920, 10));
  EXPECT_EQ(model.output_shape({1, 28, 28, 1}), (Shape{1, 10}));
  EXPECT_EQ(model.flops({1, 28, 28, 1}),
            2.0 * 28 * 28 * 20 * 25 + 28 * 28 * 20 + 14 * 14 * 20 * 4 + 2.0 * 3920 * 10);
  EXPECT_EQ(error_of([&] {
              model.output_shape({1, 28, 28, 3});
            }),
            "layer 0 (Conv2d): [conv2d] got input of shape (1, 28, 28, 3), want 1 channels");
  EXPECT_EQ(error_of([&] {
              model.output_shape({1, 20, 20, 1});
            }),
            "layer 4 (Linear): [linear] got input of shape (1, 2000), want (..., 3920)");
  EXPECT_EQ(
      error_of([&] {
        MaxPool2d({.kernel = {9, 9}}).output_shape({1, 8, 20, 1});
      }),
      "[max_pool2d] got input of shape (1, 8, 20, 1), want a height of at least 9 for kernel 9");
  // A class of the user's own has them from its graph; the buffer stays as it was.
  Stack stack;
  EXPECT_EQ(stack.output_shape({7, 2}), (Shape{7, 2}));
  EXPECT_EQ(stack.seen.value.item<float>(), 0);
  EXPECT_TRUE(stack.is_training());
}

TEST(Dropout, KeepsTheMeanAndFollowsItsKey) {
  Dropout layer(0.3);
  const Array x = ones({200, 200});
  const Array y = layer.forward(x, random::key(5));
  const std::vector<float> values = y.to_vector<float>();
  int64_t kept = 0;
  for (const float value : values) {
    EXPECT_TRUE(value == 0 || std::abs(value - 1 / 0.7f) < 1e-6f);
    kept += value != 0;
  }
  EXPECT_NEAR(static_cast<double>(kept) / 40'000, 0.7, 0.01);
  EXPECT_TRUE(near(layer.forward(x, random::key(5)), y, 0));
  EXPECT_FALSE(near(layer.forward(x, random::key(6)), y, 0));
  EXPECT_FALSE(near(layer(x), layer(x), 0));  // the default sequence moves on
  EXPECT_TRUE(near(Dropout(1.0)(x), zeros({200, 200}), 0));
}

TEST(BatchNorm, NeedsMoreThanOneValueToTrain) {
  BatchNorm norm(3);
  EXPECT_EQ(
      error_of([&] {
        norm(ones({1, 3}));
      }),
      "[batch_norm] got input of shape (1, 3), want more than one value a channel to train on");
  norm.eval();
  EXPECT_EQ(norm(ones({1, 3})).shape(), (Shape{1, 3}));
}

}  // namespace
}  // namespace mica::nn
