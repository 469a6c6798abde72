// Losses as functions of prediction and target, each defined as PyTorch defines it.
//
//   Array loss = nn::cross_entropy(logits, labels, {.label_smoothing = 0.1});
//   Array each = nn::mse(prediction, target, {.reduction = "none"});
//
// Class losses take scores (..., classes) and integer labels (...); the others take two arrays of
// the same shape. `reduction` is "mean", "sum" or "none" (a loss for each element or label); mean
// of a class loss divides by the summed weight of the labels that count. A wrong shape or reduction
// throws Error. Functions build graph and may be called from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/settings.h"
#include "core/graph/array.h"

namespace mica::nn {

/// Class numbers, numbers, or numbers that are 0 (no) or 1 (yes).
enum class TargetKind { kLabels, kValues, kYesNo };

struct NllOptions {
  std::vector<double> weight = {};  // a factor for each class; none given: 1
  int64_t ignore_index = -100;      // labels that do not count
  std::string reduction = "mean";
  FIELDS(NllOptions, weight, ignore_index, reduction)
  static constexpr FieldInfo kFieldInfo[] = {
      {"a factor for each class (none given: 1)", 0},
      {"label that does not count"},
      {.doc = "how losses are joined", .choices = "none|mean|sum"}};
};
/// -weight[label] * log_probabilities[label].
Array nll(const Array& log_probabilities, const Array& labels, const NllOptions& options = {});

struct CrossEntropyOptions {
  std::vector<double> weight = {};
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  std::string reduction = "mean";
  FIELDS(CrossEntropyOptions, weight, label_smoothing, ignore_index, reduction)
  static constexpr FieldInfo kFieldInfo[] = {
      {"a factor for each class (none given: 1)", 0},
      {"share of the target spread evenly over all classes", 0, 1},
      {"label that does not count"},
      {.doc = "how losses are joined", .choices = "none|mean|sum"}};
};
/// nll(log_softmax(logits)), with the target smoothed to (1 - s) one_hot + s / classes
/// (Szegedy et al. 2016, section 7).
Array cross_entropy(const Array& logits, const Array& labels,
                    const CrossEntropyOptions& options = {});

struct ReductionOptions {
  std::string reduction = "mean";
  FIELDS(ReductionOptions, reduction)
  static constexpr FieldInfo kFieldInfo[] = {
      {.doc = "how losses are joined", .choices = "none|mean|sum"}};
};
/// (prediction - target)^2.
Array mse(const Array& prediction, const Array& target, const ReductionOptions& options = {});
/// (prediction - target)^2 / 2, whose gradient is the plain difference.
Array half_mse(const Array& prediction, const Array& target, const ReductionOptions& options = {});
/// |prediction - target|.
Array l1(const Array& prediction, const Array& target, const ReductionOptions& options = {});

struct HuberOptions {
  double delta = 1;
  std::string reduction = "mean";
  FIELDS(HuberOptions, delta, reduction)
  static constexpr FieldInfo kFieldInfo[] = {
      {"error from which the loss grows linearly", 0},
      {.doc = "how losses are joined", .choices = "none|mean|sum"}};
};
/// d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond, d = prediction - target.
Array huber(const Array& prediction, const Array& target, const HuberOptions& options = {});

struct BceWithLogitsOptions {
  double pos_weight = 1;
  std::string reduction = "mean";
  FIELDS(BceWithLogitsOptions, pos_weight, reduction)
  static constexpr FieldInfo kFieldInfo[] = {
      {"factor of the loss where the target is 1", 0},
      {.doc = "how losses are joined", .choices = "none|mean|sum"}};
};
/// -(pos_weight t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))), without overflow.
Array bce_with_logits(const Array& logits, const Array& target,
                      const BceWithLogitsOptions& options = {});

}  // namespace mica::nn
