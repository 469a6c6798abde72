// Gather and scatter-sum. Indices are checked and made non-negative first; then every chunk of
// the output belongs to one task, which meets its updates in order.

#include <cstring>
#include <vector>

#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/index_kernels.h"
#include "core/ops/index_op.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

// Calls copy(block) with a type of `bytes` bytes, for moving elements whatever they mean.
template <class Copy>
void dispatch_size(size_t bytes, Copy&& copy) {
  switch (bytes) {
    case 1: return copy(uint8_t());
    case 2: return copy(uint16_t());
    case 4: return copy(uint32_t());
    case 8: return copy(uint64_t());
    default: return copy(complex128_t());
  }
}

void run_take(const Take& op, Inputs in, Outputs out) {
  const AxisSplit x = split_at(in[0].shape, op.axis);
  const auto positions = positions_of(Take::kName, in[1], x.length, op.axis);
  const int64_t count = static_cast<int64_t>(positions.size());
  const size_t bytes = size_of(in[0].dtype);
  const size_t row = bytes * static_cast<size_t>(x.inner);
  const int64_t grain = kElementsPerChunk / std::max<int64_t>(1, x.inner);
  if (count == 0 || row == 0) return;
  parallel_for(x.outer * count, grain, [&](int64_t begin, int64_t end) {
    const auto source = [&](int64_t i) {
      return static_cast<size_t>((i / count) * x.length + positions[i % count]);
    };
    if (x.inner > 1) {
      for (int64_t i = begin; i < end; ++i) {
        std::memcpy(out[0].data + i * row, in[0].data + source(i) * row, row);
      }
      return;
    }
    dispatch_size(bytes, [&]<class Block>(Block) {
      for (int64_t i = begin; i < end; ++i) out[0].as<Block>()[i] = in[0].as<Block>()[source(i)];
    });
  });
}

void run_take_along_axis(const TakeAlongAxis& op, Inputs in, Outputs out) {
  const AxisSplit x = split_at(in[0].shape, op.axis);
  const AxisSplit y = split_at(out[0].shape, op.axis);
  const auto positions = positions_of(TakeAlongAxis::kName, in[1], x.length, op.axis);
  dispatch_size(size_of(in[0].dtype), [&]<class Block>(Block) {
    const Block* source = in[0].as<Block>();
    Block* result = out[0].as<Block>();
    const int64_t grain = kElementsPerChunk / std::max<int64_t>(1, y.inner);
    parallel_for(y.outer * y.length, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const Block* from = source + row / y.length * x.length * x.inner;
        for (int64_t n = 0; n < y.inner; ++n) {
          const int64_t i = row * y.inner + n;
          result[i] = from[positions[i] * x.inner + n];
        }
      }
    });
  });
}

// The type sums are kept in.
template <class T>
using Sum = std::conditional_t<dtype_of<T> == float16 || dtype_of<T> == bfloat16, float, T>;

template <class T>
void add_to(T& sum, T value) {
  if constexpr (std::is_same_v<T, bool>)
    sum = sum || value;
  else
    sum = static_cast<T>(sum + value);
}

// Calls body(sums) with zeroed room for the sums, which is the output itself where types agree.
template <class T, class Body>
void with_sums(const Operand& out, Body&& body) {
  const int64_t count = out.size();
  if constexpr (std::is_same_v<T, Sum<T>>) {
    parallel_for(count, kElementsPerChunk, [&](int64_t begin, int64_t end) {
      std::fill(out.as<T>() + begin, out.as<T>() + end, T());
    });
    body(out.as<T>());
  } else {
    std::vector<Sum<T>> sums(static_cast<size_t>(count));
    body(sums.data());
    for (int64_t i = 0; i < count; ++i) out.as<T>()[i] = T(sums[i]);
  }
}

template <class T>
void scatter_sum(const AxisSplit& y, const std::vector<int64_t>& positions, const T* updates,
                 Sum<T>* sums) {
  const int64_t count = static_cast<int64_t>(positions.size());
  if (y.inner == 0) return;
  // A task owns some columns of some places of one outer index, and walks over all updates in their
  // order. Places are shared out where there are few columns, down to a task's worth of updates,
  // but not for very few, where passing over the updates of others costs as much as adding.
  constexpr int64_t kColumns = 256, kParts = 16;
  const int64_t blocks = (y.inner + kColumns - 1) / kColumns;
  const int64_t work = count * y.inner / (2 * kElementsPerChunk);
  const int64_t most = std::min(kParts / blocks, y.inner);
  const int64_t parts = std::clamp<int64_t>(work, 1, std::max<int64_t>(1, most));
  const int64_t places = (y.length + parts - 1) / parts;
  const int64_t grain =
      kElementsPerChunk * parts / std::max<int64_t>(1, count * std::min(kColumns, y.inner));
  parallel_for(y.outer * parts * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t outer = task / (parts * blocks);
      const int64_t low = task / blocks % parts * places;
      const int64_t first = task % blocks * kColumns;
      const int64_t last = std::min(y.inner, first + kColumns);
      for (int64_t i = 0; i < count; ++i) {
        if (positions[i] < low || positions[i] >= low + places) continue;
        Sum<T>* to = sums + (outer * y.length + positions[i]) * y.inner;
        const T* from = updates + (outer * count + i) * y.inner;
        for (int64_t n = first; n < last; ++n) add_to<Sum<T>>(to[n], from[n]);
      }
    }
  });
}

void run_scatter_sum(const ScatterSum& op, Inputs in, Outputs out) {
  const AxisSplit y = split_at(out[0].shape, op.axis);
  const auto positions = positions_of("scatter_add", in[0], y.length, op.axis);
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    with_sums<T>(out[0], [&](Sum<T>* sums) { scatter_sum<T>(y, positions, in[1].as<T>(), sums); });
  });
}

template <class T>
void scatter_sum_along_axis(const AxisSplit& y, int64_t count,
                            const std::vector<int64_t>& positions, const T* updates, Sum<T>* sums) {
  const int64_t grain = kElementsPerChunk / std::max<int64_t>(1, count * y.inner);
  parallel_for(y.outer, grain, [&](int64_t begin, int64_t end) {
    for (int64_t outer = begin; outer < end; ++outer) {
      Sum<T>* to = sums + outer * y.length * y.inner;
      for (int64_t row = outer * count; row < (outer + 1) * count; ++row) {
        for (int64_t n = 0; n < y.inner; ++n) {
          const int64_t i = row * y.inner + n;
          add_to<Sum<T>>(to[positions[i] * y.inner + n], updates[i]);
        }
      }
    }
  });
}

void run_scatter_sum_along_axis(const ScatterSumAlongAxis& op, Inputs in, Outputs out) {
  const AxisSplit y = split_at(out[0].shape, op.axis);
  const int64_t count = in[0].shape[op.axis];
  const auto positions = positions_of("scatter_add_along_axis", in[0], y.length, op.axis);
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    with_sums<T>(out[0], [&](Sum<T>* sums) {
      scatter_sum_along_axis<T>(y, count, positions, in[1].as<T>(), sums);
    });
  });
}

}  // namespace

void install_index(KernelTable& table) {
  table.add<Take>(run_take, InputLayout::kContiguous);
  table.add<ScatterSum>(run_scatter_sum, InputLayout::kContiguous);
  table.add<TakeAlongAxis>(run_take_along_axis, InputLayout::kContiguous);
  table.add<ScatterSumAlongAxis>(run_scatter_sum_along_axis, InputLayout::kContiguous);
}

}  // namespace mica
