// Resizing signals, images and volumes, and pooling them to a wanted size.
//
//   Array twice = interpolate(images, {.scale = {2, 2}});                 // nearest neighbours
//   Array fixed = interpolate(images, {.size = {224, 224}, .mode = Interpolation::kLinear});
//   Array row = adaptive_avg_pool2d(images, {1, 1});                      // global mean
//
// Channels are last: (N, L, C), (N, H, W, C) or (N, D, H, W, C). Axes are resized one after the
// other, as sums of elements with fixed weights, so that gradients of any order and vmap follow.
// Results equal PyTorch's (transposed to channels-first).
#pragma once

#include <array>
#include <vector>

#include "core/graph/array.h"

namespace mica {

/// kCubic is the convolution of Keys (1981) with a = -0.75; values may overshoot.
enum class Interpolation { kNearest, kLinear, kCubic };

struct InterpolateOptions {
  Shape size = {};                 // of the spatial axes; or else
  std::vector<double> scale = {};  // by which they grow, rounded down; one counts for all
  Interpolation mode = Interpolation::kNearest;
  /// The outermost elements stay the outermost and the others lie evenly between. Without it,
  /// elements are cells, and the cells of both grids fill the same range. Not for kNearest.
  bool align_corners = false;
};

/// The spatial axes in another length. Floating types; kNearest takes any. Throws Error unless
/// either size or scale is given, with as many numbers as spatial axes.
Array interpolate(const Array& x, const InterpolateOptions& options);

/// Cuts each spatial axis into as many windows as `size` says, from i n / size rounded down to
/// (i + 1) n / size rounded up, and takes their means. -1 keeps an axis as it is. Floating types.
Array adaptive_avg_pool1d(const Array& x, int64_t size);
Array adaptive_avg_pool2d(const Array& x, const std::array<int64_t, 2>& size);
Array adaptive_avg_pool3d(const Array& x, const std::array<int64_t, 3>& size);
/// The same with maxima, among which NaN wins. Equal ones share the gradient.
Array adaptive_max_pool1d(const Array& x, int64_t size);
Array adaptive_max_pool2d(const Array& x, const std::array<int64_t, 2>& size);
Array adaptive_max_pool3d(const Array& x, const std::array<int64_t, 3>& size);

}  // namespace mica
