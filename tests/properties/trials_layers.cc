// Products, convolutions, norms, attention, transforms and linear algebra.
#include <cmath>

#include "core/eval/eval.h"
#include "core/ops/attention.h"
#include "core/ops/complex.h"
#include "core/ops/conv.h"
#include "core/ops/conv_general.h"
#include "core/ops/conv_nd.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/fft.h"
#include "core/ops/interpolate.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/norm.h"
#include "core/ops/pool.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/rope.h"
#include "core/ops/view.h"
#include "tests/properties/draws.h"

namespace mica::testing {
namespace {

Trial product() {
  const int64_t m = draw(0, 6), n = draw(0, 6), k = draw(0, 6), which = draw(0, 3);
  Shape batch = draw_shape(0, 2, 1);
  Shape a = batch, b = draw_partner(batch);
  a.push_back(m);
  a.push_back(k);
  b.push_back(k);
  b.push_back(n);
  const auto f = [](const Arrays& in) { return matmul(in[0], in[1]); };
  if (which == 1) return trial("matmul", {draw_normal({k}), draw_normal(b)}, f);
  if (which == 2) return trial("matmul", {draw_normal(a), draw_normal({k})}, f);
  if (which == 3) {
    return trial("einsum ij,kj->ik", {draw_normal({m, k}), draw_normal({n, k})},
                 [](const Arrays& in) { return einsum("ij,kj->ik", in); });
  }
  return trial("matmul", {draw_normal(a), draw_normal(b)}, f);
}

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
               {draw_normal({draw(1, 2), width, transposed ? out : channels}), draw_normal(weight)},
               f);
}

Trial image() {
  const int64_t kernel = draw(1, 3), stride = draw(1, 2), which = draw(0, 2);
  const Shape x = {draw(1, 2), draw(kernel, 7), draw(kernel, 7), draw(1, 3)};
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

Trial normalisation() {
  const Shape shape = draw_shape(1, 3, 2);
  const Shape last = {shape.back()};
  if (flip_coin()) {
    return trial("layer_norm", {draw_normal(shape), draw_normal(last), draw_normal(last)},
                 [](const Arrays& in) { return layer_norm(in[0], in[1], in[2], 1e-2); });
  }
  return trial("rms_norm", {draw_normal(shape), draw_normal(last)},
               [](const Arrays& in) { return rms_norm(in[0], in[1], 1e-2); });
}

// Well-conditioned square matrices.
Array draw_matrices(const Shape& batch, int64_t n) {
  Shape shape = batch;
  shape.push_back(n);
  shape.push_back(n);
  const Array x = draw_normal(shape) * 0.3f + astype(eye(n), float64) * 2.0f;
  return Array::from_bytes(x.to_bytes().data(), shape, float64);
}

Trial linear_algebra() {
  const Shape batch = draw_shape(0, 1, 1);
  const int64_t n = draw(1, 4), which = draw(0, 6);
  const Array a = draw_matrices(batch, n);
  Shape right = batch;
  right.push_back(n);
  right.push_back(draw(1, 3));
  const auto positive = [](const Array& x) {
    return matmul(x, swapaxes(x, -1, -2)) + astype(eye(x.shape().back()), float64);
  };
  switch (which) {
    case 0: return trial("inv", {a}, [](const Arrays& in) { return linalg::inv(in[0]); });
    case 1:
      return trial("solve", {a, draw_normal(right)},
                   [](const Arrays& in) { return linalg::solve(in[0], in[1]); });
    case 2:
      return trial("cholesky", {a},
                   [=](const Arrays& in) { return linalg::cholesky(positive(in[0])); });
    case 3: return trial("det", {a}, [](const Arrays& in) { return linalg::det(in[0]); });
    case 4: return trial("qr", {a}, [](const Arrays& in) { return linalg::qr(in[0]).second; });
    case 5:
      return trial("eigvalsh", {a},
                   [=](const Arrays& in) { return linalg::eigvalsh(positive(in[0])); });
    default:
      return trial("slogdet", {a}, [](const Arrays& in) { return linalg::slogdet(in[0]).second; });
  }
}

Array parts(const Array& y) { return real(y) + 0.5 * imag(y); }

Trial fourier() {
  const Shape shape = draw_shape(1, 3, 1);
  const int axis = draw_axis(shape);
  const int64_t length = draw(1, 7), which = draw(0, 4);
  const Array x = draw_normal(shape), y = draw_normal(shape);
  const std::string name = fmt::format("fft {} of length {} along {}", which, length, axis);
  switch (which) {
    case 0:
      return trial(name, {x},
                   [=](const Arrays& in) { return parts(fft::rfft(in[0], length, axis)); });
    case 1:
      return trial(name, {x, y}, [=](const Arrays& in) {
        return parts(fft::fft(to_complex(in[0], in[1]), length, axis));
      });
    case 2:
      return trial(name, {x, y}, [=](const Arrays& in) {
        return parts(fft::ifft(to_complex(in[0], in[1]), length, axis));
      });
    case 3:
      return trial(name, {x, y}, [=](const Arrays& in) {
        return fft::irfft(to_complex(in[0], in[1]), length, axis);
      });
    default: return trial(name, {x}, [](const Arrays& in) { return parts(fft::fftn(in[0])); });
  }
}

Trial attention() {
  const int64_t queries = draw(1, 5), keys = draw(1, 5), width = draw(1, 4), which = draw(0, 2);
  const Shape batch = draw_shape(0, 2, 1);
  const auto with = [&](int64_t rows, int64_t columns) {
    Shape shape = batch;
    shape.push_back(rows);
    shape.push_back(columns);
    return draw_normal(shape);
  };
  if (which == 2) {
    const RopeOptions options{.traditional = flip_coin(), .base = 50};
    return trial("rope", {with(queries, 2 * width)},
                 [=](const Arrays& in) { return rope(in[0], 2 * width, options); });
  }
  const bool causal = which == 1;
  const int64_t seen = causal ? queries : keys;
  return trial(causal ? "causal attention" : "attention",
               {with(queries, width), with(seen, width), with(seen, draw(1, 3))},
               [=](const Arrays& in) {
                 return scaled_dot_product_attention(in[0], in[1], in[2], {.causal = causal});
               });
}

Trial resizing() {
  const int64_t which = draw(0, 3), high = draw(1, 7), wide = draw(1, 7);
  const Array x = draw_normal({draw(1, 2), draw(1, 6), draw(1, 6), draw(1, 2)});
  const std::string name = fmt::format("resize {} to {} x {}", which, high, wide);
  switch (which) {
    case 0:
      return trial(name, {x}, [=](const Arrays& in) {
        return interpolate(in[0], {.size = {high, wide}});
      });
    case 1: {
      const bool align = flip_coin();
      return trial(name, {x}, [=](const Arrays& in) {
        return interpolate(
            in[0], {.size = {high, wide}, .mode = Interpolation::kLinear, .align_corners = align});
      });
    }
    case 2:
      return trial(name, {x}, [=](const Arrays& in) {
        return interpolate(in[0], {.size = {high, wide}, .mode = Interpolation::kCubic});
      });
    default:
      return trial(name, {x}, [=](const Arrays& in) {
        return adaptive_avg_pool2d(in[0], {high, wide});
      });
  }
}

}  // namespace

std::vector<Family> layer_families() {
  return {{"products", product},
          {"convolutions", convolution},
          {"pooling and images", image},
          {"resizing", resizing},
          {"normalisation", normalisation},
          {"attention", attention},
          {"linear algebra", linear_algebra, true},
          {"Fourier transforms", fourier, true}};
}

}  // namespace mica::testing
