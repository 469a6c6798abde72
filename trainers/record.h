// The record of a run: everything that is written down about it while it goes.
//
//   RunRecord record(folder, config, setup);
//   record.begin(state.step);               // what was recorded of later steps goes
//   record.step({...}, batch);              // after every step
//   record.scored(scores);                  // of "val", of "test" at the end
//   record.epoch(row);                      // at the end of a reporting period
//   record.flush();                         // before a checkpoint
//   record.draw({.status = "running"});     // summary, report and plots
//
// config.yaml, metrics.csv and .jsonl (trainers/loggers.h), events for TensorBoard as
// train.tensorboard says, summary.json, report.html and plots/. None of it changes what the run
// computes: the weights are the same bits whatever is recorded. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "trainers/config.h"
#include "trainers/draw/sheet.h"
#include "trainers/evaluate.h"
#include "trainers/loggers.h"
#include "trainers/run_folder.h"
#include "trainers/setup.h"
#include "trainers/tensorboard.h"

namespace mica::trainers {

/// What a step of training gives to write down.
struct StepNumbers {
  int64_t step = 0;   // from 1
  int64_t epoch = 0;  // the one now running, from 1
  double loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;  // NaN: not known
  int64_t samples = 0;
  double seconds = 0;       // all of the step's time
  double wait_seconds = 0;  // the part of it spent waiting for data
};

/// Where the run stands when it is drawn.
struct RunStatus {
  std::string status;   // "running", "stopped", "done"
  std::string monitor;  // "val.accuracy"
  double best = 0;
  int64_t best_epoch = 0;  // 0: none yet
};

class RunRecord {
 public:
  /// `config` must outlive the record.
  RunRecord(const RunFolder& folder, const RunConfig& config, const Setup& setup);

  void begin(int64_t step);
  /// A row for the first step and then for every train.log_every-th: its own loss, and the rates
  /// since the row before.
  void step(const StepNumbers& numbers, const data::Batch& batch);
  void scored(const Scores& scores);
  /// A row by column; the time of checkpoints and validation is added. With train.tensorboard: all,
  /// the gradients of the last batch are computed once more for their histograms.
  void epoch(std::map<std::string, double> row);
  /// Everything so far is in the files when this returns.
  void flush();

  /// Time that goes into the next row of an epoch: "validation_seconds", "checkpoint_seconds".
  void spent(const std::string& column, double seconds) { spent_[column] += seconds; }

  /// During a run only as often as it takes less than a twentieth of the time. Plots are left as
  /// they are for a run that was stopped, which should end at once.
  void draw(const RunStatus& status);

 private:
  using Clock = std::chrono::steady_clock;

  void write_histograms(int64_t step);
  void keep_samples(const data::Batch& batch);
  void write_summary(const RunStatus& status) const;
  void write_plots(const MetricsTable& metrics, int64_t best_epoch);

  RunFolder folder_;
  const RunConfig& config_;
  std::shared_ptr<nn::Sequential> network_;
  std::shared_ptr<const data::Dataset> dataset_;
  data::Normalization normalization_;
  MetricsLog log_;
  std::optional<EventFile> train_events_, val_events_;
  nlohmann::ordered_json facts_;  // of summary.json: what stays the same
  nlohmann::ordered_json scores_ = nlohmann::ordered_json::object();  // by split
  std::vector<draw::Picture> samples_;
  std::optional<data::Batch> last_batch_;
  int64_t last_step_ = 0;
  std::map<std::string, double> spent_;
  // Since the last row of a step.
  double seconds_ = 0, wait_seconds_ = 0;
  int64_t samples_done_ = 0;
  // Of drawing.
  Clock::time_point drawn_;
  double drawing_seconds_ = 0;
};

}  // namespace mica::trainers
