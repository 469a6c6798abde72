// Each change of an example against what it says it does, and the loader that applies them.
#include "data/augment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <variant>

#include "core/runtime/parallel.h"
#include "data/loader.h"
#include "tests/core/io_testing.h"

namespace mica::data {
namespace {

using testing::Each;
using testing::ElementsAre;

struct Set {
  std::string name;
  std::variant<int64_t, double, std::string> value;
};

AugmentStep step(const std::string& name, const std::vector<Set>& sets = {}) {
  const AugmentRow* row = find_row(augment_rows(), name);
  EXPECT_NE(row, nullptr) << name;
  AugmentStep result = {name, row->make()};
  for (const Set& set : sets) {
    bool found = false;
    for (Setting& setting : result.augment->settings()) {
      if (setting.name != set.name) continue;
      found = true;
      std::visit(
          [&](const auto& value) {
            *std::get<std::decay_t<decltype(value)>*>(setting.value) = value;
          },
          set.value);
    }
    EXPECT_TRUE(found) << set.name;
  }
  return result;
}

/// Values count up from 1.
FloatImage counting_image(int64_t height, int64_t width, int64_t channels) {
  FloatImage image{height, width, channels, {}};
  image.values.resize(static_cast<size_t>(height * width * channels));
  std::iota(image.values.begin(), image.values.end(), 1.f);
  return image;
}

/// Random pictures of 6 x 5 x 3, labels row % 3.
std::shared_ptr<const Dataset> pictures(int64_t rows) {
  Split split{HostTensor(Dtype::kUint8, {rows, 6, 5, 3}), HostTensor(Dtype::kInt32, {rows})};
  uint32_t state = 1;
  for (uint8_t& value : split.x.as<uint8_t>()) {
    value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  }
  for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
    split.y.as<int32_t>()[i] = static_cast<int32_t>(i % 3);
  }
  DatasetInfo info;
  info.class_names = {"a", "b", "c"};
  info.mean = {100, 120, 140};
  info.std = {50, 60, 70};
  return Dataset::from_memory(info, {{"train", split}});
}

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

TEST_F(AugmentedLoader, SaysWhatIsWrong) {
  const SyntheticRegression synthetic = synthetic_regression(10, 4);
  expect_error(ErrorKind::kUsage, {"pad_crop", "for images", "(4"},
               [&] { Loader(synthetic.dataset, "train", {.augment = {step("pad_crop")}}); });
  expect_error(ErrorKind::kUsage, {"flip", "p", "[0, 1]"}, [&] {
    Loader(dataset_, "train", {.augment = {step("flip", {{"p", 2.0}})}});
  });
}

}  // namespace
}  // namespace mica::data
