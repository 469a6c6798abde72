#include "trainers/evaluate.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "core/base/error.h"
#include "core/eval/eval.h"

namespace mica::trainers {
namespace {

constexpr int64_t kMostPoints = 500;

// Points of the rows of a batch, which are `first` and those that follow, that are in `rows`.
void add_points(std::vector<TargetPoints>& points, std::span<const int64_t> rows, int64_t first,
                const std::vector<float>& prediction, const std::vector<float>& target,
                size_t width) {
  const auto end = first + static_cast<int64_t>(target.size() / width);
  for (auto at = std::lower_bound(rows.begin(), rows.end(), first); at != rows.end() && *at < end;
       ++at) {
    for (size_t k = 0; k < points.size(); ++k) {
      const size_t i = static_cast<size_t>(*at - first) * width + k;
      points[k].truth.push_back(target[i]);
      points[k].prediction.push_back(prediction[i]);
    }
  }
}

void add_batch(Scores& scores, const Array& output, const Array& y,
               const data::Normalization& normalization, std::span<const int64_t> rows) {
  std::vector<float> prediction = output.to_vector<float>();
  if (scores.classes) {
    scores.classes->add(prediction, y.to_vector<int64_t>());
    return;
  }
  std::vector<float> target = y.to_vector<float>();
  to_target_units(prediction, normalization);
  to_target_units(target, normalization);
  scores.values->add(prediction, target);
  if (scores.points.empty()) return;
  const auto width = static_cast<size_t>(size_of(y.shape()) / y.shape()[0]);
  add_points(scores.points, rows, scores.n, prediction, target, width);
}

}  // namespace

std::vector<std::pair<std::string, double>> Scores::numbers() const {
  std::vector<std::pair<std::string, double>> result = {{"loss", loss}};
  if (classes) {
    result.emplace_back("accuracy", classes->accuracy());
    if (classes->classes() > 5) result.emplace_back("top5", classes->top(5));
  }
  if (values) {
    result.emplace_back("mse", values->mse());
    result.emplace_back("mae", values->mae());
    result.emplace_back("r2", values->r2());
  }
  return result;
}

double Scores::find(const std::string& name) const {
  for (const auto& [key, value] : numbers()) {
    if (key == name) return value;
  }
  fail("no metric '{}' for this data", name);
}

Scores evaluate(nn::Module& network, const nn::Loss& loss,
                std::shared_ptr<const data::Dataset> dataset, const std::string& split,
                const data::Normalization& normalization, int64_t batch_size) {
  const EvaluationMode mode(network);
  Scores scores;
  scores.split = split;
  if (dataset->info().task == data::Task::kClassification) {
    scores.classes.emplace(dataset->info().classes());
  } else {
    if (loss.target_kind() == nn::TargetKind::kValues && !judges_together(*dataset)) {
      const int64_t targets = size_of(dataset->target_shape());
      const std::vector<std::string> names = target_names(dataset->info().target_names, targets);
      for (int64_t k = 0; k < std::min(targets, kMostTargets); ++k) {
        scores.points.push_back({.name = names[static_cast<size_t>(k)]});
      }
    }
    scores.values.emplace(size_of(dataset->target_shape()), judges_together(*dataset));
  }
  data::LoaderOptions options;
  options.batch_size = batch_size;
  options.normalization = normalization;
  const std::vector<int64_t> rows = even_rows(dataset->rows(split), kMostPoints);
  data::Loader loader(std::move(dataset), split, options);
  LossMean mean(loss);
  while (const std::optional<data::Batch> batch = loader.next()) {
    const Array output = network(batch->x);
    const Array losses = loss.each(output, batch->y);
    // Values are judged as what they mean, probabilities of a yes say; classes by their scores.
    const Array prediction = scores.values ? loss.meaning(output) : output;
    eval(prediction, losses);
    mean.add(losses.to_vector<float>(), batch->y);
    add_batch(scores, prediction, batch->y, normalization, rows);
    scores.n += batch->size();
  }
  scores.loss = mean.value();
  return scores;
}

bool judges_together(const data::Dataset& dataset) {
  return dataset.reconstructs() && dataset.sample_shape().size() > 1;
}

void to_target_units(std::vector<float>& values, const data::Normalization& normalization) {
  const size_t width = normalization.target_std.size();
  if (width == 0) return;
  for (size_t i = 0; i < values.size(); ++i) {
    const double std = normalization.target_std[i % width];
    const double mean = normalization.target_mean[i % width];
    values[i] = static_cast<float>(values[i] * (std > 0 ? std : 1.0) + mean);
  }
}

void LossMean::add(const std::vector<float>& each, const Array& target) {
  const auto rows = static_cast<size_t>(target.shape()[0]), width = each.size() / rows;
  for (size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (size_t i = row * width; i < (row + 1) * width; ++i) sum += each[i];
    losses_.push_back(sum / static_cast<double>(width));
  }
  if (factors_.empty()) {
    weights_.resize(losses_.size(), 1.0);
    return;
  }
  for (const int64_t label : target.to_vector<int64_t>()) {
    weights_.push_back(factors_.at(static_cast<size_t>(label)));
  }
}

double LossMean::value() const {
  const double weight = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  return std::accumulate(losses_.begin(), losses_.end(), 0.0) / weight;
}

}  // namespace mica::trainers
