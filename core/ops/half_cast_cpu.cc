// Conversions between float32 and its halves, with the bits of core/graph/half.h. The loops without
// branches become vector code in each instruction set.
#include <bit>
#include <cstdint>

#include "core/graph/half.h"
#include "core/ops/elementwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/half_cast_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// float16_t::from_float on vectors.
void run_to_float16(const void* px, const void*, void* pout, size_t count) {
  const hn::ScalableTag<uint32_t> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToFloat<decltype(d)> df;
  const hn::Rebind<uint16_t, decltype(d)> dh;
  const uint32_t* x = static_cast<const uint32_t*>(px);
  uint16_t* out = static_cast<uint16_t*>(pout);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto raw = hn::LoadU(d, x + i);
    const auto sign = hn::And(hn::ShiftRight<16>(raw), hn::Set(d, 0x8000u));
    const auto magnitude = hn::And(raw, hn::Set(d, 0x7fffffffu));
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d, 1u));
    const auto bias = hn::Set(d, 0xc8000fffu);
    const auto normal = hn::ShiftRight<13>(hn::Add(hn::Add(magnitude, bias), odd));
    const auto shifted = hn::Add(hn::BitCast(df, magnitude), hn::Set(df, 0.5f));
    const auto subnormal = hn::Sub(hn::BitCast(d, shifted), hn::Set(d, 0x3f000000u));
    const auto m = hn::BitCast(di, magnitude);
    auto half = hn::IfThenElse(hn::Lt(m, hn::Set(di, 0x38800000)), hn::BitCast(di, subnormal),
                               hn::BitCast(di, normal));
    half = hn::IfThenElse(hn::Lt(m, hn::Set(di, 0x477ff000)), half, hn::Set(di, 0x7c00));
    half = hn::IfThenElse(hn::Gt(m, hn::Set(di, 0x7f800000)), hn::Set(di, 0x7e00), half);
    hn::StoreU(hn::DemoteTo(dh, hn::Or(half, hn::BitCast(di, sign))), dh, out + i);
  }
  for (; i < count; ++i) out[i] = float16_t::from_float(std::bit_cast<float>(x[i]));
}

HWY_INLINE uint32_t from_float16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  const uint32_t beyond = 0x7f800000u | ((magnitude & 0x3ffu) << 13);
  return sign | (magnitude >= 0x7c00u ? beyond : std::bit_cast<uint32_t>(scaled));
}

HWY_INLINE uint16_t to_bfloat16(uint32_t raw) {
  const uint32_t rounded = (raw + 0x7fffu + ((raw >> 16) & 1u)) >> 16;
  const bool is_nan = (raw & 0x7fffffffu) > 0x7f800000u;
  return static_cast<uint16_t>(is_nan ? (raw >> 16) | 0x40u : rounded);
}

HWY_INLINE uint32_t from_bfloat16(uint16_t half) { return static_cast<uint32_t>(half) << 16; }

#define MICA_HALF_CAST(name, From, To)                                     \
  void run_##name(const void* px, const void*, void* pout, size_t count) { \
    const From* x = static_cast<const From*>(px);                          \
    To* out = static_cast<To*>(pout);                                      \
    for (size_t i = 0; i < count; ++i) out[i] = name(x[i]);                \
  }
MICA_HALF_CAST(from_float16, uint16_t, uint32_t)
MICA_HALF_CAST(to_bfloat16, uint32_t, uint16_t)
MICA_HALF_CAST(from_bfloat16, uint16_t, uint32_t)
#undef MICA_HALF_CAST

ElementwiseKernel half_cast_of_target(Dtype from, Dtype to) {
  if (from == float32 && to == float16) return &run_to_float16;
  if (from == float16 && to == float32) return &run_from_float16;
  if (from == float32 && to == bfloat16) return &run_to_bfloat16;
  if (from == bfloat16 && to == float32) return &run_from_bfloat16;
  return nullptr;
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {

HWY_EXPORT(half_cast_of_target);
ElementwiseKernel half_cast_kernel(Dtype from, Dtype to) {
  return HWY_DYNAMIC_DISPATCH(half_cast_of_target)(from, to);
}

}  // namespace mica
#endif
