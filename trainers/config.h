// A run as its config describes it: read whole, checked whole, before anything starts.
//
//   RunConfig config = load_config("configs/mnist_cnn.yaml", {"optimizer.sgd.lr=0.1"});
//   config.data.path;                       // absolute
//   write_file("config.yaml", config.to_yaml());     // every default filled in; loads to the same
//
// Mistakes throw one usage Error that lists them all: "mnist.yaml:14:5: error: unknown key ...".
// A relative data.path counts from the folder of the file that says it, one given with --set from
// the current folder. What a config may hold is said in schema.h, how files and overrides come
// together in config_tree.h.
//
//   name: mnist-cnn            # of the run; by default the file's name
//   seed: 0
//   precision: float32         # or bf16
//   data:                                             # DataConfig
//     path: mnist.h5
//     augment: [pad_crop: 4, flip]                    # data/augment.def
//   model: [flatten, linear: 10, log_softmax]         # trainers/model.h
//   loss: nll                                         # nn/losses.def
//   optimizer:                                        # optim/optimizers.def, and OptimizerConfig
//     sgd: {lr: 0.05, momentum: 0.9}
//     schedule: [warmup: 1, cosine]                   # optim/schedules.def
//     groups: [{match: "*.bias", weight_decay: 0}]
//   train: {epochs: 5}                                # TrainConfig
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/augment.h"
#include "optim/registry.h"
#include "optim/schedule.h"
#include "trainers/model.h"

namespace mica::trainers {

/// The data.source that is made up and read from nowhere.
inline constexpr std::string_view kSyntheticSource = "synthetic_regression";

struct DataConfig {
  std::string path;
  std::string source;
  std::string split = "auto";
  std::string fold;
  std::string target;
  std::string drop;
  std::string categorical;
  int64_t examples = 1000;
  int64_t features = 100;
  double noise = 0.01;
  std::string cache = "auto";
  int64_t batch_size = 128;
  bool shuffle = true;
  std::string normalize = "channel";
  bool normalize_target = false;
  bool reconstruct = false;
  FIELDS(DataConfig, path, source, split, fold, target, drop, categorical, examples, features,
         noise, cache, batch_size, shuffle, normalize, normalize_target, reconstruct)
  static constexpr FieldInfo kFieldInfo[] = {
      {"prepared file, or what the source reads; without it, known data sets are fetched"},
      {"empty: path is a prepared file; synthetic_regression: made up; else as `mica prepare`"},
      {"how a source is split: auto, test=0.2,val=0.1, hash,test=0.2 or column=NAME"},
      {"2/5: the second fifth of train and val validates, the rest trains (`mica kfold`)"},
      {"csv: target columns, separated by commas"},
      {"csv: columns to leave out"},
      {"csv: columns of numbers that stand for categories"},
      {"synthetic_regression: examples", 1},
      {"synthetic_regression: features", 1},
      {"synthetic_regression: standard deviation of the noise", 0},
      {.doc = "large splits: read whole, row by row as needed, or as memory allows",
       .choices = "auto|ram|none"},
      {"examples in a step", 1},
      {"a new order every epoch"},
      {.doc = "none, unit (/ 255), or by mean and deviation of the training split",
       .choices = "none|unit|channel|feature"},
      {"train on targets of mean 0 and deviation 1; scores stay in the target's units"},
      {"autoencoders: the target is the example itself, normalised and augmented; no labels used"}};
};

struct TrainConfig {
  int64_t epochs = 10;
  int64_t report_every = 1;
  std::string monitor = "auto";
  std::string keep = "best";
  int64_t patience = 0;
  double min_delta = 0;
  int64_t checkpoint_steps = 0;
  double checkpoint_seconds = 60;
  int64_t log_every = 10;
  std::string tensorboard = "scalars";
  int64_t keep_every = 0;
  int64_t accumulate = 1;
  double ema = 0;
  std::string on_nan = "stop";
  double max_minutes = 0;
  int64_t overfit_batches = 0;
  FIELDS(TrainConfig, epochs, report_every, monitor, keep, patience, min_delta, checkpoint_steps,
         checkpoint_seconds, log_every, tensorboard, keep_every, accumulate, ema, on_nan,
         max_minutes, overfit_batches)
  static constexpr FieldInfo kFieldInfo[] = {
      {"passes over the training split", 1},
      {"epochs from one validation, row of metrics and checkpoint to the next", 1},
      {.doc = "what best means; auto: val.accuracy or val.loss, train.loss without a val split",
       .choices = "auto|train.loss|val.loss|val.accuracy|val.r2"},
      {.doc = "which weights are the result of the run", .choices = "best|last"},
      {"stop after so many reports without a better one; 0: never", 0},
      {"what counts as better by less does not count", 0},
      {"a checkpoint every so many steps as well; 0: none", 0},
      {"a checkpoint every so many seconds as well; 0: none", 0},
      {"a row of metrics after the first step and every so many", 1},
      {.doc = "events for TensorBoard, in the run's folder tb; all: histograms of weights and "
              "gradients as well, for one more backward pass an epoch",
       .choices = "none|scalars|all"},
      {"keep the checkpoint of every so many epochs for good; 0: none", 0},
      {"batches whose gradients make one update, each weighted by its examples", 1},
      {"decay of the running mean of the weights, which is then the result (0.999); 0: none", 0, 1},
      {.doc = "after a loss or gradient that is no finite number: stop, leave the batch out, or go "
              "back to the last checkpoint with half the learning rate",
       .choices = "stop|skip|rollback"},
      {"end the run after so many minutes; 0: never", 0},
      {"train on the first so many batches only, unchanged, to see whether the model can; 0: all",
       0}};

