// Picked and special products, windows, parts at computed places, loops, random numbers and complex
// numbers.
#include "core/eval/eval.h"
#include "core/eval/loop.h"
#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/numeric.h"
#include "core/ops/products.h"
#include "core/ops/random.h"
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

Shape joined(Shape batch, const Shape& own) {
  batch.append(own.begin(), own.end());
  return batch;
}

Trial picked_product() {
  const int64_t m = draw(1, 5), n = draw(1, 5), k = draw(0, 5), which = draw(0, 4);
  const Shape left = draw_shape(0, 2, 1), right = draw_shape(0, 2, 1), picks = draw_shape(0, 2);
  const Array a = draw_normal(joined(left, {m, k})), b = draw_normal(joined(right, {k, n}));
  const Array of_a = draw_integers(picks, 0, size_of(left) - 1);
  const auto of_b = [&](const Shape& shape) { return draw_integers(shape, 0, size_of(right) - 1); };
  const int64_t block = draw(1, 3);
  const auto mask = [&](int64_t rows, int64_t columns) {
    const auto blocks = [&](int64_t length) { return (length + block - 1) / block; };
    return draw_normal({blocks(rows), blocks(columns)});
  };
  switch (which) {
    case 0:
      return trial("gather_mm of both", {a, b, of_a, of_b(draw_partner(picks))},
                   [](const Arrays& in) { return gather_mm(in[0], in[1], in[2], in[3]); });
    case 1:
      return trial("gather_mm of a", {a, draw_normal(joined(draw_partner(picks), {k, n})), of_a},
                   [](const Arrays& in) { return gather_mm(in[0], in[1], in[2]); });
    case 2:
      return trial("gather_mm of b", {a, b, of_b(draw_partner(left))},
                   [](const Arrays& in) { return gather_mm(in[0], in[1], {}, in[2]); });
    case 3:
      return trial("segmented_mm",
                   {draw_normal({m, k}), draw_normal({k, n}), draw_integers({draw(0, 4), 2}, 0, k)},
                   [](const Arrays& in) { return segmented_mm(in[0], in[1], in[2]); });
    default: {
      const bool chooses = flip_coin();
      return trial(
          fmt::format("block_masked_mm block {} chooses {}", block, chooses),
          {a, draw_normal(joined(draw_partner(left), {k, n})), mask(m, n), mask(m, k), mask(k, n)},
          [=](const Arrays& in) {
            return block_masked_mm(in[0], in[1], block, chooses ? in[2] > 0 : in[2], in[3], in[4]);
          });
    }
  }
}

Trial special_product() {
  const Shape shape = draw_shape(1, 3, 1);
  const int axis = draw_axis(shape);
  const Array x = draw_normal(shape);
  const int64_t which = draw(0, 7), m = draw(1, 4), n = draw(1, 4), k = draw(1, 4);
  const std::string name = fmt::format("special product {} along {}", which, axis);
  const auto two = [&](const Shape& a, const Shape& b, const ArrayFunction& f) {
    return trial(name, {draw_normal(a), draw_normal(b)}, f);
  };
  switch (which) {
    case 0: return two(shape, {n}, [](const Arrays& in) { return outer(in[0], in[1]); });
    case 1:
      return two(shape, joined(draw_shape(0, 1, 1), {shape.back()}),
                 [](const Arrays& in) { return inner(in[0], in[1]); });
    case 2: return two(shape, shape, [=](const Arrays& in) { return vecdot(in[0], in[1], axis); });
    case 3:
      return two(shape, draw_shape(1, 2, 1), [](const Arrays& in) { return kron(in[0], in[1]); });
    case 4: {
      Shape three = shape;
      three[static_cast<size_t>(axis < 0 ? axis + int(shape.size()) : axis)] = 3;
      return two(three, three, [=](const Arrays& in) { return cross(in[0], in[1], axis); });
    }
    case 5:
      return trial(name, {draw_normal({m, n}), draw_normal({m, k}), draw_normal({k, n})},
                   [](const Arrays& in) { return addmm(in[0], in[1], in[2], 0.5, -2); });
    case 6:
      return trial(name, {draw_normal(joined(draw_shape(0, 2), {*rc::gen::element(1, 2, 8, 12)}))},
                   [](const Arrays& in) { return hadamard_transform(in[0]); });
    default: {
      const char* equation = *rc::gen::element("bij,bjk,kl->bil", "bij,bjk,kl->", "bij,bjk,ki->kb",
                                               "...ij,...jk,kl->l...", "bii,bij,jk->kb");
      const int64_t b = draw(1, 3), square = std::string_view(equation).starts_with("bii") ? m : k;
      const int64_t last = std::string_view(equation).find("ki") != std::string_view::npos ? m : n;
      return trial(
          fmt::format("einsum {}", equation),
          {draw_normal({b, m, square}), draw_normal({b, square, n}), draw_normal({n, last})},
          [=](const Arrays& in) { return einsum(equation, in); });
    }
  }
}

