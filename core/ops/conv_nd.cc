#include "core/ops/conv_nd.h"

#include "core/ops/elementwise.h"
#include "core/ops/view.h"

namespace mica {
namespace {

void check_rank(const Array& x, const Array& weight, size_t rank, const char* op) {
  if (x.shape().size() == rank && weight.shape().size() == rank) return;
  fail("[{}] got input {} and weight {}; wanted {} axes each", op, to_string(x.shape()),
       to_string(weight.shape()), rank);
}

Conv2dOptions flat(const Conv1dOptions& o) {
  return {{1, o.stride}, {0, o.padding}, {1, o.dilation}, o.groups};
}

Conv2dOptions plane(const Conv3dOptions& o) {
  return {{o.stride[1], o.stride[2]},
          {o.padding[1], o.padding[2]},
          {o.dilation[1], o.dilation[2]},
          o.groups};
}

void check_groups(int64_t groups, int64_t channels, const char* op) {
  if (groups >= 1 && channels % groups == 0) return;
  fail("[{}] {} input channels do not divide into {} groups", op, channels, groups);
}

// How long a side of a transposed convolution's result is.
int64_t transposed_length(int64_t length, int64_t kernel, int64_t stride, int64_t padding,
                          int64_t dilation, int64_t output_padding, const char* op) {
  if (stride < 1 || dilation < 1 || padding < 0) {
    fail("[{}] got stride {}, padding {}, dilation {}; wanted at least 1, 0 and 1", op, stride,
         padding, dilation);
  }
  if (output_padding < 0 || output_padding >= stride) {
    fail("[{}] output_padding is {}; wanted 0 or more and less than the stride, {}", op,
         output_padding, stride);
  }
  const int64_t out =
      (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + output_padding;
  if (out < 1) {
    fail("[{}] a side of {} with kernel {} and padding {} leaves nothing", op, length, kernel,
         padding);
  }
  return out;
}

Array transposed_plane(const Array& x, const Array& weight, const Conv2dOptions& o,
                       const std::array<int64_t, 2>& output_padding, const char* op) {
  check_groups(o.groups, x.dim(-1), op);
  Shape out = {x.dim(0), 0, 0, weight.dim(-1) * o.groups};
  for (size_t i = 0; i < 2; ++i) {
    out[i + 1] = transposed_length(x.shape()[i + 1], weight.shape()[i + 1], o.stride[i],
                                   o.padding[i], o.dilation[i], output_padding[i], op);
  }
  if (x.dim(-1) != weight.dim(0)) {
    fail("[{}] input {} has {} channels; weight {} wants {}", op, to_string(x.shape()), x.dim(-1),
         to_string(weight.shape()), weight.dim(0));
  }
  return conv2d_input(x, weight, out, o);
}

// (O, KD, KH, KW, I) -> (O, KH, KW, KD I): the taps along depth become channels.
Array flat_weight(const Array& weight) {
  const Shape& w = weight.shape();
  return reshape(transpose(weight, {0, 2, 3, 1, 4}), {w[0], w[2], w[3], w[1] * w[4]});
}

}  // namespace

Array conv1d(const Array& x, const Array& weight, const Conv1dOptions& options) {
  check_rank(x, weight, 3, "conv1d");
  return squeeze(conv2d(expand_dims(x, {1}), expand_dims(weight, {1}), flat(options)), {1});
}

Array conv_transpose1d(const Array& x, const Array& weight, const Conv1dOptions& options,
                       int64_t output_padding) {
  check_rank(x, weight, 3, "conv_transpose1d");
  return squeeze(transposed_plane(expand_dims(x, {1}), expand_dims(weight, {1}), flat(options),
                                  {0, output_padding}, "conv_transpose1d"),
                 {1});
}

Array conv_transpose2d(const Array& x, const Array& weight, const Conv2dOptions& options,
                       const std::array<int64_t, 2>& output_padding) {
  check_rank(x, weight, 4, "conv_transpose2d");
  return transposed_plane(x, weight, options, output_padding, "conv_transpose2d");
}

// The frames that the taps along depth see stand side by side as channels of one conv2d.
Array conv3d(const Array& x, const Array& weight, const Conv3dOptions& o) {
  check_rank(x, weight, 5, "conv3d");
  const int64_t groups = o.groups, taps = weight.dim(1), stride = o.stride[0];
  check_groups(groups, x.dim(-1), "conv3d");
  const int64_t room = x.dim(1) + 2 * o.padding[0] - o.dilation[0] * (taps - 1) - 1;
  if (stride < 1 || o.dilation[0] < 1 || o.padding[0] < 0 || taps < 1 || room < 0) {
    fail("[conv3d] stride {}, padding {} and dilation {} along depth do not fit input {} and {}",
         stride, o.padding[0], o.dilation[0], to_string(x.shape()), to_string(weight.shape()));
  }
  const int64_t depth = room / stride + 1;
  const Shape low = {0, o.padding[0], 0, 0, 0};
  const Array padded = o.padding[0] > 0 ? pad(x, low, low) : x;
  const int64_t rows = x.dim(2), columns = x.dim(3), channels = x.dim(4) / groups;
  Arrays frames;
  for (int64_t tap = 0; tap < taps; ++tap) {
    const int64_t first = tap * o.dilation[0];
    const Array seen = slice_axis(padded, 1, first, first + (depth - 1) * stride + 1, stride);
    frames.push_back(reshape(seen, {x.dim(0) * depth, rows, columns, groups, channels}));
  }
  const Array joined =
      reshape(concatenate(frames, -1), {x.dim(0) * depth, rows, columns, groups * taps * channels});
  const Array y = conv2d(joined, flat_weight(weight), plane(o));
  return reshape(y, {x.dim(0), depth, y.dim(1), y.dim(2), y.dim(3)});
}

Array conv_transpose3d(const Array& x, const Array& weight, const Conv3dOptions& o,
                       const std::array<int64_t, 3>& output_padding) {
  const char* op = "conv_transpose3d";
  check_rank(x, weight, 5, op);
  const int64_t groups = o.groups, taps = weight.dim(1), stride = o.stride[0], frames = x.dim(1);
  const int64_t depth =
      transposed_length(frames, taps, stride, o.padding[0], o.dilation[0], output_padding[0], op);
  const Array planes = reshape(x, {x.dim(0) * frames, x.dim(2), x.dim(3), x.dim(4)});
  const Array y = transposed_plane(planes, flat_weight(weight), plane(o),
                                   {output_padding[1], output_padding[2]}, op);
  const int64_t channels = weight.dim(4), rows = y.dim(1), columns = y.dim(2);
  const Array parts = reshape(y, {x.dim(0), frames, rows, columns, groups, taps, channels});
  // Tap k of frame i belongs to frame i * stride + k * dilation of the padded result.
  const int64_t span = (frames - 1) * stride + 1;
  const int64_t whole = std::max(span + o.dilation[0] * (taps - 1), o.padding[0] + depth);
  Array total;
  for (int64_t tap = 0; tap < taps; ++tap) {
    Array part = reshape(slice_axis(parts, 5, tap, tap + 1),
                         {x.dim(0), frames, 1, rows, columns, groups * channels});
    if (stride > 1) part = pad(part, {0, 0, 0, 0, 0, 0}, {0, 0, stride - 1, 0, 0, 0});
    part = reshape(part, {x.dim(0), frames * stride, rows, columns, groups * channels});
    part = slice_axis(part, 1, 0, span);
    const int64_t first = tap * o.dilation[0];
    part = pad(part, {0, first, 0, 0, 0}, {0, whole - span - first, 0, 0, 0});
    total = tap == 0 ? part : total + part;
  }
  return slice_axis(total, 1, o.padding[0], o.padding[0] + depth);
}

Array convolve(const Array& a, const Array& v, ConvolveMode mode) {
  if (a.rank() != 1 || v.rank() != 1 || a.size() == 0 || v.size() == 0) {
    fail("[convolve] shapes {} and {}; wanted two vectors that are not empty", to_string(a.shape()),
         to_string(v.shape()));
  }
  const Arrays same = promoted({a, v});
  const bool swaps = v.size() > a.size();
  const Array &longer = same[swaps ? 1 : 0], &shorter = same[swaps ? 0 : 1];
  const int64_t taps = shorter.size();
  const Array y =
      conv1d(reshape(longer, {1, longer.size(), 1}), reshape(flip(shorter), {1, taps, 1}),
             {.padding = mode == ConvolveMode::kValid ? 0 : taps - 1});
  const Array sums = reshape(y, {y.size()});
  if (mode != ConvolveMode::kSame) return sums;
  return slice_axis(sums, 0, (taps - 1) / 2, (taps - 1) / 2 + longer.size());
}

}  // namespace mica
