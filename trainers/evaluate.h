// How good a network is on a split, in a few numbers, for a run while it trains. What `mica
// evaluate` finds out is in trainers/judge/.
//
//   Scores scores = evaluate(*network, *loss, dataset, "val", normalization, 128);
//   scores.loss; scores.find("accuracy");          // 0.9921
//   headline(scores);
//
// The network runs in evaluation mode and is put back into the mode it was in.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "nn/module.h"
#include "nn/registry.h"
#include "trainers/metrics.h"
#include "trainers/value_charts.h"

namespace mica::trainers {

struct Scores {
  std::string split;
  int64_t n = 0;
  /// Mean over the examples, those of classes with a factor counted by it. Regression: in the units
  /// of training.
  double loss = 0;
  std::optional<ClassificationMetrics> classes;
  /// In the target's own units.
  std::optional<RegressionMetrics> values;
  /// Of some rows, evenly chosen, for a picture; none of classes, yes or no, or pictures.
  std::vector<TargetPoints> points;

  /// loss, and accuracy and top5, or mse, mae and r2.
  std::vector<std::pair<std::string, double>> numbers() const;
  /// One of the numbers. Throws for another name.
  double find(const std::string& name) const;
};

/// Throws Error (data) if the split is missing.
Scores evaluate(nn::Module& network, const nn::Loss& loss,
                std::shared_ptr<const data::Dataset> dataset, const std::string& split,
                const data::Normalization& normalization, int64_t batch_size);

/// split, n, loss, the metrics and the points; for classes also macro averages, per_class and
/// confusion (rows are the truth).
nlohmann::ordered_json to_json(const Scores& scores, const std::vector<std::string>& class_names);
/// "accuracy 0.9921 ± 0.0009, loss 0.0253 (10000 examples)"
std::string headline(const Scores& scores);

/// Evaluation mode for as long as this lives, also when evaluating throws.
class EvaluationMode {
 public:
  explicit EvaluationMode(nn::Module& network)
      : network_(network), training_(network.is_training()) {
    network_.eval();
  }
  ~EvaluationMode() { network_.train(training_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  nn::Module& network_;
  bool training_;
};

/// Pictures that are reconstructed are judged as wholes; the numbers of a table's row, and targets,
/// each for itself.
bool judges_together(const data::Dataset& dataset);

/// Undoes the standardisation of regression targets, or of examples that are targets.
void to_target_units(std::vector<float>& values, const data::Normalization& normalization);

/// The loss of a split from its batches.
class LossMean {
 public:
  explicit LossMean(const nn::Loss& loss) : factors_(loss.class_weights()) {}
  /// `each` has as many numbers for each row of `target`.
  void add(const std::vector<float>& each, const Array& target);
  double value() const;
  const std::vector<double>& losses() const { return losses_; }
  const std::vector<double>& weights() const { return weights_; }

 private:
  std::vector<double> factors_;
  std::vector<double> losses_, weights_;
};

}  // namespace mica::trainers
