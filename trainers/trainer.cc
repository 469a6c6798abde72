#include "trainers/trainer.h"

#include <cmath>

#include "trainers/checks.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

optim::Schedule make_schedule(const RunConfig& config, int64_t steps_per_epoch) {
  std::vector<const optim::ScheduleConfig*> schedules;
  for (const auto& schedule : config.optimizer.schedules) schedules.push_back(schedule.get());
  return optim::build_schedule(schedules, {config.optimizer.rule->lr(),
                                           steps_per_epoch * config.train.epochs, steps_per_epoch});
}

// |w - w*| of the first parameter that has as many elements as w*.
double weight_error(nn::Module& network, const HostTensor& truth) {
  for (const auto& [name, array] : network.named_parameters()) {
    if (array->size() != truth.size()) continue;
    const std::vector<float> weights = array->to_vector<float>();
    const std::span<const float> wanted = truth.as<float>();
    double sum = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      const double difference = static_cast<double>(weights[i]) - wanted[i];
      sum += difference * difference;
    }
    return std::sqrt(sum);
  }
  return std::nan("");
}

// Puts the running mean of the weights in the place of the weights for as long as it lives.
class AverageInPlace {
 public:
  AverageInPlace(nn::Module& network, const nn::NamedArrays& average) : network_(network) {
    for (const auto& [name, parameter] : network.named_trainable_parameters()) {
      if (average.empty()) return;
      before_.push_back(std::exchange(*parameter, average.at(name)));
    }
  }
  ~AverageInPlace() {
    size_t i = 0;
    for (const auto& [name, parameter] : network_.named_trainable_parameters()) {
      if (i < before_.size()) *parameter = before_[i++];
    }
  }
  AverageInPlace(const AverageInPlace&) = delete;
  AverageInPlace& operator=(const AverageInPlace&) = delete;

 private:
  nn::Module& network_;
  std::vector<Array> before_;
};

}  // namespace

Trainer::Trainer(const RunConfig& config, Setup setup, RunFolder folder, Progress& progress,
                 const StopSignals& signals)
    : config_(config),
      setup_(std::move(setup)),
      folder_(std::move(folder)),
      progress_(progress),
      signals_(signals),
      loader_(setup_.data.dataset, "train", training_loader_options(config, setup_.normalization)),
      step_(config, *setup_.network, is_classification()),
      batches_(config.train.batches_of(loader_.batches())),
      schedule_(make_schedule(config, config.train.updates_in(batches_))),
      monitor_(choose_monitor(config, *setup_.data.dataset)),
      record_(folder_, config, setup_),
      fingerprint_(setup_.data.dataset->fingerprint()) {}

int Trainer::run() {
  setup_.network->train();
  first_step_ = state_.step;
  record_.begin(state_.step);
  started_ = last_step_ = last_save_ = Clock::now();
  if (config_.train.on_nan == "rollback" && !fs::exists(folder_.last())) save_last();
  while (!is_finished()) {
    const Ended ended = run_epoch();
    if (ended == Ended::kEpoch) end_epoch();
    if (ended == Ended::kSignal || ended == Ended::kTime) save_last();
    if (ended == Ended::kSignal) {
      record_.draw(status("stopped"));
      return 128 + signals_.received();
    }
    if (ended == Ended::kTime) {
      progress_.line(fmt::format("stopped at step {} after train.max_minutes: {:g}", state_.step,
                                 config_.train.max_minutes));
      break;
    }
    last_step_ = Clock::now();
  }
  score_result();
  return 0;
}

Trainer::Ended Trainer::run_epoch() {
  loader_.start(state_.epoch, state_.batch);
  while (state_.batch < batches_) {
    const std::optional<data::Batch> batch = next_batch();
    if (!batch) break;
    const bool updated = completes_update();
    if (!train_step(*batch)) return Ended::kRollback;
    show_progress();
    // Checkpoints hold no gradients: nothing stops between the batches of an update.
    if (!updated) continue;
    if (signals_.received()) return Ended::kSignal;
    if (is_out_of_time()) return Ended::kTime;
    if (signals_.take_save_request() || should_checkpoint()) save_last();
  }
  return Ended::kEpoch;
}

void Trainer::end_epoch() {
  const TrainConfig& train = config_.train;
  ++state_.epoch;
  state_.batch = 0;
  const bool reports = state_.epoch >= train.epochs || state_.epoch % train.report_every == 0;
  if (reports) report();
  if (train.keep_every == 0 || state_.epoch % train.keep_every != 0) return;
  if (!reports) save_last();
  link_over(folder_.last(), folder_.of_epoch(state_.epoch));
}

