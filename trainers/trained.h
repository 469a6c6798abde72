// A trained model, ready to be asked: what a run or a checkpoint file leads to.
//
//   TrainedModel model = open_trained("runs/mnist-mlp");       // its best weights, or its last
//   Array scores = (*model.network)(x);                         // in evaluation mode
//   model.checkpoint.normalization; model.checkpoint.class_names;
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nn/container.h"
#include "trainers/checkpoint.h"
#include "trainers/config.h"

namespace mica::trainers {

struct TrainedModel {
  std::filesystem::path path;  // of the checkpoint file
  Checkpoint checkpoint;
  RunConfig config;  // the checkpoint's, with overrides
  std::shared_ptr<nn::Sequential> network;

  /// Folder of the run that the checkpoint lies in; empty for a file that lies elsewhere.
  std::filesystem::path run_folder() const;
};

/// `target` is a run's folder (its best weights, or the last with train.keep: last) or a checkpoint
/// file. Throws Error (data) naming what is missing, damaged or does not fit.
TrainedModel open_trained(const std::filesystem::path& target,
                          const std::vector<std::string>& overrides = {});

}  // namespace mica::trainers
