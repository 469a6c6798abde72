// Everything a network said about a split, kept whole, so that figures, files and pictures are made
// of the same numbers.
//
//   Outputs outputs = collect(*network, *loss, dataset, "test", normalization, 128);
//   outputs.confidence(17); outputs.predicted[17] == outputs.labels[17];
//
// Rows are in the order of the split. For a network, a split and a batch size the values are the
// same bits with any number of threads; another batch size changes them by rounding.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/loader.h"
#include "nn/module.h"
#include "nn/registry.h"

namespace mica::trainers {

struct Outputs {
  std::string split;
  int64_t n = 0;
  int64_t width = 0;  // classes, or targets
  bool classes = false;
  bool yes_or_no = false;          // each target is 0 or 1, and its value the probability of 1
  bool together = false;           // the targets of a row are one thing: a picture
  Shape shape;                     // of a row of the targets
  std::vector<std::string> names;  // of the classes or targets

  /// n x width: probabilities of the classes, or predictions in the targets' own units.
  std::vector<float> values;
  /// n x width: what the highest of is the prediction (classes).
  std::vector<float> scores;
  std::vector<int64_t> labels, predicted;  // classes
  std::vector<float> targets;              // n x width, in their own units (otherwise)
  /// Of each row; `weights` are those of the loss (class weights), else 1. The loss of the split is
  /// sum(losses) / sum(weights).
  std::vector<double> losses, weights;

  double probability(int64_t row, int64_t label) const {
    return values[static_cast<size_t>(row * width + label)];
  }
  double confidence(int64_t row) const {
    return probability(row, predicted[static_cast<size_t>(row)]);
  }
  bool is_right(int64_t row) const {
    return predicted[static_cast<size_t>(row)] == labels[static_cast<size_t>(row)];
  }
};

/// Yes/no losses of a single target are judged as two classes, "no" and "yes", those of several as
/// yes_or_no. Throws Error (data)
/// if the split is missing, and Error (diverged) naming the first row whose output is no number.
Outputs collect(nn::Module& network, const nn::Loss& loss,
                const std::shared_ptr<const data::Dataset>& dataset, const std::string& split,
                const data::Normalization& normalization, int64_t batch_size);

/// The `count` classes of highest score, the first of equals first.
std::vector<int64_t> highest(std::span<const float> scores, int64_t count);

}  // namespace mica::trainers
