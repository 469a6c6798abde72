// The kernel of where(), a blend of bytes whatever they stand for.
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

template <class T>
void run_where(const void* pc, const void* px, const void* py, void* pout, size_t count) {
  const uint8_t* c = static_cast<const uint8_t*>(pc);
  const T* x = static_cast<const T*>(px);
  const T* y = static_cast<const T*>(py);
  T* out = static_cast<T*>(pout);
  for (size_t i = 0; i < count; ++i) {
    // Both are read whatever c says, so that the loop has no branch and becomes vector code.
    const T a = x[i];
    const T b = y[i];
    out[i] = c[i] != 0 ? a : b;
  }
}

WhereKernel where_for_bytes(size_t bytes) {
  switch (bytes) {
    case 1: return &run_where<uint8_t>;
    case 2: return &run_where<uint16_t>;
    case 4: return &run_where<uint32_t>;
    default: return &run_where<uint64_t>;
  }
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {

HWY_EXPORT(where_for_bytes);
WhereKernel where_kernel(Dtype dtype) {
  return HWY_DYNAMIC_DISPATCH(where_for_bytes)(size_of(dtype));
}

}  // namespace mica
#endif
