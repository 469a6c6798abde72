// Reductions. Every reduction is a sequence of passes over (outer, length, inner) views of
// contiguous data, each of which reduces the middle axis; the middle is cut into blocks whose
// partial results are reduced by the next pass, so that sums are taken as a tree.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/cpu/floating.h"
#include "core/cpu/install.h"
#include "core/ops/reduce_kernels.h"
#include "core/ops/reduce_op.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/reduce_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {

template <class T>
HWY_INLINE T maximum(T a, T b) {
  return a > b || a != a ? a : b;
}
template <class T>
HWY_INLINE T minimum(T a, T b) {
  return a < b || a != a ? a : b;
}
template <class T>
T lowest() {
  if constexpr (std::is_floating_point_v<T>)
    return -std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::lowest();
}
template <class T>
T highest() {
  if constexpr (std::is_floating_point_v<T>)
    return std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::max();
}

constexpr int64_t kLanes = 32;

#define REDUCE(name, identity, combine, cotangent)                       \
  template <class T>                                                     \
  struct Combine_##name {                                                \
    static HWY_INLINE T of(T a, T b) { return static_cast<T>(combine); } \
    static T start() { return static_cast<T>(identity); }                \
  };
#include "core/ops/reduce.def"
#undef REDUCE

// Pairwise, in loops of fixed lengths, which stay in registers.
template <int64_t kWidth, class T, class C>
HWY_INLINE void fold_lanes(T* lanes) {
  for (int64_t k = 0; k < kWidth; ++k) lanes[k] = C::of(lanes[k], lanes[k + kWidth]);
  if constexpr (kWidth > 1) fold_lanes<kWidth / 2, T, C>(lanes);
}

// One line of `length` elements: kLanes running results side by side, then those pairwise.
template <class T, class C>
T reduce_line(const T* x, int64_t length) {
  T lanes[kLanes];
  if (length < kLanes || !std::is_floating_point_v<T>) {
    T total = C::start();
    for (int64_t i = 0; i < length; ++i) total = C::of(total, x[i]);
    return total;
  }
  for (int64_t k = 0; k < kLanes; ++k) lanes[k] = x[k];
  int64_t i = kLanes;
  for (; i + kLanes <= length; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) lanes[k] = C::of(lanes[k], x[i + k]);
  }
  for (int64_t k = 0; i < length; ++i, ++k) lanes[k] = C::of(lanes[k], x[i]);
  fold_lanes<kLanes / 2, T, C>(lanes);
  return lanes[0];
}

// A few columns of all rows, which stay in registers meanwhile.
template <int64_t kColumns, class T, class C>
HWY_INLINE void fold_columns(const T* x, int64_t rows, int64_t stride, T* out) {
  T held[kColumns];
  for (int64_t i = 0; i < kColumns; ++i) held[i] = out[i];
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < kColumns; ++i) held[i] = C::of(held[i], x[r * stride + i]);
  }
  for (int64_t i = 0; i < kColumns; ++i) out[i] = held[i];
}

// `rows` lines of `width` elements, `stride` apart, on top of what `out` holds.
template <class T, class C>
void fold_rows(const T* x, int64_t rows, int64_t width, int64_t stride, T* out) {
  int64_t i = 0;
  for (; width - i >= 64; i += 64) fold_columns<64, T, C>(x + i, rows, stride, out + i);
  for (; width - i >= 16; i += 16) fold_columns<16, T, C>(x + i, rows, stride, out + i);
  for (; width - i >= 4; i += 4) fold_columns<4, T, C>(x + i, rows, stride, out + i);
  for (; i < width; ++i) fold_columns<1, T, C>(x + i, rows, stride, out + i);
}

// `rows` lines of `width` elements, `stride` apart, into one.
template <class T, class C>
void reduce_rows(const T* x, int64_t rows, int64_t width, int64_t stride, T* out) {
  if (rows == 0) {
    std::fill_n(out, width, C::start());
    return;
  }
  std::copy_n(x, width, out);
  fold_rows<T, C>(x + stride, rows - 1, width, stride, out);
}

