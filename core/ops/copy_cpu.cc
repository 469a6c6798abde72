// Moving elements: copies into row-major order, joining, placing, and counting up.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/cpu/install.h"
#include "core/ops/view_op.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

constexpr int64_t kElementsPerTask = 1 << 15;

// The two layouts of a copy without axes that lie behind each other in both.
struct Collapsed {
  Shape shape;
  Strides from;
  Strides to;
};

Collapsed collapse(const Shape& shape, const Strides& from, const Strides& to) {
  Collapsed out;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    if (!out.shape.empty() && out.from.back() == from[i] * shape[i] &&
        out.to.back() == to[i] * shape[i]) {
      out.shape.back() *= shape[i];
      out.from.back() = from[i];
      out.to.back() = to[i];
    } else {
      out.shape.push_back(shape[i]);
      out.from.push_back(from[i]);
      out.to.push_back(to[i]);
    }
  }
  if (out.shape.empty()) return {{1}, {1}, {1}};
  return out;
}

// A transposed pair of innermost axes goes square by square, so that both sides keep to their cache
// lines.
template <class T>
void copy_plane(const T* from, T* to, int64_t rows, int64_t columns, int64_t from_row,
                int64_t from_column, int64_t to_row, int64_t to_column) {
  constexpr int64_t kSquare = 32;
  if (from_column == 1 && to_column == 1) {
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(from + r * from_row, columns, to + r * to_row);
    }
    return;
  }
  for (int64_t r0 = 0; r0 < rows; r0 += kSquare) {
    for (int64_t c0 = 0; c0 < columns; c0 += kSquare) {
      for (int64_t r = r0; r < std::min(rows, r0 + kSquare); ++r) {
        for (int64_t c = c0; c < std::min(columns, c0 + kSquare); ++c) {
          to[r * to_row + c * to_column] = from[r * from_row + c * from_column];
        }
      }
    }
  }
}

template <class T>
void copy_typed(const Collapsed& c, const T* from, T* to) {
  const size_t rank = c.shape.size();
  const int64_t columns = c.shape[rank - 1];
  const int64_t rows = rank > 1 ? c.shape[rank - 2] : 1;
  const int64_t from_row = rank > 1 ? c.from[rank - 2] : 0;
  const int64_t to_row = rank > 1 ? c.to[rank - 2] : 0;
  int64_t planes = 1;
  for (size_t i = 0; i + 2 < rank; ++i) planes *= c.shape[i];
  // Tasks take whole lines: (plane, row) pairs, counted as one axis. A single line is cut.
  if (planes * rows == 1) {
    parallel_for(columns, kElementsPerTask, [&](int64_t begin, int64_t end) {
      copy_plane(from + begin * c.from[rank - 1], to + begin * c.to[rank - 1], 1, end - begin, 0,
                 c.from[rank - 1], 0, c.to[rank - 1]);
    });
    return;
  }
  const int64_t grain = std::max<int64_t>(1, kElementsPerTask / columns);
  parallel_for(planes * rows, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      int64_t plane = begin / rows;
      const int64_t row = begin % rows;
      const int64_t count = std::min(end - begin, rows - row);
      const T* f = from + row * from_row;
      T* t = to + row * to_row;
      for (size_t i = rank - 1; i-- > 1;) {
        const int64_t index = plane % c.shape[i - 1];
        plane /= c.shape[i - 1];
        f += index * c.from[i - 1];
        t += index * c.to[i - 1];
      }
      copy_plane(f, t, count, columns, from_row, c.from[rank - 1], to_row, c.to[rank - 1]);
      begin += count;
    }
  });
}

void copy_strided(const Operand& from, std::byte* to, const Strides& to_strides) {
  if (from.size() == 0) return;
  const Collapsed c = collapse(from.shape, from.strides, to_strides);
  switch (size_of(from.dtype)) {
    case 1: return copy_typed(c, from.as<uint8_t>(), reinterpret_cast<uint8_t*>(to));
    case 2: return copy_typed(c, from.as<uint16_t>(), reinterpret_cast<uint16_t*>(to));
    case 4: return copy_typed(c, from.as<uint32_t>(), reinterpret_cast<uint32_t*>(to));
    case 8: return copy_typed(c, from.as<uint64_t>(), reinterpret_cast<uint64_t*>(to));
    default: return copy_typed(c, from.as<complex128_t>(), reinterpret_cast<complex128_t*>(to));
  }
}

// Calls copy(i) for every part. Small parts share a task; large ones are cut by their copies.
template <class Copy>
void copy_parts(Inputs parts, Copy&& copy) {
  int64_t elements = 1;
  for (const Operand& part : parts) elements += part.size();
  const auto count = static_cast<int64_t>(parts.size());
  parallel_for(count, kElementsPerTask * count / elements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) copy(static_cast<size_t>(i));
  });
}

void run_contiguous(const Contiguous&, Inputs in, Outputs out) {
  copy_parts(in, [&](size_t i) { copy_strided(in[i], out[i].data, out[i].strides); });
}

void run_unslice(const Unslice& op, Inputs in, Outputs out) {
  const auto bytes = out[0].size() * static_cast<int64_t>(size_of(out[0].dtype));
  parallel_for(bytes, 1 << 18, [&](int64_t begin, int64_t end) {
    std::memset(out[0].data + begin, 0, static_cast<size_t>(end - begin));
  });
  int64_t offset = 0;
  Strides strides = out[0].strides;
  for (size_t i = 0; i < strides.size(); ++i) {
    offset += op.start[i] * strides[i];
    strides[i] *= op.step[i];
  }
  if (in[0].size() == 0) return;
  copy_strided(in[0], out[0].data + offset * static_cast<int64_t>(size_of(out[0].dtype)), strides);
}

void run_concatenate(const Concatenate& op, Inputs in, Outputs out) {
  const auto axis = static_cast<size_t>(op.axis);
  const auto item = static_cast<int64_t>(size_of(out[0].dtype));
  std::vector<int64_t> offsets;
  int64_t offset = 0;
  for (const Operand& part : in) {
    offsets.push_back(offset);
    offset += part.shape[axis] * out[0].strides[axis] * item;
  }
  copy_parts(in, [&](size_t i) { copy_strided(in[i], out[0].data + offsets[i], out[0].strides); });
}

void run_arange(const Arange& op, Inputs, Outputs out) {
  dispatch(op.dtype, [&]<class T>(TypeTag<T>) {
    T* values = out[0].as<T>();
    for (int64_t i = 0; i < op.count; ++i) {
      const double value = op.start + static_cast<double>(i) * op.step;
      if constexpr (std::is_arithmetic_v<T>)
        values[i] = static_cast<T>(value);
      else
        values[i] = T(static_cast<float>(value));
    }
  });
}

void run_bitcast(const Bitcast&, Inputs in, Outputs out) {
  const size_t bytes = static_cast<size_t>(out[0].size()) * size_of(out[0].dtype);
  if (bytes > 0) std::memcpy(out[0].data, in[0].data, bytes);
}

}  // namespace

void install_copy(KernelTable& table) {
  table.add<Bitcast>(run_bitcast, InputLayout::kContiguous);
  table.add<Contiguous>(run_contiguous, InputLayout::kAny);
  table.add<Unslice>(run_unslice, InputLayout::kAny);
  table.add<Concatenate>(run_concatenate, InputLayout::kAny);
  table.add<Arange>(run_arange, InputLayout::kAny);
}

}  // namespace mica
