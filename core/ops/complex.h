// Complex numbers and their parts.
//
//   Array z = to_complex(x, y);        // x + i y: complex64, or complex128 from float64
//   Array r = real(z), m = abs(z);     // float32, or float64 from complex128
//   Array w = z * conjugate(z);
//
// Arithmetic, powers, roots, exponential, logarithm and trigonometric functions of elementwise.h,
// sums, products of matrices and everything that only moves elements take complex numbers as well;
// comparisons of size refuse them. float64 meets complex64 in complex128.
//
// Gradients follow JAX: the vjp is the transpose of the derivative without a conjugate, so that
// the cotangent g of z stands for the change Re(g dz). The gradient of a real function f of
// z = x + i y is df/dx - i df/dy, whose conjugate is the direction of steepest ascent.
#pragma once

#include "core/graph/op.h"

namespace mica {

/// re + i im, which broadcast to each other. Floating or integer parts.
Array to_complex(const Array& re, const Array& im);
/// The real part, and x itself where it is not complex.
Array real(const Array& x);
/// The imaginary part, and zeros where x is not complex.
Array imag(const Array& x);
/// re - i im, and x itself where it is not complex.
Array conjugate(const Array& x);
/// The angle in (-pi, pi]. Of real numbers: 0, or pi below zero. Gradient 0 at 0.
Array angle(const Array& x);

/// The ops behind them, for kernels. Two parts of one floating type (float32 or float64) to the
/// complex type, and back.
class ToComplex final : public OpWith<ToComplex> {
 public:
  static constexpr std::string_view kName = "to_complex";
  NO_FIELDS(ToComplex)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class ComplexPart final : public OpWith<ComplexPart> {
 public:
  static constexpr std::string_view kName = "complex_part";
  bool imaginary = false;
  FIELDS(ComplexPart, imaginary)
  explicit ComplexPart(bool i) : imaginary(i) {}
  std::string_view name() const override { return imaginary ? "imag" : "real"; }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// |x|, without overflow on the way.
class Magnitude final : public OpWith<Magnitude> {
 public:
  static constexpr std::string_view kName = "abs";
  NO_FIELDS(Magnitude)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
