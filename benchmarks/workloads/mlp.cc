// Multi-layer perceptrons 784-h-h-10, batches of 256.
#include <fmt/format.h>

#include "benchmarks/workloads/workload.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/linear.h"
#include "nn/losses.h"
#include "optim/rules.h"

namespace mica::benchmarks {
namespace {

constexpr int64_t kBatch = 256;

Array loss_of(const Array& logits, const Array& labels) {
  return nn::cross_entropy(logits, labels);
}

Step mlp_step(int64_t hidden, std::shared_ptr<optim::Optimizer> optimizer) {
  auto network = std::make_shared<nn::Sequential>(nn::Linear(784, hidden), nn::Relu(),
                                                  nn::Linear(hidden, hidden), nn::Relu(),
                                                  nn::Linear(hidden, 10));
  return train_step(network, std::move(optimizer), loss_of, sample({kBatch, 784}, 1),
                    sample_labels(kBatch, 10, 2));
}

template <int64_t hidden>
Step sgd_step() {
  return mlp_step(hidden, std::make_shared<optim::Optimizer>(optim::Sgd{.lr = 0.1}));
}

template <int64_t hidden>
Step adam_step() {
  return mlp_step(hidden, std::make_shared<optim::Optimizer>(optim::Adam{.lr = 1e-3}));
}

}  // namespace

Workloads mlp_workloads() {
  return {{"mlp_h32_sgd", sgd_step<32>},     {"mlp_h32_adam", adam_step<32>},
          {"mlp_h256_sgd", sgd_step<256>},   {"mlp_h256_adam", adam_step<256>},
          {"mlp_h1024_sgd", sgd_step<1024>}, {"mlp_h1024_adam", adam_step<1024>}};
}

}  // namespace mica::benchmarks
