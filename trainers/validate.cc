#include "trainers/validate.h"

#include <chrono>
#include <cmath>

#include "core/base/error.h"
#include "core/runtime/buffer.h"
#include "trainers/checks.h"
#include "trainers/step.h"

namespace mica::trainers {
namespace {

int64_t bytes_of(const Array& array) {
  return array.size() * static_cast<int64_t>(size_of(array.dtype()));
}

// Losses that are -log of a probability.
bool is_log_loss(const RunConfig& config) {
  return config.loss_type == "cross_entropy" || config.loss_type == "nll";
}

void warn_of_loss(const RunConfig& config, Validation& found) {
  if (!found.guessing_loss) return;
  const std::string place = config.origin("model").text();
  if (found.loss > 2 * *found.guessing_loss + 0.5) {
    found.warnings.push_back(fmt::format(
        "{}: warning: the loss at the start is {:.3g}, but guessing costs {:.3g}: inputs that are "
        "not normalised (data.normalize), or scores that are too large?",
        place, found.loss, *found.guessing_loss));
  } else if (found.loss < 0) {
    found.warnings.push_back(fmt::format(
        "{}: warning: the loss is negative: 'nll' wants log probabilities, so that the model must "
        "end with log_softmax (or use cross_entropy)",
        place));
  }
}

}  // namespace

Validation validate(const RunConfig& config, Setup& setup) {
  using Clock = std::chrono::steady_clock;
  const data::Dataset& dataset = *setup.data.dataset;
  const bool classes = dataset.info().task == data::Task::kClassification;
  Validation found;
  found.warnings = run_warnings(config, dataset, *setup.network);
  data::LoaderOptions options = training_loader_options(config, setup.normalization);
  options.prefetch = 0;
  data::Loader loader(setup.data.dataset, "train", options);
  const std::optional<data::Batch> batch = loader.next();
  setup.network->train();
  TrainingStep step(config, *setup.network, classes);
  reset_peak_memory();
  const double lr = config.optimizer.rule->lr();
  found.loss = step.run(*batch, {.number = 0, .learning_rate = lr}).loss;
  found.step_peak_bytes = static_cast<int64_t>(memory_use().peak);
  const Clock::time_point begin = Clock::now();
  step.run(*batch, {.number = 1, .learning_rate = lr});
  found.step_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  found.batch_size = batch->size();
  found.batch_bytes = bytes_of(batch->x) + bytes_of(batch->y);
  for (const auto& [name, array] : setup.network->named_parameters()) {
    found.parameter_bytes += bytes_of(*array);
  }
  for (const Array& array : step.optimizer().state_arrays()) {
    found.optimizer_bytes += bytes_of(array);
  }
  if (!std::isfinite(found.loss)) {
    fail(ErrorKind::kDiverged, "{}: error: the loss of the first batch is {}",
         config.loss_at.text(), std::isnan(found.loss) ? "nan" : "infinite");
  }
  if (classes && is_log_loss(config)) {
    found.guessing_loss = std::log(static_cast<double>(dataset.info().classes()));
  }
  warn_of_loss(config, found);
  return found;
}

}  // namespace mica::trainers
