// The transforms of Winograd convolution for the machine's SIMD target.
//
// F(m x m, r x r) makes a tile of m x m outputs from a tile of n x n inputs, n = m + r - 1, with
// n * n multiplications a channel where the definition takes m * m * r * r:
//   Y = A^T [(G g G^T) * (B^T d B)] A,   * element by element (Lavin and Gray, 2015).
// The matrices follow from the points infinity, 0 and +-sqrt(1/2), +-sqrt(2) (n = 6), or +-1/2,
// +-1, +-2 (n = 8). The gradient by weights is the adjoint: G^T [(B^T d B) * (A dY A^T)] G.
#pragma once

#include <cstdint>
#include <span>

namespace mica {

/// A tile of an NHWC image; only pixels of rows [top, bottom) and columns [left, right) exist, the
/// others count as zeros or are not written.
template <class T>
struct WinogradTile {
  T* origin;  // first channel of row 0, column 0, in the image or not
  int64_t row_step, column_step;
  int64_t top, bottom, left, right;
};

struct Winograd {
  int64_t outputs, taps, points;  // m, r, n

  // All take `channels` channels at once, and point k (row-major) of the transformed side at
  // `point_step` k. Those arrays hold channels in whole groups of 8.
  void (*input)(const WinogradTile<const float>& tile, int64_t channels, float* to,
                int64_t point_step);
  void (*output)(const float* from, int64_t point_step, int64_t channels,
                 const WinogradTile<float>& tile);
  void (*cotangent)(const WinogradTile<const float>& tile, int64_t channels, float* to,
                    int64_t point_step);
  /// Tap k lies at weight[k * tap_step], for `count` weights side by side.
  void (*weight)(const float* weight, int64_t tap_step, int64_t count, float* to,
                 int64_t point_step);
  void (*weight_gradient)(const float* from, int64_t point_step, int64_t count, float* weight,
                          int64_t tap_step);
};

/// What this machine has; empty where Winograd does not pay.
std::span<const Winograd> winograds();

}  // namespace mica
