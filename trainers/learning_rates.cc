#include "trainers/learning_rates.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "trainers/step.h"

namespace mica::trainers {
namespace {

constexpr int64_t kFewestSteps = 10;
constexpr double kMemory = 0.9;  // of the running mean
constexpr double kTooHigh = 4;   // times the lowest loss

data::Batch next_batch(data::Loader& loader) {
  std::optional<data::Batch> batch = loader.next();
  if (!batch) {
    loader.start(loader.epoch() + 1);
    batch = loader.next();
  }
  return std::move(*batch);
}

void choose(RateSweep& sweep) {
  const std::vector<double>& loss = sweep.smoothed;
  const size_t lowest =
      static_cast<size_t>(std::min_element(loss.begin(), loss.end()) - loss.begin());
  sweep.upper = sweep.rates[lowest] / 10;
  size_t steepest = 0;
  // The rates are evenly spaced by their logarithm. The first means are of few losses.
  const auto slope = [&](size_t i) { return loss[i + 1] - loss[i - 1]; };
  for (size_t i = kFewestSteps / 2; i + 1 < loss.size() && i <= lowest; ++i) {
    if (steepest == 0 || slope(i) < slope(steepest)) steepest = i;
  }
  sweep.steepest = sweep.rates[steepest == 0 ? lowest : steepest];
}

}  // namespace

RateSweep try_learning_rates(const RunConfig& config, Setup& setup,
                             const RateSweepOptions& options) {
  const auto [from, to, steps] = options;
  if (!(from > 0 && from < to && std::isfinite(to))) {
    fail("rates from {} to {}: wanted 0 < from < to", from, to);
  }
  if (steps < kFewestSteps) fail("{} steps, wanted at least {}", steps, kFewestSteps);
  const bool classes = config.loss->target_kind() == nn::TargetKind::kLabels;
  data::Loader loader(setup.data.dataset, "train",
                      training_loader_options(config, setup.normalization));
  setup.network->train();
  TrainingStep step(config, *setup.network, classes);
  RateSweep sweep;
  double mean = 0, lowest = 0;
  for (int64_t i = 0; i < steps; ++i) {
    const double rate =
        from * std::pow(to / from, static_cast<double>(i) / static_cast<double>(steps - 1));
    const TrainingStep::Result result =
        step.run(next_batch(loader), {.number = i, .learning_rate = rate});
    if (!result.finite) break;
    mean = kMemory * mean + (1 - kMemory) * result.loss;
    const double smoothed = mean / (1 - std::pow(kMemory, static_cast<double>(i + 1)));
    if (i > 0 && smoothed > kTooHigh * lowest) break;
    lowest = i == 0 ? smoothed : std::min(lowest, smoothed);
    sweep.rates.push_back(rate);
    sweep.losses.push_back(result.loss);
    sweep.smoothed.push_back(smoothed);
  }
  if (sweep.rates.size() < static_cast<size_t>(kFewestSteps)) {
    fail(ErrorKind::kDiverged,
         "the loss left all bounds after {} steps, at a rate of {:g}; begin "
         "with a lower --from",
         sweep.rates.size(), sweep.rates.empty() ? from : sweep.rates.back());
  }
  choose(sweep);
  return sweep;
}

}  // namespace mica::trainers
