#include "tests/properties/trials.h"

#include <numeric>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/numeric.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/scatter.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"
#include "tests/core/row_cases.h"
#include "tests/properties/draws.h"

namespace mica::testing {
namespace {

Trial elementwise() {
  const auto rows = elementwise_rows();
  const auto number = static_cast<size_t>(draw(0, static_cast<int64_t>(rows.size()) - 1));
  const ElementwiseRow& row = rows[number];
  const Dtype dtype = row.types == Types::kInteger ? int32 : float64;
  const Shape x = draw_shape(0, 4), y = draw_partner(x);
  const bool swapped = row.arity == 2 && flip_coin();
  const bool smooth = row.has_gradient && is_floating(dtype);
  return trial(std::string(row.name), row_inputs(row, swapped ? y : x, swapped ? x : y, dtype),
               row_function(number), smooth);
}

// A chain of smooth rows with numbers, sums along an axis and their broadcasts in between.
Trial chain() {
  const Shape shape = draw_shape(1, 3, 1);
  std::vector<int64_t> steps;
  const int64_t length = draw(1, 12);
  for (int64_t i = 0; i < length; ++i) steps.push_back(draw(0, 9));
  const int axis = draw_axis(shape);
  const auto f = [=](const Arrays& in) {
    Array a = in[0], b = in[1];
    for (const int64_t step : steps) {
      switch (step) {
        case 0: a = tanh(a); break;
        case 1: a = sin(a) * b; break;
        case 2: a = a + 0.5f * b; break;
        case 3: b = sigmoid(b) - a; break;
        case 4: a = a - mean(a, {axis}, true); break;
        case 5: b = exp(-square(b)); break;
        case 6: a = a / (1.0f + square(b)); break;
        case 7: std::swap(a, b); break;
        case 8: a = where(in[0] > 0, a, 0.3f * a); break;
        default: b = b * sum(square(a), {axis}, true); break;
      }
    }
    return a + b;
  };
  Shape partner = shape;
  for (int64_t& length : partner) length = flip_coin() ? 1 : length;
  return trial("chain", {draw_normal(shape), draw_normal(partner)}, f);
}

Trial reduction() {
  const Shape shape = draw_shape(1, 4, 1);
  Axes axes;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i) {
    if (flip_coin()) axes.push_back(flip_coin() ? i : i - static_cast<int>(shape.size()));
  }
  const int64_t which = draw(0, 8);
  const bool keep = flip_coin();
  const auto f = [=](const Arrays& in) {
    const Array& x = in[0];
    switch (which) {
      case 0: return sum(x, axes, keep);
      case 1: return prod(x, axes, keep);
      case 2: return max(x, axes, keep);
      case 3: return min(x, axes, keep);
      case 4: return mean(x, axes, keep);
      case 5: return var(x, axes, keep);
      case 6: return logsumexp(x, axes, keep);
      case 7: return any(x > 0, axes, keep);
      default: return median(x, axes, keep);
    }
  };
  // With an even number the median is a mean of two, as smooth as the others.
  return trial(fmt::format("reduction {} {}", which, axes), {draw_normal(shape)}, f, which != 7);
}

Trial along_axis() {
  Shape shape = draw_shape(1, 4, 1);
  const int axis = draw_axis(shape);
  maybe_empty(shape, axis);
  const int64_t length = shape[static_cast<size_t>(axis < 0 ? axis + int(shape.size()) : axis)];
  const int64_t which = draw(0, 12), k = draw(1, length);
  const ScanOptions scan{.reverse = flip_coin(), .inclusive = flip_coin()};
  const auto f = [=](const Arrays& in) -> Array {
    const Array& x = in[0];
    switch (which) {
      case 0: return cumsum(x, axis, scan);
      case 1: return cumprod(x, axis, scan);
      case 2: return cummax(x, axis, {.reverse = scan.reverse});
      case 3: return cummin(x, axis, {.reverse = scan.reverse});
      case 4: return logcumsumexp(x, axis, {.reverse = scan.reverse});
      case 5: return softmax(x, axis);
      case 6: return log_softmax(x, axis);
      case 7: return sort(x, axis);
      case 8: return topk(x, k, axis).first;
      case 9: return argsort(x, axis);
      case 10: return diff(x, 1, axis);
      case 11: return argmax(x, axis);
      default: return roll(x, k, axis);
    }
  };
  return trial(fmt::format("along axis {}: {}", axis, which), {draw_normal(shape)}, f,
               which != 9 && which != 11);
}

Trial view_op() {
  const Shape shape = draw_shape(1, 4, 1);
  const auto rank = static_cast<int>(shape.size());
  Axes order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i-- > 1;) {
    std::swap(order[i], order[static_cast<size_t>(draw(0, static_cast<int64_t>(i)))]);
  }
  Shape start, stop, step, low, high;
  for (const int64_t length : shape) {
    start.push_back(draw(0, length - 1));
    stop.push_back(draw(start.back(), length));
    step.push_back(draw(1, 3));
    low.push_back(draw(0, 2));
    high.push_back(draw(0, 2));
  }
  const int64_t which = draw(0, 9);
  const int axis = draw_axis(shape);
  const auto f = [=](const Arrays& in) -> Array {
    const Array& x = in[0];
    switch (which) {
      case 0: return transpose(x, order);
      case 1: return reshape(transpose(x, order), {x.size()});
      case 2: return slice(x, start, stop, step);
      case 3: return flip(x, {axis});
      case 4: return pad(x, low, high, 0.5f);
      case 5: return pad(x, low, high, PadMode::kEdge);
      case 6:
        return broadcast_to(expand_dims(x, {0}), [&] {
          Shape wide = x.shape();
          wide.insert(wide.begin(), 3);
          return wide;
        }());
      case 7: return tile(x, Shape(x.shape().size(), 2));
      case 8: return repeat(x, 2, axis);
      default: return moveaxis(x, axis, rank - 1);
    }
  };
  return trial(fmt::format("view {} {} {} {} {}", which, order, start, stop, step),
               {draw_normal(shape)}, f);
}

