#include "core/ops/complex.h"

#include <cmath>
#include <numbers>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/mapping.h"
#include "core/ops/view.h"

namespace mica {

Specs ToComplex::infer(std::span<const Spec> in) const {
  MICA_ASSERT(in[0] == in[1] && (in[0].dtype == float32 || in[0].dtype == float64));
  return {{in[0].shape, complex_of(in[0].dtype)}};
}
Arrays ToComplex::vjp(const Arrays&, const Arrays&, const Arrays& g) const {
  return {real(g[0]), -imag(g[0])};
}
Arrays ToComplex::vmap(const Arrays& in, const Mapped& mapped) const {
  return {mica::apply(ToComplex(), all_mapped(in, mapped))};
}

Specs ComplexPart::infer(std::span<const Spec> in) const {
  MICA_ASSERT(is_complex(in[0].dtype));
  return {{in[0].shape, part_of(in[0].dtype)}};
}
// Im z = Re(-i z).
Arrays ComplexPart::vjp(const Arrays&, const Arrays&, const Arrays& g) const {
  const Array none = zeros_like(g[0]);
  return {imaginary ? to_complex(none, -g[0]) : to_complex(g[0], none)};
}
Arrays ComplexPart::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(ComplexPart(imaginary), in)};
}

Specs Magnitude::infer(std::span<const Spec> in) const {
  MICA_ASSERT(is_complex(in[0].dtype));
  return {{in[0].shape, part_of(in[0].dtype)}};
}
// d|z| = Re(conj(z) dz) / |z|, and 0 at 0.
Arrays Magnitude::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const Array scale = g[0] / where(out[0] == 0, INFINITY, out[0]);
  return {to_complex(scale * real(in[0]), -(scale * imag(in[0])))};
}
Arrays Magnitude::vmap(const Arrays& in, const Mapped&) const {
  return {mica::apply(Magnitude(), in)};
}

Array to_complex(const Array& re, const Array& im) {
  if (is_complex(re.dtype()) || is_complex(im.dtype())) {
    fail("[to_complex] parts of dtypes {} and {}; wanted real numbers", re.dtype(), im.dtype());
  }
  const Arrays parts = promoted({re, im});
  const Dtype part = part_of(complex_of(parts[0].dtype()));
  return mica::apply(ToComplex(),
                     broadcast_arrays({astype(parts[0], part), astype(parts[1], part)}));
}

Array real(const Array& x) {
  return is_complex(x.dtype()) ? mica::apply(ComplexPart(false), {x}) : x;
}

Array imag(const Array& x) {
  return is_complex(x.dtype()) ? mica::apply(ComplexPart(true), {x}) : zeros_like(x);
}

Array conjugate(const Array& x) {
  return is_complex(x.dtype()) ? to_complex(real(x), -imag(x)) : x;
}

Array angle(const Array& x) {
  if (is_complex(x.dtype())) return arctan2(imag(x), real(x));
  const Dtype type = is_floating(x.dtype()) ? x.dtype() : float32;
  return where(x < 0, Array::scalar(std::numbers::pi, type), Array::scalar(0, type));
}

}  // namespace mica
