// A hundred steps of SGD on a convolutional network give PyTorch's losses (torch_golden_curve.txt).
//
// Weights and batches come from a hash that make_torch_fixtures.py computes as well, so nothing big
// has to be stored. Twice: in float64 at the learning rate people use, where nothing but the
// mathematics is tested, and in float32 at a rate small enough that rounding is hardly amplified:
// at the larger one PyTorch's own float32 losses leave its float64 losses by several percent (here
// by 7e-6), since
// a rounding that moves a value across 0 in relu, or past its neighbour in max-pooling, moves a
// whole gradient.
#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/eval.h"
#include "core/ops/elementwise.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/losses.h"
#include "optim/rules.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

using fixtures::Case;

constexpr int64_t kClasses = 10, kSide = 28, kPixels = kSide * kSide;

uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  return x ^ (x >> 16);
}

// Number `index` of a stream, in [0, 1).
double hashed(uint32_t stream, int64_t index) {
  return (mix(static_cast<uint32_t>(index) + mix(stream)) >> 8) * 0x1p-24;
}

struct Batch {
  Array images, labels;
};

Batch batch_of(uint32_t step, int64_t size, double noisy_labels) {
  std::vector<float> images(static_cast<size_t>(size * kPixels));
  std::vector<int64_t> labels(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    const auto draw = [&](int64_t row) { return hashed(1000 + 3 * step, row * size + i); };
    const int64_t shown = static_cast<int64_t>(draw(0) * kClasses);
    labels[static_cast<size_t>(i)] =
        draw(1) < noisy_labels ? static_cast<int64_t>(draw(2) * kClasses) : shown;
    for (int64_t pixel = 0; pixel < kPixels; ++pixel) {
      const int64_t block = pixel / kSide / 4 * 7 + pixel % kSide / 4;
      const double pattern = hashed(1, shown * 49 + block);
      const double noise = hashed(1001 + 3 * step, i * kPixels + pixel);
      images[static_cast<size_t>(i * kPixels + pixel)] = static_cast<float>(pattern + noise - 1);
    }
  }
  return {Array::from(images, {size, kSide, kSide, 1}), Array::from(labels, {size})};
}

// The network of the comparison article, without its dropout.
Sequential article_cnn() {
  Sequential model;
  int64_t in = 1;
  for (const int64_t channels : {20, 50, 100}) {
    model.add(std::make_shared<Conv2d>(
        in, Conv2dConfig{.out = channels, .kernel = {5, 5}, .padding = {2, 2}}));
    model.add(std::make_shared<Relu>());
    model.add(std::make_shared<MaxPool2d>());
    in = channels;
  }
  model.add(std::make_shared<Flatten>());
  model.add(std::make_shared<Linear>(900, 450));
  model.add(std::make_shared<Relu>());
  model.add(std::make_shared<Linear>(450, 225));
  model.add(std::make_shared<Linear>(225, kClasses));
  model.add(std::make_shared<LogSoftmax>());
  return model;
}

// Stream 10 for the first parameter, 11 for the second, ... Weights are U(-k, k) with
// k = gain / sqrt(fan_in), biases with k = 1 / sqrt(fan_in).
void set_weights(Sequential& model, double gain, Dtype dtype) {
  uint32_t stream = 10;
  double fan_in = 0;
  for (const auto& [name, parameter] : model.named_parameters()) {
    const bool is_weight = parameter->rank() > 1;
    if (is_weight) fan_in = static_cast<double>(parameter->size() / parameter->dim(0));
    const double bound = (is_weight ? gain : 1) / std::sqrt(fan_in);
    std::vector<float> values(static_cast<size_t>(parameter->size()));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((2 * hashed(stream, static_cast<int64_t>(i)) - 1) * bound);
    }
    *parameter = astype(Array::from(values, parameter->shape()), dtype);
    ++stream;
  }
}

void check_curve(const Case& c) {
  SCOPED_TRACE(c.line);
  const auto setting = [&](const char* name) { return std::stod(c.settings.at(name)); };
  const Array& wanted = c.array("losses");
  const std::vector<double> losses = wanted.to_vector<double>();
  Sequential model = article_cnn();
  set_weights(model, setting("gain"), wanted.dtype());
  optim::Optimizer optimizer(optim::Sgd{.lr = setting("lr"),
                                        .momentum = setting("momentum"),
                                        .weight_decay = setting("weight_decay")});
  const auto step =
      value_and_grad(model, [&](const Array& x, const Array& y) { return nll(model(x), y); });
  double worst = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const Batch batch = batch_of(static_cast<uint32_t>(i), static_cast<int64_t>(setting("batch")),
                                 setting("noisy_labels"));
    const auto [loss, gradients] = step(astype(batch.images, wanted.dtype()), batch.labels);
    optimizer.update(model.named_parameters(), gradients);
    Arrays results = optimizer.state_arrays();
    for (const auto& [name, parameter] : model.named_parameters()) results.push_back(*parameter);
    results.push_back(loss);
    eval(results);
    worst = std::max(worst, std::abs(loss.item<double>() - losses[i]) / losses[i]);
    ASSERT_LE(worst, 1e-4) << "step " << i << ": got " << loss.item<double>() << ", want "
                           << losses[i];
  }
  testing::Test::RecordProperty("largest_relative_error", fmt::format("{:.3g}", worst));
  fmt::print("largest relative error {:.3g} over {} steps\n", worst, losses.size());
}

TEST(GoldenCurve, EqualsPyTorch) {
  const std::vector<Case> cases = fixtures::read_cases("torch_golden_curve.txt");
  ASSERT_EQ(cases.size(), 2u);
  for (const Case& c : cases) {
    EXPECT_EQ(c.array("losses").shape(), (Shape{100}));
    check_curve(c);
  }
}

}  // namespace
}  // namespace mica::nn