// Windows and parts at places that are computed.
Trial windows() {
  Shape shape = draw_shape(1, 3, 1);
  const int axis = draw_axis(shape);
  maybe_empty(shape, axis);
  const size_t at_axis = static_cast<size_t>(axis < 0 ? axis + int(shape.size()) : axis);
  const int64_t length = shape[at_axis], size = draw(1, length), which = draw(0, 6);
  const std::string name = fmt::format("windows {} of {} along {}", which, size, axis);
  const Array x = draw_normal(shape);
  Shape part = shape;
  part[at_axis] = size;
  switch (which) {
    case 0: {  // sliding windows of a vector
      const int64_t step = draw(1, 3);
      const int64_t count = std::max<int64_t>(0, (size_of(shape) - size + step) / step);
      return trial(name, {x}, [=](const Arrays& in) {
        return as_strided(in[0], {count, size}, {step, 1});
      });
    }
    case 1:
      return trial(name, {x, draw_integers({1}, 0, length - size)},
                   [=](const Arrays& in) { return dynamic_slice(in[0], in[1], {axis}, {size}); });
    case 2:
      return trial(
          name, {x, draw_normal(part), draw_integers({1}, 0, length - size)},
          [=](const Arrays& in) { return dynamic_slice_update(in[0], in[1], in[2], {axis}); });
    case 3: {
      const PadMode mode =
          *rc::gen::element(PadMode::kReflect, PadMode::kSymmetric, PadMode::kWrap);
      Shape low(shape.size(), 0), high = low;
      low[at_axis] = draw(0, 3), high[at_axis] = draw(0, 3);
      return trial(fmt::format("pad mode {} low {} high {}", int(mode), low, high), {x},
                   [=](const Arrays& in) { return pad(in[0], low, high, mode); });
    }
    case 4: {
      const int k = static_cast<int>(draw(-3, 3));
      const bool lower = flip_coin();
      return trial(fmt::format("triangle {} {}", lower, k), {draw_normal(joined(shape, {3}))},
                   [=](const Arrays& in) { return lower ? tril(in[0], k) : triu(in[0], k); });
    }
    case 5: {
      const int k = static_cast<int>(draw(-2, 2));
      return trial(fmt::format("diagonal {}", k), {draw_normal(joined({4}, shape))},
                   [=](const Arrays& in) { return diagonal(in[0], k, 0, -1); });
    }
    default: return trial(name, {x}, [=](const Arrays& in) { return diag(flatten(in[0]), 1); });
  }
}

