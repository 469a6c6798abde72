// The laws of conformance_test.cc that are about transforms, over the same rows and samples:
//
//   4 <jvp(t), u> = <t, vjp(u)>
//   6 vmap(f) = the results of f for each example, stacked; the same for vmap of the gradient
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/eval/eval.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"
#include "tests/core/row_cases.h"
#include "tests/core/samples.h"

namespace mica {
namespace {

using testing::ArrayFunction;
using testing::for_each_row;
using testing::normal_array;
using testing::row_inputs;
using testing::RowFunction;
using testing::Sample;

struct Case {
  std::string name;
  ArrayFunction function;
  Arrays inputs;
  bool differentiable;
};

// Every row and sample in float64.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{2, 1}, {1, 3}}, {{}, {4}}};
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    const Dtype dtype = row.types == Types::kInteger ? int32 : float64;
    for (const auto& [x, y] : shapes) {
      cases.push_back({fmt::format("{} {} {}", row.name, to_string(x), to_string(y)), function,
                       row_inputs(row, x, y, dtype), row.has_gradient && is_floating(dtype)});
    }
  });
  for (const auto& samples :
       {testing::op_samples(), testing::norm_samples(), testing::product_samples(),
        testing::reduce_samples(), testing::scan_samples(), testing::linalg_samples(),
        testing::scatter_samples(), testing::rejection_samples(), testing::fft_samples(),
        testing::loop_samples()}) {
    for (const Sample& sample : samples) {
      cases.push_back({sample.name, sample.function, sample.inputs, sample.differentiable});
    }
  }
  return cases;
}

// Numbers of the input's shape, 0 for what has no derivative.
Arrays directions(const Arrays& inputs, uint32_t seed) {
  Arrays all;
  for (const Array& x : inputs) {
    all.push_back(is_floating(x.dtype()) ? normal_array(x.shape(), seed++, x.dtype()) : Array());
  }
  return all;
}

// f of its floating inputs alone.
struct Floating {
  ArraysFunction function;
  Arrays inputs;
};
Floating floating_part(const Case& c) {
  Floating part;
  for (const Array& x : c.inputs) {
    if (is_floating(x.dtype())) part.inputs.push_back(x);
  }
  part.function = [&c](const Arrays& x) {
    Arrays all = c.inputs;
    size_t next = 0;
    for (Array& each : all) {
      if (is_floating(each.dtype())) each = x[next++];
    }
    return Arrays{c.function(all)};
  };
  return part;
}

TEST(TransformLaws, JvpIsTheTransposeOfVjp) {
  int count = 0;
  for (const Case& c : all_cases()) {
    if (!c.differentiable) continue;
    SCOPED_TRACE(c.name);
    const Floating f = floating_part(c);
    const Arrays tangents = directions(f.inputs, 1);
    const auto [y, dy] = jvp(f.function, f.inputs, tangents);
    const Array u = normal_array(y[0].shape(), 99, y[0].dtype());
    const Arrays back = vjp(f.function, f.inputs, {u}).second;
    Array right = zeros({}, float64);
    for (size_t i = 0; i < back.size(); ++i) right = right + sum(back[i] * tangents[i]);
    const double wanted = right.item<double>();
    EXPECT_NEAR(sum(dy[0] * u).item<double>(), wanted, 1e-10 * std::max(1.0, std::abs(wanted)));
    EXPECT_EQ(y[0].to_bytes(), c.function(c.inputs).to_bytes());
    ++count;
  }
  printf("[  cases   ] law 4: %d\n", count);
}

// Three examples where the op has values: the input, the input backwards, and the input again.
Array examples_of(const Array& x) { return stack({x, flip(x), x}, 0); }

Arrays at_position(const Arrays& in, const std::vector<char>& mapped, int64_t k) {
  Arrays at;
  for (size_t i = 0; i < in.size(); ++i) {
    at.push_back(mapped[i] ? squeeze(slice_axis(in[i], 0, k, k + 1), {0}) : in[i]);
  }
  return at;
}

void check_vmap(const ArraysFunction& f, const Arrays& in, const std::vector<char>& mapped) {
  MappedAxes axes;
  for (const char each : mapped) axes.push_back(each ? std::optional<int>(0) : std::nullopt);
  const Arrays got = vmap(f, axes)(in);
  std::vector<Arrays> wanted;
  for (int64_t k = 0; k < 3; ++k) wanted.push_back(f(at_position(in, mapped, k)));
  for (size_t i = 0; i < got.size(); ++i) {
    testing::expect_same(got[i], stack({wanted[0][i], wanted[1][i], wanted[2][i]}, 0), 1e-9);
  }
}

