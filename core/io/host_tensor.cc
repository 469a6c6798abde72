#include "core/io/host_tensor.h"

#include <cmath>
#include <limits>
#include <type_traits>

namespace mica {
namespace {

template <class To, class From>
To cast(const From& value) {
  if constexpr (is_complex(dtype_of<From>)) {
    if constexpr (is_complex(dtype_of<To>))
      return static_cast<To>(value);
    else
      return cast<To>(value.real());
  } else if constexpr (std::is_same_v<From, float16_t> || std::is_same_v<From, bfloat16_t>) {
    return cast<To>(static_cast<float>(value));
  } else if constexpr (is_complex(dtype_of<To>)) {
    return {static_cast<typename To::value_type>(value), 0};
  } else if constexpr (std::is_same_v<To, float16_t> || std::is_same_v<To, bfloat16_t>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> &&
                       !std::is_same_v<To, bool>) {
    // C++ leaves open what becomes of NaN and of numbers out of range, as damaged files hold them.
    using Limits = std::numeric_limits<To>;
    if (std::isnan(value)) return 0;
    if (value <= static_cast<From>(Limits::lowest())) return Limits::lowest();
    if (value >= static_cast<From>(Limits::max())) return Limits::max();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace

HostTensor convert(const HostTensor& tensor, Dtype dtype) {
  if (dtype == tensor.dtype) return tensor;
  HostTensor result(dtype, tensor.shape);
  dispatch(tensor.dtype, [&]<class From>(TypeTag<From>) {
    dispatch(dtype, [&]<class To>(TypeTag<To>) {
      const std::span<const From> from = tensor.as<From>();
      const std::span<To> to = result.as<To>();
      for (size_t i = 0; i < from.size(); ++i) to[i] = cast<To>(from[i]);
    });
  });
  return result;
}

HostTensor reshape(HostTensor tensor, const Shape& shape) {
  MICA_ASSERT(size_of(shape) == tensor.size());
  tensor.shape = shape;
  return tensor;
}

}  // namespace mica
