#include "core/graph/dtype.h"

#include <algorithm>
#include <array>

namespace mica {
namespace {

struct Info {
  std::string_view name;
  size_t bytes;
};
constexpr std::array<Info, kDtypeCount> kInfo = {{
    {"bool", 1},
    {"uint8", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
    {"int8", 1},
    {"int16", 2},
    {"int32", 4},
    {"int64", 8},
    {"float16", 2},
    {"bfloat16", 2},
    {"float32", 4},
    {"float64", 8},
    {"complex64", 8},
    {"complex128", 16},
}};

// Bool < integers < floats < complex.
int category(Dtype d) {
  if (is_bool(d)) return 0;
  if (is_integer(d)) return 1;
  return is_floating(d) ? 2 : 3;
}

Dtype promote_integers(Dtype a, Dtype b) {
  if (is_unsigned(a) == is_unsigned(b)) return size_of(a) > size_of(b) ? a : b;
  if (is_unsigned(a)) std::swap(a, b);
  // `a` is signed, `b` unsigned: the result must hold all of b, so it needs one size more.
  if (size_of(a) > size_of(b)) return a;
  switch (size_of(b)) {
    case 1: return int16;
    case 2: return int32;
    case 4: return int64;
    default: return float32;
  }
}

}  // namespace

size_t size_of(Dtype dtype) { return kInfo[static_cast<size_t>(dtype)].bytes; }
std::string_view name_of(Dtype dtype) { return kInfo[static_cast<size_t>(dtype)].name; }

std::optional<Dtype> dtype_from_name(std::string_view name) {
  const auto found =
      std::find_if(kInfo.begin(), kInfo.end(), [&](const Info& info) { return info.name == name; });
  if (found == kInfo.end()) return std::nullopt;
  return static_cast<Dtype>(found - kInfo.begin());
}

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (category(a) != category(b)) {
    const Dtype high = category(a) > category(b) ? a : b;
    return is_complex(high) && (a == float64 || b == float64) ? complex128 : high;
  }
  if (is_integer(a)) return promote_integers(a, b);
  // Two different halves meet in float32; otherwise the larger float holds both.
  if (size_of(a) == size_of(b)) return float32;
  return size_of(a) > size_of(b) ? a : b;
}

bool can_cast(Dtype from, Dtype to) {
  if (from == to || is_bool(from)) return true;
  if (is_bool(to) || is_complex(from) > is_complex(to)) return false;
  if (is_complex(to)) return can_cast(is_complex(from) ? part_of(from) : from, part_of(to));
  if (is_floating(from)) {
    const bool halves = size_of(from) == 2 && size_of(to) == 2;
    return is_floating(to) && !halves && size_of(from) <= size_of(to);
  }
  const size_t bits = 8 * size_of(from) - (is_unsigned(from) ? 0 : 1);
  if (is_integer(to)) {
    return (is_unsigned(from) || !is_unsigned(to)) &&
           bits <= 8 * size_of(to) - (is_unsigned(to) ? 0 : 1);
  }
  const size_t digits = to == float64 ? 53 : to == float32 ? 24 : to == float16 ? 11 : 8;
  return bits <= digits;
}

}  // namespace mica