// (outer, length, inner) -> (outer, blocks, inner), blocks of `block` elements of the middle axis.
template <class T, class C>
void reduce_blocks(const T* x, int64_t outer, int64_t length, int64_t inner, int64_t block,
                   T* out) {
  const int64_t blocks = std::max<int64_t>(1, (length + block - 1) / block);
  constexpr int64_t kColumns = 4096;
  const int64_t stripes = (inner + kColumns - 1) / kColumns;
  const int64_t work = std::min(block, length) * std::min(inner, kColumns) + 1;
  const int64_t grain = std::max<int64_t>(1, 131072 / work);
  parallel_for(outer * blocks * stripes, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t stripe = task % stripes;
      const int64_t piece = task / stripes;  // outer * blocks + block number
      const int64_t first = piece % blocks * block;
      const int64_t rows = std::min(block, length - first);
      const T* from = x + (piece / blocks * length + first) * inner + stripe * kColumns;
      T* to = out + piece * inner + stripe * kColumns;
      const int64_t width = std::min(kColumns, inner - stripe * kColumns);
      if (inner == 1)
        *to = reduce_line<T, C>(from, rows);
      else
        reduce_rows<T, C>(from, rows, width, inner, to);
    }
  });
}

// Reduces the middle axis completely.
template <class T, class C>
void reduce_middle(const T* x, int64_t outer, int64_t length, int64_t inner, T* out) {
  const int64_t block = inner == 1 ? kLineBlock : row_block(inner);
  if (length <= block) return reduce_blocks<T, C>(x, outer, length, inner, block, out);
  const int64_t blocks = (length + block - 1) / block;
  const Buffer scratch = Buffer::allocate(static_cast<size_t>(outer * blocks * inner) * sizeof(T));
  T* partial = reinterpret_cast<T*>(scratch.data());
  reduce_blocks<T, C>(x, outer, length, inner, block, partial);
  reduce_middle<T, C>(partial, outer, blocks, inner, out);
}

// Runs of reduced and kept axes: reduces the innermost reduced run, then what is left.
template <class T, class C>
void reduce_axes(const T* x, std::vector<int64_t> lengths, std::vector<bool> reduced, T* out) {
  size_t last = lengths.size();
  while (last > 0 && !reduced[last - 1]) --last;
  int64_t inner = 1;
  for (size_t i = last; i < lengths.size(); ++i) inner *= lengths[i];
  if (last == 0) {
    std::copy_n(x, inner, out);
    return;
  }
  const int64_t length = lengths[last - 1];
  int64_t outer = 1;
  bool more = false;
  for (size_t i = 0; i + 1 < last; ++i) {
    outer *= lengths[i];
    more = more || reduced[i];
  }
  if (!more) return reduce_middle<T, C>(x, outer, length, inner, out);
  const Buffer scratch = Buffer::allocate(static_cast<size_t>(outer * inner) * sizeof(T));
  T* partial = reinterpret_cast<T*>(scratch.data());
  reduce_middle<T, C>(x, outer, length, inner, partial);
  lengths[last - 1] = 1;
  reduced[last - 1] = false;
  reduce_axes<T, C>(partial, lengths, reduced, out);
}

// The parts as fused programs call them.
template <class T, class C>
ReduceKernels kernels_of() {
  return {[](const void* x, int64_t length, void* out) {
            *static_cast<T*>(out) = reduce_line<T, C>(static_cast<const T*>(x), length);
          },
          [](const void* x, int64_t rows, int64_t width, void* into) {
            fold_rows<T, C>(static_cast<const T*>(x), rows, width, width, static_cast<T*>(into));
          },
          [](const void* x, int64_t outer, int64_t length, int64_t inner, void* out) {
            reduce_middle<T, C>(static_cast<const T*>(x), outer, length, inner,
                                static_cast<T*>(out));
          }};
}
template <class T>
ReduceKernels kernels_for(Reduction reduction) {
  switch (reduction) {
    case Reduction::k_sum: return kernels_of<T, Combine_sum<T>>();
    case Reduction::k_prod: return kernels_of<T, Combine_prod<T>>();
    case Reduction::k_max: return kernels_of<T, Combine_max<T>>();
    case Reduction::k_min: return kernels_of<T, Combine_min<T>>();
    default: return {};
  }
}
ReduceKernels float_kernels(Reduction reduction) { return kernels_for<float>(reduction); }
ReduceKernels double_kernels(Reduction reduction) { return kernels_for<double>(reduction); }

template <class T>
constexpr bool reduces(Reduction reduction) {
  constexpr bool complex = is_complex(dtype_of<T>);
  switch (reduction) {
    case Reduction::k_all:
    case Reduction::k_any: return std::is_same_v<T, bool>;
    case Reduction::k_max:
    case Reduction::k_min: return !complex;
    default: return true;
  }
}