std::optional<data::Batch> Trainer::next_batch() {
  const Clock::time_point before = Clock::now();
  std::optional<data::Batch> batch = loader_.next();
  const double waited = seconds_between(before, Clock::now());
  since_update_.wait_seconds += waited;
  wait_seconds_ += waited;
  return batch;
}

bool Trainer::completes_update() const {
  return (state_.batch + 1) % config_.train.accumulate == 0 || state_.batch + 1 == batches_;
}

bool Trainer::train_step(const data::Batch& batch) {
  const int64_t accumulate = config_.train.accumulate;
  const int64_t number = state_.step * accumulate + state_.batch % accumulate;
  const bool updates = completes_update();
  learning_rate_ = schedule_(state_.step) * rate_after_rollbacks();
  const bool measures = state_.step == 0 || (state_.step + 1) % config_.train.log_every == 0;
  const TrainingStep::Result result = step_.run(batch, {.number = number,
                                                        .learning_rate = learning_rate_,
                                                        .updates = updates,
                                                        .measures = measures});
  if (!result.finite && !recover(batch, result.loss, number)) return false;
  state_.step += updates ? 1 : 0;
  ++state_.batch;
  if (result.finite) {
    state_.skipped = 0;
    state_.samples += batch.size();
    state_.loss_sum += result.loss * static_cast<double>(batch.size());
    state_.correct += result.correct;
  }
  timed_samples_ += batch.size();
  const Clock::time_point now = Clock::now();
  const double seconds = seconds_between(last_step_, now);
  seconds_ += seconds;
  last_step_ = now;
  since_update_.seconds += seconds;
  if (result.finite) {
    since_update_.loss_sum += result.loss * static_cast<double>(batch.size());
    since_update_.samples += batch.size();
  }
  if (!updates) return true;
  record_.step({.step = state_.step,
                .epoch = state_.epoch + 1,
                // NaN where all of its batches were left out.
                .loss = since_update_.loss_sum / static_cast<double>(since_update_.samples),
                .learning_rate = learning_rate_,
                .gradient_norm = result.gradient_norm,
                .samples = since_update_.samples,
                .seconds = since_update_.seconds,
                .wait_seconds = since_update_.wait_seconds},
               batch);
  since_update_ = {};
  return true;
}

// The end of a reporting period: validation, a row of metrics, best weights, early stopping.
void Trainer::report() {
  const double samples = static_cast<double>(std::max<int64_t>(state_.samples, 1));
  std::map<std::string, double> row = {
      {"epoch", state_.epoch},
      {"step", state_.step},
      {"train_loss", state_.loss_sum / samples},
      // Of the last step, which may have been before this process began.
      {"lr", schedule_(std::max<int64_t>(state_.step - 1, 0))},
      {"seconds", seconds_},
      {"samples_per_second", seconds_ > 0 ? timed_samples_ / seconds_ : 0.0},
      {"data_wait", seconds_ > 0 ? wait_seconds_ / seconds_ : 0.0},
      {"wait_seconds", wait_seconds_}};
  // Lines of one run stand below each other: the same digits in each.
  const size_t digits = std::to_string(config_.train.epochs).size();
  std::string text = fmt::format("epoch {:{}}/{}  loss {:#.5g}", state_.epoch, digits,
                                 config_.train.epochs, row["train_loss"]);
  if (is_classification()) {
    row["train_accuracy"] = static_cast<double>(state_.correct) / samples;
    text += fmt::format("  accuracy {:.4f}", row["train_accuracy"]);
  }
  if (setup_.data.dataset->has("val")) {
    const Scores scores = score("val");
    record_.scored(scores);
    for (const auto& [name, value] : scores.numbers()) row["val_" + name] = value;
    text += fmt::format("  val loss {:#.5g}", scores.loss);
    const std::string metric = is_classification() ? "accuracy" : "r2";
    text += fmt::format("  val {} {:.4f}", metric, scores.find(metric));
  }
  if (setup_.data.true_weights) {
    row["weight_error"] = weight_error(*setup_.network, *setup_.data.true_weights);
    text += fmt::format("  |w - w*| {:.5f}", row["weight_error"]);
  }
  std::string key = monitor_;
  key[key.find('.')] = '_';
  update_best(row.at(key));
  const bool improved = state_.reports_since_best == 0;
  state_.samples = state_.correct = 0;
  state_.loss_sum = 0;
  // The row first: resuming from an older checkpoint drops it and writes it again.
  record_.epoch(row);
  save_last();
  if (improved) link_over(folder_.last(), folder_.best());
  progress_.line(text + fmt::format("  {:.0f} samples/s  {}{}", row["samples_per_second"],
                                    Progress::duration(seconds_), improved ? "  best" : ""));
  if (is_finished() && state_.epoch < config_.train.epochs) {
    const std::string why =
        state_.best_epoch == 0
            ? "not been a finite number"
            : fmt::format("not been better than {:.6g} (epoch {})", state_.best, state_.best_epoch);
    progress_.line(fmt::format("stopped early: {} has {} for {} reports", monitor_, why,
                               state_.reports_since_best));
  }
  seconds_ = wait_seconds_ = 0;
  timed_samples_ = 0;
  record_.draw(status("running"));
}

