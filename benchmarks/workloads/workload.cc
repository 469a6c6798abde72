#include "benchmarks/workloads/workload.h"

#include "core/eval/eval.h"
#include "core/ops/random.h"

namespace mica::benchmarks {

Workloads all_workloads() {
  Workloads all;
  for (const Workloads& family :
       {linear_workloads(), mlp_workloads(), convnet_workloads(), pointwise_workloads(),
        reduction_workloads(), sequence_workloads(), matmul_workloads()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

Array sample(const Shape& shape, uint64_t seed) {
  const Array x = random::normal(shape, random::key(seed));
  eval(x);
  return x;
}

Array sample_labels(int64_t count, int64_t classes, uint64_t seed) {
  const Array labels = random::randint(0, classes, {count}, random::key(seed));
  eval(labels);
  return labels;
}

Step train_step(std::shared_ptr<nn::Module> network, std::shared_ptr<optim::Optimizer> optimizer,
                LossFunction loss, const Array& x, const Array& y) {
  const auto value_and_gradients =
      nn::value_and_grad(*network, [network, loss](const Array& input, const Array& target) {
        return loss((*network)(input), target);
      });
  return [=] {
    auto [value, gradients] = value_and_gradients(x, y);
    optimizer->update(network->named_parameters(), gradients);
    Arrays results = optimizer->state_arrays();
    results.push_back(value);
    for (const auto& [name, array] : network->named_parameters()) results.push_back(*array);
    for (const auto& [name, array] : network->named_buffers()) results.push_back(*array);
    eval(results);
    value.item<float>();
  };
}

}  // namespace mica::benchmarks
