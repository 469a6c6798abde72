// Scans over outer x length x inner: one line after the other, and where elements of other lines
// lie next to each other (inner > 1), many of them at once.

#include <cmath>
#include <concepts>
#include <limits>

#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/scan_op.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

constexpr int64_t kColumns = 128;

enum class Result { kSame, kWidened, kFloat };  // the third column of scan.def

template <class T>
T lowest_of() {
  if constexpr (std::is_floating_point_v<T>)
    return -std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::lowest();
}
template <class T>
T highest_of() {
  if constexpr (std::is_floating_point_v<T>)
    return std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::max();
}

// NaN wins: a stays when it is NaN, and b is taken when it is.
template <class T>
T larger(T a, T b) {
  return b > a || b != b ? (a != a ? a : b) : a;
}
template <class T>
T smaller(T a, T b) {
  return b < a || b != b ? (a != a ? a : b) : a;
}

// log(exp(a) + exp(b)), for integers not used.
template <class T>
T log_add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a == b) return a + static_cast<T>(0.6931471805599453);  // infinities too
    return (a > b ? a : b) + std::log1p(std::exp(-std::abs(a - b)));
  }
  return a;
}

// The type a scan over T is kept in.
template <class T>
using Running = std::conditional_t<dtype_of<T> == float16 || dtype_of<T> == bfloat16, float, T>;

// Sums and products of integers wrap around, which only unsigned arithmetic does in C++.
template <class T>
struct Unsigned {
  using type = T;
};
template <std::signed_integral T>
struct Unsigned<T> {
  using type = std::make_unsigned_t<T>;
};

// Calls scan(start, width) for blocks of `width` neighbouring lines, whose first elements begin at
// `start`.
template <class Scan>
void for_each_block(const AxisSplit& s, Scan scan) {
  const int64_t blocks = (s.inner + kColumns - 1) / kColumns;
  const int64_t grain = 4096 / std::max<int64_t>(1, s.length * std::min(s.inner, kColumns));
  parallel_for(s.outer * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block % blocks * kColumns;
      scan(block / blocks * s.length * s.inner + first, std::min(s.inner - first, kColumns));
    }
  });
}

template <class T, class State, class Combine>
void scan(const AxisSplit& s, bool reverse, bool inclusive, State identity, const T* x, T* out,
          Combine combine) {
  for_each_block(s, [&](int64_t start, int64_t width) {
    State state[kColumns];
    std::fill(state, state + width, identity);
    for (int64_t k = 0; k < s.length; ++k) {
      const int64_t row = start + (reverse ? s.length - 1 - k : k) * s.inner;
      for (int64_t n = row; n < row + width; ++n) {
        State& so_far = state[n - row];
        const State next = combine(so_far, static_cast<State>(x[n]));
        out[n] = T(inclusive ? next : so_far);
        so_far = next;
      }
    }
  });
}

#define SCAN(function, Class, result, identity, combine_expression, cotangent)              \
  void run_##function(const Class& op, Inputs in, Outputs out) {                            \
    constexpr bool kOrdered = Result::result != Result::kWidened;                           \
    const AxisSplit split = split_at(in[0].shape, op.axis);                                 \
    dispatch(out[0].dtype, [&]<class Element>(TypeTag<Element>) {                           \
      using Kept = Running<Element>;                                                        \
      using T = typename std::conditional_t<kOrdered, TypeTag<Kept>, Unsigned<Kept>>::type; \
      if constexpr (!(kOrdered && is_complex(dtype_of<Kept>))) {                            \
        const auto combine = [](T a, T b) { return static_cast<T>(combine_expression); };   \
        const T start = identity;                                                           \
        scan(split, op.reverse, op.inclusive, start, in[0].as<const Element>(),             \
             out[0].as<Element>(), combine);                                                \
      }                                                                                     \
    });                                                                                     \
  }
#include "core/ops/scan.def"
#undef SCAN

void run_running_arg(const RunningArg& op, Inputs in, Outputs out) {
  const AxisSplit s = split_at(in[0].shape, op.axis);
  int32_t* positions = out[0].as<int32_t>();
  dispatch(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (!is_complex(dtype_of<T>)) {
      const T* x = in[0].as<T>();
      for_each_block(s, [&](int64_t start, int64_t width) {
        for (int64_t n = start; n < start + width; ++n) {
          int64_t best = op.reverse ? s.length - 1 : 0;
          for (int64_t step = 0; step < s.length; ++step) {
            const int64_t k = op.reverse ? s.length - 1 - step : step;
            const Running<T> value = x[n + k * s.inner];
            const Running<T> extreme = x[n + best * s.inner];
            const bool better = op.largest ? value > extreme : value < extreme;
            if (better || (value != value && extreme == extreme)) best = k;
            positions[n + k * s.inner] = static_cast<int32_t>(best);
          }
        }
      });
    }
  });
}

void run_linear_recurrence(const LinearRecurrence& op, Inputs in, Outputs out) {
  const AxisSplit s = split_at(out[0].shape, op.axis);
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (is_inexact(dtype_of<T>)) {
      for_each_block(s, [&](int64_t start, int64_t width) {
        Running<T> state[kColumns] = {};
        for (int64_t k = 0; k < s.length; ++k) {
          const int64_t row = start + (op.reverse ? s.length - 1 - k : k) * s.inner;
          for (int64_t n = row; n < row + width; ++n) {
            Running<T>& y = state[n - row];
            // The first element has none before it: 0 * inf must not come in.
            y = (k == 0 ? Running<T>(0) : Running<T>(in[0].as<T>()[n]) * y) +
                Running<T>(in[1].as<T>()[n]);
            out[0].as<T>()[n] = T(y);
          }
        }
      });
    }
  });
}

}  // namespace

void install_scan(KernelTable& table) {
#define SCAN(function, Class, ...) table.add<Class>(run_##function, InputLayout::kContiguous);
#include "core/ops/scan.def"
#undef SCAN
  table.add<RunningArg>(run_running_arg, InputLayout::kContiguous);
  table.add<LinearRecurrence>(run_linear_recurrence, InputLayout::kContiguous);
}

}  // namespace mica
