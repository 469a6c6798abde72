// What the kernels that read and write by index share: checked positions.
//
//   const std::vector<int64_t> positions = positions_of("take", in[1], x.length, op.axis);
#pragma once

#include <atomic>
#include <vector>

#include "core/graph/kernels.h"
#include "core/runtime/parallel.h"

namespace mica {

inline constexpr int64_t kElementsPerChunk = 16384;

template <class T>
bool resolve(T index, int64_t length, int64_t& position) {
  if constexpr (std::is_unsigned_v<T>) {
    position = static_cast<int64_t>(index);
    return static_cast<uint64_t>(index) < static_cast<uint64_t>(length);
  } else {
    position = index < 0 ? static_cast<int64_t>(index) + length : static_cast<int64_t>(index);
    return position >= 0 && position < length;
  }
}

template <class T>
std::vector<int64_t> typed_positions(std::string_view op, const Operand& indices, int64_t length,
                                     int axis) {
  const int64_t count = indices.size();
  const T* values = indices.as<T>();
  std::vector<int64_t> positions(static_cast<size_t>(count));
  std::atomic<int64_t> first_bad = count;
  parallel_for(count, kElementsPerChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (resolve(values[i], length, positions[i])) continue;
      int64_t seen = first_bad.load();
      while (i < seen && !first_bad.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  });
  const int64_t bad = first_bad.load();
  if (bad == count) return positions;
  fail("[{}] index {} (element {} of the indices) is out of range for axis {} of length {}", op,
       values[bad], bad, axis, length);
}

/// Positions in [0, length) for all indices, which count from the end where negative. Throws Error
/// for the first one that has none.
inline std::vector<int64_t> positions_of(std::string_view op, const Operand& indices,
                                         int64_t length, int axis) {
  return dispatch(indices.dtype, [&]<class T>(TypeTag<T>) -> std::vector<int64_t> {
    if constexpr (std::is_integral_v<T>)
      return typed_positions<T>(op, indices, length, axis);
    else
      return {};
  });
}

}  // namespace mica
