// Augmentation: training examples changed at random, before they are normalised.
//
//   const AugmentRow* row = find_row(augment_rows(), "pad_crop");      // null: unknown name
//   AugmentStep step = {"pad_crop", row->make()};                      // default settings
//   Augmenter augmenter({step}, *dataset, /*seed=*/0);
//   FloatImage image, spare;                                           // reused from row to row
//   augmenter.apply(image, spare, /*epoch=*/3, /*row=*/17);
//
// What happens to an example is a function of (seed, epoch, row in its split, steps) and of nothing
// else: not of the batch, of threads, or of where reading started. Values stay in the units in
// which the data set stores them (bytes from 0 to 255 for pictures). Everything const is
// thread-safe.
//
// To add one: a row in augment.def and a class in augments.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/settings.h"
#include "core/graph/shape.h"
#include "data/dataset.h"

namespace mica::data {

/// One picture, row by row, its channels side by side.
struct FloatImage {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<float> values;

  int64_t line() const { return width * channels; }
  float* pixel(int64_t y, int64_t x) { return values.data() + (y * width + x) * channels; }
  const float* pixel(int64_t y, int64_t x) const {
    return values.data() + (y * width + x) * channels;
  }
  /// The size of `other`; what the values are is left open.
  void resize_like(const FloatImage& other);
};

/// The random numbers of one step for one example.
class Draws {
 public:
  explicit Draws(uint64_t key) : key_(key) {}
  /// In [0, 1).
  double uniform();
  double between(double low, double high) { return low + (high - low) * uniform(); }
  /// 0 ... bound-1.
  int64_t below(int64_t bound);
  bool chance(double p) { return uniform() < p; }

 private:
  uint64_t key_;
  uint64_t count_ = 0;
};

/// What steps may know of the data set.
struct AugmentContext {
  /// Of every channel over the training split; zeros where the data set has none.
  std::vector<float> mean;
};

/// A kind of change with its settings.
class Augment {
 public:
  virtual ~Augment() = default;
  virtual std::vector<Setting> settings() = 0;
  /// Changes the image in place, keeping its shape. `spare` is room to work in.
  virtual void apply(FloatImage& image, FloatImage& spare, Draws& draws,
                     const AugmentContext& context) const = 0;
};
using AugmentRow = Row<Augment>;
/// data/augment.def.
std::span<const AugmentRow> augment_rows();

struct AugmentStep {
  std::string type;
  std::shared_ptr<Augment> augment;
};

/// The steps one after another, for the examples of one data set.
class Augmenter {
 public:
  Augmenter() = default;
  /// Throws Error(kUsage) for a setting out of range, or if there are steps and the examples are no
  /// images (height, width, channels).
  Augmenter(std::vector<AugmentStep> steps, const Dataset& dataset, uint64_t seed);

  bool empty() const { return steps_.empty(); }
  void apply(FloatImage& image, FloatImage& spare, int64_t epoch, int64_t row) const;

 private:
  std::vector<AugmentStep> steps_;
  AugmentContext context_;
  uint64_t seed_ = 0;
};

}  // namespace mica::data
