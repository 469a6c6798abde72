// The kernels of the elementwise rows for float32.
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>

#include "core/ops/elementwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/elementwise_float32_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
#include "core/ops/elementwise_math.inc"

// Needs the lane types of elementwise_math.inc.
#include "core/ops/elementwise_kernels.inc"
const ElementwiseKernel* float32_table(Fixed fixed) { return Kernels<float>::table(fixed); }
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
HWY_EXPORT(float32_table);
const ElementwiseKernel* float32_kernels(Fixed fixed) {
  return HWY_DYNAMIC_DISPATCH(float32_table)(fixed);
}
}  // namespace mica
#endif
