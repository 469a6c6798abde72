#include "core/ops/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_values;
using testing::normal_array;

// a (..., M, K) times b (..., K, N) in double, both with the same leading axes.
std::vector<double> naive(const Array& a, const Array& b) {
  const int64_t m = a.dim(-2), k = a.dim(-1), n = b.dim(-1);
  const int64_t count = m * k == 0 ? 1 : a.size() / (m * k);
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  std::vector<double> out(static_cast<size_t>(count * m * n));
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t r = 0; r < m; ++r) {
      for (int64_t c = 0; c < n; ++c) {
        double total = 0;
        for (int64_t j = 0; j < k; ++j) total += x[(i * m + r) * k + j] * y[(i * k + j) * n + c];
        out[(i * m + r) * n + c] = total;
      }
    }
  }
  return out;
}

struct Size {
  int64_t rows, columns, inner;
  friend void PrintTo(const Size& size, std::ostream* out) {
    *out << size.rows << 'x' << size.columns << 'x' << size.inner;
  }
};

class MatMulSizes : public ::testing::TestWithParam<Size> {};

TEST_P(MatMulSizes, EqualsNaiveForAllLayouts) {
  const auto [m, n, k] = GetParam();
  for (const Dtype dtype : {float32, float64}) {
    const double tolerance = (dtype == float32 ? 4e-6 : 1e-14) * (1 + std::sqrt(double(k)));
    const Array a = normal_array({m, k}, 1, dtype), b = normal_array({k, n}, 2, dtype);
    const std::vector<double> want = naive(a, b);
    // The same matrices stored by columns.
    const Array at = astype(Array::from(transpose(a).to_vector<double>(), {k, m}), dtype);
    const Array bt = astype(Array::from(transpose(b).to_vector<double>(), {n, k}), dtype);
    expect_values(matmul(a, b), want, tolerance);
    expect_values(matmul(transpose(at), b), want, tolerance);
    expect_values(matmul(a, transpose(bt)), want, tolerance);
    expect_values(matmul(transpose(at), transpose(bt)), want, tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , MatMulSizes,
    ::testing::Values(Size{1, 1, 1}, Size{1, 1, 37}, Size{1, 9, 5}, Size{9, 1, 5}, Size{3, 4, 1},
                      Size{7, 5, 3}, Size{33, 17, 65}, Size{64, 64, 64}, Size{130, 67, 90},
                      Size{300, 10, 31}, Size{5, 3, 4097}, Size{10, 20, 30000}, Size{1, 700, 900},
                      Size{900, 1, 700}, Size{15, 1, 100}, Size{200, 210, 190}, Size{32, 256, 1024},
                      Size{45, 300, 170}, Size{64, 1001, 33}, Size{2, 4000, 500}));

TEST(MatMul, VectorsDropTheirAxis) {
  const Array v = array({1.0f, 2.0f, 3.0f});
  const Array m = array({{1.0f, 0.0f}, {0.0f, 1.0f}, {2.0f, 2.0f}});
  EXPECT_EQ(matmul(v, v).shape(), Shape());
  EXPECT_EQ(matmul(v, v).item<float>(), 14);
  EXPECT_EQ(matmul(v, m).shape(), Shape({2}));
  EXPECT_EQ(matmul(v, m).to_vector<float>(), std::vector<float>({7, 8}));
  EXPECT_EQ(matmul(transpose(m), v).to_vector<float>(), std::vector<float>({7, 8}));
  EXPECT_EQ(matmul(zeros({4, 5, 3}), v).shape(), Shape({4, 5}));
  EXPECT_EQ(matmul(v, zeros({4, 3, 5})).shape(), Shape({4, 5}));
}

TEST(MatMul, LeadingAxesBroadcast) {
  const struct {
    Shape a, b, out;
  } cases[] = {{{4, 2, 3}, {4, 3, 5}, {4, 2, 5}},    {{2, 1, 2, 3}, {4, 3, 5}, {2, 4, 2, 5}},
               {{1, 2, 3}, {6, 3, 5}, {6, 2, 5}},    {{2, 3}, {6, 3, 5}, {6, 2, 5}},
               {{6, 7, 2, 3}, {3, 5}, {6, 7, 2, 5}}, {{40, 8, 8}, {40, 8, 8}, {40, 8, 8}}};
  for (const auto& c : cases) {
    const Array a = normal_array(c.a, 3, float32), b = normal_array(c.b, 4, float32);
    const Array product = matmul(a, b);
    EXPECT_EQ(product.shape(), c.out);
    Shape wide_a(c.out.begin(), c.out.end() - 2), wide_b = wide_a;
    wide_a.append(c.a.end() - 2, c.a.end());
    wide_b.append(c.b.end() - 2, c.b.end());
    expect_values(product, naive(broadcast_to(a, wide_a), broadcast_to(b, wide_b)), 1e-5);
  }
}

TEST(MatMul, ReadsSlicesAndSwappedAxes) {
  const Array a = normal_array({6, 9, 8}, 5, float64), b = normal_array({9, 8, 6}, 6, float64);
  const Array x = slice(a, {1, 2, 3}, {5, 9, 8}, {2, 1, 1});         // (2, 7, 5)
  const Array y = swapaxes(slice(b, {0, 0, 1}, {2, 8, 6}), -1, -2);  // (2, 5, 8)
  expect_values(matmul(x, y), naive(x, y), 1e-12);
  const Array z = slice(a, {0, 0, 0}, {6, 9, 8}, {1, 2, 3});  // no axis has stride 1
  expect_values(matmul(swapaxes(z, -1, -2), z), naive(swapaxes(z, -1, -2), z), 1e-12);
  const Array ones = broadcast_to(Array::scalar(1, float64), {6, 4, 9});
  expect_values(matmul(ones, a), naive(ones, a), 1e-12);
}

TEST(MatMul, EmptyOperands) {
  EXPECT_EQ(matmul(zeros({0, 3}), zeros({3, 4})).to_vector<float>().size(), 0u);
  EXPECT_EQ(matmul(zeros({2, 0}), zeros({0, 3})).to_vector<float>(), std::vector<float>(6, 0.0f));
  EXPECT_EQ(matmul(zeros({0, 2, 3}), zeros({3, 4})).shape(), Shape({0, 2, 4}));
  EXPECT_EQ(matmul(zeros({0}), zeros({0})).item<float>(), 0);
}

TEST(MatMul, OtherTypes) {
  const std::vector<double> values = {1, 2, 3, 4, 5, 6};
  const Array a = Array::from(values, {2, 3}), b = Array::from(values, {3, 2});
  for (const Dtype dtype : {int8, int16, int32, int64, uint8, uint32, uint64, float16, bfloat16}) {
    const Array product = matmul(astype(a, dtype), astype(b, dtype));
    EXPECT_EQ(product.dtype(), dtype);
    EXPECT_EQ(product.to_vector<double>(), std::vector<double>({22, 28, 49, 64})) << name_of(dtype);
  }
  EXPECT_EQ(matmul(astype(a, int32), astype(b, float32)).dtype(), float32);
  // int8 wraps around: 100 * 3 = 300 = 44 modulo 256.
  EXPECT_EQ(matmul(astype(array({{100}}), int8), astype(array({{3}}), int8)).item<int>(), 44);
}

TEST(MatMul, HalfTypesSumInFloat32) {
  // 4096 ones and one 0.5 would stop at 2048 in float16 and at 256 in bfloat16.
  for (const Dtype dtype : {float16, bfloat16}) {
    const Array a = ones({1, 4096}, dtype), b = ones({4096, 3}, dtype);
    EXPECT_EQ(matmul(a, b).to_vector<float>(), std::vector<float>(3, 4096.0f));
  }
}

TEST(MatMul, Complex) {
  using complex = std::complex<float>;
  const Array a = Array::from(std::vector<complex>{{1, 2}, {0, 1}}, {1, 2});
  const Array b = Array::from(std::vector<complex>{{3, 0}, {2, -1}}, {2, 1});
  const std::vector<std::byte> bytes = matmul(a, b).to_bytes();
  ASSERT_EQ(bytes.size(), sizeof(complex));
  EXPECT_EQ(*reinterpret_cast<const complex*>(bytes.data()), complex(4, 8));
}

TEST(MatMul, Gradients) {
  const struct {
    Shape a, b;
  } cases[] = {{{3, 4}, {4, 2}},
               {{4}, {4}},
               {{4}, {4, 2}},
               {{3, 4}, {4}},
               {{2, 3, 4}, {4, 2}},
               {{3, 4}, {2, 4, 2}},
               {{2, 1, 3, 2}, {3, 2, 2}}};
  for (const auto& c : cases) {
    const auto f = [](const Arrays& in) { return sum(square(matmul(in[0], in[1]))); };
    const Arrays at = {normal_array(c.a, 7, float64), normal_array(c.b, 8, float64)};
    check_derivatives(f, at);
  }
}

TEST(MatMul, SameBitsWithAnyNumberOfThreads) {
  for (const Size size : {Size{300, 200, 100}, Size{20, 30, 20000}, Size{600, 1, 900},
                          Size{40, 500, 600}, Size{1000, 1010, 1030}, Size{150, 300, 512}}) {
    const Array a = normal_array({size.rows, size.inner}, 9, float32);
    const Array b = normal_array({size.inner, size.columns}, 10, float32);
    set_threads(1);
    const std::vector<std::byte> one = matmul(a, b).to_bytes();
    set_threads(2);
    const std::vector<std::byte> two = matmul(a, b).to_bytes();
    set_threads(0);
    EXPECT_EQ(one, two);
  }
}

TEST(MatMul, ErrorsNameTheShapes) {
  const auto message = [](const Array& a, const Array& b) {
    return error_text([&] { matmul(a, b); });
  };
  EXPECT_EQ(message(zeros({3, 4}), zeros({5, 6})),
            "[matmul] shapes (3, 4) and (5, 6): inner dimensions 4 and 5 differ");
  EXPECT_EQ(message(zeros({3}), zeros({4})),
            "[matmul] shapes (3,) and (4,): inner dimensions 3 and 4 differ");
  EXPECT_EQ(message(zeros({2, 3, 4}), zeros({5, 4, 3})),
            "[matmul] shapes (2,) and (5,) do not broadcast: axis 0 has 2 and 5");
  EXPECT_EQ(message(zeros({3, 4}), Array(2.0f)),
            "[matmul] shapes (3, 4) and (): a scalar is no matrix; use *");
  EXPECT_EQ(message(zeros({2, 2}, bool_), zeros({2, 2}, bool_)),
            "[matmul] got two bool arrays; wanted numbers (astype one of them)");
}

// bfloat16 keeps 8 bits, and products are summed in float32: half a unit in the last place of the
// result, and a float32 sum's error in the products' magnitude.
TEST(MatMul, Bfloat16IsRoundedOnce) {
  struct Case {
    Shape a, b;
    bool a_transposed, b_transposed;
  };
  const Case cases[] = {{{128, 300}, {300, 96}, false, false},
                        {{130, 300}, {75, 300}, false, true},
                        {{300, 260}, {300, 150}, true, false},
                        {{200, 140}, {333, 200}, true, true},
                        {{2, 3, 64, 200}, {3, 200, 80}, false, false},
                        {{300, 5000}, {5000, 20}, false, false},
                        {{7, 9}, {9, 5}, false, false}};
  for (const Case& c : cases) {
    SCOPED_TRACE(to_string(c.a) + to_string(c.b));
    Array a = normal_array(c.a, 1, bfloat16), b = normal_array(c.b, 2, bfloat16);
    if (c.a_transposed) a = swapaxes(a, -1, -2);
    if (c.b_transposed) b = swapaxes(b, -1, -2);
    const Array wide_a = astype(a, float64), wide_b = astype(b, float64);
    const auto want = matmul(wide_a, wide_b).to_vector<double>();
    const auto size = matmul(abs(wide_a), abs(wide_b)).to_vector<double>();
    const auto got = astype(matmul(a, b), float64).to_vector<double>();
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      ASSERT_LE(std::abs(got[i] - want[i]), 0x1p-8 * std::abs(want[i]) + 1e-6 * size[i]) << i;
    }
  }
}

}  // namespace
}  // namespace mica
