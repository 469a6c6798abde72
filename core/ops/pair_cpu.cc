// Two sums, differences or products of float32 in one loop, rounded after each as they are apart:
// this file is compiled without contraction into fused multiply-adds.
#include <array>
#include <cstdint>
#include <utility>

#include "core/ops/elementwise_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/pair_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <int kOperation, class D, class Lanes>
HWY_INLINE Lanes compute(D, Lanes a, Lanes b) {
  if constexpr (kOperation == 0) return hn::Add(a, b);
  if constexpr (kOperation == 1) return hn::Sub(a, b);
  return hn::Mul(a, b);
}

// What a kernel's number in the table says.
template <int kNumber>
struct Pair {
  static constexpr int kFirst = kNumber % 3;
  static constexpr int kSecond = kNumber / 3 % 3;
  static constexpr Fixed kFixed = static_cast<Fixed>(kNumber / 9 % 3);
  static constexpr bool kZFixed = kNumber / 27 % 2 != 0;
  static constexpr bool kResultIsLeft = kNumber / 54 != 0;
};

template <class P, class D>
HWY_INLINE auto compute_pair(D d, hn::Vec<D> x, hn::Vec<D> y, hn::Vec<D> z) {
  const auto first = compute<P::kFirst>(d, x, y);
  return P::kResultIsLeft ? compute<P::kSecond>(d, first, z) : compute<P::kSecond>(d, z, first);
}

template <int kNumber>
void run_pair(const void* px, const void* py, const void* pz, void* pout, size_t count) {
  using P = Pair<kNumber>;
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const float* x = static_cast<const float*>(px);
  const float* y = static_cast<const float*>(py);
  const float* z = static_cast<const float*>(pz);
  float* out = static_cast<float*>(pout);
  constexpr size_t kX = P::kFixed == Fixed::kX ? 0 : 1;
  constexpr size_t kY = P::kFixed == Fixed::kY ? 0 : 1;
  constexpr size_t kZ = P::kZFixed ? 0 : 1;
  const auto fixed_x = hn::Set(d, *x);
  const auto fixed_y = hn::Set(d, *y);
  const auto fixed_z = hn::Set(d, *z);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto a = kX == 0 ? fixed_x : hn::LoadU(d, x + i);
    const auto b = kY == 0 ? fixed_y : hn::LoadU(d, y + i);
    const auto c = kZ == 0 ? fixed_z : hn::LoadU(d, z + i);
    hn::StoreU(compute_pair<P>(d, a, b, c), d, out + i);
  }
  for (; i < count; ++i) {
    const auto a = hn::LoadU(one, x + kX * i);
    const auto b = hn::LoadU(one, y + kY * i);
    const auto c = hn::LoadU(one, z + kZ * i);
    hn::StoreU(compute_pair<P>(one, a, b, c), one, out + i);
  }
}

template <int... kNumbers>
constexpr auto table_of(std::integer_sequence<int, kNumbers...>) {
  return std::array<WhereKernel, sizeof...(kNumbers)>{&run_pair<kNumbers>...};
}

WhereKernel pair_of_target(int number) {
  static constexpr auto kTable = table_of(std::make_integer_sequence<int, 108>());
  return kTable[static_cast<size_t>(number)];
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

// -1 for other functions.
int operation(Function function) {
  switch (function) {
    case Function::k_add: return 0;
    case Function::k_subtract: return 1;
    case Function::k_multiply: return 2;
    default: return -1;
  }
}

}  // namespace

HWY_EXPORT(pair_of_target);
WhereKernel pair_kernel(Function first, Fixed fixed, Function second, bool result_is_left,
                        bool z_is_fixed) {
  const int a = operation(first);
  const int b = operation(second);
  if (a < 0 || b < 0) return nullptr;
  return HWY_DYNAMIC_DISPATCH(pair_of_target)(a + 3 * b + 9 * static_cast<int>(fixed) +
                                              27 * z_is_fixed + 54 * result_is_left);
}

}  // namespace mica
#endif
