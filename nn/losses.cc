#include "nn/losses.h"

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"

namespace mica::nn {
namespace {

Array reduce(const Array& losses, const std::string& reduction, const char* loss) {
  if (reduction == "mean") return mean(losses);
  if (reduction == "sum") return sum(losses);
  if (reduction == "none") return losses;
  fail("[{}] reduction must be one of none|mean|sum, got '{}'", loss, reduction);
}

void check_same_shape(const Array& prediction, const Array& target, const char* loss) {
  if (prediction.shape() == target.shape()) return;
  fail("[{}] got a target of shape {}, want the prediction's shape {}", loss,
       to_string(target.shape()), to_string(prediction.shape()));
}

void check_labels(const Array& scores, const Array& labels, const char* loss) {
  if (!is_integer(labels.dtype())) {
    fail("[{}] got labels of dtype {}, want integers", loss, labels.dtype());
  }
  if (scores.rank() == 0) fail("[{}] got a scalar, want scores of shape (..., classes)", loss);
  Shape wanted = scores.shape();
  wanted.pop_back();
  if (labels.shape() == wanted) return;
  fail("[{}] got labels of shape {}, want {} for scores of shape {}", loss,
       to_string(labels.shape()), to_string(wanted), to_string(scores.shape()));
}

// The factors of the classes, or an undefined array for none.
Array class_weights(const std::vector<double>& weight, const Array& scores, const char* loss) {
  if (weight.empty()) return {};
  if (static_cast<int64_t>(weight.size()) != scores.dim(-1)) {
    fail("[{}] got {} class weights, want {}", loss, weight.size(), scores.dim(-1));
  }
  return astype(Array::from(weight, {scores.dim(-1)}), scores.dtype());
}

// A loss of each row, times its label's weight, zero where the label is ignored. `losses` are for
// labels() with 0 in the place of ignored ones.
class LabelReduction {
 public:
  LabelReduction(const Array& labels, int64_t ignore_index, const Array& weight, Dtype dtype)
      : counts_(labels != ignore_index), labels_(where(counts_, labels, 0)) {
    factor_ = astype(counts_, dtype);
    if (weight.defined()) factor_ = factor_ * take(weight, labels_, 0);
  }
  const Array& labels() const { return labels_; }
  // Selected, not multiplied: an ignored row may hold infinities.
  Array weighted(const Array& losses) const { return where(counts_, losses * factor_, 0); }
  Array selected(const Array& losses) const { return where(counts_, losses, 0); }
  Array reduced(const Array& losses, const std::string& reduction, const char* loss) const {
    if (reduction == "mean") return sum(losses) / sum(factor_);
    return reduce(losses, reduction, loss);
  }

 private:
  Array counts_, labels_, factor_;
};

// Class losses from log probabilities: (1 - s) nll + s / classes * (sum of the nll of all classes).
Array label_loss(const Array& log_probabilities, const Array& labels, const Array& weight,
                 double smoothing, int64_t ignore_index, const std::string& reduction,
                 const char* loss) {
  const LabelReduction rows(labels, ignore_index, weight, log_probabilities.dtype());
  const Array picked = take_along_axis(log_probabilities, expand_dims(rows.labels(), {-1}), -1);
  Array losses = rows.weighted(-squeeze(picked, {-1}));
  if (smoothing > 0) {
    const Array weighted = weight.defined() ? log_probabilities * weight : log_probabilities;
    const double share = smoothing / static_cast<double>(log_probabilities.dim(-1));
    losses = (1 - smoothing) * losses + rows.selected(sum(weighted, {-1}) * -share);
  }
  return rows.reduced(losses, reduction, loss);
}

}  // namespace

Array nll(const Array& log_probabilities, const Array& labels, const NllOptions& options) {
  check_settings(options, "nll");
  check_labels(log_probabilities, labels, "nll");
  const Array weight = class_weights(options.weight, log_probabilities, "nll");
  return label_loss(log_probabilities, labels, weight, 0, options.ignore_index, options.reduction,
                    "nll");
}

Array cross_entropy(const Array& logits, const Array& labels, const CrossEntropyOptions& options) {
  check_settings(options, "cross_entropy");
  check_labels(logits, labels, "cross_entropy");
  const Array weight = class_weights(options.weight, logits, "cross_entropy");
  if (options.label_smoothing == 0) {
    const LabelReduction rows(labels, options.ignore_index, weight, logits.dtype());
    const Array losses = mica::cross_entropy(logits, rows.labels(), true);
    return rows.reduced(rows.weighted(losses), options.reduction, "cross_entropy");
  }
  return label_loss(mica::log_softmax(logits), labels, weight, options.label_smoothing,
                    options.ignore_index, options.reduction, "cross_entropy");
}

Array mse(const Array& prediction, const Array& target, const ReductionOptions& options) {
  check_same_shape(prediction, target, "mse");
  return reduce(square(prediction - target), options.reduction, "mse");
}

Array half_mse(const Array& prediction, const Array& target, const ReductionOptions& options) {
  check_same_shape(prediction, target, "half_mse");
  return reduce(square(prediction - target) * 0.5f, options.reduction, "half_mse");
}

Array l1(const Array& prediction, const Array& target, const ReductionOptions& options) {
  check_same_shape(prediction, target, "l1");
  return reduce(abs(prediction - target), options.reduction, "l1");
}

Array huber(const Array& prediction, const Array& target, const HuberOptions& options) {
  check_settings(options, "huber");
  check_same_shape(prediction, target, "huber");
  const double delta = options.delta;
  const Array distance = abs(prediction - target);
  const Array losses =
      where(distance <= delta, 0.5 * square(distance), delta * (distance - 0.5 * delta));
  return reduce(losses, options.reduction, "huber");
}

Array bce_with_logits(const Array& logits, const Array& target,
                      const BceWithLogitsOptions& options) {
  check_settings(options, "bce_with_logits");
  check_same_shape(logits, target, "bce_with_logits");
  // -log sigmoid(x) = softplus(-x), -log(1 - sigmoid(x)) = softplus(-x) + x.
  const Array factor = 1 + (options.pos_weight - 1) * target;
  const Array losses = (1 - target) * logits + factor * softplus(-logits);
  return reduce(losses, options.reduction, "bce_with_logits");
}

}  // namespace mica::nn
