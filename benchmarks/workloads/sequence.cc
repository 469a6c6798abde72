// An LSTM as a composition: 100 steps, batches of 32, 256 features, forward and backward.
#include <cmath>

#include "benchmarks/workloads/workload.h"
#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"

namespace mica::benchmarks {
namespace {

constexpr int64_t kSteps = 100, kBatch = 32, kHidden = 256;

Array parameter(const Shape& shape, uint64_t seed) {
  const float bound = 1 / std::sqrt(static_cast<float>(kHidden));
  const Array value = random::uniform(shape, random::key(seed), -bound, bound);
  eval(value);
  return value;
}

// The sum of all outputs. Gates in PyTorch's order: input, forget, cell, output.
Array lstm_sum(const Array& x, const Arrays& parameters) {
  const Array inputs = matmul(reshape(x, {kSteps * kBatch, kHidden}), transpose(parameters[0])) +
                       (parameters[2] + parameters[3]);
  const Array recurrent = transpose(parameters[1]);
  Array h = zeros({kBatch, kHidden}), c = zeros({kBatch, kHidden});
  Arrays outputs;
  for (int64_t t = 0; t < kSteps; ++t) {
    const Array gates = slice_axis(inputs, 0, t * kBatch, (t + 1) * kBatch) + matmul(h, recurrent);
    const Arrays parts = split(gates, 4, 1);
    c = sigmoid(parts[1]) * c + sigmoid(parts[0]) * tanh(parts[2]);
    h = sigmoid(parts[3]) * tanh(c);
    outputs.push_back(h);
  }
  return sum(stack(outputs));
}

Step lstm_and_gradient() {
  const Array x = sample({kSteps, kBatch, kHidden}, 1);
  const Arrays parameters = {parameter({4 * kHidden, kHidden}, 2),
                             parameter({4 * kHidden, kHidden}, 3), parameter({4 * kHidden}, 4),
                             parameter({4 * kHidden}, 5)};
  const auto value_and_gradient =
      value_and_grad([=](const Arrays& variables) { return lstm_sum(x, variables); });
  const CompiledFunction compiled = compile([=](const Arrays& variables) {
    auto [value, gradients] = value_and_gradient(variables);
    gradients.push_back(value);
    return gradients;
  });
  return [=] { compiled(parameters); };
}

}  // namespace

Workloads sequence_workloads() { return {{"lstm", lstm_and_gradient}}; }

}  // namespace mica::benchmarks
