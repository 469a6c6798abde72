// How the tiles of one input of a fused program are had.
//
//   InputReader reader(operand, tile);             // once for each layout
//   reader.fill(data, begin, count, tile_bytes);   // where the elements do not lie in place
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/graph/kernels.h"

namespace mica {

// How tiles of one input are had: in place, filled once (a scalar), out of a few repetitions (a row
// that is the same for all leading indices), or gathered.
struct InputReader {
  enum class Mode : uint8_t { kDirect, kScalar, kPeriodic, kStrided };
  Mode mode;
  size_t item;
  Shape shape;  // without axes that lie behind each other, for kStrided
  Strides strides;
  int64_t period = 0;      // for kPeriodic
  size_t repetitions = 0;  // of the row, enough to find any tile in them

  InputReader(const Operand& in, int64_t tile) : item(size_of(in.dtype)) {
    const bool scalar =
        std::ranges::all_of(in.strides, [](int64_t s) { return s == 0; }) || in.size() == 1;
    if (scalar)
      mode = Mode::kScalar;
    else if (Layout{in.shape, in.strides, 0}.is_contiguous())
      mode = Mode::kDirect;
    else
      collapse(in);
    const bool row = mode == Mode::kStrided && shape.size() == 2 && strides[0] == 0;
    if (!row || strides[1] != 1 || shape[1] > tile) return;
    mode = Mode::kPeriodic;
    period = shape[1];
    repetitions = static_cast<size_t>(tile / period) + 2;
  }

  // The repeated row, for kPeriodic.
  std::vector<std::byte> repeat(const std::byte* data) const {
    const size_t row = static_cast<size_t>(period) * item;
    std::vector<std::byte> repeated(repetitions * row);
    for (size_t i = 0; i < repetitions; ++i) std::memcpy(repeated.data() + i * row, data, row);
    return repeated;
  }

  void collapse(const Operand& in) {
    mode = Mode::kStrided;
    for (size_t i = 0; i < in.shape.size(); ++i) {
      if (in.shape[i] == 1) continue;
      if (!shape.empty() && strides.back() == in.strides[i] * in.shape[i]) {
        shape.back() *= in.shape[i];
        strides.back() = in.strides[i];
      } else {
        shape.push_back(in.shape[i]);
        strides.push_back(in.strides[i]);
      }
    }
  }

  template <class T>
  void gather(const std::byte* data, int64_t begin, int64_t count, T* out) const {
    const size_t last = shape.size() - 1;
    Shape index(shape.size());
    int64_t offset = 0;
    for (size_t axis = shape.size(); axis-- > 0;) {
      index[axis] = begin % shape[axis];
      begin /= shape[axis];
      offset += index[axis] * strides[axis];
    }
    const T* base = reinterpret_cast<const T*>(data);
    const int64_t step = strides[last];
    while (count > 0) {
      const int64_t run = std::min(count, shape[last] - index[last]);
      const T* from = base + offset;
      if (step == 1)
        std::copy_n(from, run, out);
      else if (step == 0)
        std::fill_n(out, run, *from);
      else
        for (int64_t i = 0; i < run; ++i) out[i] = from[i * step];
      out += run;
      count -= run;
      index[last] += run;
      offset += run * step;
      for (size_t axis = last; axis > 0 && index[axis] == shape[axis]; --axis) {
        offset += strides[axis - 1] - strides[axis] * shape[axis];
        index[axis] = 0;
        ++index[axis - 1];
      }
    }
  }

  void fill(const std::byte* data, int64_t begin, int64_t count, std::byte* tile) const {
    switch (item) {
      case 1: return fill_typed(data, begin, count, reinterpret_cast<uint8_t*>(tile));
      case 2: return fill_typed(data, begin, count, reinterpret_cast<uint16_t*>(tile));
      case 4: return fill_typed(data, begin, count, reinterpret_cast<uint32_t*>(tile));
      case 8: return fill_typed(data, begin, count, reinterpret_cast<uint64_t*>(tile));
      default: return fill_typed(data, begin, count, reinterpret_cast<complex128_t*>(tile));
    }
  }
  template <class T>
  void fill_typed(const std::byte* data, int64_t begin, int64_t count, T* tile) const {
    if (mode == Mode::kScalar)
      std::fill_n(tile, count, *reinterpret_cast<const T*>(data));
    else
      gather(data, begin, count, tile);
  }
};

}  // namespace mica