RunStatus Trainer::status(const std::string& name) const {
  return {name, monitor_, state_.best, state_.best_epoch};
}

void Trainer::update_best(double value) {
  const double gain = larger_is_better(monitor_) ? value - state_.best : state_.best - value;
  // What is no number would be neither better nor worse than any that follows.
  const bool first = state_.best_epoch == 0;
  if (!std::isfinite(value) || (!first && !(gain > config_.train.min_delta))) {
    ++state_.reports_since_best;
    return;
  }
  state_.best = value;
  state_.best_epoch = state_.epoch;
  state_.reports_since_best = 0;
}

Scores Trainer::score(const std::string& split) {
  const AverageInPlace average(*setup_.network, step_.average());
  const Clock::time_point before = Clock::now();
  Scores scores = evaluate(*setup_.network, *config_.loss, setup_.data.dataset, split,
                           setup_.normalization, config_.data.batch_size);
  record_.spent("validation_seconds", seconds_between(before, Clock::now()));
  return scores;
}

// The test split is looked at once, by the weights that are the run's result.
void Trainer::score_result() {
  // Without a report so far there is no best.
  const bool best = config_.train.keep == "best" && fs::exists(folder_.best());
  const std::string file = (best ? folder_.best() : folder_.last()).string();
  setup_.network->load_state(load_checkpoint(file).model);
  step_.set_average({});
  if (best) {
    progress_.line(
        fmt::format("best: epoch {}, {} {:.6g}", state_.best_epoch, monitor_, state_.best));
    if (setup_.data.dataset->has("val")) record_.scored(score("val"));
  }
  if (setup_.data.dataset->has("test")) {
    const Scores scores = score("test");
    record_.scored(scores);
    progress_.line(fmt::format("test: {}", headline(scores)));
  }
  record_.draw(status("done"));
  progress_.line(fmt::format("result: {}", file));
}

void Trainer::show_progress() {
  const double steps_per_second =
      static_cast<double>(std::max<int64_t>(state_.step - first_step_, 1)) /
      seconds_between(started_, Clock::now());
  const int64_t steps_left =
      config_.train.updates_in(batches_) * config_.train.epochs - state_.step;
  ProgressState view;
  view.epoch = state_.epoch + 1;
  view.epochs = config_.train.epochs;
  view.step = state_.batch;
  view.steps = batches_;
  view.loss = state_.loss_sum / static_cast<double>(std::max<int64_t>(state_.samples, 1));
  if (is_classification()) {
    view.metric = fmt::format("accuracy {:.4f}",
                              static_cast<double>(state_.correct) /
                                  static_cast<double>(std::max<int64_t>(state_.samples, 1)));
  }
  view.samples_per_second = timed_samples_ / std::max(seconds_, 1e-9);
  view.data_wait = wait_seconds_ / std::max(seconds_, 1e-9);
  view.seconds_left = static_cast<double>(steps_left) / steps_per_second;
  progress_.update(view);
}

bool Trainer::is_classification() const {
  return setup_.data.dataset->info().task == data::Task::kClassification;
}

bool Trainer::is_finished() const {
  const int64_t patience = config_.train.patience;
  return state_.epoch >= config_.train.epochs ||
         (patience > 0 && state_.reports_since_best >= patience);
}

bool Trainer::should_checkpoint() const {
  const TrainConfig& train = config_.train;
  if (train.checkpoint_steps > 0 && state_.step % train.checkpoint_steps == 0) return true;
  return train.checkpoint_seconds > 0 &&
         seconds_between(last_save_, Clock::now()) >= train.checkpoint_seconds;
}

bool Trainer::is_out_of_time() const {
  const double minutes = config_.train.max_minutes;
  return minutes > 0 && seconds_between(started_, Clock::now()) >= 60 * minutes;
}

}  // namespace mica::trainers
