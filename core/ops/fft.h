// Discrete Fourier transforms, with NumPy's names and arguments.
//
//   Array spectrum = fft::rfft(signal);                  // (..., n) -> (..., n / 2 + 1)
//   Array again = fft::irfft(spectrum, n);
//   Array power = square(abs(fft::fft2(images, {}, {1, 2})));
//
// X[k] = sum_n x[n] exp(-2 pi i k n / N); inverse transforms have exp(+...). Results are complex64,
// or complex128 from float64 and complex128; those of irfft and its like float32 or float64. Any
// length is O(N log N); lengths of small prime factors are fastest. `n` (and each of `lengths`)
// cuts the axis or fills it with zeros before the transform. All differentiate any number of times
// and map (vmap) along any axis. Throw Error for axes that are not there or named twice, for
// lengths below 1, and for complex inputs of rfft.
#pragma once

#include <optional>

#include "core/graph/op.h"

namespace mica::fft {

/// Which direction divides: the inverse by N, both by sqrt(N), or the forward one by N.
enum class Norm { kBackward, kOrtho, kForward };
using Length = std::optional<int64_t>;

/// Along one axis, and back.
Array fft(const Array& x, Length n = {}, int axis = -1, Norm norm = Norm::kBackward);
Array ifft(const Array& x, Length n = {}, int axis = -1, Norm norm = Norm::kBackward);
/// Of real numbers: the first n / 2 + 1 values, of which the others are conjugates.
Array rfft(const Array& x, Length n = {}, int axis = -1, Norm norm = Norm::kBackward);
/// The n real numbers (2 (m - 1), where not given, for an axis of length m) whose transform has
/// these first values. The imaginary parts of X[0] and X[n / 2] do not count.
Array irfft(const Array& x, Length n = {}, int axis = -1, Norm norm = Norm::kBackward);

/// Over several axes: `axes`, or the last ones that `lengths` counts, or all. The real transforms
/// go along the last of them.
Array fftn(const Array& x, const Shape& lengths = {}, const Axes& axes = {},
           Norm norm = Norm::kBackward);
Array ifftn(const Array& x, const Shape& lengths = {}, const Axes& axes = {},
            Norm norm = Norm::kBackward);
Array rfftn(const Array& x, const Shape& lengths = {}, const Axes& axes = {},
            Norm norm = Norm::kBackward);
Array irfftn(const Array& x, const Shape& lengths = {}, const Axes& axes = {},
             Norm norm = Norm::kBackward);

/// Over two axes.
Array fft2(const Array& x, const Shape& lengths = {}, const Axes& axes = {-2, -1},
           Norm norm = Norm::kBackward);
Array ifft2(const Array& x, const Shape& lengths = {}, const Axes& axes = {-2, -1},
            Norm norm = Norm::kBackward);
Array rfft2(const Array& x, const Shape& lengths = {}, const Axes& axes = {-2, -1},
            Norm norm = Norm::kBackward);
Array irfft2(const Array& x, const Shape& lengths = {}, const Axes& axes = {-2, -1},
             Norm norm = Norm::kBackward);

/// The frequencies of fft's results for a sample spacing d: 0, 1, ... and the negative ones, over
/// n d.
Array fftfreq(int64_t n, double d = 1.0, Dtype dtype = float32);
/// Those of rfft's results: 0, 1, ... n / 2, over n d.
Array rfftfreq(int64_t n, double d = 1.0, Dtype dtype = float32);
/// Moves frequency 0 to the middle of the axes (none given: all), and back.
Array fftshift(const Array& x, const Axes& axes = {});
Array ifftshift(const Array& x, const Axes& axes = {});

}  // namespace mica::fft

// The ops behind them, for kernels: sums with exp(-...), or exp(+...) where `inverse`, times
// `scale`. Each is symmetric or the transpose of another up to weights, so that they are closed
// under differentiation.
namespace mica {

/// Complex to complex, in the same shape.
class Fft final : public OpWith<Fft> {
 public:
  static constexpr std::string_view kName = "fft";
  int axis;
  bool inverse;
  double scale;
  FIELDS(Fft, axis, inverse, scale)
  Fft(int a, bool i, double s) : axis(a), inverse(i), scale(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// n real numbers to the first n / 2 + 1 values of their transform.
class RealFft final : public OpWith<RealFft> {
 public:
  static constexpr std::string_view kName = "rfft";
  int axis;
  bool inverse;
  double scale;
  FIELDS(RealFft, axis, inverse, scale)
  RealFft(int a, bool i, double s) : axis(a), inverse(i), scale(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// n / 2 + 1 complex numbers, continued by their conjugates, to n real ones.
class HermitianFft final : public OpWith<HermitianFft> {
 public:
  static constexpr std::string_view kName = "irfft";
  int axis;
  int64_t n;
  bool inverse;
  double scale;
  FIELDS(HermitianFft, axis, n, inverse, scale)
  HermitianFft(int a, int64_t length, bool i, double s)
      : axis(a), n(length), inverse(i), scale(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
