// Writing by index: x is copied, then every column of the result belongs to one task, which meets
// its updates in order.

#include <cstring>

#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/index_kernels.h"
#include "core/ops/scatter_op.h"

namespace mica {
namespace {

// The type that values are compared and multiplied in.
template <class T>
using Wide = std::conditional_t<dtype_of<T> == float16 || dtype_of<T> == bfloat16, float, T>;

// NaN wins.
template <Scatter how, class T>
void write(T& to, T update) {
  const Wide<T> a = static_cast<Wide<T>>(to), b = static_cast<Wide<T>>(update);
  if constexpr (how == Scatter::kSet) {
    to = update;
  } else if constexpr (how == Scatter::kProd) {
    if constexpr (std::is_same_v<T, bool>)
      to = a && b;
    else
      to = static_cast<T>(a * b);
  } else if constexpr (!is_complex(dtype_of<T>)) {
    const bool better = how == Scatter::kMax ? b > a : b < a;
    if (better || (b != b && a == a)) to = update;
  }
}

template <Scatter how, class T>
void scatter_into(const ScatterInto& op, const AxisSplit& y, const std::vector<int64_t>& positions,
                  int64_t count, const T* updates, T* out) {
  constexpr int64_t kColumns = 256;
  const int64_t blocks = (y.inner + kColumns - 1) / kColumns;
  const int64_t grain =
      kElementsPerChunk / std::max<int64_t>(1, count * std::min(kColumns, y.inner));
  parallel_for(y.outer * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t outer = task / blocks, first = task % blocks * kColumns;
      const int64_t last = std::min(y.inner, first + kColumns);
      T* to = out + outer * y.length * y.inner;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t row = (outer * count + i) * y.inner;
        for (int64_t n = first; n < last; ++n) {
          const int64_t place = op.along ? positions[row + n] : positions[i];
          write<how>(to[place * y.inner + n], updates[row + n]);
        }
      }
    }
  });
}

void run_scatter(const ScatterInto& op, Inputs in, Outputs out) {
  const AxisSplit y = split_at(out[0].shape, op.axis);
  const auto positions = positions_of(op.name(), in[1], y.length, op.axis);
  const int64_t count = in[2].shape[static_cast<size_t>(op.axis)];
  const size_t bytes = static_cast<size_t>(out[0].size()) * size_of(out[0].dtype);
  if (bytes == 0) return;
  std::memcpy(out[0].data, in[0].data, bytes);
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    const T* updates = in[2].as<T>();
    T* to = out[0].as<T>();
    switch (op.how) {
      case Scatter::kSet: return scatter_into<Scatter::kSet>(op, y, positions, count, updates, to);
      case Scatter::kProd:
        return scatter_into<Scatter::kProd>(op, y, positions, count, updates, to);
      case Scatter::kMax: return scatter_into<Scatter::kMax>(op, y, positions, count, updates, to);
      case Scatter::kMin: return scatter_into<Scatter::kMin>(op, y, positions, count, updates, to);
    }
  });
}

void run_ravel(const RavelIndex& op, Inputs in, Outputs out) {
  int64_t* flat = out[0].as<int64_t>();
  std::fill(flat, flat + out[0].size(), 0);
  for (size_t axis = 0; axis < in.size(); ++axis) {
    const int64_t length = op.shape[axis];
    const auto positions = positions_of("at", in[axis], length, static_cast<int>(axis));
    for (size_t i = 0; i < positions.size(); ++i) flat[i] = flat[i] * length + positions[i];
  }
}

}  // namespace

void install_scatter(KernelTable& table) {
  table.add<ScatterInto>(run_scatter, InputLayout::kContiguous);
  table.add<RavelIndex>(run_ravel, InputLayout::kContiguous);
}

}  // namespace mica
