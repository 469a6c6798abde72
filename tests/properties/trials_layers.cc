// Products, norms, attention and transforms.
#include <cmath>

#include "core/eval/eval.h"
#include "core/ops/attention.h"
#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/fft.h"
#include "core/ops/interpolate.h"
#include "core/ops/matmul.h"
#include "core/ops/norm.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/rope.h"
#include "core/ops/view.h"
#include "tests/properties/draws.h"

namespace mica::testing {
namespace {

Trial product() {
  const int64_t m = draw(0, 6), n = draw(0, 6), k = draw(0, 6), which = draw(0, 3);
  Shape batch = draw_shape(0, 2);
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

Trial normalisation() {
  Shape shape = draw_shape(1, 3, 2);
  maybe_empty(shape, -1);
  const Shape last = {shape.back()};
  if (flip_coin()) {
    return trial("layer_norm", {draw_normal(shape), draw_normal(last), draw_normal(last)},
                 [](const Arrays& in) { return layer_norm(in[0], in[1], in[2], 1e-2); });
  }
  return trial("rms_norm", {draw_normal(shape), draw_normal(last)},
               [](const Arrays& in) { return rms_norm(in[0], in[1], 1e-2); });
}

Trial fourier() {
  Shape shape = draw_shape(1, 3, 1);
  const int axis = draw_axis(shape);
  maybe_empty(shape, axis);
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
    default:
      return trial(name, {x}, [=](const Arrays& in) {
        return parts(fft::fftn(in[0], {length}, {axis}) * fft::ifftn(in[0], {length}, {axis}));
      });
  }
}

Trial attention() {
  const int64_t queries = draw(1, 5), keys = draw(1, 5), width = draw(1, 4), which = draw(0, 2);
  const Shape batch = draw_shape(0, 2);
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
  const Array x = draw_normal({draw(0, 2), draw(1, 6), draw(1, 6), draw(1, 2)});
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
          {"resizing", resizing},
          {"normalisation", normalisation},
          {"attention", attention},
          {"Fourier transforms", fourier, true}};
}

}  // namespace mica::testing
