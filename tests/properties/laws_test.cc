// The laws of conformance_test.cc for shapes, axes, settings, types and layouts drawn at random by
// RapidCheck, which shrinks what fails:
//
//   2 shapes and dtypes are the ones inferred       6 vmap equals the stacked loop
//   3 the vjp equals differences                    7 planned and fused equals one node at a time
//   4 <jvp(t), u> = <t, vjp(u)>                     9 other layouts give the same values
//   5 the vjp of the vjp equals its differences
//
// The seed is fixed; RC_PARAMS="seed=2 max_success=1000" draws others, and more.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstdlib>

#include "core/eval/eval.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/plan/plan.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/properties/trials.h"

namespace mica {
namespace {

using testing::families;
using testing::Family;
using testing::laid_out;
using testing::normal_array;
using testing::Trial;

const bool seeded = [] {
  setenv("RC_PARAMS", "seed=20260101 max_success=150", 0);
  return true;
}();

// Draws trials of every family and counts those that the law says something about.
void check_law(const char* law, const std::function<bool(const Family&, const Trial&)>& holds) {
  int cases = 0;
  for (const Family& family : families()) {
    const bool passed = rc::check(family.name + ": " + law, [&] {
      const Trial trial = family.draw();
      RC_LOG() << trial.text << std::endl;
      if (holds(family, trial)) ++cases;
    });
    EXPECT_TRUE(passed) << family.name << ": " << law;
  }
  printf("[  cases   ] %s: %d cases of %zu families\n", law, cases, families().size());
}

void require_same(const Array& got, const Array& wanted, double tolerance) {
  RC_ASSERT(got.shape() == wanted.shape());
  const auto a = got.to_vector<double>(), b = wanted.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i] || std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(b[i])))
      continue;
    RC_LOG() << "element " << i << ": " << a[i] << ", wanted " << b[i] << std::endl;
    RC_ASSERT(false);
  }
}

Arrays cast_inputs(const Arrays& inputs, Dtype dtype) {
  Arrays out;
  for (const Array& x : inputs) out.push_back(x.dtype() == float64 ? astype(x, dtype) : x);
  eval(out);
  return out;
}

TEST(Properties, Law2ShapesAreInferred) {
  check_law("law 2", [](const Family&, const Trial& trial) {
    const Array y = trial.function(trial.inputs);
    const Shape shape = y.shape();
    const Dtype dtype = y.dtype();
    RC_ASSERT(y.to_bytes().size() == static_cast<size_t>(size_of(shape)) * size_of(dtype));
    return true;
  });
}

TEST(Properties, Law7PlansGiveTheBitsOfSingleOps) {
  check_law("law 7", [](const Family& family, const Trial& trial) {
    const Dtype dtype =
        family.has_fixed_types ? float64 : *rc::gen::element(float64, float32, float16, bfloat16);
    const Arrays inputs = cast_inputs(trial.inputs, dtype);
    const auto planned = trial.function(inputs).to_bytes();
    set_fusion(false);
    const auto single = trial.function(inputs).to_bytes();
    set_fusion(true);
    RC_ASSERT(planned == single);
    return true;
  });
}

TEST(Properties, Law9LayoutsDoNotMatter) {
  check_law("law 9", [](const Family& family, const Trial& trial) {
    const Dtype dtype = family.has_fixed_types ? float64 : *rc::gen::element(float64, float32);
    const Arrays inputs = cast_inputs(trial.inputs, dtype);
    Arrays other;
    for (const Array& x : inputs) other.push_back(laid_out(x));
    for (size_t i = 0; i < inputs.size(); ++i) {
      RC_ASSERT(other[i].to_bytes() == inputs[i].to_bytes());
    }
    // Sums over other layouts may go in another order: a few roundings of at most 1,000 terms.
    require_same(trial.function(other), trial.function(inputs), dtype == float64 ? 1e-11 : 2e-4);
    return true;
  });
}

// The trial as a function of its float64 inputs.
struct Smooth {
  ArraysFunction function;
  Arrays inputs;
};

Smooth smooth_part(const Trial& trial) {
  Smooth part;
  for (const Array& x : trial.inputs) {
    if (x.dtype() == float64) part.inputs.push_back(x);
  }
  part.function = [trial](const Arrays& given) {
    Arrays all = trial.inputs;
    size_t next = 0;
    for (Array& x : all) {
      if (x.dtype() == float64) x = given[next++];
    }
    return Arrays{trial.function(all)};
  };
  return part;
}

Arrays directions(const Arrays& inputs, uint32_t seed) {
  Arrays all;
  for (const Array& x : inputs) all.push_back(normal_array(x.shape(), seed++));
  return all;
}

