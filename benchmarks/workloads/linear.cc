// Linear regression as a newcomer writes it: build, differentiate, evaluate, each step.
#include "benchmarks/workloads/workload.h"
#include "core/eval/eval.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"

namespace mica::benchmarks {
namespace {

Step plain_regression() {
  const Array x = sample({1000, 100}, 1);
  const Array y = matmul(x, sample({100}, 2)) + 0.01f * sample({1000}, 3);
  Array w = 0.01f * sample({100}, 4);
  eval(y, w);
  const auto gradient =
      grad([=](const Array& weights) { return 0.5f * mean(square(matmul(x, weights) - y)); });
  return [=]() mutable {
    w = w - 0.01f * gradient(w);
    eval(w);
  };
}

}  // namespace

Workloads linear_workloads() { return {{"linreg", plain_regression}}; }

}  // namespace mica::benchmarks
