// What the kernels of linalg share: walking over a batch of matrices, and saying which one failed.
//
//   const MatrixBatch a(in[0], 2);
//   BadMatrix singular;
//   for_each_matrix(a.count(), cost, [&](int64_t begin, int64_t end) { ... singular.note(i); });
//   singular.check("[inv]", in[0].shape, "is singular");
//
// Inputs may have any strides: LAPACK works in place, so that every matrix is copied anyhow.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/cpu/library_threads.h"
#include "core/graph/kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {

/// The matrices (own_axes = 2) or vectors (1) in the last axes of an operand.
class MatrixBatch {
 public:
  explicit MatrixBatch(const Operand& x, size_t own_axes = 2) : x_(x) {
    const size_t rank = x.shape.size();
    for (size_t axis = 0; axis + own_axes < rank; ++axis) {
      lengths_.push_back(x.shape[axis]);
      steps_.push_back(x.strides[axis]);
      count_ *= x.shape[axis];
    }
    columns_ = x.shape[rank - 1];
    across_ = x.strides[rank - 1];
    if (own_axes == 2) rows_ = x.shape[rank - 2], down_ = x.strides[rank - 2];
  }

  int64_t count() const { return count_; }
  int rows() const { return static_cast<int>(rows_); }
  int columns() const { return static_cast<int>(columns_); }
  int64_t size() const { return rows_ * columns_; }

  template <class T>
  T* at(int64_t i) const {
    int64_t offset = 0;
    for (size_t axis = lengths_.size(); axis-- > 0; i /= lengths_[axis]) {
      offset += i % lengths_[axis] * steps_[axis];
    }
    return x_.as<T>() + offset;
  }
  /// Matrix i in row-major order.
  template <class T>
  void load(int64_t i, T* to) const {
    copy(at<const T>(i), rows_, columns_, down_, across_, to);
  }
  /// In column-major order, as LAPACK has matrices.
  template <class T>
  void load_columns(int64_t i, T* to) const {
    copy(at<const T>(i), columns_, rows_, across_, down_, to);
  }

 private:
  template <class T>
  static void copy(const T* from, int64_t lines, int64_t length, int64_t line_step, int64_t step,
                   T* to) {
    for (int64_t line = 0; line < lines; ++line, from += line_step, to += length) {
      for (int64_t i = 0; i < length; ++i) to[i] = from[i * step];
    }
  }

  const Operand& x_;
  SmallVector<int64_t, 4> lengths_, steps_;
  int64_t count_ = 1, rows_ = 1, columns_ = 1, down_ = 0, across_ = 0;
};

/// Writes the row-major transpose of a row-major matrix. They do not overlap.
template <class T>
void transpose_to(const T* from, int64_t rows, int64_t columns, T* to) {
  constexpr int64_t kBlock = 16;
  for (int64_t first = 0; first < rows; first += kBlock) {
    for (int64_t column = 0; column < columns; ++column) {
      for (int64_t row = first; row < std::min(rows, first + kBlock); ++row) {
        to[column * rows + row] = from[row * columns + column];
      }
    }
  }
}

/// Memory for one task, aligned alike everywhere so that vector code adds in the same order.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : buffer_(Buffer::allocate(static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(T))) {}
  T* data() const { return reinterpret_cast<T*>(buffer_.data()); }
  T& operator[](int64_t i) const { return data()[i]; }

 private:
  Buffer buffer_;
};

/// Calls body(begin, end) for runs of matrices, in parallel, where LAPACK may be called. `cost` is
/// the number of operations for one matrix.
template <class Body>
void for_each_matrix(int64_t count, double cost, Body&& body) {
  constexpr double kCostPerTask = 1e5;
  const double most = static_cast<double>(std::max<int64_t>(count, 1));
  const double grain = std::clamp(kCostPerTask / std::max(cost, 1.0), 1.0, most);
  parallel_for(count, static_cast<int64_t>(grain), [&](int64_t begin, int64_t end) {
    use_one_library_thread();
    body(begin, end);
  });
}

inline double cubed(double n) { return n * n * n; }

template <class T>
bool all_finite(const T* values, int64_t count) {
  return std::all_of(values, values + count, [](T v) { return std::isfinite(v); });
}

/// The first matrix of a batch that an algorithm has no answer for.
class BadMatrix {
 public:
  void note(int64_t i) {
    int64_t seen = first_.load();
    while (i < seen && !first_.compare_exchange_weak(seen, i)) {
    }
  }
  /// Throws Error for the first one noted: "[inv] matrix 2 of shape (5, 3, 3) is singular".
  void check(std::string_view op, const Shape& shape, std::string_view what) const {
    const int64_t bad = first_.load();
    if (bad == INT64_MAX) return;
    if (shape.size() == 2) fail("[{}] the matrix of shape {} {}", op, to_string(shape), what);
    fail("[{}] matrix {} of shape {} {}", op, bad, to_string(shape), what);
  }

 private:
  std::atomic<int64_t> first_ = INT64_MAX;
};

/// Calls visit(TypeTag<T>) for float or double.
template <class Visit>
void dispatch_real(Dtype dtype, Visit&& visit) {
  if (dtype == float32) return visit(TypeTag<float>());
  MICA_ASSERT(dtype == float64);
  visit(TypeTag<double>());
}

}  // namespace mica