// By each input alone and by all together.
std::vector<std::vector<char>> choices(size_t inputs) {
  if (inputs == 0) return {};
  std::vector<std::vector<char>> all = {std::vector<char>(inputs, 1)};
  for (size_t i = 0; inputs > 1 && i < inputs; ++i) {
    all.push_back(std::vector<char>(inputs, 0));
    all.back()[i] = 1;
  }
  return all;
}

Arrays with_examples(const Arrays& in, const std::vector<char>& mapped) {
  Arrays out;
  for (size_t i = 0; i < in.size(); ++i) out.push_back(mapped[i] ? examples_of(in[i]) : in[i]);
  return out;
}

TEST(TransformLaws, VmapIsTheStackedLoop) {
  int count = 0;
  for (const Case& c : all_cases()) {
    for (const auto& mapped : choices(c.inputs.size())) {
      SCOPED_TRACE(c.name);
      check_vmap([&](const Arrays& x) { return Arrays{c.function(x)}; },
                 with_examples(c.inputs, mapped), mapped);
      ++count;
    }
  }
  printf("[  cases   ] law 6: %d\n", count);
}

TEST(TransformLaws, VmapOfTheGradientIsTheStackedLoop) {
  int count = 0;
  for (const Case& c : all_cases()) {
    if (!c.differentiable) continue;
    const Floating f = floating_part(c);
    const Array u = normal_array(c.function(c.inputs).shape(), 99);
    const auto gradients = [&](const Arrays& x) { return vjp(f.function, x, {u}).second; };
    for (const auto& mapped : choices(f.inputs.size())) {
      SCOPED_TRACE(c.name);
      check_vmap(gradients, with_examples(f.inputs, mapped), mapped);
      ++count;
    }
  }
  printf("[  cases   ] law 6 on gradients: %d\n", count);
}

// Whether the op of a node sends anything back, and whether it could.
bool has_vjp(Node& node, bool& is_smooth) {
  const bool reals_in = std::ranges::any_of(
      node.inputs, [](const Array& x) { return is_floating(x.dtype()) || is_complex(x.dtype()); });
  Arrays outputs, cotangents;
  is_smooth = false;
  for (uint32_t i = 0; i < node.specs.size(); ++i) {
    outputs.push_back(Array(&node, i));
    cotangents.push_back(ones(node.specs[i].shape, node.specs[i].dtype));
    const Dtype dtype = node.specs[i].dtype;
    is_smooth = is_smooth || (reals_in && (is_floating(dtype) || is_complex(dtype)));
  }
  try {
    const Arrays back = node.op->vjp(node.inputs, outputs, cotangents);
    return std::ranges::any_of(back, [](const Array& g) { return g.defined(); });
  } catch (const Error&) {  // says so instead of a wrong zero
    return false;
  }
}

// Every op has a vmap rule, or it would not compile. Without a vjp are only those with results that
// are not real, or that are constant between jumps.
TEST(TransformLaws, OnlyStepsAndWholeNumbersHaveNoVjp) {
  const std::set<std::string> steps = {
      "floor", "ceil",         "round",       "trunc",
      "sign",  "floor_divide", "random_gamma"};  // refuses: its derivative by the shape parameter
                                                 // is not implemented
  std::set<std::string> with, without;
  for (const Case& c : all_cases()) {
    std::vector<Array> left = {c.function(c.inputs)};
    std::set<Node*> seen;
    while (!left.empty()) {
      const Array array = left.back();
      left.pop_back();
      Node& node = *array.node();
      if (node.op == nullptr || !seen.insert(&node).second) continue;
      left.insert(left.end(), node.inputs.begin(), node.inputs.end());
      bool is_smooth = false;
      const std::string name(node.op->name());
      const bool differentiable = has_vjp(node, is_smooth);
      (differentiable ? with : without).insert(name);
      EXPECT_TRUE(differentiable || !is_smooth || steps.contains(name)) << name << " in " << c.name;
    }
  }
  for (const std::string& name : with) without.erase(name);
  printf("[  cases   ] %zu ops with a vjp; without: %s\n", with.size(),
         fmt::format("{}", fmt::join(without, " ")).c_str());
}

}  // namespace
}  // namespace mica
