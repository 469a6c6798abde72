#include "trainers/step.h"

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

}  // namespace

TrainingStep::TrainingStep(const RunConfig& config, nn::Module& network, bool counts_correct)
    : config_(config),
      network_(network),
      counts_correct_(counts_correct),
      optimizer_(config.optimizer.rule->clone(), config.optimizer.groups),
      compiled_(compile(
          [this](const Arrays& in) {
            return build(in[0], in[1], in[2], Arrays(in.begin() + 3, in.end()));
          },
          {.state = [this] { return state(); }})) {}

TrainingStep::Result TrainingStep::run(const Array& x, const Array& y, int64_t number,
                                       double learning_rate) {
  // What is random in a step depends on (seed, step) alone, so that a resumed run repeats it.
  const uint64_t word = data::random_word(static_cast<uint64_t>(config_.seed) ^ kStepStream,
                                          static_cast<uint64_t>(number));
  Arrays arguments = {x, y, random::key(word)};
  for (const Array& scalar :
       optimizer_.begin_update(network_.named_trainable_parameters(), learning_rate)) {
    arguments.push_back(scalar);
  }
  const Arrays values = compiled_(std::move(arguments));
  return {values[0].item<double>(), values[1].item<int64_t>()};
}

// Graph code: gives the loss and the number of right answers, and assigns the next state.
Arrays TrainingStep::build(const Array& x, const Array& y, const Array& key,
                           const Arrays& scalars) {
  const random::KeyScope drawing(key);
  const bool short_products = config_.precision == "bf16";
  const auto value_and_gradients =
      nn::value_and_grad(network_, [&](const Array& input, const Array& target) {
        const nn::PrecisionScope products(short_products ? bfloat16 : float32);
        Array output = network_(input);
        if (short_products) output = astype(output, float32);
        const Array loss = (*config_.loss)(output, target);
        const Array correct = counts_correct_ ? sum(equal(argmax(output, -1), target)) : Array(0);
        return Arrays{loss, correct};
      });
  auto [values, gradients] = value_and_gradients(x, y);
  const OptimizerConfig& config = config_.optimizer;
  if (config.clip_value > 0) gradients = optim::clip_by_value(gradients, config.clip_value);
  if (config.clip_norm > 0)
    gradients = optim::clip_by_global_norm(gradients, config.clip_norm).first;
  optimizer_.finish_update(network_.named_trainable_parameters(), gradients, scalars);
  return values;
}

std::vector<Array*> TrainingStep::state() {
  std::vector<Array*> arrays = optimizer_.state_pointers();
  for (const auto& [name, array] : network_.named_parameters()) arrays.push_back(array);
  for (const auto& [name, array] : network_.named_buffers()) arrays.push_back(array);
  return arrays;
}

}  // namespace mica::trainers
