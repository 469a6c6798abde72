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
// Some steps make one example of two of a batch (mixup, cutmix): a function of (seed, epoch, number
// of the batch).
//
// To add one: a row in augment.def and a class in augments.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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
  /// -1 or 1.
  double sign() { return chance(0.5) ? 1 : -1; }
  /// Standard normal.
  double normal();
  /// Of the distribution Beta(alpha, alpha) over [0, 1].
  double beta(double alpha);

 private:
  uint64_t key_;
  uint64_t count_ = 0;

  double gamma(double alpha);
};

/// What steps may know of the data set.
struct AugmentContext {
  /// Of every channel over the training split; 0 and 1 where the data set says nothing.
  std::vector<float> mean, std;
};

/// How an example and its partner in the batch become one: by `weight`, or by a rectangle that
/// shows the partner, which leaves the example a share `weight` of the picture.
struct Mix {
  double weight = 1;
  bool cut = false;
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// What examples a step can change.
enum class Needs { kAnything, kImages, kByteImages };

/// A kind of change with its settings.
class Augment {
 public:
  virtual ~Augment() = default;
  virtual std::vector<Setting> settings() = 0;
  virtual Needs needs() const = 0;
  /// Whether it makes one example of two, by mix(); otherwise apply() changes each for itself.
  virtual bool mixes() const = 0;
  /// Changes the image in place, keeping its shape. `spare` is room to work in.
  virtual void apply(FloatImage& image, FloatImage& spare, Draws& draws,
                     const AugmentContext& context) const = 0;
  /// For all examples of a batch.
  virtual Mix mix(const Shape& sample, Draws& draws) const = 0;
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
  /// Throws Error(kUsage) for a setting out of range, or for a step that can't be done to examples
  /// of this kind.
  Augmenter(std::vector<AugmentStep> steps, const Dataset& dataset, uint64_t seed);

  /// Whether there are steps that change examples one by one.
  bool changes_examples() const { return !steps_.empty(); }
  void apply(FloatImage& image, FloatImage& spare, int64_t epoch, int64_t row) const;

  bool mixes() const { return !mixers_.empty(); }
  /// How the examples of a batch are mixed, a function of (seed, epoch, batch).
  Mix mix(int64_t epoch, int64_t batch) const;
  /// The partner of every example of a batch.
  std::vector<int64_t> partners(int64_t count, int64_t epoch, int64_t batch) const;

 private:
  std::vector<AugmentStep> steps_, mixers_;
  Shape sample_;
  AugmentContext context_;
  uint64_t seed_ = 0;
};

/// Replaces every row by itself mixed with its partner's. x: float32 (n, ...).
void mix_rows(HostTensor& x, std::span<const int64_t> partners, const Mix& mix);

}  // namespace mica::data
