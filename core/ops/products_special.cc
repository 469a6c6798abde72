// Products of picked, segmented and masked matrices, and with Hadamard's.
#include <bit>
#include <cmath>
#include <vector>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/products.h"
#include "core/ops/view.h"

namespace mica {
namespace {

void check_matrices(const Array& x, const char* op, const char* name) {
  if (x.rank() < 2)
    fail("[{}] {} has shape {}, which is no matrix", op, name, to_string(x.shape()));
}

Array picked(const Array& x, const Array& indices) {
  if (!indices.defined()) return x;
  return take(x.rank() == 2 ? expand_dims(x, {0}) : flatten(x, 0, -3), indices, 0);
}

// A mask of blocks as one of elements, for the last two axes of a result of this shape.
Array spread(const Array& mask, int64_t block, const Shape& shape, const char* name) {
  const int64_t rows = shape.end()[-2], columns = shape.back();
  const auto blocks = [&](int64_t length) { return (length + block - 1) / block; };
  if (mask.rank() < 2 || mask.dim(-2) != blocks(rows) || mask.dim(-1) != blocks(columns)) {
    fail("[block_masked_mm] {} has shape {}; wanted {} x {} blocks for shape {}", name,
         to_string(mask.shape()), blocks(rows), blocks(columns), to_string(shape));
  }
  const Array tall = slice_axis(repeat(mask, block, -2), -2, 0, rows);
  return slice_axis(repeat(tall, block, -1), -1, 0, columns);
}

// Bool masks choose, so that what they switch off may be infinite; others scale.
Array masked(const Array& x, const Array& mask, int64_t block, const char* name) {
  if (!mask.defined()) return x;
  const Array each = spread(mask, block, x.shape(), name);
  return is_bool(mask.dtype()) ? where(each, x, 0) : x * each;
}

// 1 for squares modulo the prime q, -1 for others, 0 for multiples of q.
int quadratic_character(int64_t a, int64_t q) {
  a = ((a % q) + q) % q;
  if (a == 0) return 0;
  for (int64_t r = 1; r < q; ++r) {
    if (r * r % q == a) return 1;
  }
  return -1;
}

// Paley's constructions: the first for 12 and 20 (q = 11, 19), the second for 28 (q = 13).
std::vector<float> paley(int64_t n) {
  const bool second = n == 28;
  const int64_t q = second ? 13 : n - 1, side = q + 1;
  const auto conference = [&](int64_t i, int64_t j) {
    if (i == 0 || j == 0) return i == j ? 0 : i == 0 || second ? 1 : -1;
    return quadratic_character(i - j, q);
  };
  std::vector<float> h;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if (!second) {
        h.push_back(static_cast<float>(conference(i, j) + (i == j ? 1 : 0)));
        continue;
      }
      const int64_t row = i % side, column = j % side;
      const int corner = i >= side && j >= side ? -1 : 1;
      const int unit = i < side && j < side ? 1 : -1;
      h.push_back(static_cast<float>(row == column ? unit : corner * conference(row, column)));
    }
  }
  return h;
}

// Sylvester's: -1 where row and column have an odd number of common bits.
std::vector<float> sylvester(int64_t n) {
  std::vector<float> h;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      h.push_back(std::popcount(static_cast<uint64_t>(i & j)) % 2 == 0 ? 1.0f : -1.0f);
    }
  }
  return h;
}

// The axis of this length times a matrix.
Array along(const Array& x, int axis, const std::vector<float>& matrix, int64_t n) {
  const Array h = astype(Array::from(matrix, {n, n}), x.dtype());
  return moveaxis(matmul(moveaxis(x, axis, -1), transpose(h)), -1, axis);
}

}  // namespace

Array gather_mm(const Array& a, const Array& b, const Array& a_indices, const Array& b_indices) {
  check_matrices(a, "gather_mm", "a");
  check_matrices(b, "gather_mm", "b");
  return matmul(picked(a, a_indices), picked(b, b_indices));
}

Array segmented_mm(const Array& a, const Array& b, const Array& segments) {
  if (a.rank() != 2 || b.rank() != 2 || segments.rank() != 2 || segments.dim(1) != 2) {
    fail("[segmented_mm] shapes {}, {} and segments {}; wanted (M, K), (K, N) and (S, 2)",
         to_string(a.shape()), to_string(b.shape()), to_string(segments.shape()));
  }
  if (!is_integer(segments.dtype())) {
    fail("[segmented_mm] segments must be integers, got {}", segments.dtype());
  }
  const Array place = arange(a.dim(1), int64);
  const Array inside =
      logical_and(place >= slice_axis(segments, 1, 0, 1), place < slice_axis(segments, 1, 1, 2));
  return matmul(where(expand_dims(inside, {1}), a, 0), b);
}

Array block_masked_mm(const Array& a, const Array& b, int64_t block, const Array& mask_out,
                      const Array& mask_a, const Array& mask_b) {
  check_matrices(a, "block_masked_mm", "a");
  check_matrices(b, "block_masked_mm", "b");
  if (block < 1) fail("[block_masked_mm] blocks of {} elements", block);
  const Array product =
      matmul(masked(a, mask_a, block, "mask_a"), masked(b, mask_b, block, "mask_b"));
  return masked(product, mask_out, block, "mask_out");
}

Array hadamard_transform(const Array& x, std::optional<double> scale) {
  if (x.rank() == 0) fail("[hadamard_transform] needs at least one axis, got a scalar");
  const int64_t n = x.dim(-1);
  int64_t others = 1, power = n;
  for (const int64_t m : {12, 20, 28}) {
    if (n % m == 0 && std::has_single_bit(static_cast<uint64_t>(n / m))) others = m, power = n / m;
  }
  if (n == 0 || !std::has_single_bit(static_cast<uint64_t>(power))) {
    fail("[hadamard_transform] length {} is no power of two, nor 12, 20 or 28 times one", n);
  }
  // A matrix of 2^k is the Kronecker product of smaller ones, which cost less one after the other.
  const int bits = std::countr_zero(static_cast<uint64_t>(power));
  const int64_t fine = int64_t{1} << (bits / 2), coarse = power / fine;
  Array y = is_inexact(x.dtype()) ? x : astype(x, float32);
  y = unflatten(y, -1, {others, coarse, fine});
  if (others > 1) y = along(y, -3, paley(others), others);
  if (coarse > 1) y = along(y, -2, sylvester(coarse), coarse);
  if (fine > 1) y = along(y, -1, sylvester(fine), fine);
  return flatten(y, -3, -1) * scale.value_or(1 / std::sqrt(static_cast<double>(n)));
}

}  // namespace mica
