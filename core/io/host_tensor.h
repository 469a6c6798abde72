// HostTensor: a plain row-major block of values in main memory, as file formats read and write it.
//
//   HostTensor t = HostTensor::from<float>({1, 2, 3, 4}, {2, 2});
//   std::span<const float> values = t.as<float>();
//   Array a = to_array(t);
//   HostTensor back = to_host(a);      // evaluates a
//
// bytes.size() is always size_of(shape) * size_of(dtype). A value type; not synchronised.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/graph/array.h"

namespace mica {

struct HostTensor {
  Dtype dtype = Dtype::kFloat32;
  Shape shape = {0};
  std::vector<std::byte> bytes;

  HostTensor() = default;
  /// Zeros.
  HostTensor(Dtype dtype, const Shape& shape)
      : dtype(dtype),
        shape(shape),
        bytes(static_cast<size_t>(mica::size_of(shape)) * mica::size_of(dtype)) {}

  /// A copy of row-major values. REQUIRES: values.size() == size_of(shape).
  template <class T>
  static HostTensor from(std::span<const T> values, const Shape& shape) {
    HostTensor tensor(dtype_of<T>, shape);
    MICA_ASSERT(values.size_bytes() == tensor.bytes.size());
    if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
    return tensor;
  }
  template <class T>
  static HostTensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static HostTensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }

  int64_t size() const { return mica::size_of(shape); }
  /// Length of the first axis; 1 for a scalar.
  int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  /// Bytes of one entry along the first axis.
  size_t row_bytes() const { return rows() == 0 ? 0 : bytes.size() / static_cast<size_t>(rows()); }

  /// The values. REQUIRES: T is the type of `dtype`.
  template <class T>
  std::span<const T> as() const {
    MICA_ASSERT(dtype_of<T> == dtype);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::span<T> as() {
    MICA_ASSERT(dtype_of<T> == dtype);
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  friend bool operator==(const HostTensor&, const HostTensor&) = default;
};

/// The values converted as a C++ cast would (a complex number gives its real part).
HostTensor convert(const HostTensor& tensor, Dtype dtype);
/// A copy with another shape of the same size.
HostTensor reshape(HostTensor tensor, const Shape& shape);

inline Array to_array(const HostTensor& tensor) {
  return Array::from_bytes(tensor.bytes.data(), tensor.shape, tensor.dtype);
}
inline HostTensor to_host(const Array& array) {
  HostTensor tensor;
  tensor.bytes = array.to_bytes();
  tensor.dtype = array.dtype();
  tensor.shape = array.shape();
  return tensor;
}

}  // namespace mica
