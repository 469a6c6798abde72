// Linear regression as a newcomer writes it: build, differentiate, evaluate, each step.
#include "benchmarks/workloads/workload.h"
#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"

namespace mica::benchmarks {
namespace {

// The gradient of the loss by the weights.
UnaryFunction regression_gradient() {
  const Array x = sample({1000, 100}, 1);
  const Array y = matmul(x, sample({100}, 2)) + 0.01f * sample({1000}, 3);
  eval(y);
  return grad([=](const Array& weights) { return 0.5f * mean(square(matmul(x, weights) - y)); });
}

Array first_weights() {
  const Array w = 0.01f * sample({100}, 4);
  eval(w);
  return w;
}

Step plain_regression() {
  return [gradient = regression_gradient(), w = first_weights()]() mutable {
    w = w - 0.01f * gradient(w);
    eval(w);
  };
}

Step compiled_regression() {
  const UnaryFunction gradient = regression_gradient();
  const auto update =
      compile([=](const Arrays& in) { return Arrays{in[0] - 0.01f * gradient(in[0])}; });
  return [=, w = first_weights()]() mutable { w = update(std::move(w))[0]; };
}

}  // namespace

Workloads linear_workloads() {
  return {{"linreg", plain_regression}, {"linreg_compiled", compiled_regression}};
}

}  // namespace mica::benchmarks
