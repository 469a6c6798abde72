// From a config to what a run works with: the data set and the network.
//
//   Setup setup = make_setup(config, folder / "data.h5");
//   setup.network->forward(batch.x);
//
// A prepared file is opened as it is. A raw source (data.source) is prepared once into `cache`,
// which is opened again as long as it stands. Errors that need the data to show are placed in the
// config: "mnist_cnn.yaml:6:19: error: data.path: no file ...".
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "data/prepare.h"
#include "nn/container.h"
#include "trainers/config.h"

namespace mica::trainers {

struct OpenedData {
  std::shared_ptr<const data::Dataset> dataset;
  /// The weights that made the targets, of synthetic_regression only.
  std::optional<HostTensor> true_weights;
};
OpenedData open_data(const RunConfig& config, const std::filesystem::path& cache,
                     const data::ProgressFunction& progress = {});

/// What a source in the config is prepared with.
data::PrepareOptions prepare_options(const DataConfig& config, const std::string& out);

/// Shape of what the model has to give for an example of this data set: a number for each class or
/// target, or the example itself.
Shape wanted_output(const data::Dataset& dataset);

/// Builds the network with its initial weights. An empty `output`: any shape will do.
std::shared_ptr<nn::Sequential> build_network(const RunConfig& config, const Shape& example,
                                              const Shape& output);

/// How the batches of a run's training split are read.
data::LoaderOptions training_loader_options(const RunConfig& config,
                                            const data::Normalization& normalization);

/// Throws a usage Error placed at the loss when it can't score this kind of data.
void check_loss(const RunConfig& config, const data::Dataset& dataset);

/// Throws a usage Error placed at the augmentation when it can't be done to this kind of data.
void check_augment(const RunConfig& config, const data::Dataset& dataset);

struct Setup {
  OpenedData data;
  std::shared_ptr<nn::Sequential> network;
  data::Normalization normalization;
};
Setup make_setup(const RunConfig& config, const std::filesystem::path& cache,
                 const data::ProgressFunction& progress = {});

}  // namespace mica::trainers
