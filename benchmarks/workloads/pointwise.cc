// Element by element over 4 M floats, and an update of as many parameters.
#include "benchmarks/workloads/workload.h"
#include "core/eval/eval.h"
#include "core/ops/elementwise.h"
#include "optim/rules.h"

namespace mica::benchmarks {
namespace {

constexpr int64_t kSize = 1 << 22;
constexpr int64_t kParameters = 4'000'000;

Step add_arrays() {
  const Array a = sample({kSize}, 1), b = sample({kSize}, 2);
  return [=] { eval(a + b); };
}

Step exp_array() {
  const Array a = sample({kSize}, 1);
  return [=] { eval(exp(a)); };
}

// GELU in its tanh form, plus a bias.
Step fused_chain() {
  const Array a = sample({kSize}, 1), b = sample({kSize}, 2);
  return [=] { eval(0.5f * a * (1.0f + tanh(0.79788456f * (a + 0.044715f * a * a * a))) + b); };
}

Step adam_update() {
  auto parameter = std::make_shared<Array>(sample({kParameters}, 1));
  const optim::NamedArrays gradients = {{"p", sample({kParameters}, 2)}};
  auto optimizer = std::make_shared<optim::Optimizer>(optim::Adam{.lr = 1e-3});
  return [=] {
    optimizer->update({{"p", parameter.get()}}, gradients);
    Arrays results = optimizer->state_arrays();
    results.push_back(*parameter);
    eval(results);
  };
}

}  // namespace

Workloads pointwise_workloads() {
  return {
      {"chain", fused_chain}, {"exp", exp_array}, {"add", add_arrays}, {"adam_4m", adam_update}};
}

}  // namespace mica::benchmarks
