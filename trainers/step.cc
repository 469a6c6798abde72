#include "trainers/step.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "data/sampler.h"
#include "nn/precision.h"
#include "optim/clip.h"

namespace mica::trainers {
namespace {

// Tells the random numbers of steps from those of shuffling and of initial weights.
constexpr uint64_t kStepStream = 0x7374657073;

std::vector<Array> values_of(const std::vector<Array*>& pointers) {
  std::vector<Array> values;
  for (const Array* pointer : pointers) values.push_back(*pointer);
  return values;
}

// What has changed goes back to what it was, unless `good`.
void keep_where(const Array& good, const std::vector<Array*>& after,
                const std::vector<Array>& before) {
  for (size_t i = 0; i < after.size(); ++i) {
    if (!after[i]->is_same(before[i])) *after[i] = where(good, *after[i], before[i]);
  }
}

double no_number() { return std::numeric_limits<double>::quiet_NaN(); }

}  // namespace

TrainingStep::TrainingStep(const RunConfig& config, nn::Module& network, bool counts_correct)
    : config_(config),
      network_(network),
      counts_correct_(counts_correct),
      mixes_(std::any_of(config.augment.begin(), config.augment.end(),
                         [](const auto& step) { return step.augment->mixes(); })),
      guards_gradients_(config.train.on_nan != "stop"),
      optimizer_(config.optimizer.rule->clone(), config.optimizer.groups),
      step_(compile([this](const Arrays& in) { return build_step(in, false); },
                    {.state = [this] { return state_of_step(); }})),
      measured_step_(compile([this](const Arrays& in) { return build_step(in, true); },
                             {.state = [this] { return state_of_step(); }})),
      gather_(compile([this](const Arrays& in) { return build_gathering(in); },
                      {.state = [this] { return state_of_gathering(); }})),
      apply_(compile([this](const Arrays& in) { return build_update(in); },
                     {.state = [this] { return state_of_step(); }})) {
  restart();
}

void TrainingStep::restart() {
  gathered_examples_ = 0;
  for (const auto& [name, parameter] : network_.named_trainable_parameters()) {
    if (config_.train.ema > 0) average_[name] = *parameter;
    if (config_.train.accumulate > 1) {
      gathered_[name] = zeros(parameter->shape(), parameter->dtype());
    }
  }
}

Array TrainingStep::key_of(int64_t number) const {
  // What is random in a step depends on (seed, number) alone, so that a resumed run repeats it.
  return random::key(data::random_word(static_cast<uint64_t>(config_.seed) ^ kStepStream,
                                       static_cast<uint64_t>(number)));
}

// The numbers that an update depends on: the decay of the mean, and what the optimizer asks for.
Arrays TrainingStep::begin_update(double learning_rate) {
  // The first means are of few updates, and the initial weights are soon forgotten.
  const double steps = static_cast<double>(optimizer_.steps());
  const double decay = std::min(config_.train.ema, (1 + steps) / (10 + steps));
  Arrays scalars = {Array(static_cast<float>(decay))};
  for (const Array& scalar :
       optimizer_.begin_update(network_.named_trainable_parameters(), learning_rate)) {
    scalars.push_back(scalar);
  }
  return scalars;
}

Arrays TrainingStep::arguments_of(const data::Batch& batch, int64_t number) const {
  Arrays arguments = {batch.x, batch.y, key_of(number)};
  if (mixes_) {
    arguments.push_back(*batch.second_y);
    arguments.push_back(Array(static_cast<float>(batch.weight)));
  }
  return arguments;
}

TrainingStep::Result TrainingStep::run(const data::Batch& batch, const Options& options) {
  if (config_.train.accumulate > 1) return run_gathering(batch, options);
  Arrays arguments = arguments_of(batch, options.number);
  for (const Array& scalar : begin_update(options.learning_rate)) arguments.push_back(scalar);
  const Arrays values = (options.measures ? measured_step_ : step_)(std::move(arguments));
  Result result{values[0].item<double>(), values[1].item<int64_t>(), values[2].item<double>(),
                true};
  result.finite =
      std::isfinite(result.loss) && !(guards_gradients_ && !std::isfinite(result.gradient_norm));
  return result;
}

TrainingStep::Result TrainingStep::run_gathering(const data::Batch& batch, const Options& options) {
  Arrays inputs = arguments_of(batch, options.number);
  inputs.push_back(Array(static_cast<float>(batch.size())));
  const Arrays values = gather_(std::move(inputs));
  Result result{values[0].item<double>(), values[1].item<int64_t>(), no_number(), true};
  result.finite = values[2].item<bool>();
  if (result.finite) gathered_examples_ += batch.size();
  if (!options.updates || gathered_examples_ == 0) return result;
  Arrays arguments = begin_update(options.learning_rate);
  arguments.push_back(Array(1.0f / static_cast<float>(gathered_examples_)));
  gathered_examples_ = 0;
  result.gradient_norm = apply_(std::move(arguments))[0].item<double>();
  return result;
}

TrainingStep::Gradients TrainingStep::differentiate(const Arrays& batch) {
  const random::KeyScope drawing(batch[2]);
  const bool short_products = config_.precision == "bf16";
  const auto value_and_gradients =
      nn::value_and_grad(network_, [&](const Array& input, const Array& target) {
        const nn::PrecisionScope products(short_products ? bfloat16 : float32);
        Array output = network_(input);
        if (short_products) output = astype(output, float32);
        Array loss = (*config_.loss)(output, target);
        if (mixes_) {
          const Array &second = batch[3], &weight = batch[4];
          loss = weight * loss + (1 - weight) * (*config_.loss)(output, second);
        }
        const Array correct = counts_correct_ ? sum(equal(argmax(output, -1), target)) : Array(0);
        return Arrays{loss, correct};
      });
  auto [values, gradients] = value_and_gradients(batch[0], batch[1]);
  return {values[0], values[1], std::move(gradients)};
}

Arrays TrainingStep::build_step(const Arrays& arguments, bool measures) {
  const std::vector<Array> before = values_of(state_of_step());
  Gradients gradients = differentiate(arguments);
  const Arrays scalars(arguments.begin() + static_cast<int64_t>(batch_arguments()),
                       arguments.end());
  Array norm = update(std::move(gradients.by_name), scalars, measures || guards_gradients_);
  Array good = isfinite(gradients.loss);
  if (guards_gradients_) good = logical_and(good, isfinite(norm));
  keep_where(good, state_of_step(), before);
  if (!norm.defined()) norm = Array(std::numeric_limits<float>::quiet_NaN());
  return {gradients.loss, gradients.correct, norm};
}

Arrays TrainingStep::build_gathering(const Arrays& arguments) {
  const std::vector<Array> before = values_of(state_of_gathering());
  const Gradients gradients = differentiate(arguments);
  const Array& examples = arguments[batch_arguments()];
  for (const auto& [name, gradient] : gradients.by_name) {
    gathered_.at(name) = gathered_.at(name) + gradient * astype(examples, gradient.dtype());
  }
  Array good = isfinite(gradients.loss);
  if (guards_gradients_) {
    good = logical_and(good, isfinite(optim::global_norm(gradients.by_name)));
  }
  keep_where(good, state_of_gathering(), before);
  return {gradients.loss, gradients.correct, good};
}

Arrays TrainingStep::build_update(const Arrays& arguments) {
  const Array& share = arguments.back();
  nn::NamedArrays gradients;
  for (auto& [name, sum] : gathered_) {
    gradients[name] = sum * astype(share, sum.dtype());
    sum = zeros(sum.shape(), sum.dtype());
  }
  return {update(std::move(gradients), Arrays(arguments.begin(), arguments.end() - 1), true)};
}

Array TrainingStep::update(nn::NamedArrays gradients, const Arrays& scalars, bool measures) {
  const OptimizerConfig& config = config_.optimizer;
  Array norm;
  if (measures || config.clip_norm > 0) norm = optim::global_norm(gradients);
  if (config.clip_value > 0) gradients = optim::clip_by_value(gradients, config.clip_value);
  if (config.clip_norm > 0)
    gradients = optim::clip_by_global_norm(gradients, config.clip_norm).first;
  optimizer_.finish_update(network_.named_trainable_parameters(), gradients,
                           Arrays(scalars.begin() + 1, scalars.end()));
  move_average(scalars[0]);
  return norm;
}

void TrainingStep::move_average(const Array& decay) {
  if (average_.empty()) return;
  for (const auto& [name, parameter] : network_.named_trainable_parameters()) {
    Array& mean = average_.at(name);
    const Array share = astype(decay, mean.dtype());
    mean = share * mean + (1 - share) * *parameter;
  }
}

std::vector<Array*> TrainingStep::state_of_step() {
  std::vector<Array*> arrays = optimizer_.state_pointers();
  for (auto& [name, array] : average_) arrays.push_back(&array);
  for (Array* array : state_of_gathering()) arrays.push_back(array);
  return arrays;
}

std::vector<Array*> TrainingStep::state_of_gathering() {
  std::vector<Array*> arrays;
  for (const auto& [name, array] : network_.named_parameters()) arrays.push_back(array);
  for (const auto& [name, array] : network_.named_buffers()) arrays.push_back(array);
  for (auto& [name, array] : gathered_) arrays.push_back(&array);
  return arrays;
}

}  // namespace mica::trainers
