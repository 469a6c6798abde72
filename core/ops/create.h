// New arrays.
//
//   zeros({2, 3})      arange(10)      linspace(0, 1, 5)      eye(3)
#pragma once

#include "core/graph/array.h"

namespace mica {

Array zeros(const Shape& shape, Dtype dtype = float32);
Array ones(const Shape& shape, Dtype dtype = float32);
Array full(const Shape& shape, const Array& value);
Array full(const Shape& shape, const Array& value, Dtype dtype);
Array zeros_like(const Array& x);
Array ones_like(const Array& x);
/// start, start + step, ... below stop.
Array arange(double start, double stop, double step = 1, Dtype dtype = int32);
Array arange(int64_t stop, Dtype dtype = int32);
/// `count` values from start to stop, both included.
Array linspace(double start, double stop, int64_t count = 50, Dtype dtype = float32);
Array eye(int64_t rows, int64_t columns = -1, Dtype dtype = float32);

}  // namespace mica