Trial joining() {
  Shape shape = draw_shape(1, 3);
  const int axis = draw_axis(shape);
  const size_t at = static_cast<size_t>(axis < 0 ? axis + int(shape.size()) : axis);
  Arrays inputs = {draw_normal(shape)};
  const bool stacks = flip_coin();
  for (int64_t i = draw(0, 2); i > 0; --i) {
    if (!stacks) shape[at] = draw(0, 4);
    inputs.push_back(draw_normal(shape));
  }
  return trial(stacks ? "stack" : "concatenate", inputs,
               [=](const Arrays& in) { return stacks ? stack(in, axis) : concatenate(in, axis); });
}

Trial indexing() {
  Shape shape = draw_shape(1, 3, 1);
  const int axis = draw_axis(shape);
  maybe_empty(shape, axis);
  const size_t at = static_cast<size_t>(axis < 0 ? axis + int(shape.size()) : axis);
  const int64_t length = shape[at], which = draw(0, 3);
  Shape along = shape;
  along[at] = draw(1, 4);
  if (which == 0) {
    return trial("take", {draw_normal(shape), draw_integers(draw_shape(0, 2), 0, length - 1)},
                 [=](const Arrays& in) { return take(in[0], in[1], axis); });
  }
  const Array indices = draw_integers(along, 0, length - 1);
  if (which == 1) {
    return trial("take_along_axis", {draw_normal(shape), indices},
                 [=](const Arrays& in) { return take_along_axis(in[0], in[1], axis); });
  }
  if (which == 2) {
    return trial(
        "scatter_add_along_axis", {draw_normal(shape), indices, draw_normal(along)},
        [=](const Arrays& in) { return scatter_add_along_axis(in[0], in[1], in[2], axis); });
  }
  return trial("where", {draw_normal(shape), draw_normal(draw_partner(shape)), draw_normal(shape)},
               [](const Arrays& in) { return where(in[2] > 0, in[0], in[1]); });
}

// Parts of an array written, added to, or multiplied.
Trial updating() {
  const Shape shape = draw_shape(1, 3, 1);
  const int axis = draw_axis(shape);
  const size_t at = static_cast<size_t>(axis < 0 ? axis + int(shape.size()) : axis);
  const int64_t which = draw(0, 6);
  Shape start, stop, size;
  for (const int64_t length : shape) {
    start.push_back(draw(0, length - 1));
    stop.push_back(draw(start.back() + 1, length));
    size.push_back(stop.back() - start.back());
  }
  const std::string name =
      fmt::format("update {} along {} from {} to {}", which, axis, start, stop);
  if (which == 0) {
    return trial(name, {draw_normal(shape), draw_normal(size)},
                 [=](const Arrays& in) { return slice_update(in[0], in[1], start, stop); });
  }
  if (which == 1) {
    return trial(name, {draw_normal(shape), draw_normal(size)},
                 [=](const Arrays& in) { return slice_update_add(in[0], in[1], start, stop); });
  }
  Shape rows = shape;
  rows[at] = draw(1, 4);
  const Array indices = draw_integers({rows[at]}, 0, shape[at] - 1);
  const Arrays inputs = {draw_normal(shape), indices, draw_normal(rows)};
  switch (which) {
    case 2:
      return trial(name, inputs,
                   [=](const Arrays& in) { return scatter_add(in[0], in[1], in[2], axis); });
    case 3:
      return trial(name, inputs,
                   [=](const Arrays& in) { return scatter_max(in[0], in[1], in[2], axis); });
    case 4:
      return trial(name, inputs,
                   [=](const Arrays& in) { return scatter_min(in[0], in[1], in[2], axis); });
    case 5:
      return trial(name, inputs,
                   [=](const Arrays& in) { return scatter_prod(in[0], in[1], in[2], axis); });
    default:
      return trial(name, inputs,
                   [=](const Arrays& in) { return scatter(in[0], in[1], in[2], axis); });
  }
}

Array owned(const Array& x) { return Array::from_bytes(x.to_bytes().data(), x.shape(), x.dtype()); }

}  // namespace

std::vector<Family> families() {
  std::vector<Family> all = {
      {"elementwise rows", elementwise, true, true},
      {"chains of elementwise ops", chain, false, true},
      {"reductions", reduction, false, true},
      {"along an axis", along_axis, false, true},
      {"views", view_op},
      {"joining", joining},
      {"indexing", indexing, false, true},
      {"updating", updating, false, true},
  };
  for (const auto& more :
       {layer_families(), convolution_families(), linalg_families(), structured_families()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

Array laid_out(const Array& x) {
  if (x.rank() == 0) return x;
  switch (draw(0, 4)) {
    case 0: return x;
    case 1: return transpose(owned(transpose(x)));
    case 2: return squeeze(slice_axis(owned(stack({x, x}, -1)), -1, 0, 1), {-1});
    case 3: return flip(owned(flip(x)));
    default: {
      const int axis = draw_axis(x.shape());
      const Array longer = owned(concatenate({x, x}, axis));
      return slice_axis(longer, axis, x.dim(axis), 2 * x.dim(axis));
    }
  }
}

}  // namespace mica::testing
