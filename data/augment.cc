#include "data/augment.h"

#include <cmath>
#include <numbers>

#include "core/base/error.h"
#include "data/augments.h"
#include "data/sampler.h"

namespace mica::data {
namespace {

// Tells the random numbers of augmentation from those of shuffling and of steps.
constexpr uint64_t kAugmentStream = 0x6175676d656e74;
constexpr uint64_t kMixStream = 0x6d69786573;

template <class Config>
class AugmentOf final : public Augment {
 public:
  std::vector<Setting> settings() override { return settings_of(config_); }
  Needs needs() const override { return Config::kNeeds; }
  bool mixes() const override { return kMixes; }
  void apply(FloatImage& image, FloatImage& spare, Draws& draws,
             const AugmentContext& context) const override {
    if constexpr (!kMixes) config_.apply(image, spare, draws, context);
  }
  Mix mix(const Shape& sample, Draws& draws) const override {
    if constexpr (kMixes) return config_.mix(sample, draws);
    return {};
  }

 private:
  static constexpr bool kMixes = requires(const Config& config, Draws& draws) {
    config.mix(Shape(), draws);
  };
  Config config_;
};

void check_needs(const AugmentStep& step, const Dataset& dataset) {
  const Needs needs = step.augment->needs();
  const Shape& sample = dataset.sample_shape();
  if (needs != Needs::kAnything && sample.size() != 3) {
    fail("'{}' is for images (height, width, channels), but the data has examples of shape {}",
         step.type, to_string(sample));
  }
  if (needs == Needs::kByteImages && dataset.sample_dtype() != Dtype::kUint8) {
    fail("'{}' is for images of bytes (0 to 255), but the data is {}", step.type,
         dataset.sample_dtype());
  }
}

std::vector<float> of_channels(const std::vector<double>& values, size_t channels,
                               float otherwise) {
  if (values.empty()) return std::vector<float>(channels, otherwise);
  return std::vector<float>(values.begin(), values.end());
}

template <class Implementation>
std::unique_ptr<Augment> make() {
  return std::make_unique<Implementation>();
}

constexpr AugmentRow kAugments[] = {
#define AUGMENT(name, Config, doc) {#name, doc, make<AugmentOf<Config>>},
#include "data/augment.def"
#undef AUGMENT
};

}  // namespace

std::span<const AugmentRow> augment_rows() { return kAugments; }

void FloatImage::resize_like(const FloatImage& other) {
  height = other.height;
  width = other.width;
  channels = other.channels;
  values.resize(other.values.size());
}

double Draws::uniform() { return static_cast<double>(random_word(key_, count_++) >> 11) * 0x1p-53; }

int64_t Draws::below(int64_t bound) {
  return static_cast<int64_t>(bounded(random_word(key_, count_++), static_cast<uint64_t>(bound)));
}

double Draws::normal() {
  // Box-Muller; 1 - u is never 0.
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

// Marsaglia & Tsang 2000; below 1 by Gamma(a) = Gamma(a + 1) U^(1/a).
double Draws::gamma(double alpha) {
  if (alpha < 1) {
    const double share = std::pow(uniform(), 1 / alpha);
    return gamma(alpha + 1) * share;
  }
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal(), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - uniform()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

double Draws::beta(double alpha) {
  const double a = gamma(alpha), b = gamma(alpha);
  return a + b > 0 ? a / (a + b) : 1;
}

Augmenter::Augmenter(std::vector<AugmentStep> steps, const Dataset& dataset, uint64_t seed)
    : sample_(dataset.sample_shape()), seed_(seed) {
  for (AugmentStep& step : steps) {
    check_settings(step.augment->settings(), step.type);
    check_needs(step, dataset);
    (step.augment->mixes() ? mixers_ : steps_).push_back(std::move(step));
  }
  const size_t channels = sample_.empty() ? 1 : static_cast<size_t>(sample_.back());
  context_.mean = of_channels(dataset.info().mean, channels, 0);
  context_.std = of_channels(dataset.info().std, channels, 1);
}

void Augmenter::apply(FloatImage& image, FloatImage& spare, int64_t epoch, int64_t row) const {
  const uint64_t in_epoch = random_key(seed_ ^ kAugmentStream, static_cast<uint64_t>(epoch));
  const uint64_t of_row = random_key(in_epoch, static_cast<uint64_t>(row));
  for (size_t i = 0; i < steps_.size(); ++i) {
    // Each step draws for itself, so that one more number in one leaves the others as they are.
    Draws draws(random_key(of_row, i));
    steps_[i].augment->apply(image, spare, draws, context_);
  }
}

Mix Augmenter::mix(int64_t epoch, int64_t batch) const {
  const uint64_t in_epoch = random_key(seed_ ^ kMixStream, static_cast<uint64_t>(epoch));
  Draws draws(random_key(in_epoch, static_cast<uint64_t>(batch)));
  const int64_t chosen = draws.below(static_cast<int64_t>(mixers_.size()));
  return mixers_[static_cast<size_t>(chosen)].augment->mix(sample_, draws);
}

std::vector<int64_t> Augmenter::partners(int64_t count, int64_t epoch, int64_t batch) const {
  const uint64_t in_epoch = random_key(seed_ ^ ~kMixStream, static_cast<uint64_t>(epoch));
  return permutation(count, in_epoch, static_cast<uint64_t>(batch));
}

}  // namespace mica::data
