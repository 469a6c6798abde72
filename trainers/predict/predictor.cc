#include "trainers/predict/predictor.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "trainers/evaluate.h"
#include "trainers/judge/files.h"
#include "trainers/judge/report.h"

namespace mica::trainers {
namespace {

using Json = nlohmann::ordered_json;

// Probabilities with the digits that they have.
double rounded(float value) { return std::stod(fmt::format("{:.6g}", value)); }

Array batch_of(std::span<const Example> examples, const Checkpoint& checkpoint) {
  const data::Normalization& scale = checkpoint.normalization;
  const size_t channels = scale.mean.size();
  std::vector<float> values;
  for (const Example& example : examples) {
    for (size_t i = 0; i < example.values.size(); ++i) {
      if (channels == 0) {
        values.push_back(example.values[i]);
        continue;
      }
      const double std = scale.std[i % channels];
      const double mean = scale.mean[i % channels];
      values.push_back(static_cast<float>((example.values[i] - mean) / (std > 0 ? std : 1)));
    }
  }
  Shape shape = {static_cast<int64_t>(examples.size())};
  shape.append(checkpoint.example_shape.begin(), checkpoint.example_shape.end());
  return Array::from(values, shape);
}

std::string place_of(const Example& example) {
  return example.row < 0 ? example.input : fmt::format("{}: row {}", example.input, example.row);
}

}  // namespace

Predictor::Predictor(const TrainedModel& model, PredictorOptions options,
                     std::function<void(const std::string&)> write,
                     std::function<void(const std::string&)> refuse)
    : model_(model),
      options_(std::move(options)),
      write_(std::move(write)),
      refuse_(std::move(refuse)) {
  const Checkpoint& checkpoint = model.checkpoint;
  classes_ = checkpoint.task == data::name_of(data::Task::kClassification);
  names_ = classes_ ? checkpoint.class_names : checkpoint.target_names;
  Shape shape = {1};
  shape.append(checkpoint.example_shape.begin(), checkpoint.example_shape.end());
  const int64_t width = size_of(model.network->output_shape(shape));
  const bool yes_or_no = model.config.loss->target_kind() == nn::TargetKind::kYesNo;
  if (yes_or_no && width == 1 && !model.config.data.reconstruct) {
    classes_ = yes_or_no_ = true;
    names_ = {"no", "yes"};
  }
  for (auto i = static_cast<int64_t>(names_.size()); i < width; ++i) {
    names_.push_back(width == 1 ? "value" : fmt::format("value_{}", i + 1));
  }
  options_.top = std::clamp<int64_t>(options_.top, 1, static_cast<int64_t>(names_.size()));
}

std::string Predictor::header() const {
  if (options_.format != "csv") return "";
  std::string text = "input,row";
  if (!classes_) {
    for (const std::string& name : names_) text += fmt::format(",{}", csv_field(name));
    return text + "\n";
  }
  text += ",prediction,confidence";
  for (int64_t k = 2; k <= options_.top; ++k) {
    text += fmt::format(",prediction_{0},confidence_{0}", k);
  }
  return text + "\n";
}

void Predictor::add(Example example) {
  waiting_.push_back(std::move(example));
  if (static_cast<int64_t>(waiting_.size()) >= model_.config.data.batch_size) flush();
}

void Predictor::flush() {
  if (waiting_.empty()) return;
  const std::vector<Example> examples = std::exchange(waiting_, {});
  const Array output = (*model_.network)(batch_of(examples, model_.checkpoint));
  const Array meaning = model_.config.loss->meaning(output);
  eval(output, meaning);
  std::vector<float> scores = output.to_vector<float>(), values = meaning.to_vector<float>();
  const bool probabilities = model_.config.loss->target_kind() == nn::TargetKind::kYesNo;
  if (!classes_ && (!probabilities || model_.config.data.reconstruct)) {
    to_target_units(values, model_.checkpoint.normalization);
  }
  const size_t width = values.size() / examples.size();
  std::string text;
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto own = std::span<const float>(values).subspan(i * width, width);
    if (std::all_of(own.begin(), own.end(), [](float v) { return std::isfinite(v); })) {
      text += line_of(examples[i], std::span<const float>(scores).subspan(i * width, width), own);
    } else {
      refuse_(fmt::format("{}: the model's output is no finite number", place_of(examples[i])));
    }
  }
  write_(text);
}

std::string Predictor::line_of(const Example& example, std::span<const float> scores,
                               std::span<const float> meaning) const {
  if (!classes_) return value_line(example, meaning);
  if (!yes_or_no_) return class_line(example, scores, meaning);
  return class_line(example, std::vector<float>{0, scores[0]},
                    std::vector<float>{1 - meaning[0], meaning[0]});
}

std::string Predictor::class_line(const Example& example, std::span<const float> scores,
                                  std::span<const float> meaning) const {
  const std::vector<int64_t> order = highest(scores, options_.top);
  const auto name = [&](int64_t k) { return names_[static_cast<size_t>(k)]; };
  const auto probability = [&](int64_t k) { return meaning[static_cast<size_t>(k)]; };
  if (options_.format == "csv") {
    std::string text = csv_field(example.input) + ",";
    if (example.row >= 0) text += fmt::format("{}", example.row);
    for (const int64_t k : order) {
      text += fmt::format(",{},{:.6g}", csv_field(name(k)), probability(k));
    }
    return text + "\n";
  }
  Json json = {{"input", example.input}};
  if (example.row >= 0) json["row"] = example.row;
  json["prediction"] = name(order[0]);
  json["confidence"] = rounded(probability(order[0]));
  for (const int64_t k : order) {
    json["top"].push_back({{"class", name(k)}, {"probability", rounded(probability(k))}});
  }
  return dumped(json) + "\n";
}

std::string Predictor::value_line(const Example& example, std::span<const float> values) const {
  if (options_.format == "csv") {
    std::string text = csv_field(example.input) + ",";
    if (example.row >= 0) text += fmt::format("{}", example.row);
    for (const float value : values) text += fmt::format(",{}", value);
    return text + "\n";
  }
  Json json = {{"input", example.input}};
  if (example.row >= 0) json["row"] = example.row;
  for (size_t i = 0; i < values.size(); ++i) {
    json["values"][names_[i]] = std::stod(fmt::format("{}", values[i]));
  }
  return dumped(json) + "\n";
}

}  // namespace mica::trainers
