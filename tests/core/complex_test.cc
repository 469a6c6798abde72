#include "core/ops/complex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/eval.h"
#include "core/io/array_io.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_values;

template <class T>
Array numbers(const std::vector<std::complex<T>>& values) {
  return Array::from(values, {static_cast<int64_t>(values.size())});
}

TEST(Complex, Types) {
  EXPECT_EQ(promote(float32, complex64), complex64);
  EXPECT_EQ(promote(float64, complex64), complex128);
  EXPECT_EQ(promote(complex64, float64), complex128);
  EXPECT_EQ(promote(complex64, complex128), complex128);
  EXPECT_EQ(promote(int64, complex64), complex64);
  EXPECT_EQ(promote(float32, complex128), complex128);
  EXPECT_EQ(size_of(complex128), 16u);
  EXPECT_EQ(dtype_from_name("complex128"), complex128);
  EXPECT_EQ(to_complex(array({1, 2}), 0).dtype(), complex64);
  EXPECT_EQ(to_complex(array<double>({1.0}), 2.5f).dtype(), complex128);
  // A number takes the type of the array it meets.
  EXPECT_EQ((numbers<float>({{1, 2}}) * 2.5).dtype(), complex64);
  EXPECT_EQ((numbers<double>({{1, 2}}) * 0.1).item<complex128_t>(), complex128_t(0.1, 0.2));
}

TEST(Complex, PartsAndBack) {
  const Array z = numbers<float>({{3, 4}, {-1, 0.5f}, {0, 0}});
  expect_values(real(z), {3, -1, 0});
  expect_values(imag(z), {4, 0.5, 0});
  expect_values(imag(conjugate(z)), {-4, -0.5, 0});
  expect_values(abs(z), {5, std::hypot(1, 0.5), 0});
  expect_values(angle(z), {std::atan2(4, 3), std::atan2(0.5, -1), 0});
  expect_values(angle(array({-2.0f, 3.0f})), {M_PI, 0});
  EXPECT_EQ(to_complex(real(z), imag(z)).to_bytes(), z.to_bytes());
  // What is real stays what it is.
  const Array x = array({1, -2});
  EXPECT_TRUE(real(x).is_same(x));
  EXPECT_TRUE(conjugate(x).is_same(x));
  expect_values(imag(x), {0, 0});
  // The magnitude neither overflows nor vanishes on the way.
  expect_values(abs(numbers<float>({{3e30f, 4e30f}})) * 1e-30f, {5});
  expect_values(abs(numbers<float>({{3e-30f, 4e-30f}})) * 1e30f, {5});
  EXPECT_EQ(abs(numbers<double>({{1, 1}})).dtype(), float64);
}

TEST(Complex, MovesAsAnyOtherType) {
  const Array z = to_complex(reshape(arange(6, float64), {2, 3}), 1.5);
  const Array t = transpose(z) * 1;
  expect_values(real(t), {0, 3, 1, 4, 2, 5}, 0);
  expect_values(imag(take(z, array({1, 1}), 1)), {1.5, 1.5, 1.5, 1.5}, 0);
  expect_values(real(where(array({true, false, true}), z, -z)), {0, -1, 2, 3, -4, 5}, 0);
  expect_values(real(concatenate({z, flip(z)}, 0)), {0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0}, 0);
  expect_values(real(pad(z, {0, 1}, {0, 0})), {0, 0, 1, 2, 0, 3, 4, 5}, 0);
  EXPECT_EQ(sum(z).item<complex128_t>(), complex128_t(15, 9));
  EXPECT_EQ(prod(slice_axis(z, 0, 0, 1)).item<complex128_t>(),
            complex128_t(0, 1.5) * complex128_t(1, 1.5) * complex128_t(2, 1.5));
  const Array product = matmul(z, transpose(z));
  expect_values(real(product), {5 - 6.75, 14 - 6.75, 14 - 6.75, 50 - 6.75});
  expect_values(imag(product), {9, 22.5, 22.5, 36});
  EXPECT_EQ(astype(z, complex64).dtype(), complex64);
  EXPECT_EQ(numbers<float>({{1, -2}}).to_string(), "array([1.-2.j], dtype=complex64)");
}

TEST(Complex, RefusesOrderAndLossyCasts) {
  const Array z = numbers<double>({{1, 2}});
  EXPECT_EQ(error_text([&] { astype(z, float32); }),
            "[astype] complex128 has no float32 value: take real() or abs()");
  EXPECT_THAT(error_text([&] { less(z, z); }), ::testing::HasSubstr("no meaning for complex128"));
  EXPECT_THAT(error_text([&] { to_complex(z, 1); }), ::testing::HasSubstr("wanted real numbers"));
}

// Of a real function of z = x + i y: df/dx - i df/dy, as in JAX.
TEST(Complex, GradientsFollowJax) {
  const Array z = numbers<double>({{3, 4}, {0, 0}, {-1, 2}});
  const auto gradient = [&](const UnaryFunction& f) { return grad(f)(z); };
  const Array of_square = gradient([](const Array& x) { return sum(square(abs(x))); });
  expect_values(real(of_square), {6, 0, -2});
  expect_values(imag(of_square), {-8, 0, -4});
  const Array of_abs = gradient([](const Array& x) { return sum(abs(x)); });
  expect_values(real(of_abs), {0.6, 0, -1 / std::sqrt(5)});
  expect_values(imag(of_abs), {-0.8, 0, -2 / std::sqrt(5)});
  const Array of_imag = gradient([](const Array& x) { return sum(imag(x)); });
  expect_values(real(of_imag), {0, 0, 0});
  expect_values(imag(of_imag), {-1, -1, -1});
  // A real argument keeps a real gradient.
  const auto f = [&](const Array& x) { return sum(real(x * z)); };
  const Array of_real = grad(UnaryFunction(f))(array<double>({1.0, 2.0, 3.0}));
  EXPECT_EQ(of_real.dtype(), float64);
  expect_values(of_real, {3, 0, -1});
  // Along a direction, a holomorphic function goes with its derivative.
  const Array t = numbers<double>({{0, 1}, {2, 0}, {1, 1}});
  const auto [y, dy] = jvp(UnaryFunction([](const Array& x) { return exp(x); }), z, t);
  testing::expect_same(abs(dy - y * t), zeros({3}), 1e-14);
}

TEST(Complex, FilesKeepIt) {
  const Array z = to_complex(reshape(arange(6, float64), {2, 3}), 0.25);
  const std::string folder = ::testing::TempDir();
  for (const Dtype dtype : {complex64, complex128}) {
    const Array typed = astype(z, dtype);
    save_npy(folder + "complex.npy", typed);
    save_hdf5(folder + "complex.h5", {{"z", typed}});
    for (const Array& read :
         {load_npy(folder + "complex.npy"), load_hdf5(folder + "complex.h5").at("z")}) {
      EXPECT_EQ(read.dtype(), dtype);
      EXPECT_EQ(read.to_bytes(), typed.to_bytes());
    }
  }
}

}  // namespace
}  // namespace mica
