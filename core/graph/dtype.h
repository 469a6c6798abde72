// The element types of arrays, their sizes, names and promotion.
//
//   size_of(float32)                      // 4
//   promote(int32, float16)               // float16
//   dispatch(dtype, [&]<class T>(TypeTag<T>) { ... });
#pragma once

#include <fmt/format.h>

#include <complex>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/graph/half.h"

namespace mica {

using complex64_t = std::complex<float>;
using complex128_t = std::complex<double>;

enum class Dtype : uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
  kComplex64,
  kComplex128,
};
inline constexpr int kDtypeCount = 15;

inline constexpr Dtype bool_ = Dtype::kBool;
inline constexpr Dtype uint8 = Dtype::kUint8;
inline constexpr Dtype uint16 = Dtype::kUint16;
inline constexpr Dtype uint32 = Dtype::kUint32;
inline constexpr Dtype uint64 = Dtype::kUint64;
inline constexpr Dtype int8 = Dtype::kInt8;
inline constexpr Dtype int16 = Dtype::kInt16;
inline constexpr Dtype int32 = Dtype::kInt32;
inline constexpr Dtype int64 = Dtype::kInt64;
inline constexpr Dtype float16 = Dtype::kFloat16;
inline constexpr Dtype bfloat16 = Dtype::kBfloat16;
inline constexpr Dtype float32 = Dtype::kFloat32;
inline constexpr Dtype float64 = Dtype::kFloat64;
inline constexpr Dtype complex64 = Dtype::kComplex64;
inline constexpr Dtype complex128 = Dtype::kComplex128;

/// Bytes per element.
size_t size_of(Dtype dtype);
/// "float32", "bool", ...
std::string_view name_of(Dtype dtype);
/// The inverse of name_of; nothing for an unknown name.
std::optional<Dtype> dtype_from_name(std::string_view name);

constexpr bool is_bool(Dtype d) { return d == Dtype::kBool; }
constexpr bool is_integer(Dtype d) { return d >= Dtype::kUint8 && d <= Dtype::kInt64; }
constexpr bool is_unsigned(Dtype d) { return d >= Dtype::kUint8 && d <= Dtype::kUint64; }
constexpr bool is_floating(Dtype d) { return d >= Dtype::kFloat16 && d <= Dtype::kFloat64; }
constexpr bool is_complex(Dtype d) { return d >= Dtype::kComplex64; }
/// Floating or complex: the types that have gradients.
constexpr bool is_inexact(Dtype d) { return d >= Dtype::kFloat16; }

/// The type that holds values of both, as NumPy promotes, except that an integer meeting a
/// floating type takes the floating type as it is (int64 with float16 is float16, as in JAX).
/// float64 with complex64 is complex128.
Dtype promote(Dtype a, Dtype b);
/// Whether every value of `from` is one of `to` (NumPy's can_cast with "safe"; there, int64 may
/// become float64, which is not so).
bool can_cast(Dtype from, Dtype to);

/// The type of a complex number's parts: float64 for complex128, else float32.
constexpr Dtype part_of(Dtype d) {
  return d == Dtype::kComplex128 ? Dtype::kFloat64 : Dtype::kFloat32;
}
/// The complex type whose parts hold values of type `d`: complex128 for float64 and itself.
constexpr Dtype complex_of(Dtype d) {
  const bool wide = d == Dtype::kFloat64 || d == Dtype::kComplex128;
  return wide ? Dtype::kComplex128 : Dtype::kComplex64;
}

template <class T>
struct TypeTag {
  using type = T;
};

template <class T>
struct DtypeOf;
#define MICA_DTYPE(Type, value)            \
  template <>                              \
  struct DtypeOf<Type> {                   \
    static constexpr Dtype kValue = value; \
  }
MICA_DTYPE(bool, Dtype::kBool);
MICA_DTYPE(uint8_t, Dtype::kUint8);
MICA_DTYPE(uint16_t, Dtype::kUint16);
MICA_DTYPE(uint32_t, Dtype::kUint32);
MICA_DTYPE(uint64_t, Dtype::kUint64);
MICA_DTYPE(int8_t, Dtype::kInt8);
MICA_DTYPE(int16_t, Dtype::kInt16);
MICA_DTYPE(int32_t, Dtype::kInt32);
MICA_DTYPE(int64_t, Dtype::kInt64);
MICA_DTYPE(float16_t, Dtype::kFloat16);
MICA_DTYPE(bfloat16_t, Dtype::kBfloat16);
MICA_DTYPE(float, Dtype::kFloat32);
MICA_DTYPE(double, Dtype::kFloat64);
MICA_DTYPE(complex64_t, Dtype::kComplex64);
MICA_DTYPE(complex128_t, Dtype::kComplex128);
#undef MICA_DTYPE

template <class T>
inline constexpr Dtype dtype_of = DtypeOf<T>::kValue;

/// Calls visit(TypeTag<T>) with the C++ type of `dtype`.
template <class Visit>
decltype(auto) dispatch(Dtype dtype, Visit&& visit) {
  switch (dtype) {
    case Dtype::kBool: return visit(TypeTag<bool>());
    case Dtype::kUint8: return visit(TypeTag<uint8_t>());
    case Dtype::kUint16: return visit(TypeTag<uint16_t>());
    case Dtype::kUint32: return visit(TypeTag<uint32_t>());
    case Dtype::kUint64: return visit(TypeTag<uint64_t>());
    case Dtype::kInt8: return visit(TypeTag<int8_t>());
    case Dtype::kInt16: return visit(TypeTag<int16_t>());
    case Dtype::kInt32: return visit(TypeTag<int32_t>());
    case Dtype::kInt64: return visit(TypeTag<int64_t>());
    case Dtype::kFloat16: return visit(TypeTag<float16_t>());
    case Dtype::kBfloat16: return visit(TypeTag<bfloat16_t>());
    case Dtype::kFloat32: return visit(TypeTag<float>());
    case Dtype::kFloat64: return visit(TypeTag<double>());
    case Dtype::kComplex64: return visit(TypeTag<complex64_t>());
    case Dtype::kComplex128: return visit(TypeTag<complex128_t>());
  }
  assertion_failed("a known dtype", __FILE__, __LINE__);
}

}  // namespace mica

template <>
struct fmt::formatter<mica::Dtype> : fmt::formatter<std::string_view> {
  auto format(mica::Dtype dtype, format_context& context) const {
    return fmt::formatter<std::string_view>::format(mica::name_of(dtype), context);
  }
};
