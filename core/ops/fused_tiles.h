// How the tiles of one operand of a fused program are had, and how long tiles and tasks are.
//
//   TiledOperand x(operand);
//   const int64_t tile = tile_length(operands, 512);   // of all operands of the program
//   x.choose_mode(tile, whole_tiles);                  // once for each layout
//   x.fill(data, begin, count, scratch);               // where the elements do not lie in place
#pragma once

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/graph/kernels.h"
#include "core/ops/fused.h"

namespace mica {

// How tiles of one operand are had: in place, filled once (a scalar), out of a few repetitions (a
// row that is the same for all leading indices), in place within rows that tiles never leave, or
// gathered (an output: scattered).
struct TiledOperand {
  enum class Mode : uint8_t { kDirect, kScalar, kPeriodic, kRows, kStrided };
  Mode mode = Mode::kStrided;
  size_t item;
  Shape shape;  // without axes that lie behind each other, for kRows and kStrided
  Strides strides;
  int64_t period = 0;      // for kPeriodic
  size_t repetitions = 0;  // of the row, enough to find any tile in them

  explicit TiledOperand(const Operand& operand) : item(size_of(operand.dtype)) {
    const bool scalar = std::ranges::all_of(operand.strides, [](int64_t s) { return s == 0; }) ||
                        operand.size() == 1;
    if (scalar)
      mode = Mode::kScalar;
    else if (Layout{operand.shape, operand.strides, 0}.is_contiguous())
      mode = Mode::kDirect;
    else
      collapse(operand);
  }

  // Elements behind each other; 0 where tiles are not looked for in such rows.
  int64_t row() const { return mode == Mode::kStrided && strides.back() == 1 ? shape.back() : 0; }

  bool is_periodic(int64_t tile) const {
    return row() > 0 && row() <= tile && shape.size() == 2 && strides[0] == 0;
  }

  // `whole_tiles`: tiles begin at multiples of `tile` and are that long, but for the last one.
  void choose_mode(int64_t tile, bool whole_tiles) {
    if (whole_tiles && row() > 0 && row() % tile == 0) {
      mode = Mode::kRows;
    } else if (is_periodic(tile)) {
      mode = Mode::kPeriodic;
      period = shape[1];
      repetitions = static_cast<size_t>(tile / period) + 2;
    }
  }

  // The repeated row, for kPeriodic.
  std::vector<std::byte> repeat(const std::byte* data) const {
    const size_t length = static_cast<size_t>(period) * item;
    std::vector<std::byte> repeated(repetitions * length);
    for (size_t i = 0; i < repetitions; ++i) {
      std::memcpy(repeated.data() + i * length, data, length);
    }
    return repeated;
  }

  // Where element `begin` lies in memory, in bytes: for kDirect and kRows.
  int64_t offset_of(int64_t begin) const {
    if (mode != Mode::kRows) return begin * static_cast<int64_t>(item);
    int64_t leading = begin / shape.back();
    int64_t offset = begin % shape.back();
    for (size_t axis = shape.size() - 1; axis-- > 1;) {
      offset += leading % shape[axis] * strides[axis];
      leading /= shape[axis];
    }
    return (offset + leading * strides[0]) * static_cast<int64_t>(item);
  }

  // Copies `count` elements from `begin` on into a tile.
  void fill(const std::byte* data, int64_t begin, int64_t count, std::byte* tile) const {
    with_type([&]<class T>(T) {
      const T* from = reinterpret_cast<const T*>(data);
      T* out = reinterpret_cast<T*>(tile);
      if (mode == Mode::kScalar) {
        std::fill_n(out, count, *from);
        return;
      }
      for_runs(begin, count, [&](int64_t offset, int64_t run, int64_t step) {
        if (step == 1)
          std::copy_n(from + offset, run, out);
        else if (step == 0)
          std::fill_n(out, run, from[offset]);
        else
          for (int64_t i = 0; i < run; ++i) out[i] = from[offset + i * step];
        out += run;
      });
    });
  }

  // The other way round.
  void store(const std::byte* tile, int64_t begin, int64_t count, std::byte* data) const {
    with_type([&]<class T>(T) {
      const T* from = reinterpret_cast<const T*>(tile);
      T* out = reinterpret_cast<T*>(data);
      for_runs(begin, count, [&](int64_t offset, int64_t run, int64_t step) {
        for (int64_t i = 0; i < run; ++i) out[offset + i * step] = from[i];
        from += run;
      });
    });
  }

 private:
  void collapse(const Operand& operand) {
    for (size_t i = 0; i < operand.shape.size(); ++i) {
      if (operand.shape[i] == 1) continue;
      if (!shape.empty() && strides.back() == operand.strides[i] * operand.shape[i]) {
        shape.back() *= operand.shape[i];
        strides.back() = operand.strides[i];
      } else {
        shape.push_back(operand.shape[i]);
        strides.push_back(operand.strides[i]);
      }
    }
  }

  template <class Body>
  void with_type(Body&& body) const {
    switch (item) {
      case 1: return body(uint8_t());
      case 2: return body(uint16_t());
      case 4: return body(uint32_t());
      case 8: return body(uint64_t());
      default: return body(complex128_t());
    }
  }

  // Calls body(offset, elements, step between them) for every piece of the innermost axis.
  template <class Body>
  void for_runs(int64_t begin, int64_t count, Body&& body) const {
    const size_t last = shape.size() - 1;
    Shape index(shape.size());
    int64_t offset = 0;
    for (size_t axis = shape.size(); axis-- > 0;) {
      index[axis] = begin % shape[axis];
      begin /= shape[axis];
      offset += index[axis] * strides[axis];
    }
    const int64_t step = strides[last];
    while (count > 0) {
      const int64_t run = std::min(count, shape[last] - index[last]);
      body(offset, run, step);
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
};

/// At most `most` elements: where operands would have to be gathered, a length that divides their
/// rows, if there is one that is not much shorter.
int64_t tile_length(const std::vector<TiledOperand>& operands, int64_t most);

/// How many tiles one task of the program is to run, by its estimated costs: a task should take
/// some microseconds, or sharing it out costs more than it gains.
int64_t tiles_per_task(const Fused& program, int64_t moved_bytes, int64_t tile);

}  // namespace mica
