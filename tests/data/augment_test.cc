// Each change of an example against what it says it does, and the loader that applies them.
#include "data/augment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/runtime/parallel.h"
#include "data/loader.h"
#include "tests/data/augment_testing.h"

namespace mica::data {
namespace {

using testing::Each;
using testing::ElementsAre;

FloatImage applied(const AugmentStep& one, FloatImage image, uint64_t key,
                   const AugmentContext& context) {
  FloatImage spare;
  Draws draws(key);
  one.augment->apply(image, spare, draws, context);
  return image;
}

AugmentContext context_of(const FloatImage& image) {
  AugmentContext context;
  for (int64_t c = 0; c < image.channels; ++c) {
    context.mean.push_back(-1 - static_cast<float>(c));
  }
  context.std.assign(context.mean.size(), 1);
  return context;
}

TEST(Draws, StayInTheirRange) {
  Draws draws(7);
  std::vector<int> counts(5);
  double sum = 0;
  for (int i = 0; i < 20000; ++i) {
    const double value = draws.uniform();
    ASSERT_TRUE(value >= 0 && value < 1);
    sum += value;
    ++counts[static_cast<size_t>(draws.below(5))];
  }
  EXPECT_NEAR(sum / 20000, 0.5, 0.01);
  EXPECT_THAT(counts, Each(testing::AllOf(testing::Gt(3700), testing::Lt(4300))));
}

TEST(Draws, HaveTheMomentsOfTheirDistributions) {
  const int count = 40000;
  Draws draws(3);
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double value = draws.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 1, 0.03);
  for (const double alpha : {0.2, 1.0, 4.0}) {
    sum = squares = 0;
    for (int i = 0; i < count; ++i) {
      const double value = draws.beta(alpha);
      ASSERT_TRUE(value >= 0 && value <= 1);
      sum += value;
      squares += (value - 0.5) * (value - 0.5);
    }
    EXPECT_NEAR(sum / count, 0.5, 0.01) << alpha;
    EXPECT_NEAR(squares / count, 1 / (4 * (2 * alpha + 1)), 0.005) << alpha;
  }
}

TEST(PadCrop, EqualsCuttingOutOfAPaddedPicture) {
  const int64_t pad = 2;
  const FloatImage image = counting_image(4, 5, 2);
  const AugmentContext context = context_of(image);
  const auto reflect = [](int64_t i, int64_t n) {
    while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
    return i;
  };
  for (const std::string fill : {"mean", "zero", "edge", "reflect"}) {
    const AugmentStep crop = step("pad_crop", {{"pad", pad}, {"fill", fill}});
    const auto padded = [&](int64_t y, int64_t x, int64_t c) {
      const bool inside = y >= 0 && y < 4 && x >= 0 && x < 5;
      if (!inside && fill == "zero") return 0.f;
      if (!inside && fill == "mean") return context.mean[static_cast<size_t>(c)];
      const bool edge = fill == "edge";
      y = edge ? std::clamp<int64_t>(y, 0, 3) : reflect(y, 4);
      x = edge ? std::clamp<int64_t>(x, 0, 4) : reflect(x, 5);
      return image.pixel(y, x)[c];
    };
    std::set<std::pair<int64_t, int64_t>> seen;
    for (uint64_t key = 0; key < 400; ++key) {
      const FloatImage result = applied(crop, image, key, context);
      int matches = 0;
      for (int64_t down = -pad; down <= pad; ++down) {
        for (int64_t right = -pad; right <= pad; ++right) {
          bool same = true;
          for (int64_t i = 0; i < 40 && same; ++i) {
            same = result.values[static_cast<size_t>(i)] ==
                   padded(i / 10 + down, i / 2 % 5 + right, i % 2);
          }
          if (!same) continue;
          ++matches;
          seen.insert({down, right});
        }
      }
      EXPECT_EQ(matches, 1) << fill << " " << key;
    }
    EXPECT_EQ(seen.size(), 25u) << fill;
  }
}

TEST(PadCrop, TakesPaddingLargerThanThePicture) {
  for (const std::string fill : {"mean", "zero", "edge", "reflect"}) {
    const FloatImage image = counting_image(2, 1, 1);
    for (uint64_t key = 0; key < 100; ++key) {
      const FloatImage result = applied(step("pad_crop", {{"pad", int64_t{7}}, {"fill", fill}}),
                                        image, key, context_of(image));
      ASSERT_EQ(result.values.size(), 2u);
      for (const float value : result.values) {
        EXPECT_TRUE(value == 1 || value == 2 || value == (fill == "mean" ? -1.f : 0.f));
      }
    }
  }
}

TEST(Flip, MirrorsItsShareOfTheExamples) {
  const FloatImage image = counting_image(2, 3, 2);
  const AugmentContext context = context_of(image);
  const AugmentStep always = step("flip", {{"p", 1.0}});
  EXPECT_THAT(applied(always, image, 0, context).values,
              ElementsAre(5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8));
  const AugmentStep upside_down = step("flip", {{"axis", "vertical"}, {"p", 1.0}});
  EXPECT_THAT(applied(upside_down, image, 0, context).values,
              ElementsAre(7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6));
  for (const AugmentStep& flip : {always, upside_down}) {
    const FloatImage twice = applied(flip, applied(flip, image, 1, context), 2, context);
    EXPECT_EQ(twice.values, image.values);
  }
  int flipped = 0;
  for (uint64_t key = 0; key < 2000; ++key) {
    flipped += applied(step("flip"), image, key, context).values != image.values;
  }
  EXPECT_NEAR(flipped, 1000, 100);
}

TEST(ResizedCrop, OfTheWholePictureIsThePicture) {
  const FloatImage image = random_image(7, 7, 3);
  const AugmentStep whole =
      step("resized_crop", {{"area", NumberPair{1, 1}}, {"ratio", NumberPair{1, 1}}});
  EXPECT_EQ(applied(whole, image, 5, context_of(image)).values, image.values);
}

TEST(ResizedCrop, EnlargesARectangle) {
  // Along a slope, every cut is a slope again: less steep, by the share of the width.
  FloatImage slope = counting_image(32, 32, 1);
  for (int64_t i = 0; i < 1024; ++i) {
    slope.values[static_cast<size_t>(i)] = static_cast<float>(i % 32);
  }
  const AugmentStep crop = step("resized_crop", {{"area", NumberPair{0.2, 0.5}}});
  for (uint64_t key = 0; key < 200; ++key) {
    const FloatImage result = applied(crop, slope, key, context_of(slope));
    const float rise = result.pixel(9, 17)[0] - result.pixel(9, 16)[0];
    // Width / 32, from sqrt(0.2 * 0.75) to sqrt(0.5 * 4/3), to the next pixel.
    EXPECT_GT(rise, 0.387 - 0.5 / 32);
    EXPECT_LT(rise, 0.817 + 0.5 / 32);
    EXPECT_NEAR(result.pixel(20, 11)[0] - result.pixel(20, 10)[0], rise, 1e-4);
    EXPECT_EQ(result.pixel(0, 5)[0], result.pixel(31, 5)[0]);
  }
}

TEST(Cutout, CoversItsSquare) {
  const FloatImage image = random_image(20, 20, 3);
  const AugmentContext context = context_of(image);  // below 0, as no pixel is
  const AugmentStep cutout = step("cutout", {{"size", int64_t{6}}});
  int whole = 0;
  for (uint64_t key = 0; key < 500; ++key) {
    const FloatImage result = applied(cutout, image, key, context);
    int64_t covered = 0, least_y = 20, least_x = 20, most_y = -1, most_x = -1;
    for (int64_t i = 0; i < 400; ++i) {
      const float* pixel = result.pixel(i / 20, i % 20);
      if (pixel[0] >= 0) {
        EXPECT_TRUE(std::equal(pixel, pixel + 3, image.pixel(i / 20, i % 20)));
        continue;
      }
      EXPECT_TRUE(std::equal(pixel, pixel + 3, context.mean.begin()));
      ++covered;
      least_y = std::min(least_y, i / 20);
      most_y = std::max(most_y, i / 20);
      least_x = std::min(least_x, i % 20);
      most_x = std::max(most_x, i % 20);
    }
    EXPECT_EQ(covered, (most_y - least_y + 1) * (most_x - least_x + 1));
    EXPECT_GE(covered, 9);
    whole += covered == 36;
  }
  // Centres are even over the picture: 15 of 20 places a side fit whole.
  EXPECT_NEAR(whole, 500 * 0.75 * 0.75, 50);
}

TEST(RandomErasing, CoversAShareOfThePicture) {
  const FloatImage image = random_image(32, 32, 1);
  const AugmentStep erasing = step("random_erasing", {{"p", 1.0}, {"fill", "mean"}});
  for (uint64_t key = 0; key < 300; ++key) {
    const FloatImage result = applied(erasing, image, key, context_of(image));
    const auto covered = static_cast<double>(
        std::count_if(result.values.begin(), result.values.end(), [](float v) { return v < 0; }));
    EXPECT_GT(covered / 1024, 0.01);  // 0.02, to whole pixels
    EXPECT_LT(covered / 1024, 0.36);
  }
  // Noise has the data's mean and deviation, -1 and 1 here.
  const AugmentStep noise =
      step("random_erasing", {{"p", 1.0}, {"area", NumberPair{1, 1}}, {"ratio", NumberPair{1, 1}}});
  const FloatImage result = applied(noise, image, 1, context_of(image));
  const double mean = std::accumulate(result.values.begin(), result.values.end(), 0.0) / 1024;
  EXPECT_NEAR(mean, -1, 0.15);
}

class AugmentedLoader : public testing::Test {
 protected:
  void TearDown() override { set_threads(0); }

