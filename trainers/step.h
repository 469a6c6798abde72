// One training step of a config: value and gradients, clipping, the optimizer's rule, traced once
// and replayed from then on. Parameters and optimizer state are updated in their own memory.
//
//   TrainingStep step(config, network, /*counts_correct=*/true);
//   TrainingStep::Result result = step.run(batch, {.number = 17, .learning_rate = 0.1});
//   result.loss; result.correct;
//
// What a step does follows from (parameters, optimizer state, batch, config.seed, number) alone,
// bit for bit. A batch whose loss is no finite number changes nothing: neither parameters nor
// running statistics nor the optimizer's state. With train.accumulate the gradients of several
// batches, each weighted by its examples, make one update. `config` and `network` must outlive it;
// one thread a TrainingStep.
#pragma once

#include "core/eval/compile.h"
#include "data/loader.h"
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

  struct Options {
    /// Tells the random numbers of this batch from those of others.
    int64_t number = 0;
    double learning_rate = 0;
    /// Whether the gradients gathered so far are applied; always, without train.accumulate.
    bool updates = true;
    /// Asks for the norm of the gradients.
    bool measures = false;
  };
  struct Result {
    double loss = 0;  // of the batch before the update
    int64_t correct = 0;
    /// The 2-norm of all gradients of an update before they are clipped. NaN where nobody needs
    /// it: neither Options::measures, nor clip_norm, nor train.on_nan: skip or rollback.
    double gradient_norm = 0;
    /// False: the loss was no finite number, or, with train.on_nan: skip or rollback, some
    /// gradient; nothing has changed.
    bool finite = true;
  };
  Result run(const data::Batch& batch, const Options& options);
  /// The key that the random numbers of a batch come from.
  Array key_of(int64_t number) const;

  optim::Optimizer& optimizer() { return optimizer_; }
  const optim::Optimizer& optimizer() const { return optimizer_; }

  /// Forgets the gradients gathered so far, and begins the mean of the weights at the weights as
  /// they are now.
  void restart();
  /// The running mean of the trained parameters, by name; empty without train.ema.
  const nn::NamedArrays& average() const { return average_; }
  void set_average(nn::NamedArrays average) { average_ = std::move(average); }

 private:
  struct Gradients {
    Array loss, correct;
    nn::NamedArrays by_name;
  };
  /// What differentiate() is given, in this order: x, y, key and, of mixed batches, the second y
  /// and the weight of the first.
  Arrays arguments_of(const data::Batch& batch, int64_t number) const;
  size_t batch_arguments() const { return mixes_ ? 5 : 3; }
  Gradients differentiate(const Arrays& batch);
  // Graph code: each gives what run() reads, and assigns the next state.
  Arrays build_step(const Arrays& arguments, bool measures);
  Arrays build_gathering(const Arrays& arguments);
  Arrays build_update(const Arrays& scalars);
  /// The update by these gradients; their norm, undefined where it is not needed.
  Array update(nn::NamedArrays gradients, const Arrays& scalars, bool measures);
  void move_average(const Array& decay);
  Result run_gathering(const data::Batch& batch, const Options& options);
  Arrays begin_update(double learning_rate);
  std::vector<Array*> state_of_step();
  std::vector<Array*> state_of_gathering();

  const RunConfig& config_;
  nn::Module& network_;
  bool counts_correct_;
  bool mixes_;
  bool guards_gradients_;
  optim::Optimizer optimizer_;
  nn::NamedArrays average_;
  nn::NamedArrays gathered_;  // sum of the gradients times the examples of each batch
  int64_t gathered_examples_ = 0;
  CompiledFunction step_, measured_step_, gather_, apply_;
};

}  // namespace mica::trainers
