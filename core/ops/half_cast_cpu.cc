// Conversions between float32 and its halves. The bits are those of core/graph/half.h, without
// branches, so that each instruction set turns the loops into vector code.
#include <bit>
#include <cstdint>

#include "core/ops/elementwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/half_cast_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {

HWY_INLINE uint16_t to_float16(uint32_t raw) {
  const uint32_t sign = (raw >> 16) & 0x8000u;
  const uint32_t magnitude = raw & 0x7fffffffu;
  const uint32_t normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  const uint32_t subnormal = std::bit_cast<uint32_t>(shifted) - 0x3f000000u;
  uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
  half = magnitude >= 0x477ff000u ? 0x7c00u : half;
  half = magnitude > 0x7f800000u ? 0x7e00u : half;
  return static_cast<uint16_t>(sign | half);
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
MICA_HALF_CAST(to_float16, uint32_t, uint16_t)
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
