// Conversions between all types, as kernels of fused programs.
#include <array>
#include <cmath>
#include <limits>

#include "core/ops/elementwise_kernels.h"

namespace mica {
namespace {

// Floats beyond an integer type's range give its nearest end, NaN gives 0: C++ leaves both open.
template <class To, class From>
To float_to_integer(From value) {
  if (value != value) return 0;
  constexpr From kLow = static_cast<From>(std::numeric_limits<To>::min());
  constexpr From kHigh = static_cast<From>(std::numeric_limits<To>::max());
  if (value <= kLow) return std::numeric_limits<To>::min();
  if (value >= kHigh) return std::numeric_limits<To>::max();
  return static_cast<To>(value);
}

template <class T>
constexpr bool kIsHalf = std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>;

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (kIsHalf<From>)
    return convert<To>(static_cast<float>(value));
  else if constexpr (is_complex(dtype_of<From>) && is_complex(dtype_of<To>))
    return static_cast<To>(value);
  else if constexpr (is_complex(dtype_of<From>))
    return convert<To>(value.real());
  else if constexpr (is_complex(dtype_of<To>))
    return {convert<typename To::value_type>(value), 0};
  else if constexpr (std::is_same_v<To, bool>)
    return value != From(0);
  else if constexpr (kIsHalf<To>)
    return To(static_cast<float>(value));
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>)
    return float_to_integer<To>(value);
  else
    return static_cast<To>(value);
}

template <class To, class From>
void run_cast(const void* px, const void*, void* pout, size_t count) {
  const From* x = static_cast<const From*>(px);
  To* out = static_cast<To*>(pout);
  for (size_t i = 0; i < count; ++i) out[i] = convert<To>(x[i]);
}

}  // namespace

ElementwiseKernel cast_kernel(Dtype from, Dtype to) {
  if (const ElementwiseKernel kernel = half_cast_kernel(from, to)) return kernel;
  return dispatch(from, [&]<class From>(TypeTag<From>) -> ElementwiseKernel {
    return dispatch(to,
                    []<class To>(TypeTag<To>) -> ElementwiseKernel { return &run_cast<To, From>; });
  });
}

}  // namespace mica
