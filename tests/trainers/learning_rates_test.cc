// Trying learning rates: what is found lies where training works.
#include "trainers/learning_rates.h"

#include <gmock/gmock.h>

#include "core/base/error.h"
#include "tests/trainers/small_run.h"

namespace mica::trainers {
namespace {

class LearningRates : public SmallRun {};

TEST_F(LearningRates, FindsRatesBetweenTooLowAndTooHigh) {
  const RunConfig settings = config({"optimizer={sgd: {lr: 0.1}}", "model[1]=relu"});
  trainers::Setup parts = setup(settings);
  const RateSweep sweep =
      try_learning_rates(settings, parts, {.from = 1e-5, .to = 100, .steps = 150});
  EXPECT_EQ(sweep.rates.size(), sweep.smoothed.size());
  EXPECT_LT(sweep.rates.size(), 150u);  // 100 is too high
  EXPECT_GT(sweep.steepest, 1e-3);
  EXPECT_LT(sweep.steepest, 10);
  EXPECT_LT(*std::min_element(sweep.smoothed.begin(), sweep.smoothed.end()),
            0.9 * sweep.smoothed.front());
}

TEST_F(LearningRates, RefusesWhatMakesNoSense) {
  const RunConfig settings = config();
  trainers::Setup parts = setup(settings);
  EXPECT_THROW(try_learning_rates(settings, parts, {.from = 0}), Error);
  EXPECT_THROW(try_learning_rates(settings, parts, {.from = 2, .to = 1}), Error);
  EXPECT_THROW(try_learning_rates(settings, parts, {.steps = 2}), Error);
}

}  // namespace
}  // namespace mica::trainers
