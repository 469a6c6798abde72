#include "core/ops/fft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/eval/eval.h"
#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using fft::Norm;
using testing::error_text;
using testing::expect_values;
using testing::normal_array;

Array complex_normals(const Shape& shape, uint32_t seed) {
  return to_complex(normal_array(shape, seed), normal_array(shape, seed + 1));
}

// max |a - b| by the root mean square of b.
double relative_error(const Array& a, const Array& b) {
  const double scale = sqrt(mean(square(abs(b)))).item<double>();
  return max(abs(a - b)).item<double>() / scale;
}

// The definition, as a product with the matrix of roots.
Array naive(const Array& x, bool inverse) {
  const int64_t n = x.dim(-1);
  std::vector<complex128_t> roots;
  for (int64_t i = 0; i < n * n; ++i) {
    const double angle = 2 * std::numbers::pi * double((i / n) * (i % n) % n) / double(n);
    roots.push_back(std::polar(1.0, inverse ? angle : -angle));
  }
  return sum(expand_dims(x, {-2}) * Array::from(roots, {n, n}), {-1});
}

// The error of a transform grows as the logarithm of its length, with a few roundings a step.
double tolerance(Dtype dtype, int64_t n) {
  const double rounding = dtype == complex128 ? 0x1p-53 : 0x1p-24;
  return rounding * (12 + 8 * std::log2(double(n)));
}

TEST(Fft, EveryLengthEqualsTheDefinition) {
  std::vector<int64_t> lengths;
  for (int64_t n = 1; n <= 130; ++n) lengths.push_back(n);
  for (const int64_t n : {144, 210, 251, 256, 360, 509, 512, 625, 961, 1000}) lengths.push_back(n);
  double worst64 = 0, worst128 = 0;
  for (const int64_t n : lengths) {
    SCOPED_TRACE(n);
    const Array x = complex_normals({3, n}, static_cast<uint32_t>(n));
    const Array wanted = naive(x, false);
    const double in_double = relative_error(fft::fft(x), wanted);
    const double in_float = relative_error(fft::fft(astype(x, complex64)), wanted);
    EXPECT_LT(in_double, tolerance(complex128, n));
    EXPECT_LT(in_float, tolerance(complex64, n));
    worst128 = std::max(worst128, in_double / tolerance(complex128, n));
    worst64 = std::max(worst64, in_float / tolerance(complex64, n));
    EXPECT_LT(relative_error(fft::ifft(x) * double(n), naive(x, true)), tolerance(complex128, n));
    const Array r = real(x);
    const Array half = slice_axis(naive(to_complex(r, 0), false), -1, 0, n / 2 + 1);
    EXPECT_LT(relative_error(fft::rfft(r), half), tolerance(complex128, n));
    EXPECT_LT(relative_error(fft::irfft(half, n), r), tolerance(complex128, n));
    EXPECT_LT(relative_error(fft::irfft(fft::rfft(astype(r, float32)), n), r),
              2 * tolerance(complex64, n));
  }
  printf("[  errors  ] of the tolerance: float64 %.2f, float32 %.2f\n", worst128, worst64);
}

