// Loader: the batches of a split, shuffled, normalised and assembled ahead of time on TBB.
//
//   Loader loader(dataset, "train", {.batch_size = 128, .shuffle = true, .seed = 0});
//   for (int64_t epoch = 0; epoch < 5; ++epoch) {
//     loader.start(epoch);
//     while (std::optional<Batch> batch = loader.next()) train_on(batch->x, batch->y);
//   }
//   loader.start(3, 17);      // go on in epoch 3 before its batch number 17
//
// What a batch holds is a function of (data, options, epoch, number of the batch) and of nothing
// else: not of the number of threads, nor of where reading started, nor of whether the data is read
// from memory or from the file (data/dataset.h: Cache). The order is data/epoch_order.h's. One
// thread a Loader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/graph/array.h"
#include "data/augment.h"
#include "data/dataset.h"

namespace mica::data {

/// Which numbers bring x (and regression targets) to a common scale: (value - mean) / std, with one
/// mean and std for every entry of the last axis (channel or feature). Empty means: as they are.
/// A run keeps the Normalization it was trained with, so that it can be evaluated on other files.
struct Normalization {
  std::vector<double> mean, std;
  std::vector<double> target_mean, target_std;
  FIELDS(Normalization, mean, std, target_mean, target_std)
};

/// From a data set's training statistics. `kind`: "none"; "channel" or "feature" (the same thing:
/// mean and std of the training split; a std of 0 counts as 1); "unit" (images: value / 255).
/// `targets` standardises regression targets as well; those of a data set that
/// reconstructs are always as x is. Throws Error(kUsage) for an unknown kind, and
/// Error(kData) if the statistics are needed but the data set has no training split.
Normalization normalization(const Dataset& dataset, const std::string& kind, bool targets = false);

struct LoaderOptions {
  int64_t batch_size = 32;
  /// In file order if false.
  bool shuffle = false;
  uint64_t seed = 0;
  /// Leaves the last, smaller batch of an epoch out.
  bool drop_last = false;
  /// Batches assembled ahead; 0 assembles each when it is asked for.
  int64_t prefetch = 2;
  Normalization normalization = {};
  /// Changes every example in these steps before it is normalised, anew in every epoch.
  std::vector<AugmentStep> augment = {};

  /// The batches that so many rows make.
  int64_t batches_of(int64_t rows) const {
    return (rows + (drop_last ? 0 : batch_size - 1)) / batch_size;
  }
};

/// x: float32 (n, sample shape). y: int32 (n,) labels or float32 (n, targets). Of a data set that
/// reconstructs, y is x: normalised, and augmented as well, since nobody could tell from a picture
/// that was shifted where it had been.
///
/// Where options.augment mixes examples, every one has a second y as well, and the loss to train on
/// is weight * loss(y) + (1 - weight) * loss(second_y), weight in [0.5, 1].
struct Batch {
  Array x;
  Array y;
  std::optional<Array> second_y;
  double weight = 1;
  int64_t number = 0;         // of the batch in its epoch
  std::vector<int64_t> rows;  // of the split, in order
  int64_t size() const { return static_cast<int64_t>(rows.size()); }
};

/// The same in plain memory.
struct HostBatch {
  HostTensor x;
  HostTensor y;
  std::optional<HostTensor> second_y;
  double weight = 1;
  std::vector<int64_t> rows;
};

class Loader {
 public:
  /// Throws Error(kUsage) for a batch size below 1, statistics of the wrong length or augmentation
  /// that this kind of data does not take, Error(kData) if the split is missing or empty.
  Loader(std::shared_ptr<const Dataset> dataset, const std::string& split, LoaderOptions options);
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// Batches in an epoch, and examples in them.
  int64_t batches() const;
  int64_t examples() const;
  const Dataset& dataset() const;
  const LoaderOptions& options() const;

  /// Goes to batch `batch` of an epoch (0 <= batch <= batches()). A new Loader stands at (0, 0).
  void start(int64_t epoch, int64_t batch = 0);
  /// The next batch, or nothing at the end of the epoch.
  std::optional<Batch> next();
  std::optional<HostBatch> next_host();
  /// Where next() reads: the epoch, and the number of the batch in it.
  int64_t epoch() const;
  int64_t position() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mica::data
