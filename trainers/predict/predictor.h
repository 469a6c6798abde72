// From examples to what a model says about them, in order, a line each.
//
//   Predictor predictor(model, spec, {.top = 3, .format = "csv"}, [](const std::string& text) { ...
//   }); predictor.add(std::move(example)); predictor.flush();
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "trainers/predict/examples.h"

namespace mica::trainers {

struct PredictorOptions {
  int64_t top = 3;             // classes a line names
  std::string format = "csv";  // or jsonl
};

class Predictor {
 public:
  /// `write` gets whole lines as they become known; `refuse` examples whose output is no number.
  /// `model` must outlive it.
  Predictor(const TrainedModel& model, PredictorOptions options,
            std::function<void(const std::string&)> write,
            std::function<void(const std::string&)> refuse);

  /// Answers a batch at a time.
  void add(Example example);
  /// Answers what has been added.
  void flush();
  /// The head of a CSV file; empty for JSON lines.
  std::string header() const;

 private:
  std::string line_of(const Example& example, std::span<const float> scores,
                      std::span<const float> meaning) const;
  std::string class_line(const Example& example, std::span<const float> scores,
                         std::span<const float> meaning) const;
  std::string value_line(const Example& example, std::span<const float> values) const;

  const TrainedModel& model_;
  PredictorOptions options_;
  std::function<void(const std::string&)> write_, refuse_;
  bool classes_ = false;
  bool yes_or_no_ = false;  // a single score, judged as two classes
  std::vector<std::string> names_;
  std::vector<Example> waiting_;
};

}  // namespace mica::trainers
