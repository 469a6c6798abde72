#include "core/cpu/gemm_packed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "core/runtime/buffer.h"

namespace mica {
namespace {

struct Matrix {
  std::vector<float> memory;
  MatrixView<float> view;
};

// Stored either way, with up to 20 elements between its lines that nobody may touch.
Matrix random_matrix(int64_t rows, int64_t columns, std::mt19937& random) {
  Matrix matrix;
  const bool transposed = random() % 2;
  const int64_t line = (transposed ? rows : columns) + static_cast<int64_t>(random() % 20);
  // Without a gap after the last line, so that reading on is found out by sanitizers.
  const int64_t lines = transposed ? columns : rows, length = transposed ? rows : columns;
  matrix.memory.resize(static_cast<size_t>((lines - 1) * line + length));
  std::normal_distribution<float> normal;
  for (float& value : matrix.memory) value = normal(random);
  matrix.view = {matrix.memory.data(), line, transposed};
  return matrix;
}

struct Sizes {
  int64_t rows, columns, inner;
};

Sizes random_sizes(int round, std::mt19937& random) {
  const auto below = [&](int64_t most) { return 1 + static_cast<int64_t>(random()) % most; };
  return {below(round % 10 == 0 ? 400 : 60), below(round % 7 == 0 ? 300 : 80),
          round % 15 == 1  ? 2000 + below(600)
          : round % 5 == 0 ? below(1000)
                           : below(100)};
}

// Every element against a sum in double, within the rounding of a float32 sum in any order; and
// nothing written between the lines of c.
void expect_product(const Sizes& size, const Matrix& a, const Matrix& b,
                    const std::vector<float>& c, int64_t c_line) {
  for (int64_t i = 0; i < size.rows; ++i) {
    for (int64_t j = 0; j < size.columns; ++j) {
      double sum = 0, magnitude = 0;
      for (int64_t k = 0; k < size.inner; ++k) {
        const double term = double(*a.view.at(i, k).data) * double(*b.view.at(k, j).data);
        sum += term;
        magnitude += std::abs(term);
      }
      const double bound = 0x1p-24 * magnitude * (2 + std::sqrt(double(size.inner)));
      ASSERT_NEAR(c[static_cast<size_t>(i * c_line + j)], sum, bound) << i << ", " << j;
    }
    for (int64_t j = size.columns; j < c_line; ++j) {
      ASSERT_EQ(c[static_cast<size_t>(i * c_line + j)], 7) << i << ", " << j;
    }
  }
}

TEST(GemmPacked, KernelsEqualSumsForAllSizesAndLayouts) {
  const PackedKernels* kernels = packed_kernels();
  if (kernels == nullptr) GTEST_SKIP() << "this machine has no such kernels";
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const Sizes size = random_sizes(round, random);
    SCOPED_TRACE(testing::Message() << size.rows << 'x' << size.columns << 'x' << size.inner);
    const Matrix a = random_matrix(size.rows, size.inner, random);
    const Matrix b = random_matrix(size.inner, size.columns, random);
    const int64_t c_line = size.columns + static_cast<int64_t>(random() % 3);
    std::vector<float> c(static_cast<size_t>(size.rows * c_line), 7);
    const PackedProduct product = {size.rows, size.columns, size.inner, a.view,
                                   b.view,    c.data(),     c_line};
    const Buffer scratch = Buffer::allocate(kernels->scratch_floats(product) * sizeof(float));
    kernels->multiply(product, reinterpret_cast<float*>(scratch.data()));
    expect_product(size, a, b, c, c_line);
    if (HasFatalFailure()) return;
  }
}

TEST(GemmPacked, SharedPackingEqualsTheTile) {
  const PackedKernels* kernels = packed_kernels();
  if (kernels == nullptr) GTEST_SKIP() << "this machine has no such kernels";
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    const Sizes size = random_sizes(round, random);
    SCOPED_TRACE(testing::Message() << size.rows << 'x' << size.columns << 'x' << size.inner);
    const Matrix a = random_matrix(size.rows, size.inner, random);
    const Matrix b = random_matrix(size.inner, size.columns, random);
    const int64_t c_line = size.columns + static_cast<int64_t>(random() % 3);
    std::vector<float> c(static_cast<size_t>(size.rows * c_line), 7);
    const PackedProduct product = {size.rows, size.columns, size.inner, a.view,
                                   b.view,    c.data(),     c_line};
    const PackedSizes sizes = kernels->shared_sizes(product);
    const Buffer memory = Buffer::allocate(sizes.floats * sizeof(float));
    float* shared = reinterpret_cast<float*>(memory.data());
    for (int64_t piece = 0; piece < sizes.pieces; ++piece) {
      for (int64_t i = 0; i < sizes.blocks; ++i) kernels->pack_shared_a(product, piece, i, shared);
      for (int64_t j = 0; j < sizes.strips; ++j) kernels->pack_shared_b(product, piece, j, shared);
    }
    kernels->multiply_shared(product, {0, sizes.blocks, 0, sizes.strips}, shared);
    expect_product(size, a, b, c, c_line);
    if (HasFatalFailure()) return;
  }
}

TEST(GemmPacked, TilesEqualSums) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    const Sizes size = random_sizes(round, random);
    SCOPED_TRACE(testing::Message() << size.rows << 'x' << size.columns << 'x' << size.inner);
    const Matrix a = random_matrix(size.rows, size.inner, random);
    const Matrix b = random_matrix(size.inner, size.columns, random);
    const int64_t c_line = size.columns + static_cast<int64_t>(random() % 3);
    std::vector<float> c(static_cast<size_t>(size.rows * c_line), 7);
    if (!gemm_packed(size.rows, size.columns, size.inner, a.view, b.view, c.data(), c_line)) {
      continue;
    }
    expect_product(size, a, b, c, c_line);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace mica
