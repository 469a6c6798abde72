#include "core/ops/conv_general.h"

#include <algorithm>
#include <array>

#include "core/ops/conv_nd.h"
#include "core/ops/view.h"

namespace mica {
namespace {

Shape for_each_axis(const Shape& given, size_t count, int64_t otherwise, int64_t least,
                    const char* what) {
  if (given.size() > 1 && given.size() != count) {
    fail("[conv_general] {} has {} numbers; wanted 1 or {}", what, given.size(), count);
  }
  Shape all;
  for (size_t i = 0; i < count; ++i) {
    all.push_back(given.empty() ? otherwise : given[given.size() == 1 ? 0 : i]);
    if (all.back() < least) {
      fail("[conv_general] {} is {}; wanted {} or more", what, all.back(), least);
    }
  }
  return all;
}

// Elements `distance` apart, with zeros between them.
Array spread(const Array& x, int axis, int64_t distance) {
  const int64_t n = x.dim(axis);
  if (distance == 1 || n == 0) return x;
  const Array apart = expand_dims(x, {axis + 1});
  const Shape low(apart.shape().size(), 0);
  Shape high = low;
  high[static_cast<size_t>(axis) + 1] = distance - 1;
  return slice_axis(flatten(pad(apart, low, high), axis, axis + 1), axis, 0,
                    (n - 1) * distance + 1);
}

// Zeros in front of and behind each spatial axis, or less of it.
Array padded(Array x, const Shape& low, const Shape& high) {
  Shape before(x.shape().size(), 0), behind = before, start = before, stop = x.shape();
  bool pads = false;
  for (size_t i = 0; i < low.size(); ++i) {
    before[i + 1] = std::max<int64_t>(low[i], 0);
    behind[i + 1] = std::max<int64_t>(high[i], 0);
    start[i + 1] = std::max<int64_t>(-low[i], 0);
    stop[i + 1] -= std::max<int64_t>(-high[i], 0);
    pads = pads || low[i] > 0 || high[i] > 0;
    if (start[i + 1] > stop[i + 1]) {
      fail("[conv_general] padding {} and {} leaves nothing of axis {} of {}", low[i], high[i],
           i + 1, to_string(x.shape()));
    }
  }
  x = slice(x, start, stop);
  return pads ? pad(x, before, behind) : x;
}

template <size_t kCount>
std::array<int64_t, kCount> to_array(const Shape& shape) {
  std::array<int64_t, kCount> all;
  std::copy(shape.begin(), shape.end(), all.begin());
  return all;
}

}  // namespace

Array conv_general(const Array& x, const Array& weight, const ConvGeneralOptions& o) {
  const int rank = x.rank();
  if (rank < 3 || rank > 5 || weight.rank() != rank) {
    fail("[conv_general] got input {} and weight {}; wanted 3, 4 or 5 axes each",
         to_string(x.shape()), to_string(weight.shape()));
  }
  const auto count = static_cast<size_t>(rank) - 2;
  const Shape stride = for_each_axis(o.stride, count, 1, 1, "stride");
  const Shape low = for_each_axis(o.padding_low, count, 0, INT64_MIN, "padding_low");
  const Shape high = o.padding_high.empty()
                         ? low
                         : for_each_axis(o.padding_high, count, 0, INT64_MIN, "padding_high");
  const Shape dilation = for_each_axis(o.kernel_dilation, count, 1, 1, "kernel_dilation");
  const Shape distance = for_each_axis(o.input_dilation, count, 1, 1, "input_dilation");

  Array input = x, kernel = weight;
  Axes spatial;
  for (size_t i = 0; i < count; ++i) {
    const int axis = static_cast<int>(i) + 1;
    spatial.push_back(axis);
    input = spread(input, axis, distance[i]);
  }
  if (o.flip) kernel = flip(kernel, spatial);
  // What is the same on both sides needs no copy of the input.
  const bool even = std::equal(low.begin(), low.end(), high.begin()) &&
                    std::all_of(low.begin(), low.end(), [](int64_t p) { return p >= 0; });
  if (!even) input = padded(input, low, high);
  const Shape padding = even ? low : Shape(count, 0);
  if (count == 1) {
    return conv1d(input, kernel, {stride[0], padding[0], dilation[0], o.groups});
  }
  if (count == 2) {
    return conv2d(input, kernel,
                  {to_array<2>(stride), to_array<2>(padding), to_array<2>(dilation), o.groups});
  }
  return conv3d(input, kernel,
                {to_array<3>(stride), to_array<3>(padding), to_array<3>(dilation), o.groups});
}

}  // namespace mica
