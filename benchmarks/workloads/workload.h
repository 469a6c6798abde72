// The work that Mica and its peers are compared on: names, and functions that do one step of it.
//
//   const Workload* row = find_workload("softmax");
//   Step step = row->make();       // data and weights are there when this returns
//   step();                        // one step, its results evaluated when this returns
//
// benchmarks/table.py says what each row is, what it costs at the least and what is asked of it;
// benchmarks/peers/ has the same steps in other frameworks.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/graph/array.h"
#include "nn/module.h"
#include "optim/optimizer.h"

namespace mica::benchmarks {

using Step = std::function<void()>;

struct Workload {
  std::string_view name;
  std::function<Step()> make;
};
using Workloads = std::vector<Workload>;

// One a file.
Workloads linear_workloads();
Workloads mlp_workloads();
Workloads convnet_workloads();
Workloads pointwise_workloads();
Workloads reduction_workloads();
Workloads sequence_workloads();
Workloads matmul_workloads();

Workloads all_workloads();

/// Standard normal numbers, evaluated.
Array sample(const Shape& shape, uint64_t seed);
/// Labels below `classes`, evaluated.
Array sample_labels(int64_t count, int64_t classes, uint64_t seed);

/// One compiled training step of a classifier, as the trainer makes it: value and gradients, the
/// update in place, the loss read. Products are taken in the type `products`.
using LossFunction = std::function<Array(const Array&, const Array&)>;
Step train_step(std::shared_ptr<nn::Module> network, std::shared_ptr<optim::Optimizer> optimizer,
                LossFunction loss, const Array& x, const Array& y, Dtype products = float32);

}  // namespace mica::benchmarks
