// Functions of index.h whose results have as many elements as the values say.
#include <algorithm>
#include <vector>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"

namespace mica {
namespace {

// Numbers, in row-major order, of the elements that are not 0.
std::vector<int64_t> places_of_nonzero(const Array& x) {
  const std::vector<bool> set = (x != 0).to_vector<bool>();
  std::vector<int64_t> places;
  for (size_t i = 0; i < set.size(); ++i) {
    if (set[i]) places.push_back(static_cast<int64_t>(i));
  }
  return places;
}

}  // namespace

Arrays nonzero(const Array& x) {
  const std::vector<int64_t> places = places_of_nonzero(x);
  const auto count = static_cast<int64_t>(places.size());
  Arrays axes;
  int64_t behind = x.size();
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x.dim(axis) > 0) behind /= x.dim(axis);
    std::vector<int32_t> along;
    for (const int64_t place : places) {
      along.push_back(static_cast<int32_t>(place / behind % x.dim(axis)));
    }
    axes.push_back(Array::from(along, {count}));
  }
  return axes;
}

Array masked_select(const Array& x, const Array& mask) {
  const Shape& shape = mask.shape();
  const bool fits =
      mask.rank() <= x.rank() && std::equal(shape.begin(), shape.end(), x.shape().begin());
  if (!fits || mask.dtype() != bool_) {
    fail("[masked_select] got a {} mask of shape {}; wanted bool and the first axes of {}",
         mask.dtype(), to_string(shape), to_string(x.shape()));
  }
  const std::vector<int64_t> places = places_of_nonzero(mask);
  Shape rows = {mask.size()};
  rows.append(x.shape().begin() + mask.rank(), x.shape().end());
  return take(reshape(x, rows), Array::from(places, {static_cast<int64_t>(places.size())}), 0);
}

Array unique(const Array& x) {
  const Array sorted = sort(reshape(x, {x.size()}));
  if (x.size() < 2) return sorted;
  const Array later = slice_axis(sorted, 0, 1, x.size());
  const Array earlier = slice_axis(sorted, 0, 0, x.size() - 1);
  Array differs = later != earlier;
  if (is_floating(x.dtype())) {
    differs = logical_and(differs, logical_not(logical_and(isnan(later), isnan(earlier))));
  }
  const Array first = ones({1}, bool_);
  return masked_select(sorted, concatenate({first, differs}));
}

}  // namespace mica
