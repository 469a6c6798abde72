// What a run keeps of itself, and how it goes back to it: checkpoints, resuming, rolling back.
#include <cmath>

#include "core/base/error.h"
#include "trainers/diverged.h"
#include "trainers/trainer.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMaxSkipped = 20;
constexpr int64_t kMaxRollbacks = 5;

}  // namespace

Checkpoint Trainer::checkpoint() const {
  const data::Dataset& dataset = *setup_.data.dataset;
  Checkpoint checkpoint{setup_.network->state(),
                        dataset.sample_shape(),
                        setup_.normalization,
                        std::string(data::name_of(dataset.info().task)),
                        dataset.info().class_names,
                        step_.optimizer().state(),
                        state_,
                        fingerprint_,
                        config_.to_yaml(),
                        dataset.info().feature_names,
                        dataset.info().target_names,
                        dataset.info().fill,
                        std::string(name_of(dataset.sample_dtype())),
                        {}};
  if (step_.average().empty()) return checkpoint;
  checkpoint.weights = checkpoint.model;
  for (const auto& [name, mean] : step_.average()) checkpoint.model.at(name) = mean;
  return checkpoint;
}

void Trainer::save_last() {
  const Clock::time_point before = Clock::now();
  record_.flush();
  if (fs::exists(folder_.last())) link_over(folder_.last(), folder_.previous());
  save_checkpoint(checkpoint(), folder_.last().string());
  last_save_ = last_step_ = Clock::now();
  record_.spent("checkpoint_seconds", seconds_between(before, last_save_));
}

bool Trainer::resume() {
  std::string path = folder_.last().string();
  const std::string previous = folder_.previous().string();
  if (!fs::exists(path)) return false;
  Checkpoint checkpoint;
  try {
    checkpoint = load_checkpoint(path);
  } catch (const Error& error) {
    if (!fs::exists(previous)) throw;
    progress_.line(fmt::format("warning: {}; going on from the checkpoint before", error.what()));
    checkpoint = load_checkpoint(path = previous);
  }
  restore(checkpoint, path);
  return true;
}

void Trainer::restore(const Checkpoint& checkpoint, const std::string& path) {
  const RunConfig saved = parse_config(checkpoint.config, path, folder_.path.string());
  for (const std::string& key : differing_keys(saved.to_value(), config_.to_value())) {
    // Data that has moved changes nothing, and longer training little: a schedule that ends with
    // the run is stretched from here on.
    const bool decides_steps =
        key == "train.accumulate" || key == "train.ema" || key == "train.overfit_batches";
    if (key.starts_with("train.") && !decides_steps) continue;
    if (key == "data.path" || key == "data.cache" || key == "name") continue;
    fail(
        "{}: cannot resume with another '{}'; start a new run, or take the weights with "
        "--init-from",
        path, key);
  }
  if (checkpoint.data_fingerprint != fingerprint_) {
    fail(ErrorKind::kData, "{}: was trained on other data than {}", path, config_.data.path);
  }
  // With a mean of the weights, that is what `model` holds.
  setup_.network->load_state(checkpoint.model);
  step_.restart();
  if (!checkpoint.weights.empty()) setup_.network->load_state(checkpoint.weights);
  step_.optimizer().load_state(checkpoint.optimizer);
  state_ = checkpoint.state;
  since_update_ = {};
  // The run may have ended between writing this checkpoint and naming it the best.
  const bool is_best = state_.best_epoch > 0 && state_.best_epoch == state_.epoch;
  if (is_best && state_.batch == 0) link_over(path, folder_.best());
}

void Trainer::init_from(const std::string& path, const std::optional<WeightNames>& names) {
  if (names || is_foreign(path)) {
    load_weights(*setup_.network, setup_.data.dataset->sample_shape(), path, names);
  } else {
    try {
      setup_.network->load_state(load_checkpoint(path).model);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kData) throw;
      fail(ErrorKind::kData, "{}: a checkpoint of another model: {}", path, error.what());
    }
  }
  step_.restart();
}

bool Trainer::recover(const data::Batch& batch, double loss, int64_t number) {
  const std::string& on_nan = config_.train.on_nan;
  const std::string what = std::isfinite(loss) ? "a gradient is not finite"
                           : std::isnan(loss)  ? "the loss is nan"
                                               : "the loss is infinite";
  const std::string place = fmt::format(
      "step {} (epoch {}, batch {}): {}: {}", state_.step + 1, state_.epoch + 1, state_.batch + 1,
      what, find_not_finite(*setup_.network, batch, step_.key_of(number), config_.precision));
  const bool can_roll_back = on_nan == "rollback" && state_.rollbacks < kMaxRollbacks;
  if (on_nan == "skip" && state_.skipped < kMaxSkipped) {
    ++state_.skipped;
    progress_.line(fmt::format("warning: {}; left out", place));
    return true;
  }
  if (!can_roll_back) {
    record_.draw(status("diverged"));
    const std::string tried =
        on_nan == "skip"       ? fmt::format(" {} batches in a row were left out.", kMaxSkipped)
        : on_nan == "rollback" ? fmt::format(" The run went back {} times.", kMaxRollbacks)
                               : "";
    fail(ErrorKind::kDiverged,
         "{}; try a lower learning rate (it was {:g}) or optimizer.clip_norm.{} Nothing of this "
         "step was saved.",
         place, learning_rate_, tried);
  }
  const int64_t rollbacks = state_.rollbacks + 1;
  progress_.clear();
  restore(load_checkpoint(folder_.last().string()), folder_.last().string());
  state_.rollbacks = rollbacks;
  record_.begin(state_.step);
  save_last();
  progress_.line(fmt::format("warning: {}; back to step {} with {:g} times the learning rate",
                             place, state_.step, rate_after_rollbacks()));
  return false;
}

double Trainer::rate_after_rollbacks() const {
  return std::pow(0.5, static_cast<double>(state_.rollbacks));
}

}  // namespace mica::trainers