template <class T>
void reduce_typed(Reduction reduction, const T* x, const std::vector<int64_t>& lengths,
                  const std::vector<bool>& reduced, T* out) {
  switch (reduction) {
#define REDUCE(name, ...)                                                 \
  case Reduction::k_##name:                                               \
    if constexpr (reduces<T>(Reduction::k_##name)) {                      \
      return reduce_axes<T, Combine_##name<T>>(x, lengths, reduced, out); \
    }                                                                     \
    break;
#include "core/ops/reduce.def"
#undef REDUCE
  }
  assertion_failed("a reduction that this type has", __FILE__, __LINE__);
}

void reduce_floats(Reduction reduction, const float* x, const std::vector<int64_t>& lengths,
                   const std::vector<bool>& reduced, float* out) {
  reduce_typed(reduction, x, lengths, reduced, out);
}
void reduce_doubles(Reduction reduction, const double* x, const std::vector<int64_t>& lengths,
                    const std::vector<bool>& reduced, double* out) {
  reduce_typed(reduction, x, lengths, reduced, out);
}

}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(reduce_floats);
HWY_EXPORT(reduce_doubles);
HWY_EXPORT(float_kernels);
HWY_EXPORT(double_kernels);

// Floats take the best instruction set; the rest is not worth compiling for each of them.
template <class T>
void reduce_best(Reduction reduction, const T* x, const std::vector<int64_t>& lengths,
                 const std::vector<bool>& reduced, T* out) {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(reduce_floats)(reduction, x, lengths, reduced, out);
  } else if constexpr (std::is_same_v<T, double>) {
    HWY_DYNAMIC_DISPATCH(reduce_doubles)(reduction, x, lengths, reduced, out);
  } else {
    HWY_STATIC_DISPATCH(reduce_typed)(reduction, x, lengths, reduced, out);
  }
}

// The view of the input as runs of reduced and kept axes.
void run_reduce(const Reduce& op, Inputs in, Outputs out) {
  if (out[0].size() == 0) return;
  std::vector<int64_t> lengths;
  std::vector<bool> reduced;
  for (size_t i = 0; i < in[0].shape.size(); ++i) {
    const bool now =
        std::find(op.axes.begin(), op.axes.end(), static_cast<int>(i)) != op.axes.end();
    if (!reduced.empty() && reduced.back() == now) {
      lengths.back() *= in[0].shape[i];
    } else {
      lengths.push_back(in[0].shape[i]);
      reduced.push_back(now);
    }
  }
  dispatch(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
      run_floating(in, out[0], [&]<class F>(std::array<const F*, 2> x, F* result) {
        reduce_best(op.reduction, x[0], lengths, reduced, result);
      });
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) >= 4) {
      // Sums and products wrap around, which only unsigned arithmetic does in C++.
      using U = std::make_unsigned_t<T>;
      const bool wraps = op.reduction == Reduction::k_sum || op.reduction == Reduction::k_prod;
      if (wraps)
        reduce_best(op.reduction, in[0].as<U>(), lengths, reduced, out[0].as<U>());
      else
        reduce_best(op.reduction, in[0].as<T>(), lengths, reduced, out[0].as<T>());
    } else {
      reduce_best(op.reduction, in[0].as<T>(), lengths, reduced, out[0].as<T>());
    }
  });
}

// The first of equal extremes; the first NaN before anything else.
template <class T>
void arg_extreme(const T* x, int64_t outer, int64_t length, int64_t inner, bool largest,
                 int32_t* out) {
  const int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, length));
  parallel_for(outer * inner, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* line = x + i / inner * length * inner + i % inner;
      int64_t best = 0;
      for (int64_t k = 1; k < length; ++k) {
        const T now = line[k * inner];
        const T held = line[best * inner];
        if (held != held) break;
        if (now != now || (largest ? held < now : now < held)) best = k;
      }
      out[i] = static_cast<int32_t>(best);
    }
  });
}

void run_arg_extreme(const ArgExtreme& op, Inputs in, Outputs out) {
  int64_t outer = 1;
  int64_t inner = 1;
  const Shape& shape = in[0].shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (static_cast<int>(i) < op.axis) outer *= shape[i];
    if (static_cast<int>(i) > op.axis) inner *= shape[i];
  }
  dispatch(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (!is_complex(dtype_of<T>)) {
      arg_extreme(in[0].as<T>(), outer, shape[static_cast<size_t>(op.axis)], inner, op.largest,
                  out[0].as<int32_t>());
    }
  });
}

}  // namespace

ReduceKernels reduce_kernels(Reduction reduction, Dtype dtype) {
  if (dtype == float32) return HWY_DYNAMIC_DISPATCH(float_kernels)(reduction);
  return HWY_DYNAMIC_DISPATCH(double_kernels)(reduction);
}

void install_reduce(KernelTable& table) {
  table.add<Reduce>(run_reduce, InputLayout::kContiguous);
  table.add<ArgExtreme>(run_arg_extreme, InputLayout::kContiguous);
}

}  // namespace mica
#endif