TEST(Fft, LongLengthsComeBack) {
  for (const int64_t n : {1 << 17, 3 * 5 * 7 * 11 * 13, 65537, 100'003}) {
    SCOPED_TRACE(n);
    const Array x = complex_normals({n}, 1);
    EXPECT_LT(relative_error(fft::ifft(fft::fft(x)), x), 2 * tolerance(complex128, n));
    const Array y = astype(x, complex64);
    EXPECT_LT(relative_error(fft::ifft(fft::fft(y)), y), 2 * tolerance(complex64, n));
    const Array r = real(x);
    EXPECT_LT(relative_error(fft::irfft(fft::rfft(r), n), r), 2 * tolerance(complex128, n));
  }
}

TEST(Fft, Norms) {
  const Array x = complex_normals({2, 12}, 3);
  for (const auto& [norm, forward, inverse] :
       {std::tuple(Norm::kBackward, 1.0, 1 / 12.0),
        {Norm::kOrtho, std::sqrt(1 / 12.0), std::sqrt(1 / 12.0)},
        {Norm::kForward, 1 / 12.0, 1.0}}) {
    EXPECT_LT(relative_error(fft::fft(x, {}, -1, norm), naive(x, false) * forward), 1e-14);
    EXPECT_LT(relative_error(fft::ifft(x, {}, -1, norm), naive(x, true) * inverse), 1e-14);
    EXPECT_LT(relative_error(fft::ifftn(fft::fftn(x, {}, {}, norm), {}, {}, norm), x), 1e-14);
    const Array r = real(x);
    EXPECT_LT(relative_error(fft::irfftn(fft::rfftn(r, {}, {}, norm), {}, {}, norm), r), 1e-14);
  }
}

TEST(Fft, LengthCutsOrFills) {
  const Array x = complex_normals({3, 10}, 4);
  const Array cut = slice_axis(x, 1, 0, 7), filled = pad(x, {0, 0}, {0, 5});
  EXPECT_EQ(fft::fft(x, 7).to_bytes(), fft::fft(cut).to_bytes());
  EXPECT_EQ(fft::fft(x, 15).to_bytes(), fft::fft(filled).to_bytes());
  EXPECT_EQ(fft::rfft(real(x), 7).shape(), Shape({3, 4}));
  EXPECT_EQ(fft::irfft(x).shape(), Shape({3, 18}));
  EXPECT_EQ(fft::irfft(x, 5).to_bytes(), fft::irfft(slice_axis(x, 1, 0, 3), 5).to_bytes());
  EXPECT_EQ(fft::fft2(x, {5, 4}).shape(), Shape({5, 4}));
  EXPECT_EQ(fft::rfftn(real(x), {2, 6}).shape(), Shape({2, 4}));
}

TEST(Fft, SeveralAxes) {
  const Array x = complex_normals({4, 3, 5}, 5);
  const Array by_hand = fft::fft(fft::fft(x, {}, 0), {}, 2);
  EXPECT_LT(relative_error(fft::fft2(x, {}, {0, 2}), by_hand), 1e-14);
  EXPECT_LT(relative_error(fft::fftn(x), fft::fft(by_hand, {}, 1)), 1e-14);
  EXPECT_LT(relative_error(fft::ifft2(fft::fft2(x)), x), 1e-14);
  const Array r = real(x);
  EXPECT_EQ(fft::rfft2(r).shape(), Shape({4, 3, 3}));
  EXPECT_LT(relative_error(fft::irfft2(fft::rfft2(r), {3, 5}), r), 1e-14);
  EXPECT_EQ(fft::rfft2(r, {}, {2, 0}).shape(), Shape({3, 3, 5}));
  EXPECT_LT(relative_error(fft::irfftn(fft::rfftn(r), {4, 3, 5}), r), 1e-14);
}

TEST(Fft, StridedInputsAndTypes) {
  const Array x = complex_normals({6, 4}, 6);
  EXPECT_EQ(fft::fft(transpose(x)).to_bytes(), fft::fft(transpose(x) * 1).to_bytes());
  EXPECT_EQ(fft::fft(flip(x)).to_bytes(), fft::fft(flip(x) * 1).to_bytes());
  EXPECT_EQ(fft::fft(arange(4)).dtype(), complex64);
  EXPECT_EQ(fft::fft(zeros({4}, float16)).dtype(), complex64);
  EXPECT_EQ(fft::rfft(zeros({4}, float64)).dtype(), complex128);
  EXPECT_EQ(fft::irfft(zeros({4}, complex64)).dtype(), float32);
  EXPECT_EQ(fft::fft(zeros({0, 4})).shape(), Shape({0, 4}));
}

TEST(Fft, SameBitsForAnyNumberOfThreads) {
  const auto run = [](int count) {
    set_threads(count);
    const Array x = astype(complex_normals({200, 360}, 7), complex64);
    return std::pair(fft::fft2(x).to_bytes(), fft::rfft(real(x)).to_bytes());
  };
  const auto one = run(1);
  EXPECT_EQ(one, run(2));
  set_threads(0);
}

TEST(Fft, OneLineDoesNotSpoilItsNeighbours) {
  Array x = complex_normals({4, 30}, 8);
  const Array broken = where(expand_dims(arange(4) == 2, {1}), NAN, x);
  const Array got = fft::fft(broken);
  for (const int64_t row : {0, 1, 3}) {
    EXPECT_EQ(slice_axis(got, 0, row, row + 1).to_bytes(),
              slice_axis(fft::fft(x), 0, row, row + 1).to_bytes());
  }
}

TEST(Fft, MapsOverAnyAxis) {
  const Array x = complex_normals({3, 4, 6}, 9);
  for (const int axis : {0, 1}) {
    const auto f = [&](const Array& z) { return fft::fft(z, {}, axis); };
    for (const int mapped : {0, 1, 2}) {
      Arrays wanted;
      for (const Array& part : unstack(x, mapped)) wanted.push_back(f(part));
      EXPECT_LT(relative_error(vmap(f, mapped)(x), stack(wanted)), 1e-14);
    }
  }
  const auto on_axes = [](const Array& z) { return fft::irfft2(fft::rfft2(real(z), {}, {1, 0})); };
  Arrays wanted;
  for (const Array& part : unstack(x, 1)) wanted.push_back(on_axes(part));
  EXPECT_LT(relative_error(vmap(on_axes, 1)(x), stack(wanted)), 1e-14);
}

TEST(Fft, GradientsThroughSpectra) {
  const Array x = normal_array({2, 9}, 10);
  // Parseval: the gradient of the spectrum's energy by the signal is 2 N x.
  const auto energy = [](const Array& s) { return sum(square(abs(fft::fft(s)))); };
  testing::expect_same(grad(UnaryFunction(energy))(x), 18 * x, 1e-12);
  testing::check_derivatives(
      [](const Arrays& in) {
        return abs(fft::fft2(in[0], {4, 6}, {}, Norm::kOrtho));
      },
      {x});
  // A convolution by the spectrum, in both arguments.
  testing::check_derivatives(
      [](const Arrays& in) { return fft::irfft(fft::rfft(in[0], 16) * fft::rfft(in[1], 16), 16); },
      {x, normal_array({5}, 11)});
  testing::check_derivatives([](const Arrays& in) { return fft::irfftn(fft::rfftn(in[0])); },
                             {normal_array({3, 4}, 12)});
}

TEST(Fft, Frequencies) {
  expect_values(fft::fftfreq(6, 0.5), {0, 1 / 3.0, 2 / 3.0, -1, -2 / 3.0, -1 / 3.0});
  expect_values(fft::fftfreq(5), {0, 0.2, 0.4, -0.4, -0.2});
  expect_values(fft::rfftfreq(6, 0.5), {0, 1 / 3.0, 2 / 3.0, 1});
  expect_values(fft::rfftfreq(5), {0, 0.2, 0.4});
  EXPECT_EQ(fft::fftfreq(4, 1, float64).dtype(), float64);
  expect_values(fft::fftshift(arange(5)), {3, 4, 0, 1, 2});
  expect_values(fft::ifftshift(arange(5)), {2, 3, 4, 0, 1});
  const Array x = reshape(arange(12), {3, 4});
  expect_values(fft::ifftshift(fft::fftshift(x)), x.to_vector<double>());
  expect_values(fft::fftshift(x, {1}), {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9});
}

TEST(Fft, NamesWhatDoesNotFit) {
  const Array x = zeros({3, 4});
  EXPECT_EQ(error_text([&] { fft::fft(x, 0); }), "[fft.fft] axis 1 has length 0; wanted 1 or more");
  EXPECT_EQ(error_text([&] {
              fft::rfft(zeros({2, 0}));
            }),
            "[fft.rfft] axis 1 has length 0; wanted 1 or more");
  EXPECT_EQ(error_text([&] {
              fft::irfft(zeros({2, 1}));
            }),
            "[fft.irfft] axis 1 has length 0; wanted 1 or more");
  EXPECT_EQ(error_text([&] { fft::rfft(zeros({3}, complex64)); }),
            "[fft.rfft] got complex64; wanted real numbers");
  EXPECT_EQ(error_text([&] { fft::fftn(x, {}, {0, -2}); }), "[fft.fftn] axis 0 is named twice");
  EXPECT_EQ(error_text([&] { fft::fftn(x, {3}, {0, 1}); }), "[fft.fftn] 1 lengths for 2 axes");
  EXPECT_EQ(error_text([&] {
              fft::fftn(x, {1, 2, 3});
            }),
            "[fft.fftn] 3 lengths for an array of shape (3, 4)");
  EXPECT_THAT(error_text([&] { fft::fft(x, {}, 2); }), ::testing::HasSubstr("fft"));
  EXPECT_EQ(error_text([&] { fft::fftn(1.0f); }), "[fft.fftn] a scalar has no axis to transform");
}

}  // namespace
}  // namespace mica
