#include "data/augment.h"

#include "core/base/error.h"
#include "data/augments.h"
#include "data/sampler.h"

namespace mica::data {
namespace {

// Tells the random numbers of augmentation from those of shuffling and of steps.
constexpr uint64_t kAugmentStream = 0x6175676d656e74;

template <class Config>
class AugmentOf final : public Augment {
 public:
  std::vector<Setting> settings() override { return settings_of(config_); }
  void apply(FloatImage& image, FloatImage& spare, Draws& draws,
             const AugmentContext& context) const override {
    config_.apply(image, spare, draws, context);
  }

 private:
  Config config_;
};

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

Augmenter::Augmenter(std::vector<AugmentStep> steps, const Dataset& dataset, uint64_t seed)
    : steps_(std::move(steps)), seed_(seed) {
  const Shape& sample = dataset.sample_shape();
  if (!steps_.empty() && sample.size() != 3) {
    fail("'{}' is for images (height, width, channels), but the data has examples of shape {}",
         steps_[0].type, to_string(sample));
  }
  for (const AugmentStep& step : steps_) check_settings(step.augment->settings(), step.type);
  context_.mean.assign(sample.empty() ? 1 : static_cast<size_t>(sample.back()), 0.f);
  const std::vector<double>& mean = dataset.info().mean;
  for (size_t i = 0; i < mean.size(); ++i) context_.mean[i] = static_cast<float>(mean[i]);
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

}  // namespace mica::data
