#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/cpu/floating.h"
#include "core/cpu/install.h"
#include "core/ops/conv_kernels.h"

namespace mica {
namespace {

bool is_empty(const ConvGeometry& g) {
  return g.input_size() == 0 || g.output_size() == 0 || g.weight_size() == 0;
}

void fill_zero(const Operand& out) {
  // Without elements there may be no address either, which memset may not be given.
  if (out.size() == 0) return;
  std::memset(out.data, 0, static_cast<size_t>(out.size()) * size_of(out.dtype));
}

// Which share of the taps along axis 0 or 1 lies inside the image.
double inside(const ConvGeometry& g, int axis) {
  const int64_t length = axis == 0 ? g.height : g.width;
  const int64_t out = axis == 0 ? g.out_height : g.out_width;
  const int64_t kernel = axis == 0 ? g.kernel_height : g.kernel_width;
  const int64_t stride = g.options.stride[axis];
  int64_t count = 0;
  for (int64_t tap = 0; tap < kernel; ++tap) {
    // The output at i reads i * stride - before.
    const int64_t before = g.options.padding[axis] - tap * g.options.dilation[axis];
    const int64_t first = before <= 0 ? 0 : (before + stride - 1) / stride;
    const int64_t last = length - 1 + before < 0 ? -1 : (length - 1 + before) / stride;
    count += std::max<int64_t>(0, std::min(last, out - 1) - first + 1);
  }
  return double(count) / double(out * kernel);
}

enum class Way { kDnnl, kLanes, kWinograd };

// What oneDNN takes on one core at `rate` operations a second: blocks of 16 `results` channels are
// filled up, rows of padding skipped but not columns, and sums of few numbers (`depth`) are slow.
double dnnl_seconds(const ConvGeometry& g, int64_t results, int64_t depth, double rate) {
  const double fill = double((results + 15) / 16 * 16) / double(results);
  return g.flops() * inside(g, 0) * fill * (1 + 8 / double(depth)) / rate;
}

// The fastest, as times on one thread of a Zen 4 would have it. oneDNN and an image per lane both
// run near 110 GFLOP/s on what they cannot avoid. Lanes are filled up to 16 images, and all arrays
// are transposed on the way in and out.
struct Choice {
  Way way;
  double seconds;
};
Choice best_way(const ConvGeometry& g, int64_t results, int64_t depth, double lanes_rate,
                double winograd) {
  const double rows = inside(g, 0), columns = inside(g, 1);
  const double images = double((g.batch + 15) / 16 * 16) / double(g.batch);
  const double dnnl = dnnl_seconds(g, results, depth, 110e9);
  const double lanes = images * (g.flops() * rows * columns / lanes_rate +
                                 double(g.input_size() + g.output_size()) * 0.4e-9);
  if (winograd < 0.95 * std::min(dnnl, lanes)) return {Way::kWinograd, winograd};
  return lanes < dnnl ? Choice{Way::kLanes, lanes} : Choice{Way::kDnnl, dnnl};
}

// The three products: what best_way says of each in float32.
Choice forward_way(const ConvGeometry& g) {
  return best_way(g, g.out_channels, g.taps(), 112e9, conv_winograd_seconds(g));
}
Choice input_way(const ConvGeometry& g) {
  const int64_t depth = g.taps() / g.channels * g.out_channels;
  const double winograd = turns(g) ? conv_winograd_seconds(turned(g)) : HUGE_VAL;
  return best_way(g, g.channels, depth, 112e9, winograd);
}
Choice weight_way(const ConvGeometry& g) {
  return best_way(g, g.out_channels, g.taps(), 95e9, 1.1 * conv_winograd_seconds(g));
}

// Whether oneDNN's bfloat16, which takes `seconds` and writes `written` pixels' channels, beats
// float32 and the conversions to it and back. Winograd in float32 does a sixth of the
// multiplications, which is more than bfloat16 saves.
bool short_pays(const ConvGeometry& g, double seconds, int64_t written, const Choice& wide) {
  const auto converted = double(g.input_size() + g.output_size());
  return g.options.groups == 1 &&
         seconds + 0.4e-9 * double(written) < wide.seconds + 0.1e-9 * converted;
}

constexpr bool is_short(const Operand& x) { return x.dtype == Dtype::kBfloat16; }

// Calls dnnl(inputs, output) with the bfloat16 arrays.
template <class Run>
bool run_short(Inputs in, const Operand& out, Run&& dnnl) {
  return dnnl(in[0].as<const bfloat16_t>(), in[1].as<const bfloat16_t>(), out.as<bfloat16_t>());
}

void run_conv2d(const Conv2d& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(in[0].shape, in[1].shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  if (is_short(out[0]) &&
      short_pays(g, dnnl_seconds(g, g.out_channels, g.taps(), 205e9), g.output_size(),
                 forward_way(g)) &&
      run_short(in, out[0], [&](auto... data) { return conv_dnnl(g, data...); })) {
    return;
  }
  if (is_short(out[0]) && forward_way(g).way == Way::kWinograd &&
      run_short(in, out[0], [&](auto... data) { return conv_winograd(g, data...); })) {
    return;
  }
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* y) {
    if (conv_depthwise(g, from[0], from[1], y)) return;
    if constexpr (std::is_same_v<T, float>) {
      if (conv_grouped(g, from[0], from[1], y)) return;
      const Way way = forward_way(g).way;
      if (way == Way::kWinograd && conv_winograd(g, from[0], from[1], y)) return;
      if (way == Way::kLanes && conv_lanes(g, from[0], from[1], y)) return;
      if (conv_dnnl(g, from[0], from[1], y)) return;
    }
    conv_im2col(g, from[0], from[1], y);
  });
}

void run_conv2d_input(const Conv2dInput& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(op.input_shape, in[1].shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  if (is_short(out[0]) &&
      short_pays(g, dnnl_seconds(g, g.channels, g.taps(), 190e9), g.input_size(), input_way(g)) &&
      run_short(in, out[0], [&](auto... data) { return conv_input_dnnl(g, data...); })) {
    return;
  }
  if (is_short(out[0]) && input_way(g).way == Way::kWinograd &&
      run_short(in, out[0], [&](auto... data) { return conv_input_winograd(g, data...); })) {
    return;
  }
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* dx) {
    if (conv_input_depthwise(g, from[0], from[1], dx)) return;
    if constexpr (std::is_same_v<T, float>) {
      if (conv_input_grouped(g, from[0], from[1], dx)) return;
      const Way way = input_way(g).way;
      if (way == Way::kWinograd && conv_input_winograd(g, from[0], from[1], dx)) return;
      if (way == Way::kLanes && conv_input_lanes(g, from[0], from[1], dx)) return;
      if (conv_input_dnnl(g, from[0], from[1], dx)) return;
    }
    conv_input_im2col(g, from[0], from[1], dx);
  });
}