  /// The batches of an epoch that are trained on.
  int64_t batches_of(int64_t available) const {
    return overfit_batches > 0 ? std::min(available, overfit_batches) : available;
  }
  /// The updates that so many batches make; the last may be of fewer than `accumulate`.
  int64_t updates_in(int64_t batches) const { return (batches + accumulate - 1) / accumulate; }
};

/// What an optimizer section holds beside the optimizer.
struct OptimizerConfig {
  std::unique_ptr<optim::Rule> rule;
  std::string type;
  std::vector<std::unique_ptr<optim::ScheduleConfig>> schedules;
  std::vector<std::string> schedule_types;
  std::vector<optim::Group> groups;
  double clip_norm = 0;
  double clip_value = 0;
};

struct RunConfig {
  std::string name;
  int64_t seed = 0;
  std::string precision = "float32";
  DataConfig data;
  std::vector<data::AugmentStep> augment;  // of data.augment
  Model model;
  std::unique_ptr<nn::Loss> loss;
  std::string loss_type;
  OptimizerConfig optimizer;
  TrainConfig train;

  // For errors that only show when the data is there.
  Location data_at, path_at, augment_at, loss_at, monitor_at, batch_size_at;

  /// Where each value was read, by its path ("optimizer.sgd.lr", "model[2]"); no entry: default.
  std::map<std::string, Location> origins;
  /// Where a value was read, or else the section that it would stand in.
  Location origin(std::string path) const;

  Value to_value() const;
  std::string to_yaml() const;
};

/// Reads a config file with its bases and applies overrides: "key.path=value" and the other forms
/// of override.h, "@FILE" for a file of them. Throws a usage Error.
RunConfig load_config(const std::string& path, const std::vector<std::string>& overrides = {});
/// The same for text; relative paths count from `folder`.
RunConfig parse_config(const std::string& text, const std::string& source,
                       const std::string& folder, const std::vector<std::string>& overrides = {});

/// The keys ("optimizer.sgd.lr") whose values differ between two configs, in the order of the
/// first.
std::vector<std::string> differing_keys(const Value& a, const Value& b);

}  // namespace mica::trainers
