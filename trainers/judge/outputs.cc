#include "trainers/judge/outputs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "trainers/evaluate.h"
#include "trainers/value_charts.h"

namespace mica::trainers {
namespace {

void append(std::vector<float>& to, const std::vector<float>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

void check_finite(const Outputs& outputs) {
  const auto bad = std::find_if(outputs.values.begin(), outputs.values.end(),
                                [](float v) { return !std::isfinite(v); });
  if (bad == outputs.values.end()) return;
  int64_t rows = 0;
  for (int64_t row = 0; row < outputs.n; ++row) {
    const float* begin = outputs.values.data() + row * outputs.width;
    rows += std::any_of(begin, begin + outputs.width, [](float v) { return !std::isfinite(v); });
  }
  fail(ErrorKind::kDiverged,
       "the model's output is {} for {} of the {} examples of '{}' (first: row {}); its weights or "
       "these inputs are no finite numbers",
       std::isnan(*bad) ? "nan" : "infinite", rows, outputs.n, outputs.split,
       (bad - outputs.values.begin()) / outputs.width);
}

// A single yes or no is a choice between two classes: the scores (0, s) and (1 - p, p).
void make_two_classes(Outputs& outputs) {
  const std::vector<float> yes = std::move(outputs.values), raw = std::move(outputs.scores);
  outputs.values.clear();
  outputs.scores.clear();
  for (size_t i = 0; i < yes.size(); ++i) {
    append(outputs.values, {1 - yes[i], yes[i]});
    append(outputs.scores, {0, raw[i]});
    outputs.labels.push_back(outputs.targets[i] > 0.5f);
  }
  outputs.targets.clear();
  outputs.classes = true;
  outputs.width = 2;
  outputs.names = {"no", "yes"};
}

bool is_yes_or_no(const Outputs& outputs) {
  return std::all_of(outputs.targets.begin(), outputs.targets.end(),
                     [](float t) { return t == 0 || t == 1; });
}

std::vector<std::string> names_of(const data::Dataset& dataset, int64_t width) {
  const data::DatasetInfo& info = dataset.info();
  const bool classes = info.task == data::Task::kClassification;
  return classes ? info.class_names : target_names(info.target_names, width);
}

}  // namespace

std::vector<int64_t> highest(std::span<const float> scores, int64_t count) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto end = order.begin() + std::min<int64_t>(count, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), end, order.end(), [&](int64_t a, int64_t b) {
    const float left = scores[static_cast<size_t>(a)], right = scores[static_cast<size_t>(b)];
    return left != right ? left > right : a < b;
  });
  order.erase(end, order.end());
  return order;
}

Outputs collect(nn::Module& network, const nn::Loss& loss,
                const std::shared_ptr<const data::Dataset>& dataset, const std::string& split,
                const data::Normalization& normalization, int64_t batch_size) {
  const EvaluationMode mode(network);
  Outputs outputs;
  outputs.split = split;
  outputs.classes = dataset->info().task == data::Task::kClassification;
  outputs.width = outputs.classes ? dataset->info().classes() : size_of(dataset->target_shape());
  outputs.together = judges_together(*dataset);
  outputs.shape = dataset->target_shape();
  outputs.names = names_of(*dataset, outputs.width);
  data::LoaderOptions options;
  options.batch_size = batch_size;
  options.normalization = normalization;
  data::Loader loader(dataset, split, options);
  LossMean mean(loss);
  const bool reconstructs = dataset->reconstructs();
  while (const std::optional<data::Batch> batch = loader.next()) {
    const Array scores = network(batch->x);
    const Array meaning = loss.meaning(scores);
    const Array losses = loss.each(scores, batch->y);
    eval(scores, meaning, losses);
    if (!reconstructs) append(outputs.scores, scores.to_vector<float>());
    append(outputs.values, meaning.to_vector<float>());
    mean.add(losses.to_vector<float>(), batch->y);
    if (outputs.classes) {
      const std::vector<int64_t> labels = batch->y.to_vector<int64_t>();
      outputs.labels.insert(outputs.labels.end(), labels.begin(), labels.end());
    } else {
      append(outputs.targets, batch->y.to_vector<float>());
    }
    outputs.n += batch->size();
  }
  check_finite(outputs);
  const bool yes_or_no = loss.target_kind() == nn::TargetKind::kYesNo;
  outputs.yes_or_no = yes_or_no && !reconstructs && is_yes_or_no(outputs);
  if (outputs.yes_or_no && outputs.width == 1) make_two_classes(outputs);
  outputs.losses = mean.losses();
  outputs.weights = mean.weights();
  if (!outputs.classes) {
    if (!yes_or_no || reconstructs) to_target_units(outputs.values, normalization);
    to_target_units(outputs.targets, normalization);
    outputs.scores.clear();
    return outputs;
  }
  for (int64_t row = 0; row < outputs.n; ++row) {
    const float* begin = outputs.scores.data() + row * outputs.width;
    outputs.predicted.push_back(std::max_element(begin, begin + outputs.width) - begin);
  }
  return outputs;
}

}  // namespace mica::trainers
