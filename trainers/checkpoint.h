// Checkpoints: everything a run is between two steps, in one HDF5 file.
//
//   save_checkpoint(checkpoint, "runs/a/checkpoints/last.h5");
//   Checkpoint again = load_checkpoint("runs/a/checkpoints/last.h5");
//
// Layout, readable by h5py:
//
//   /model/<name>            weights and buffers ("0.weight"); attributes of the group:
//   example_shape,
//                            mean, std, target_mean, target_std (how inputs were normalised),
//                            class_names, task, feature_names, target_names, fill, example_dtype
//   /state/optimizer/<name>  the optimizer's arrays
//   /state                   attributes: step, epoch, batch, loss_sum, ... (RunState), data
//   /config                  the effective config as text
//   root attributes          format "mica-checkpoint", format_version 1
//
// /model alone is enough to evaluate. Files are written in one step (core/io/file.h); equal
// checkpoints give equal bytes. Everything wrong with a file is Error (data) that names it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/graph/array.h"
#include "data/loader.h"

namespace mica::trainers {

/// Where a run stands. Together with weights and optimizer it decides every step to come.
struct RunState {
  int64_t step = 0;        // updates so far
  int64_t epoch = 0;       // epochs completed
  int64_t batch = 0;       // batches done of the epoch now running
  int64_t samples = 0;     // since the last report
  double loss_sum = 0;     // since the last report, each batch weighted by its examples
  int64_t correct = 0;     // since the last report
  double best = 0;         // value of the monitored metric
  int64_t best_epoch = 0;  // 0: no report yet
  int64_t reports_since_best = 0;
  int64_t rollbacks = 0;  // each halved the learning rate
  int64_t skipped = 0;    // batches left out, one after another
  FIELDS(RunState, step, epoch, batch, samples, loss_sum, correct, best, best_epoch,
         reports_since_best, rollbacks, skipped)
};

struct Checkpoint {
  std::map<std::string, Array> model;
  Shape example_shape;
  data::Normalization normalization;
  std::string task;
  std::vector<std::string> class_names;
  std::map<std::string, Array> optimizer;
  RunState state;
  std::string data_fingerprint;
  std::string config;
  /// What raw inputs are turned into examples with (mica predict): names of the features and
  /// targets, what stands in for a missing value of each feature, "uint8" or "float32". Empty in
  /// checkpoints written before they were kept.
  std::vector<std::string> feature_names;
  std::vector<std::string> target_names;
  std::vector<double> fill;
  std::string example_dtype;
  /// With train.ema `model` holds the running mean of the weights, and this the weights that the
  /// optimizer goes on from. Else empty.
  std::map<std::string, Array> weights;
};

void save_checkpoint(const Checkpoint& checkpoint, const std::string& path);
Checkpoint load_checkpoint(const std::string& path);

}  // namespace mica::trainers
