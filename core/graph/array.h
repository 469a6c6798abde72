// Array: a handle to a lazily computed n-dimensional array.
//
//   Array a = array({1.0f, 2.0f, 3.0f});      // float32, shape (3,)
//   Array b = a * 2 + 1;                      // nothing is computed yet
//   std::vector<float> v = b.to_vector<float>();   // now it is: 3, 5, 7
//
// Copying an Array copies the handle. A C++ number turns into a scalar that takes the type of the
// arrays it meets ("weak"): a float16 array times 2.5 stays float16. An Array may be read from
// several threads; building or evaluating graphs that share nodes is for one thread at a time.
#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "core/graph/dtype.h"
#include "core/graph/shape.h"

namespace mica {

class Node;
struct Value;

template <class T>
concept Number = std::is_arithmetic_v<T>;

class Array {
 public:
  /// An empty handle: defined() is false, and nothing else may be asked of it.
  Array() = default;
  /// A weak scalar: bool, int32 (int64 where the value needs it) or float32 until it meets an
  /// array of another type.
  template <Number T>
  Array(T value) : Array(scalar_constant(value)) {}

  Array(const Array& other);
  Array(Array&& other) noexcept : node_(other.node_), index_(other.index_) {
    other.node_ = nullptr;
  }
  Array& operator=(const Array& other);
  Array& operator=(Array&& other) noexcept;
  ~Array();

  /// A copy of row-major bytes. REQUIRES: `data` has size_of(shape) * size_of(dtype) bytes.
  static Array from_bytes(const void* data, const Shape& shape, Dtype dtype);
  /// A copy of row-major values. Throws if `values` and `shape` differ in size.
  template <class T>
  static Array from(std::span<const T> values, const Shape& shape) {
    check_count(static_cast<int64_t>(values.size()), shape);
    return from_bytes(values.data(), shape, dtype_of<T>);
  }
  template <class T>
  static Array from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  /// A scalar of exactly this type (not weak).
  static Array scalar(double value, Dtype dtype);

  bool defined() const { return node_ != nullptr; }
  const Shape& shape() const;
  /// Length of an axis; negative axes count from the end.
  int64_t dim(int axis) const;
  int rank() const { return static_cast<int>(shape().size()); }
  int64_t size() const { return size_of(shape()); }
  Dtype dtype() const;
  /// True for a C++ number that has not met a typed array yet.
  bool is_weak() const;
  /// True when the values are there (or on their way in a stream).
  bool is_evaluated() const;

  // The following evaluate (core/eval/eval.cc).

  /// The only element, converted to T. Throws if there is more than one.
  template <class T>
  T item() const;
  /// All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;
  /// All elements in row-major order as they are stored.
  std::vector<std::byte> to_bytes() const;
  /// Like NumPy's repr: "array([1, 2, 3], dtype=int32)"; large arrays are shortened.
  std::string to_string() const;

  // For the layers below the public interface.
  Array(Node* node, uint32_t index);
  Node* node() const { return node_; }
  uint32_t index() const { return index_; }
  /// The same output of the same node.
  bool is_same(const Array& other) const { return node_ == other.node_ && index_ == other.index_; }

 private:
  static Array scalar_constant(bool value);
  static Array scalar_constant(int64_t value);
  static Array scalar_constant(double value);
  template <Number T>
  static Array scalar_constant(T value) {
    if constexpr (std::is_floating_point_v<T>)
      return scalar_constant(static_cast<double>(value));
    else
      return scalar_constant(static_cast<int64_t>(value));
  }
  static void check_count(int64_t count, const Shape& shape);

  Node* node_ = nullptr;
  uint32_t index_ = 0;
};

using Arrays = SmallVector<Array, 3>;

/// array({1, 2, 3}) has dtype int32, array({1.0f, 2.0f}) float32, array({1.0}) float32 as well
/// (give the dtype to keep float64: array<double>({1.0})).
template <class T = void, class U>
Array array(std::initializer_list<U> values) {
  using Element = std::conditional_t<std::is_void_v<T>,
                                     std::conditional_t<std::is_same_v<U, double>, float, U>, T>;
  SmallVector<Element, 8> converted;
  for (const U& value : values) converted.push_back(static_cast<Element>(value));
  return Array::from_bytes(converted.data(), {static_cast<int64_t>(values.size())},
                           dtype_of<Element>);
}

/// array({{1, 2}, {3, 4}}): two dimensions. Throws if the rows differ in length.
template <class T = void, class U>
Array array(std::initializer_list<std::initializer_list<U>> rows) {
  using Element = std::conditional_t<std::is_void_v<T>,
                                     std::conditional_t<std::is_same_v<U, double>, float, U>, T>;
  SmallVector<Element, 16> converted;
  const size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  for (const auto& row : rows) {
    if (row.size() != columns) fail("[array] rows have {} and {} elements", columns, row.size());
    for (const U& value : row) converted.push_back(static_cast<Element>(value));
  }
  return Array::from_bytes(converted.data(),
                           {static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns)},
                           dtype_of<Element>);
}

}  // namespace mica
