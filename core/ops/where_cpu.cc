// The kernels of where(), a blend of bytes whatever they stand for, and of copies past the caches.
#include <algorithm>
#include <cstdint>

#include "core/ops/elementwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/where_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T, Fixed kFixed>
void run_where(const void* pc, const void* px, const void* py, void* pout, size_t count) {
  const uint8_t* c = static_cast<const uint8_t*>(pc);
  const T* x = static_cast<const T*>(px);
  const T* y = static_cast<const T*>(py);
  T* out = static_cast<T*>(pout);
  const T fixed = kFixed == Fixed::kX ? *x : *y;
  for (size_t i = 0; i < count; ++i) {
    // Both are read whatever c says, so that the loop has no branch and becomes vector code.
    const T a = kFixed == Fixed::kX ? fixed : x[i];
    const T b = kFixed == Fixed::kY ? fixed : y[i];
    out[i] = c[i] != 0 ? a : b;
  }
}

template <class T>
WhereKernel where_typed(Fixed fixed) {
  switch (fixed) {
    case Fixed::kX: return &run_where<T, Fixed::kX>;
    case Fixed::kY: return &run_where<T, Fixed::kY>;
    default: return &run_where<T, Fixed::kNone>;
  }
}

WhereKernel where_for_bytes(size_t bytes, Fixed fixed) {
  switch (bytes) {
    case 1: return where_typed<uint8_t>(fixed);
    case 2: return where_typed<uint16_t>(fixed);
    case 4: return where_typed<uint32_t>(fixed);
    case 8: return where_typed<uint64_t>(fixed);
    default: return where_typed<complex128_t>(fixed);
  }
}

void stream(const uint8_t* from, size_t bytes, uint8_t* to) {
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  const bool aligned =
      (reinterpret_cast<uintptr_t>(from) | reinterpret_cast<uintptr_t>(to)) % 64 == 0;
  for (; aligned && i + lanes <= bytes; i += lanes) hn::Stream(hn::Load(d, from + i), d, to + i);
  std::copy_n(from + i, bytes - i, to + i);
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {

HWY_EXPORT(where_for_bytes);
HWY_EXPORT(stream);
WhereKernel where_kernel(Dtype dtype, Fixed fixed) {
  return HWY_DYNAMIC_DISPATCH(where_for_bytes)(size_of(dtype), fixed);
}
void stream_bytes(const std::byte* from, size_t bytes, std::byte* to) {
  HWY_DYNAMIC_DISPATCH(stream)
  (reinterpret_cast<const uint8_t*>(from), bytes, reinterpret_cast<uint8_t*>(to));
}

}  // namespace mica
#endif
