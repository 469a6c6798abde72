#include "core/graph/shape.h"

#include <algorithm>

#include "core/base/error.h"

namespace mica {

int64_t size_of(const Shape& shape) {
  int64_t size = 1;
  for (int64_t length : shape) size *= length;
  return size;
}

std::string to_string(const Shape& shape) {
  if (shape.size() == 1) return fmt::format("({},)", shape[0]);
  return fmt::format("({})", fmt::join(shape.begin(), shape.end(), ", "));
}

Strides row_major(const Shape& shape) {
  Strides strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  if (a == b) return a;
  const size_t rank = std::max(a.size(), b.size());
  Shape out(rank);
  for (size_t i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.size() ? a[a.size() - i] : 1;
    const int64_t y = i <= b.size() ? b[b.size() - i] : 1;
    if (x != y && x != 1 && y != 1) {
      fail("[{}] shapes {} and {} do not broadcast: axis {} has {} and {}", op, to_string(a),
           to_string(b), rank - i, x, y);
    }
    out[rank - i] = x == 1 ? y : x;
  }
  return out;
}

int normalize_axis(int axis, size_t rank, const char* op) {
  const int r = static_cast<int>(rank);
  if (axis < -r || axis >= r) {
    fail("[{}] axis {} is out of range for an array of rank {}", op, axis, rank);
  }
  return axis < 0 ? axis + r : axis;
}

Axes normalize_axes(const Axes& axes, size_t rank, const char* op) {
  Axes out;
  if (axes.empty()) {
    for (size_t i = 0; i < rank; ++i) out.push_back(static_cast<int>(i));
    return out;
  }
  for (int axis : axes) out.push_back(normalize_axis(axis, rank, op));
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end()) {
    fail("[{}] axes {} name the same axis twice", op, fmt::join(axes.begin(), axes.end(), ", "));
  }
  return out;
}

bool Layout::is_contiguous() const {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

}  // namespace mica
