// One training step of a config: value and gradients, clipping, the optimizer's rule, traced once
// and replayed from then on. Parameters and optimizer state are updated in their own memory.
//
//   TrainingStep step(config, network, /*counts_correct=*/true);
//   TrainingStep::Result result = step.run(batch.x, batch.y, number, learning_rate);
//   result.loss; result.correct;
//
// What a step does follows from (parameters, optimizer state, batch, config.seed, number) alone,
// bit for bit. `config` and `network` must outlive it; one thread a TrainingStep.
#pragma once

#include "core/eval/compile.h"
#include "nn/module.h"
#include "optim/optimizer.h"
#include "trainers/config.h"

namespace mica::trainers {

class TrainingStep {
 public:
  /// `counts_correct`: whether the highest output is the answer, to be counted where it is right.
  TrainingStep(const RunConfig& config, nn::Module& network, bool counts_correct);
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;

  struct Result {
    double loss = 0;  // of the batch before the update
    int64_t correct = 0;
  };
  /// `number` tells the random numbers of this step from those of others.
  Result run(const Array& x, const Array& y, int64_t number, double learning_rate);

  optim::Optimizer& optimizer() { return optimizer_; }
  const optim::Optimizer& optimizer() const { return optimizer_; }

 private:
  Arrays build(const Array& x, const Array& y, const Array& key, const Arrays& scalars);
  std::vector<Array*> state();

  const RunConfig& config_;
  nn::Module& network_;
  bool counts_correct_;
  optim::Optimizer optimizer_;
  CompiledFunction compiled_;
};

}  // namespace mica::trainers