// Elements at places that index arrays name, and places found by searching.
Trial places() {
  Shape shape = draw_shape(1, 3, 1);
  const Shape picks = draw_shape(0, 2);
  maybe_empty(shape, 0);
  const int64_t which = draw(0, 6);
  const std::string name = fmt::format("places {}", which);
  const Array x = draw_normal(shape);
  const Array rows = draw_integers(picks, 0, shape[0] - 1);
  const Shape found = joined(picks, Shape(shape.begin() + 1, shape.end()));
  switch (which) {
    case 0:
      return trial(name, {x, rows}, [](const Arrays& in) { return at(in[0], {in[1]}).get(); });
    case 1:
      return trial(name, {x, rows, draw_normal(found)},
                   [](const Arrays& in) { return at(in[0], {in[1]}).add(in[2]); });
    case 2:
      return trial(name, {x, rows, draw_normal(draw_partner(found))},
                   [](const Arrays& in) { return at(in[0], {in[1]}).multiply(in[2]); });
    case 3: {
      const int64_t classes = draw(1, 6);  // indices out of range are rows of zeros
      return trial(name, {draw_integers(picks, 0, 6)},
                   [=](const Arrays& in) { return one_hot(in[0], classes); });
    }
    case 4: {
      const bool right = flip_coin();
      return trial(
          name, {draw_normal({draw(0, 6)}), draw_normal(picks)},
          [=](const Arrays& in) { return searchsorted(sort(in[0]), in[1], right); }, false);
    }
    case 5:  // an embedding and the loss of its rows
      return trial(name, {draw_normal({5, 4}), rows, draw_integers(picks, -1, 4)},
                   [](const Arrays& in) {
                     return cross_entropy(take(in[0], remainder(in[1], 5), 0), in[2]);
                   });
    default: {
      const Array indices = draw_integers(shape, 0, shape.back() - 1);
      return trial(name, {x, indices, draw_normal(draw_partner(shape))},
                   [](const Arrays& in) { return put_along_axis(in[0], in[1], in[2], -1); });
    }
  }
}

Trial loop() {
  const Shape state = draw_shape(0, 2);
  const int64_t steps = draw(0, 5), which = draw(0, 2);
  const LoopOptions options = {.length = steps, .reverse = flip_coin()};
  const auto body = [=](const Array& h, const Array& x, const Array& w) {
    const Array next = which == 0   ? tanh(h * w + x)
                       : which == 1 ? h + sin(x) * w
                                    : 0.5f * h * x + w;
    return std::pair(next, which == 2 ? square(h) : next * x);
  };
  return trial(
      fmt::format("scan {} reverse {}", which, options.reverse),
      {draw_normal(state), draw_normal(joined({steps}, state)), draw_normal(draw_partner(state))},
      [=](const Arrays& in) {
        const auto [last, kept] =
            scan([&](const Array& h, const Array& x) { return body(h, x, in[2]); }, in[0], in[1],
                 options);
        return concatenate({expand_dims(last, {0}), kept});
      });
}

Trial random_numbers() {
  const Shape shape = draw_shape(0, 3);
  const uint32_t seed = draw_seed();
  const Array key = Array::from(std::vector<uint32_t>{seed, seed * 31u}, {2});
  const Array loc = draw_normal(draw_partner(shape)), scale = draw_normal(draw_partner(shape));
  const int64_t which = draw(0, 15);
  const std::string name = fmt::format("random {}", which);
  const auto spread =
      [&](Array (*f)(const Shape&, const Array&, const Array&, const Array&, Dtype)) {
        return trial(name, {key, loc, scale},
                     [=](const Arrays& in) { return f(shape, in[0], in[1], exp(in[2]), float64); });
      };
  const auto by_loc = [&](const ArrayFunction& f, bool smooth = false) {
    return trial(name, {key, loc}, f, smooth);
  };
  switch (which) {
    case 0:
      return trial(name, {key, loc, scale}, [=](const Arrays& in) {
        return random::uniform(shape, in[0], in[1], in[1] + exp(in[2]), float64);
      });
    case 1: return spread(random::normal);
    case 2: return spread(random::laplace);
    case 3: return spread(random::gumbel);
    case 4: return spread(random::logistic);
    case 5: return spread(random::cauchy);
    case 6:
      return by_loc(
          [=](const Arrays& in) { return random::exponential(shape, in[0], exp(in[1]), float64); },
          true);
    case 7:
      return by_loc(
          [=](const Arrays& in) { return random::gamma(1.5f, shape, in[0], exp(in[1]), float64); },
          true);
    case 8:
      return by_loc(
          [=](const Arrays& in) { return random::beta(exp(in[1]), 2.0f, shape, in[0], float64); });
    case 9:
      return by_loc([=](const Arrays& in) { return random::poisson(exp(in[1]), shape, in[0]); });
    case 10:
      return by_loc(
          [=](const Arrays& in) { return random::bernoulli(sigmoid(in[1]), shape, in[0]); });
    case 11:
      return by_loc([=](const Arrays& in) { return random::dropout(in[1], 0.3, in[0]); }, true);
    case 12:
      return by_loc([=](const Arrays& in) {
        return random::truncated_normal(shape, in[1], in[1] + 1, in[0], float64);
      });
    case 13:
      return by_loc(
          [=](const Arrays& in) { return random::randint(astype(in[1], int32), 9, shape, in[0]); });
    case 14: {
      const Shape some = draw_shape(1, 3, 1);
      const int axis = draw_axis(some);
      const bool lines = flip_coin();
      return trial(name, {key, draw_normal(some)}, [=](const Arrays& in) {
        return lines ? random::shuffle(in[1], axis, in[0])
                     : random::permutation(in[1], axis, in[0]);
      });
    }
    default: {
      const Shape some = draw_shape(1, 3, 1);
      const int axis = draw_axis(some);
      return trial(
          name, {key, draw_normal(some)},
          [=](const Arrays& in) { return random::categorical(in[1], axis, in[0]); }, false);
    }
  }
}

