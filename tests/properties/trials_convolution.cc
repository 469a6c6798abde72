// Convolutions and pooling over one to three axes.
#include "core/ops/conv.h"
#include "core/ops/conv_general.h"
#include "core/ops/conv_nd.h"
#include "core/ops/interpolate.h"
#include "core/ops/pool.h"
#include "tests/properties/draws.h"

namespace mica::testing {
namespace {

Trial convolution() {
  const int64_t groups = draw(1, 3), kernel = draw(1, 4), dilation = draw(1, 2);
  const int64_t stride = draw(1, 3), padding = draw(0, 3), out = groups * draw(1, 2);
  const int64_t channels = groups * draw(1, 2);
  const int64_t width = draw((kernel - 1) * dilation + 1, 9);
  const Conv1dOptions options{
      .stride = stride, .padding = padding, .dilation = dilation, .groups = groups};
  const Shape weight = {out, kernel, channels / groups};
  const bool transposed = flip_coin() && padding <= (kernel - 1) * dilation / 2;
  const auto f = [=](const Arrays& in) {
    return transposed ? conv_transpose1d(in[0], in[1], options) : conv1d(in[0], in[1], options);
  };
  return trial(fmt::format("{} kernel {} stride {} padding {} dilation {} groups {}",
                           transposed ? "conv_transpose1d" : "conv1d", kernel, stride, padding,
                           dilation, groups),
               {draw_normal({draw(0, 2), width, transposed ? out : channels}), draw_normal(weight)},
               f);
}

Trial image() {
  const int64_t kernel = draw(1, 3), stride = draw(1, 2), which = draw(0, 2);
  const Shape x = {draw(0, 2), draw(kernel, 7), draw(kernel, 7), draw(1, 3)};
  if (which == 0) {
    return trial("max_pool2d", {draw_normal(x)}, [=](const Arrays& in) {
      return max_pool2d(in[0], {.kernel = {kernel, kernel}, .stride = {stride, stride}});
    });
  }
  if (which == 1) {
    return trial("avg_pool2d", {draw_normal(x)}, [=](const Arrays& in) {
      return avg_pool2d(in[0], {.kernel = {kernel, kernel}, .stride = {stride, stride}});
    });
  }
  const Conv2dOptions options{.stride = {stride, 1}, .padding = {1, 0}};
  return trial("conv2d", {draw_normal(x), draw_normal({draw(1, 3), kernel, kernel, x[3]})},
               [=](const Arrays& in) { return conv2d(in[0], in[1], options); });
}

// Convolutions over one to three axes.
Trial general_convolution() {
  const auto axes = static_cast<size_t>(draw(1, 3));
  ConvGeneralOptions o;
  o.groups = draw(1, 2);
  o.flip = flip_coin();
  const int64_t channels = o.groups * draw(1, 2), out = o.groups * draw(1, 2);
  Shape x = {draw(0, 2)}, w = {out};
  for (size_t i = 0; i < axes; ++i) {
    const int64_t kernel = draw(1, 3);
    o.stride.push_back(draw(1, 2));
    o.kernel_dilation.push_back(draw(1, 2));
    o.input_dilation.push_back(draw(1, 2));
    o.padding_low.push_back(draw(-1, 2));
    o.padding_high.push_back(draw(-1, 2));
    const int64_t reach = (kernel - 1) * o.kernel_dilation[i] + 1;
    const int64_t cut = o.padding_low[i] + o.padding_high[i];
    w.push_back(kernel);
    x.push_back(draw(1, 3) + std::max<int64_t>(0, reach - 1) + std::max<int64_t>(0, -cut));
  }
  x.push_back(channels);
  w.push_back(channels / o.groups);
  return trial(
      fmt::format("conv_general stride {} low {} high {} dilations {} {} groups {} flip {}",
                  o.stride, o.padding_low, o.padding_high, o.kernel_dilation, o.input_dilation,
                  o.groups, o.flip),
      {draw_normal(x), draw_normal(w)},
      [=](const Arrays& in) { return conv_general(in[0], in[1], o); });
}

Trial transposed_convolution() {
  const bool cube = flip_coin();
  const size_t axes = cube ? 3 : 2;
  Conv3dOptions o;
  std::array<int64_t, 3> more = {};
  o.groups = draw(1, 2);
  const int64_t channels = o.groups * draw(1, 2), out = o.groups * draw(1, 2);
  Shape x = {draw(0, 2)}, w = {out};
  for (size_t i = 0; i < axes; ++i) {
    const int64_t kernel = draw(1, 3);
    o.stride[i] = draw(1, 3);
    o.dilation[i] = draw(1, 2);
    o.padding[i] = draw(0, (kernel - 1) * o.dilation[i] / 2);
    more[i] = draw(0, o.stride[i] - 1);
    w.push_back(kernel);
    x.push_back(draw(1, 3));
  }
  x.push_back(out);  // the weight is that of the convolution the other way
  w.push_back(channels / o.groups);
  const Conv2dOptions flat = {{o.stride[0], o.stride[1]},
                              {o.padding[0], o.padding[1]},
                              {o.dilation[0], o.dilation[1]},
                              o.groups};
  return trial(fmt::format("conv_transpose stride {} padding {} dilation {} groups {} more {}",
                           o.stride, o.padding, o.dilation, o.groups, more),
               {draw_normal(x), draw_normal(w)}, [=](const Arrays& in) {
                 return cube ? conv_transpose3d(in[0], in[1], o, more)
                             : conv_transpose2d(in[0], in[1], flat, {more[0], more[1]});
               });
}

Trial forward_convolution() {
  Conv3dOptions o;
  o.groups = draw(1, 2);
  const bool cube = flip_coin();
  const int64_t channels = o.groups * draw(1, 2), out = o.groups * draw(1, 2);
  Shape x = {draw(0, 2)}, w = {out};
  for (size_t i = 0; i < (cube ? 3 : 2); ++i) {
    const int64_t kernel = draw(1, 3);
    o.stride[i] = draw(1, 2), o.padding[i] = draw(0, 2), o.dilation[i] = draw(1, 2);
    w.push_back(kernel);
    x.push_back(draw(0, 2) + (kernel - 1) * o.dilation[i] + 1);
  }
  x.push_back(channels);
  w.push_back(channels / o.groups);
  const Conv2dOptions flat = {{o.stride[0], o.stride[1]},
                              {o.padding[0], o.padding[1]},
                              {o.dilation[0], o.dilation[1]},
                              o.groups};
  return trial(fmt::format("conv stride {} padding {} dilation {} groups {}", o.stride, o.padding,
                           o.dilation, o.groups),
               {draw_normal(x), draw_normal(w)}, [=](const Arrays& in) {
                 return cube ? conv3d(in[0], in[1], o) : conv2d(in[0], in[1], flat);
               });
}

Trial windowed_pool() {
  const int64_t which = draw(0, 3), size = draw(1, 4), kernel = draw(1, 3);
  const Array plane = draw_normal({draw(0, 2), draw(3, 5), draw(3, 5), draw(1, 2)});
  const Pool2dOptions o = {.kernel = {kernel, 2},
                           .stride = {draw(1, 3), draw(1, 2)},
                           .padding = {draw(0, kernel / 2), draw(0, 1)}};
  const std::string name = fmt::format("pool {} to {} {}", which, size, print_fields(o));
  const auto one = [&](const Array& x, const ArrayFunction& f) { return trial(name, {x}, f); };
  switch (which) {
    case 0:
      return one(plane, [=](const Arrays& in) {
        return adaptive_max_pool2d(in[0], {size, kernel});
      });
    case 1:
      return one(draw_normal({1, draw(1, 4), draw(1, 4), 2, 2}), [=](const Arrays& in) {
        return adaptive_avg_pool3d(in[0], {size, kernel, -1});
      });
    case 2: return one(plane, [=](const Arrays& in) { return max_pool2d(in[0], o); });
    default: return one(plane, [=](const Arrays& in) { return avg_pool2d(in[0], o); });
  }
}

}  // namespace

std::vector<Family> convolution_families() {
  return {{"convolutions", convolution},
          {"pooling and images", image, false, true},
          {"general convolutions", general_convolution},
          {"transposed convolutions", transposed_convolution},
          {"convolutions of two and three axes", forward_convolution},
          {"pooling windows", windowed_pool, false, true}};
}

}  // namespace mica::testing