void run_conv2d_weight(const Conv2dWeight& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(in[0].shape, op.weight_shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  if (is_short(out[0]) &&
      short_pays(g, dnnl_seconds(g, g.out_channels, g.batch * g.out_height * g.out_width, 120e9), 0,
                 weight_way(g)) &&
      run_short(in, out[0], [&](auto... data) { return conv_weight_dnnl(g, data...); })) {
    return;
  }
  if (is_short(out[0]) && weight_way(g).way == Way::kWinograd &&
      run_short(in, out[0], [&](auto... data) { return conv_weight_winograd(g, data...); })) {
    return;
  }
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* dweight) {
    if (conv_weight_depthwise(g, from[0], from[1], dweight)) return;
    if constexpr (std::is_same_v<T, float>) {
      if (conv_weight_grouped(g, from[0], from[1], dweight)) return;
      const Way way = weight_way(g).way;
      if (way == Way::kWinograd && conv_weight_winograd(g, from[0], from[1], dweight)) return;
      if (way == Way::kLanes && conv_weight_lanes(g, from[0], from[1], dweight)) return;
      if (conv_weight_dnnl(g, from[0], from[1], dweight)) return;
    }
    conv_weight_im2col(g, from[0], from[1], dweight);
  });
}

}  // namespace

bool turns(const ConvGeometry& g) {
  constexpr std::array<int64_t, 2> one = {1, 1};
  return g.options.groups == 1 && g.options.dilation == one && g.options.stride == one &&
         g.options.padding[0] < g.kernel_height && g.options.padding[1] < g.kernel_width;
}

ConvGeometry turned(const ConvGeometry& g) {
  ConvGeometry turned = g;
  std::swap(turned.height, turned.out_height);
  std::swap(turned.width, turned.out_width);
  std::swap(turned.channels, turned.out_channels);
  turned.options.padding = {g.kernel_height - 1 - g.options.padding[0],
                            g.kernel_width - 1 - g.options.padding[1]};
  return turned;
}

void install_conv(KernelTable& table) {
  table.add<Conv2d>(run_conv2d, InputLayout::kContiguous);
  table.add<Conv2dInput>(run_conv2d_input, InputLayout::kContiguous);
  table.add<Conv2dWeight>(run_conv2d_weight, InputLayout::kContiguous);
}

}  // namespace mica