// The rows that take complex numbers, and what moves, sums and multiplies them.
Trial complex_numbers() {
  static const std::vector<size_t> rows = [] {
    std::vector<size_t> all;
    for (size_t i = 0; i < elementwise_rows().size(); ++i) {
      const Types types = elementwise_rows()[i].types;
      if (types == Types::kNumber || types == Types::kInexact) all.push_back(i);
    }
    return all;
  }();
  const auto which = static_cast<size_t>(draw(0, static_cast<int64_t>(rows.size()) + 8));
  Shape x = draw_shape(1, 2, 1);
  const int axis = draw_axis(x);
  maybe_empty(x, axis);
  const auto shown = [](const Array& y) { return is_complex(y.dtype()) ? parts(y) : y; };
  if (which < rows.size()) {
    const ElementwiseRow& row = elementwise_rows()[rows[which]];
    Arrays inputs;
    for (const Array& part : row_inputs(row, x, draw_partner(x), float64)) {
      inputs.push_back(part);
      inputs.push_back(draw_normal(part.shape()));
    }
    return trial(
        fmt::format("complex {}", row.name), inputs,
        [=](const Arrays& in) {
          const RowFunction f = row_function(rows[which]);
          const Array a = to_complex(in[0], in[1]);
          return shown(in.size() == 2 ? f(Arrays{a}) : f(Arrays{a, to_complex(in[2], in[3])}));
        },
        row.has_gradient);
  }
  const Shape square = {x.back(), draw(1, 3)};
  const Arrays inputs = {draw_normal(x), draw_normal(x), draw_normal(square), draw_normal(square)};
  return trial(fmt::format("complex op {} along {}", which - rows.size(), axis), inputs,
               [=](const Arrays& in) {
                 const Array a = to_complex(in[0], in[1]), b = to_complex(in[2], in[3]);
                 switch (which - rows.size()) {
                   case 0: return parts(matmul(a, b));
                   case 1: return parts(sum(a, {axis}));
                   case 2: return parts(prod(a, {axis}));
                   case 3: return parts(cumsum(a, axis));
                   case 4: return parts(cumprod(a, axis));
                   case 5: return mica::abs(a) + angle(conjugate(a) * a + 1.0f);
                   case 6: return parts(where(in[0] > 0, a, flip(a, {axis})));
                   case 7: return parts(concatenate({a, conjugate(a)}, axis));
                   default: return parts(einsum("...i,ij->j...", {a, b}));
                 }
               });
}

}  // namespace

std::vector<Family> structured_families() {
  return {{"picked products", picked_product, false, true},
          {"special products", special_product},
          {"windows", windows},
          {"places", places},
          {"loops", loop},
          {"random numbers", random_numbers, true},
          {"complex numbers", complex_numbers, true, true}};
}

}  // namespace mica::testing
