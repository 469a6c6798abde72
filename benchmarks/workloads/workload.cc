#include "benchmarks/workloads/workload.h"

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "nn/precision.h"

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
                LossFunction loss, const Array& x, const Array& y, Dtype products) {
  const auto value_and_gradients =
      nn::value_and_grad(*network, [=](const Array& input, const Array& target) {
        const nn::PrecisionScope scope(products);
        return loss(astype((*network)(input), float32), target);
      });
  const auto build = [=](const Arrays& in) {
    const random::KeyScope drawing(in[2]);
    auto [value, gradients] = value_and_gradients(in[0], in[1]);
    optimizer->finish_update(network->named_parameters(), gradients,
                             Arrays(in.begin() + 3, in.end()));
    return Arrays{value};
  };
  const auto state = [=] {
    std::vector<Array*> arrays = optimizer->state_pointers();
    for (const auto& [name, array] : network->named_parameters()) arrays.push_back(array);
    for (const auto& [name, array] : network->named_buffers()) arrays.push_back(array);
    return arrays;
  };
  const CompiledFunction compiled = compile(build, {.state = state});
  return [=, number = uint64_t{0}]() mutable {
    Arrays arguments = {x, y, random::key(number++)};
    for (const Array& scalar :
         optimizer->begin_update(network->named_parameters(), optimizer->lr())) {
      arguments.push_back(scalar);
    }
    compiled(std::move(arguments))[0].item<float>();
  };
}

}  // namespace mica::benchmarks
