// A dry run of a config: everything that a training run needs, tried once, nothing written.
//
//   Validation found = validate(config, setup);
//   found.loss;               // of one real batch at the initial weights
//   found.guessing_loss;      // ln(classes), which it should be near
//   found.step_peak_bytes;    // what the arrays of a step take at most
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainers/setup.h"

namespace mica::trainers {

struct Validation {
  double loss = 0;
  /// Of a network that knows nothing: ln(classes), for losses that are minus a logarithm.
  std::optional<double> guessing_loss;
  double step_seconds = 0;  // forward, backward and update of one batch, planned before
  int64_t batch_size = 0;   // of that batch
  int64_t parameter_bytes = 0, optimizer_bytes = 0, batch_bytes = 0;
  int64_t step_peak_bytes = 0;  // of all arrays while a step runs, the above included
  std::vector<std::string> warnings;
};

/// Runs one training step on the first batch, and again for the time, leaving the network in
/// `setup` changed. Throws Error (diverged) when the loss is no finite number.
Validation validate(const RunConfig& config, Setup& setup);

}  // namespace mica::trainers