Arrays moved(const Arrays& x, const Arrays& t, double by) {
  Arrays out;
  for (size_t i = 0; i < x.size(); ++i) out.push_back(x[i] + t[i] * Array::scalar(by, float64));
  eval(out);
  return out;
}

Array dot(const Arrays& a, const Arrays& b) {
  Array total = zeros({}, float64);
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].defined()) total = total + sum(a[i] * b[i]);
  }
  return total;
}

// d/ds of f(x + s t) at 0 against differences of fourth order. Their own error, of order h^4 times
// the fifth derivative (large where eigenvalues are close), shows in what halving h changes; where
// that is much, there is a kink or a pole between the points and nothing can be said: false.
bool require_slope(const std::function<Array(const Arrays&)>& f, const Arrays& x, const Arrays& t,
                   const Array& slope) {
  const auto at = [&](double s) { return f(moved(x, t, s)).item<double>(); };
  const auto difference = [&](double h) {
    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  };
  const double got = slope.item<double>();
  const double coarse = difference(1e-3), wanted = difference(5e-4);
  if (std::abs(wanted - coarse) > 1e-3 * std::max(1.0, std::abs(wanted))) return false;
  RC_LOG() << "slope " << got << ", by differences " << wanted << std::endl;
  const double allowed = 1e-6 * std::max(1.0, std::abs(wanted)) + std::abs(wanted - coarse);
  RC_ASSERT(std::abs(got - wanted) <= allowed);
  return true;
}

// Steps of 1e-3 must not cross a kink: ties and zeros of the inputs are farther away than that.
bool is_far_from_kinks(const Arrays& inputs) {
  std::vector<double> values = {0};
  for (const Array& x : inputs) {
    const std::vector<double> more = x.to_vector<double>();
    values.insert(values.end(), more.begin(), more.end());
  }
  std::sort(values.begin(), values.end());
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] - values[i - 1] < 0.02) return false;
  }
  return true;
}

TEST(Properties, Laws3And5DerivativesEqualDifferences) {
  check_law("laws 3 and 5", [](const Family& family, const Trial& trial) {
    if (!trial.differentiable) return false;
    const Smooth f = smooth_part(trial);
    if (f.inputs.empty() || (family.has_kinks && !is_far_from_kinks(f.inputs))) return false;
    const Arrays t = directions(f.inputs, 7), v = directions(f.inputs, 17);
    const Array u = normal_array(f.function(f.inputs)[0].shape(), 99);
    const auto value = [&](const Arrays& x) { return sum(f.function(x)[0] * u); };
    const auto gradient = grad(ScalarFunction(value));
    if (!require_slope(value, f.inputs, t, dot(gradient(f.inputs), t))) return false;
    const auto slope = [&](const Arrays& x) { return dot(gradient(x), v); };
    return require_slope(slope, f.inputs, t, dot(grad(ScalarFunction(slope))(f.inputs), t));
  });
}

TEST(Properties, Law4JvpIsTheTransposeOfVjp) {
  check_law("law 4", [](const Family&, const Trial& trial) {
    const Smooth f = smooth_part(trial);
    if (!trial.differentiable || f.inputs.empty()) return false;
    const Arrays t = directions(f.inputs, 7);
    const auto [y, dy] = jvp(f.function, f.inputs, t);
    const Array u = normal_array(y[0].shape(), 99);
    const Arrays back = vjp(f.function, f.inputs, {u}).second;
    require_same(sum(dy[0] * u), dot(back, t), 1e-9);
    return true;
  });
}

TEST(Properties, Law6VmapIsTheStackedLoop) {
  check_law("law 6", [](const Family&, const Trial& trial) {
    MappedAxes axes;
    Arrays batch;
    for (const Array& x : trial.inputs) {
      const bool mapped = trial.inputs.size() == 1 || *rc::gen::arbitrary<bool>();
      const int axis = *rc::gen::inRange(0, x.rank() + 1);
      axes.push_back(mapped ? std::optional<int>(axis) : std::nullopt);
      batch.push_back(mapped ? stack({x, flip(x), x}, axis) : x);
    }
    if (std::ranges::none_of(axes, [](const auto& axis) { return axis.has_value(); })) return false;
    eval(batch);
    const auto f = [&](const Arrays& in) { return Arrays{trial.function(in)}; };
    const Array got = vmap(f, axes)(batch)[0];
    Arrays wanted;
    for (int64_t k = 0; k < 3; ++k) {
      Arrays one;
      for (size_t i = 0; i < batch.size(); ++i) {
        one.push_back(axes[i] ? squeeze(slice_axis(batch[i], *axes[i], k, k + 1), {*axes[i]})
                              : batch[i]);
      }
      wanted.push_back(trial.function(one));
    }
    require_same(got, stack(wanted, 0), 1e-9);
    return true;
  });
}

}  // namespace
}  // namespace mica
