// Which learning rate to begin with: a short training at rates that grow from step to step
// (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3).
//
//   const RateSweep sweep = try_learning_rates(config, setup, {.from = 1e-6, .to = 1, .steps =
//   100}); sweep.steepest;        // where the loss fell fastest
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/fields.h"
#include "trainers/config.h"
#include "trainers/setup.h"

namespace mica::trainers {

struct RateSweepOptions {
  double from = 1e-7;
  double to = 10;
  int64_t steps = 100;
};

struct RateSweep {
  /// By step: the rate, the loss of its batch before the update, and the running mean of it.
  std::vector<double> rates, losses, smoothed;
  /// Where the smoothed loss falls fastest by the logarithm of the rate; a rate to begin with.
  double steepest = 0;
  /// A tenth of the rate with the lowest smoothed loss; about the largest that goes well.
  double upper = 0;
};

/// Trains the network of the setup, whose weights are then of no use. Ends early when the loss is
/// four times its lowest or no finite number. Throws a usage Error unless 0 < from < to and
/// steps >= 10, and Error (diverged) when too few steps are left to tell.
RateSweep try_learning_rates(const RunConfig& config, Setup& setup,
                             const RateSweepOptions& options);

}  // namespace mica::trainers
