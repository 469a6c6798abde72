// Products of matrices, named rows x columns x inner.
#include "core/ops/matmul.h"

#include "benchmarks/workloads/workload.h"
#include "core/eval/eval.h"
#include "core/ops/view.h"

namespace mica::benchmarks {
namespace {

template <int64_t size>
Step square_product() {
  const Array a = sample({size, size}, 1), b = sample({size, size}, 2);
  return [=] { eval(matmul(a, b)); };
}

// A layer's forward pass: x W^T.
Step layer_forward() {
  const Array x = sample({256, 784}, 1), weight = sample({256, 784}, 2);
  return [=] { eval(matmul(x, transpose(weight))); };
}

// A layer's weight gradient: G^T x.
Step layer_weight_gradient() {
  const Array cotangent = sample({256, 256}, 1), x = sample({256, 784}, 2);
  return [=] { eval(matmul(transpose(cotangent), x)); };
}

}  // namespace

Workloads matmul_workloads() {
  return {{"matmul_512", square_product<512>},
          {"matmul_1024", square_product<1024>},
          {"matmul_2048", square_product<2048>},
          {"matmul_256x256x784", layer_forward},
          {"matmul_256x784x256", layer_weight_gradient}};
}

}  // namespace mica::benchmarks
