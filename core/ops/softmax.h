// Softmax and its relatives, each one pass over memory.
//
//   Array p = softmax(logits);                 // over the last axis
//   Array loss = mean(cross_entropy(logits, labels));
#pragma once

#include "core/graph/array.h"

namespace mica {

/// exp(x) / sum(exp(x)) along an axis, and its logarithm, safe for large x. Integers become
/// float32; half types are computed in float32.
Array softmax(const Array& x, int axis = -1);
Array log_softmax(const Array& x, int axis = -1);
/// log(sum(exp(x))) over `axes` (none given: all), -inf for all -inf.
Array logsumexp(const Array& x, const Axes& axes = {}, bool keepdims = false);
/// -log softmax(logits)[label] per row. logits: (..., classes), labels: integers of shape (...).
/// Labels must lie in [0, classes); rows with another label give 0 loss and 0 gradient, or an Error
/// when they are evaluated, if `strict`. Neither value nor gradient stores the softmax.
Array cross_entropy(const Array& logits, const Array& labels, bool strict = false);

}  // namespace mica
