// A training run, from the first step to the last or from a checkpoint on.
//
//   Setup setup = make_setup(config, folder.path / "data.h5");
//   Trainer trainer(config, std::move(setup), folder, progress, signals);
//   trainer.resume();            // if there is a checkpoint
//   int code = trainer.run();    // 0, or 130 / 143 when a signal stopped it
//
// Everything that a step does follows from (config, data, state): the same config gives the same
// weights, bit for bit, run through or stopped anywhere and resumed, with any number of threads.
// run() throws Error (diverged) when the loss is no finite number; the last checkpoint is from
// before.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "trainers/checkpoint.h"
#include "trainers/evaluate.h"
#include "trainers/progress.h"
#include "trainers/record.h"
#include "trainers/run_folder.h"
#include "trainers/setup.h"
#include "trainers/signals.h"
#include "trainers/step.h"
#include "trainers/weights.h"

namespace mica::trainers {

class Trainer {
 public:
  /// `config` must outlive the trainer. Throws a usage Error for a monitor that this data has no
  /// numbers for, and for a batch size above the number of training examples.
  Trainer(const RunConfig& config, Setup setup, RunFolder folder, Progress& progress,
          const StopSignals& signals);

  /// Goes on from the folder's last checkpoint, or from the one before if that can't be read.
  /// Returns false if there is none. Throws Error if it belongs to another config or data set.
  bool resume();
  /// Takes the weights of a checkpoint, and nothing else of it; or those of another program
  /// (weights.h).
  void init_from(const std::string& path, const std::optional<WeightNames>& names = {});
  int run();

  const RunState& state() const { return state_; }
  nn::Module& network() { return *setup_.network; }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  enum class Ended { kEpoch, kSignal, kTime, kRollback };
  /// Trains to the end of the epoch, or until something else ends it.
  Ended run_epoch();
  /// Whether the batch at hand is the last of those whose gradients make one update.
  bool completes_update() const;
  /// False: the run went back to its last checkpoint.
  bool train_step(const data::Batch& batch);
  /// What train.on_nan says: leaves the batch out, goes back (false), or throws.
  bool recover(const data::Batch& batch, double loss, int64_t number);
  /// What the schedule's learning rate is multiplied by.
  double rate_after_rollbacks() const;
  void end_epoch();
  void report();
  void show_progress();
  std::optional<data::Batch> next_batch();
  Scores score(const std::string& split);
  void score_result();
  RunStatus status(const std::string& name) const;

  bool is_classification() const;
  /// Trained to the end, or without progress for as long as the config allows.
  bool is_finished() const;
  bool should_checkpoint() const;
  bool is_out_of_time() const;
  void update_best(double value);
  Checkpoint checkpoint() const;
  void restore(const Checkpoint& checkpoint, const std::string& path);
  void save_last();

  const RunConfig& config_;
  Setup setup_;
  RunFolder folder_;
  Progress& progress_;
  const StopSignals& signals_;
  data::Loader loader_;
  TrainingStep step_;
  int64_t batches_;  // of an epoch
  optim::Schedule schedule_;
  std::string monitor_;
  RunRecord record_;
  std::string fingerprint_;
  RunState state_;

  // For display only.
  double seconds_ = 0, wait_seconds_ = 0;  // since the last report
  struct SinceUpdate {
    double loss_sum = 0, seconds = 0, wait_seconds = 0;
    int64_t samples = 0;
  } since_update_;
  int64_t timed_samples_ = 0;
  double learning_rate_ = 0;
  int64_t first_step_ = 0;
  Clock::time_point started_ = Clock::now();
  Clock::time_point last_step_ = Clock::now();
  Clock::time_point last_save_ = Clock::now();
};

}  // namespace mica::trainers
