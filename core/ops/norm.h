// Normalisation: over the batch, over a row, and by a row's root mean square.
//
//   auto [y, mean, variance] = batch_norm(images, weight, bias, 1e-5);   // NHWC, training
//   Array z = layer_norm(rows, weight, bias, 1e-5);                      // over the last axis
//   Array r = rms_norm(rows, weight, 1e-6);
//
// weight and bias have the length of the last axis, and may be undefined (both): no scale and no
// shift. The result has x's dtype; half types are computed in float32, and so are statistics.
#pragma once

#include "core/graph/array.h"

namespace mica {

struct BatchNormResult {
  Array y;
  Array mean, variance;  // (channels,), the variance biased
};

/// (x - mean) / sqrt(variance + eps) * weight + bias with mean and variance over all axes but the
/// last. Throws Error unless x is floating, of two or more axes, and weight and bias fit.
BatchNormResult batch_norm(const Array& x, const Array& weight, const Array& bias, double eps);

/// Mean and biased variance over all axes but the last, in one pass over memory.
std::pair<Array, Array> channel_moments(const Array& x);

/// (x - mean) / sqrt(variance + eps) * weight + bias with mean and variance over the last axis.
Array layer_norm(const Array& x, const Array& weight, const Array& bias, double eps);
/// x / sqrt(mean(x^2) + eps) * weight over the last axis (Zhang & Sennrich 2019).
Array rms_norm(const Array& x, const Array& weight, double eps);

}  // namespace mica
