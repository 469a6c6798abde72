// Sums, softmax, normalisation and cross-entropy.
#include "benchmarks/workloads/workload.h"
#include "core/eval/eval.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/transform/grad.h"
#include "nn/losses.h"
#include "nn/norm.h"

namespace mica::benchmarks {
namespace {

Step sum_array() {
  const Array a = sample({1 << 22}, 1);
  return [=] { eval(sum(a)); };
}

Step softmax_rows() {
  const Array x = sample({4096, 1024}, 1);
  return [=] { eval(softmax(x)); };
}

Step layer_norm_rows() {
  const Array x = sample({8192, 1024}, 1);
  auto norm = std::make_shared<nn::LayerNorm>(1024);
  return [=] { eval((*norm)(x)); };
}

// Value and gradient over a large vocabulary.
Step cross_entropy_and_gradient() {
  const Array logits = sample({4096, 32000}, 1);
  const Array labels = sample_labels(4096, 32000, 2);
  const auto value_and_gradient =
      value_and_grad([=](const Arrays& in) { return nn::cross_entropy(in[0], labels); });
  return [=] {
    auto [value, gradients] = value_and_gradient({logits});
    eval(value, gradients[0]);
  };
}

}  // namespace

Workloads reduction_workloads() {
  return {{"sum", sum_array},
          {"softmax", softmax_rows},
          {"layer_norm", layer_norm_rows},
          {"cross_entropy", cross_entropy_and_gradient}};
}

}  // namespace mica::benchmarks