  /// All values of an epoch by row, whatever the batches.
  std::map<int64_t, std::vector<float>> examples(LoaderOptions options, int64_t epoch) {
    Loader loader(dataset_, "train", std::move(options));
    loader.start(epoch);
    std::map<int64_t, std::vector<float>> result;
    while (const std::optional<HostBatch> batch = loader.next_host()) {
      const std::span<const float> x = batch->x.as<float>();
      for (size_t i = 0; i < batch->rows.size(); ++i) {
        result[batch->rows[i]].assign(x.begin() + i * 90, x.begin() + (i + 1) * 90);
      }
    }
    return result;
  }

  std::shared_ptr<const Dataset> dataset_ = pictures(1000);
  LoaderOptions options_ = {.batch_size = 32,
                            .shuffle = true,
                            .seed = 4,
                            .normalization = normalization(*dataset_, "channel"),
                            .augment = {step("pad_crop"), step("flip")}};
};

TEST_F(AugmentedLoader, ChangesAnExampleTheSameWayInAnyBatchOnAnyThread) {
  set_threads(1);
  const auto expected = examples(options_, 2);
  ASSERT_EQ(expected.size(), 1000u);
  EXPECT_NE(expected, examples(options_, 3));
  for (const int threads : {1, 4}) {
    set_threads(threads);
    for (const int64_t batch_size : {1, 7, 1000}) {
      for (const int64_t prefetch : {0, 3}) {
        for (const bool shuffle : {false, true}) {
          LoaderOptions options = options_;
          options.batch_size = batch_size;
          options.prefetch = prefetch;
          options.shuffle = shuffle;
          EXPECT_EQ(examples(options, 2), expected);
        }
      }
    }
  }
  options_.seed = 5;
  EXPECT_NE(examples(options_, 2), expected);
}

TEST_F(AugmentedLoader, EveryKindKeepsItsPromises) {
  for (const AugmentRow& row : augment_rows()) {
    const std::string name(row.name);
    options_.augment = {step(name), step("flip")};
    options_.normalization = {};
    options_.batch_size = 100;
    set_threads(1);
    const auto expected = examples(options_, 1);
    EXPECT_NE(expected, examples(options_, 2)) << name;
    for (const auto& [number, values] : expected) {
      for (const float value : values) {
        ASSERT_TRUE(std::isfinite(value)) << name;
        // Only noise leaves the range of bytes.
        ASSERT_TRUE(name == "random_erasing" || (value >= -1e-3f && value <= 255.001f)) << name;
      }
    }
    set_threads(4);
    EXPECT_EQ(examples(options_, 1), expected) << name;
    if (options_.augment[0].augment->mixes()) continue;
    options_.batch_size = 17;
    EXPECT_EQ(examples(options_, 1), expected) << name;
  }
}

TEST_F(AugmentedLoader, GoesOnInTheMiddleOfAnEpoch) {
  Loader through(dataset_, "train", options_), resumed(dataset_, "train", options_);
  through.start(1);
  for (int i = 0; i < 11; ++i) through.next_host();
  resumed.start(1, 11);
  for (int64_t i = 11; i < through.batches(); ++i) {
    EXPECT_EQ(through.next_host()->x, resumed.next_host()->x);
  }
}

TEST_F(AugmentedLoader, LeavesTheBitsAsTheyAreWhereNothingChanges) {
  LoaderOptions plain = options_;
  plain.augment.clear();
  options_.augment = {step("pad_crop", {{"pad", int64_t{0}}}), step("flip", {{"p", 0.0}})};
  EXPECT_EQ(examples(options_, 0), examples(plain, 0));
}

TEST_F(AugmentedLoader, PadsWithWhatNormalisationMakesZero) {
  options_.augment = {step("pad_crop", {{"pad", int64_t{100}}})};
  int empty = 0;
  for (const auto& [row, values] : examples(options_, 0)) {
    empty += std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
  }
  EXPECT_GT(empty, 950);
}

TEST_F(AugmentedLoader, MixesTwoExamplesOfABatch) {
  options_.normalization = {};
  options_.augment.clear();
  const auto plain = examples(options_, 3);
  std::set<double> weights;
  for (const std::string name : {"mixup", "cutmix"}) {
    options_.augment = {step(name, {{"alpha", 1.0}})};
    Loader loader(dataset_, "train", options_);
    loader.start(3);
    while (const std::optional<HostBatch> batch = loader.next_host()) {
      ASSERT_TRUE(batch->second_y.has_value());
      EXPECT_GE(batch->weight, 0.5);
      weights.insert(batch->weight);
      for (size_t i = 0; i < batch->rows.size(); ++i) {
        const float* x = batch->x.as<float>().data() + i * 90;
        const std::vector<float>& own = plain.at(batch->rows[i]);
        // One of the rows is the partner; its label is the other one.
        const int32_t own_label = static_cast<int32_t>(batch->rows[i] % 3);
        const bool own_first = batch->y.as<int32_t>()[i] == own_label;
        ASSERT_TRUE(own_first || batch->second_y->as<int32_t>()[i] == own_label);
        bool found = false;
        for (const int64_t row : batch->rows) {
          const std::vector<float>& other = plain.at(row);
          for (const double weight : {batch->weight, 1 - batch->weight}) {
            double error = 0;
            int64_t from_own = 0;
            for (size_t k = 0; k < 90; ++k) {
              const double mixed = weight * own[k] + (1 - weight) * other[k];
              const double nearest = std::min(std::abs(x[k] - own[k]), std::abs(x[k] - other[k]));
              error = std::max(error, name == "mixup" ? std::abs(x[k] - mixed) : nearest);
              from_own += x[k] == own[k];
            }
            const bool share_fits = name == "mixup" || from_own >= std::lround(weight * 90);
            const int32_t other_label = static_cast<int32_t>(row % 3);
            const bool labels_fit = (batch->y.as<int32_t>()[i] == other_label ||
                                     batch->second_y->as<int32_t>()[i] == other_label);
            found = found || (error < 1e-3 && share_fits && labels_fit);
          }
        }
        EXPECT_TRUE(found) << name;
      }
    }
  }
  EXPECT_GT(weights.size(), 35u);  // each batch draws its own
}

TEST_F(AugmentedLoader, ResumesMixing) {
  options_.augment = {step("flip"), step("mixup"), step("cutmix")};
  Loader through(dataset_, "train", options_), resumed(dataset_, "train", options_);
  for (int i = 0; i < 4; ++i) through.next_host();
  resumed.start(0, 4);
  while (const std::optional<HostBatch> batch = through.next_host()) {
    const std::optional<HostBatch> again = resumed.next_host();
    EXPECT_EQ(batch->x, again->x);
    EXPECT_EQ(batch->y, again->y);
    EXPECT_EQ(batch->second_y, again->second_y);
    EXPECT_EQ(batch->weight, again->weight);
  }
}

TEST_F(AugmentedLoader, SaysWhatIsWrong) {
  const auto features = synthetic_regression(10, 4).dataset;
  Loader(features, "train", {.augment = {step("mixup")}}).next();
  Split split{HostTensor(Dtype::kFloat32, {2, 4, 4, 3}), HostTensor(Dtype::kInt32, {2})};
  DatasetInfo info;
  info.class_names = {"a"};
  const auto floats = Dataset::from_memory(info, {{"train", split}});
  Loader(floats, "train", {.augment = {step("rotate")}}).next();
  expect_error(ErrorKind::kUsage, {"color_jitter", "bytes", "float32"},
               [&] { Loader(floats, "train", {.augment = {step("color_jitter")}}); });
  const SyntheticRegression synthetic = synthetic_regression(10, 4);
  expect_error(ErrorKind::kUsage, {"pad_crop", "for images", "(4"},
               [&] { Loader(synthetic.dataset, "train", {.augment = {step("pad_crop")}}); });
  expect_error(ErrorKind::kUsage, {"flip", "p", "[0, 1]"}, [&] {
    Loader(dataset_, "train", {.augment = {step("flip", {{"p", 2.0}})}});
  });
}

}  // namespace
}  // namespace mica::data
