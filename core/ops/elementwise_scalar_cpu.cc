// The kernels of the elementwise rows for integers, bool and complex numbers.
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>

#include "core/ops/elementwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/elementwise_scalar_cpu.cc"
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
const ElementwiseKernel* scalar_table(Dtype dtype, Fixed fixed) {
  switch (dtype) {
    case Dtype::kBool: return Kernels<bool>::table(fixed);
    case Dtype::kUint8: return Kernels<uint8_t>::table(fixed);
    case Dtype::kUint16: return Kernels<uint16_t>::table(fixed);
    case Dtype::kUint32: return Kernels<uint32_t>::table(fixed);
    case Dtype::kUint64: return Kernels<uint64_t>::table(fixed);
    case Dtype::kInt8: return Kernels<int8_t>::table(fixed);
    case Dtype::kInt16: return Kernels<int16_t>::table(fixed);
    case Dtype::kInt32: return Kernels<int32_t>::table(fixed);
    case Dtype::kInt64: return Kernels<int64_t>::table(fixed);
    case Dtype::kComplex64: return Kernels<std::complex<float>>::table(fixed);
    case Dtype::kComplex128: return Kernels<std::complex<double>>::table(fixed);
    default: return nullptr;
  }
}
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
HWY_EXPORT(scalar_table);
const ElementwiseKernel* scalar_kernels(Dtype dtype, Fixed fixed) {
  return HWY_DYNAMIC_DISPATCH(scalar_table)(dtype, fixed);
}
}  // namespace mica
#endif
