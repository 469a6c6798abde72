// How good a network is on a split.
//
//   Scores scores = evaluate(*network, *loss, dataset, "test", normalization, 128);
//   scores.loss; scores.find("accuracy");          // 0.9921
//   to_json(scores, class_names); describe(scores, class_names);
//
// The network runs in evaluation mode and is put back into the mode it was in.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/loader.h"
#include "nn/module.h"
#include "nn/registry.h"
#include "trainers/metrics.h"

namespace mica::trainers {

struct Scores {
  std::string split;
  int64_t n = 0;
  /// Mean over the examples. Regression: in the units of training.
  double loss = 0;
  std::optional<ClassificationMetrics> classes;
  /// In the target's own units.
  std::optional<RegressionMetrics> values;

  /// loss, and accuracy and top5, or mse, mae and r2.
  std::vector<std::pair<std::string, double>> numbers() const;
  /// One of the numbers. Throws for another name.
  double find(const std::string& name) const;
};

/// Throws Error (data) if the split is missing.
Scores evaluate(nn::Module& network, const nn::Loss& loss,
                std::shared_ptr<const data::Dataset> dataset, const std::string& split,
                const data::Normalization& normalization, int64_t batch_size);

/// split, n, loss and the metrics; for classes also macro averages, per_class and confusion (rows
/// are the truth).
nlohmann::ordered_json to_json(const Scores& scores, const std::vector<std::string>& class_names);
/// The same for people: a line of totals, a table of classes, the confusion matrix of up to 20.
std::string describe(const Scores& scores, const std::vector<std::string>& class_names);
/// "accuracy 0.9921 ± 0.0009, loss 0.0253 (10000 examples)"
std::string headline(const Scores& scores);

}  // namespace mica::trainers
