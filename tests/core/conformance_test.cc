// The laws that every op obeys, over all rows of elementwise.def, reduce.def and scan.def and all
// samples of the structured ops:
//
//   1 values equal a naive float64 reference      2 shapes and dtypes are the ones inferred
//   3 the vjp equals finite differences           5 so does the vjp of the vjp
//   7 planned and fused equals one node at a time 9 strided, broadcast, scalar and empty inputs
//                                                   equal contiguous ones
//
// A row without a reference and an op without a sample fail. Laws 4 and 6, on jvp and vmap, are in
// transform_laws_test.cc; 8 is about CUDA.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <typeindex>

#include "core/eval/eval.h"
#include "core/graph/kernels.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/fused.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/view.h"
#include "core/ops/view_op.h"
#include "core/plan/plan.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"
#include "tests/core/row_cases.h"
#include "tests/core/samples.h"

namespace mica {
namespace {

using testing::for_each_row;
using testing::row_inputs;
using testing::RowFunction;
using testing::Sample;
using testing::Tensor;
using testing::Tensors;

// What one case is: a function of arrays at some inputs.
struct Case {
  std::string name;
  testing::ArrayFunction function;
  Arrays inputs;
};

double tolerance_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat64: return 1e-12;
    case Dtype::kFloat16: return 5e-3;
    case Dtype::kBfloat16: return 4e-2;
    default: return 5e-6;
  }
}

Tensor tensor_of(const Array& x) { return {x.shape(), x.to_vector<double>()}; }

Tensors tensors_of(const Arrays& arrays) {
  Tensors tensors;
  for (const Array& x : arrays) tensors.push_back(tensor_of(x));
  return tensors;
}

// ---- Law 9: the same values in other layouts.

Array stored(const Array& x) {
  return Array::from_bytes(x.to_bytes().data(), x.shape(), x.dtype());
}

Array stored_transposed(const Array& x) { return transpose(stored(transpose(x))); }
Array stored_backwards(const Array& x) { return flip(stored(flip(x))); }
// Every other element of a longer array.
Array stored_with_gaps(const Array& x) {
  if (x.rank() == 0) return x;
  const Array doubled = stack({x, x}, -1);
  Shape longer = x.shape();
  longer.back() *= 2;
  return slice_axis(stored(reshape(doubled, longer)), -1, 0, longer.back(), 2);
}

void check_layouts(const Case& c) {
  // The BLAS adds in another order for a transposed matrix.
  if (c.name.starts_with("matmul")) {
    Arrays inputs;
    for (const Array& x : c.inputs) inputs.push_back(stored_transposed(x));
    return testing::expect_same(c.function(inputs), c.function(c.inputs),
                                tolerance_of(c.inputs[0].dtype()));
  }
  const std::vector<std::byte> wanted = c.function(c.inputs).to_bytes();
  for (const auto& layout : {stored_transposed, stored_backwards, stored_with_gaps}) {
    Arrays inputs;
    for (const Array& x : c.inputs) inputs.push_back(layout(x));
    EXPECT_EQ(c.function(inputs).to_bytes(), wanted) << c.name << " on strided inputs";
  }
  // The first entry of each input's first axis, repeated.
  Arrays repeated;
  Arrays copies;
  for (const Array& x : c.inputs) {
    const bool repeats = is_floating(x.dtype()) && x.rank() > 0 && x.size() > 0;
    repeated.push_back(repeats ? broadcast_to(slice_axis(x, 0, 0, 1), x.shape()) : x);
    copies.push_back(stored(repeated.back()));
  }
  EXPECT_EQ(c.function(repeated).to_bytes(), c.function(copies).to_bytes())
      << c.name << " on broadcast inputs";
}

// ---- Law 7: planned and fused, unfused, and every node on its own.

// The function between pointwise ops, for the planner to fuse with.
Array surrounded(const Case& c) {
  Arrays inputs;
  for (const Array& x : c.inputs) {
    inputs.push_back(is_floating(x.dtype()) ? (x * 2) - x : x);
  }
  const Array out = c.function(inputs);
  return is_floating(out.dtype()) ? out * 0.5f + square(out) : out;
}

void collect_nodes(Node* node, std::set<Node*>& seen, std::vector<Array>& nodes) {
  if (node == nullptr || node->is_evaluated() || !seen.insert(node).second) return;
  for (const Array& input : node->inputs) collect_nodes(input.node(), seen, nodes);
  nodes.push_back(Array(node, 0));
}

void check_plans(const Case& c) {
  const std::vector<std::byte> planned = surrounded(c).to_bytes();
  set_fusion(false);
  const std::vector<std::byte> unfused = surrounded(c).to_bytes();
  set_fusion(true);
  EXPECT_EQ(planned, unfused) << c.name << " without fusion";
  const Array out = surrounded(c);
  std::set<Node*> seen;
  std::vector<Array> nodes;
  collect_nodes(out.node(), seen, nodes);
  for (const Array& node : nodes) eval(node);
  EXPECT_EQ(planned, out.to_bytes()) << c.name << " one node at a time";
}

// ---- Samples of reductions, scans and structured ops.

std::vector<Sample> all_samples() {
  std::vector<Sample> samples = testing::op_samples();
  for (const auto& more :
       {testing::norm_samples(), testing::product_samples(), testing::reduce_samples(),
        testing::scan_samples(), testing::linalg_samples(), testing::scatter_samples(),
        testing::rejection_samples(), testing::fft_samples(), testing::loop_samples()}) {
    samples.insert(samples.end(), more.begin(), more.end());
  }
  return samples;
}

// The sample with its float64 inputs in another type; integers get small whole numbers.
Case case_of(const Sample& sample, Dtype dtype) {
  Case c = {sample.name + " " + std::string(name_of(dtype)), sample.function, {}};
  for (const Array& x : sample.inputs) {
    Array typed = x;
    if (x.dtype() == float64) {
      typed = astype(is_unsigned(dtype) ? abs(x) : x, dtype);
    }
    c.inputs.push_back(stored(typed));
  }
  return c;
}

template <class Check>
int for_each_case(Check check) {
  int count = 0;
  for (const Sample& sample : all_samples()) {
    for (const Dtype dtype : sample.dtypes) {
      const Case c = case_of(sample, dtype);
      SCOPED_TRACE(c.name);
      check(sample, c, dtype);
      ++count;
    }
  }
  return count;
}

void report(const char* what, int count) {
  ::testing::Test::RecordProperty(what, count);
  printf("[  cases   ] %s: %d\n", what, count);
}

TEST(Conformance, SamplesHaveTheirValues) {
  const int count = for_each_case([](const Sample& sample, const Case& c, Dtype dtype) {
    const Array got = c.function(c.inputs);
    const Tensor wanted = sample.reference(tensors_of(c.inputs));
    ASSERT_EQ(got.shape(), wanted.shape);
    if (is_floating(dtype) && is_floating(got.dtype()) && !sample.inputs.empty()) {
      EXPECT_EQ(got.dtype(), sample.name == "one_hot" ? float64 : dtype);
    }
    testing::expect_values(got, wanted.data, tolerance_of(dtype));
  });
  report("laws 1 and 2 on samples", count);
}

TEST(Conformance, SamplesHaveTheirDerivatives) {
  int count = 0;
  for (const Sample& sample : all_samples()) {
    if (!sample.differentiable) continue;
    SCOPED_TRACE(sample.name);
    testing::check_derivatives(sample.function, sample.inputs);
    ++count;
  }
  report("laws 3 and 5 on samples", count);
}

TEST(Conformance, SamplesPlannedEqualOneByOne) {
  report("law 7 on samples",
         for_each_case([](const Sample&, const Case& c, Dtype) { check_plans(c); }));
}

TEST(Conformance, SamplesTakeAnyLayout) {
  report("law 9 on samples",
         for_each_case([](const Sample&, const Case& c, Dtype) { check_layouts(c); }));
}

// ---- Rows of elementwise.def.

bool computes_in(const ElementwiseRow& row, Dtype dtype) {
  if (row.types == Types::kInteger) return !is_floating(dtype);
  return true;
}

Dtype result_type(const ElementwiseRow& row, Dtype dtype) {
  if (row.gives_bool) return bool_;
  const bool floats = row.types == Types::kFloat || row.types == Types::kInexact;
  return floats && !is_floating(dtype) ? float32 : dtype;
}

// A number as `dtype` holds it: rounded, or wrapped around.
double held_in(Dtype dtype, double value) {
  return dispatch(dtype, [&]<class T>(TypeTag<T>) -> double {
    if constexpr (is_complex(dtype_of<T>))
      return value;
    else if constexpr (std::is_same_v<T, bool>)
      return value != 0;
    else if constexpr (std::is_integral_v<T>) {
      return static_cast<double>(static_cast<T>(static_cast<int64_t>(value)));
    } else if constexpr (std::is_same_v<T, double>)
      return value;
    else
      return static_cast<double>(static_cast<float>(T(static_cast<float>(value))));
  });
}

constexpr Dtype kRealTypes[] = {bool_, uint8, uint16,  uint32,   uint64,  int8,   int16,
                                int32, int64, float16, bfloat16, float32, float64};

void check_row_values(const ElementwiseRow& row, const RowFunction& function,
                      const Arrays& inputs) {
  const Dtype dtype = inputs[0].dtype();
  const Array got = function(inputs);
  const Dtype result = result_type(row, dtype);
  Shape shape = inputs[0].shape();
  if (row.arity == 2) shape = broadcast_shapes(shape, inputs[1].shape());
  ASSERT_EQ(got.shape(), shape);
  ASSERT_EQ(got.dtype(), result);
  const Tensor x = testing::broadcast(tensor_of(inputs[0]), shape);
  const Tensor y = testing::broadcast(tensor_of(inputs.back()), shape);
  std::vector<double> wanted;
  for (size_t i = 0; i < x.data.size(); ++i) {
    wanted.push_back(held_in(result, testing::row_value(row.name, x.data[i], y.data[i])));
  }
  testing::expect_values(got, wanted, is_floating(result) ? tolerance_of(result) : 0);
}

TEST(Conformance, RowsHaveTheirValues) {
  // Lengths around those of vectors and tiles, and pairs that broadcast.
  const std::pair<Shape, Shape> shapes[] = {
      {{}, {}},      {{1}, {1}},       {{7}, {7}}, {{37, 65}, {37, 65}},
      {{3, 5}, {5}}, {{3, 1}, {1, 5}}, {{}, {4}},  {{2, 3, 1}, {3, 4}}};
  int count = 0;
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    for (const Dtype dtype : kRealTypes) {
      if (!computes_in(row, dtype)) continue;
      for (const auto& [x, y] : shapes) {
        SCOPED_TRACE(fmt::format("{} {} {}", dtype, to_string(x), to_string(y)));
        check_row_values(row, function, row_inputs(row, x, y, dtype));
        ++count;
      }
    }
  });
  report("rows", static_cast<int>(elementwise_rows().size()));
  report("laws 1 and 2 on rows", count);
}

// Zeros of both signs, infinities, NaN and numbers about which functions turn.
TEST(Conformance, RowsHaveTheirValuesAtTheEdges) {
  const std::vector<double> edges = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1,    -1,
                                     0.5, -0.5, 20,       -20,       3e5, -3e5, 1e-30};
  const auto n = static_cast<int64_t>(edges.size());
  // Division and remainder with infinities and zeros have no agreed values.
  const std::set<std::string_view> left_out = {"floor_divide", "remainder", "left_shift",
                                               "right_shift"};
  int count = 0;
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    if (row.types == Types::kInteger || left_out.count(row.name)) return;
    for (const Dtype dtype : {float32, float64, float16, bfloat16}) {
      SCOPED_TRACE(std::string(name_of(dtype)));
      const Array x = stored(astype(Array::from(edges, {n}), dtype));
      Arrays inputs = {x};
      if (row.arity == 2) inputs = {stored(reshape(x, {n, 1})), x};
      check_row_values(row, function, inputs);
      ++count;
    }
  });
  report("law 1 at the edges", count);
}

TEST(Conformance, RowsHaveTheirDerivatives) {
  const std::pair<Shape, Shape> shapes[] = {
      {{}, {}}, {{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{2, 1}, {1, 3}}};
  int count = 0;
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    if (!row.has_gradient) return;
    for (const auto& [x, y] : shapes) {
      SCOPED_TRACE(to_string(x) + to_string(y));
      testing::check_derivatives(function, row_inputs(row, x, y, float64));
      ++count;
    }
  });
  report("laws 3 and 5 on rows", count);
}

TEST(Conformance, RowsPlannedEqualOneByOneAndTakeAnyLayout) {
  const std::pair<Shape, Shape> shapes[] = {
      {{3, 4}, {3, 4}}, {{2, 3, 5}, {3, 1}}, {{33, 40}, {40}}, {{}, {}}};
  int count = 0;
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    for (const Dtype dtype : {float32, float64, bfloat16, int32, bool_}) {
      if (!computes_in(row, dtype)) continue;
      for (const auto& [x, y] : shapes) {
        const Case c = {fmt::format("{} {} {}", row.name, dtype, to_string(x)), function,
                        row_inputs(row, x, y, dtype)};
        check_plans(c);
        check_layouts(c);
        ++count;
      }
    }
  });
  report("laws 7 and 9 on rows", count);
}

TEST(Conformance, RowsHaveTheirValuesForComplexNumbers) {
  using Complex = std::complex<double>;
  const std::map<std::string_view, std::function<Complex(Complex, Complex)>> functions = {
      {"neg", [](Complex x, Complex) { return -x; }},
      {"square", [](Complex x, Complex) { return x * x; }},
      {"sqrt", [](Complex x, Complex) { return std::sqrt(x); }},
      {"rsqrt", [](Complex x, Complex) { return 1.0 / std::sqrt(x); }},
      {"reciprocal", [](Complex x, Complex) { return 1.0 / x; }},
      {"exp", [](Complex x, Complex) { return std::exp(x); }},
      {"log", [](Complex x, Complex) { return std::log(x); }},
      {"sin", [](Complex x, Complex) { return std::sin(x); }},
      {"cos", [](Complex x, Complex) { return std::cos(x); }},
      {"tan", [](Complex x, Complex) { return std::tan(x); }},
      {"sinh", [](Complex x, Complex) { return std::sinh(x); }},
      {"cosh", [](Complex x, Complex) { return std::cosh(x); }},
      {"tanh", [](Complex x, Complex) { return std::tanh(x); }},
      {"add", [](Complex x, Complex y) { return x + y; }},
      {"subtract", [](Complex x, Complex y) { return x - y; }},
      {"multiply", [](Complex x, Complex y) { return x * y; }},
      {"divide", [](Complex x, Complex y) { return x / y; }},
      {"power", [](Complex x, Complex y) { return std::pow(x, y); }}};
  const std::vector<complex64_t> values = {{1, 2}, {-0.5f, 0.25f}, {2, -1}, {0.75f, 0}};
  int count = 0;
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    if (row.name == "abs" || row.gives_bool) return;  // complex_test.cc: the result is real
    for (const Dtype dtype : {complex64, complex128}) {
      const Array x = astype(Array::from(values, {4, 1}), dtype);
      const Array y = astype(Array::from(values, {4}), dtype);
      if (row.types == Types::kReal || row.types == Types::kFloat || row.types == Types::kInteger) {
        EXPECT_FALSE(testing::error_text([&] { function({x, y}); }).empty());
        continue;
      }
      ASSERT_TRUE(functions.count(row.name)) << "no complex reference";
      const Array got = function({x, y});
      ASSERT_EQ(got.dtype(), dtype);
      const auto results = got.to_vector<complex128_t>();
      const double tolerance = dtype == complex64 ? 1e-5 : 1e-14;
      for (size_t i = 0; i < results.size(); ++i) {
        const Complex left = values[row.arity == 2 ? i / 4 : i];
        const Complex wanted = functions.at(row.name)(left, Complex(values[i % 4]));
        EXPECT_LT(std::abs(results[i] - wanted), tolerance * std::max(1.0, std::abs(wanted)));
      }
      ++count;
    }
  });
  report("law 1 for complex numbers", count);
}

TEST(Conformance, EmptyInputsGiveEmptyResults) {
  int count = 0;
  for_each_row([&](const ElementwiseRow& row, const RowFunction& function) {
    for (const Dtype dtype : {float32, int32, bfloat16}) {
      if (!computes_in(row, dtype)) continue;
      const Array out = function(row_inputs(row, {2, 0}, {1, 1}, dtype));
      EXPECT_EQ(out.shape(), Shape({2, 0}));
      EXPECT_TRUE(out.to_bytes().empty());
      ++count;
    }
  });
  for (const Dtype dtype : {float32, float16, int32}) {
#define SCAN(name, ...)                                                   \
  EXPECT_TRUE(name(zeros({2, 0}, dtype), 1).to_bytes().empty()) << #name; \
  EXPECT_TRUE(name(zeros({2, 0}, dtype), 0).to_bytes().empty()) << #name; \
  ++count;
#include "core/ops/scan.def"
#undef SCAN
    testing::expect_values(sum(zeros({2, 0}, dtype), {1}), {0, 0});
    testing::expect_values(prod(zeros({2, 0}, dtype), {1}), {1, 1});
    testing::expect_values(all(zeros({2, 0}, dtype), {1}), {1, 1});
    testing::expect_values(any(zeros({2, 0}, dtype)), {0});
    EXPECT_TRUE(max(zeros({0, 3}, dtype), {1}).to_bytes().empty());
    EXPECT_FALSE(testing::error_text([&] { max(zeros({0, 3}, dtype), {0}); }).empty());
    count += 6;
  }
  report("law 9, empty inputs", count);
}

// ---- No op is forgotten.

void note_ops(const Array& array, std::set<std::type_index>& seen, std::set<std::string>& names) {
  std::set<Node*> visited;
  std::vector<Array> nodes;
  collect_nodes(array.node(), visited, nodes);
  for (const Array& node : nodes) {
    const Op& op = *node.node()->op;
    seen.insert(typeid(op));
    names.insert(std::string(op.name()));
  }
}

TEST(Conformance, EveryOpIsInASample) {
  std::set<std::type_index> seen;
  std::set<std::string> names;
  for (const Sample& sample : all_samples()) {
    note_ops(sample.function(sample.inputs), seen, names);
    if (!sample.differentiable) continue;
    std::vector<int> numbers;
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      if (sample.inputs[i].dtype() == float64) numbers.push_back(static_cast<int>(i));
    }
    const ScalarFunction once = [&](const Arrays& in) { return sum(square(sample.function(in))); };
    const ScalarFunction twice = [&](const Arrays& in) {
      Array total = Array::scalar(0, float64);
      for (const Array& g : grad(once, numbers)(in)) total = total + sum(square(g));
      return total;
    };
    for (const Array& g : grad(twice, numbers)(sample.inputs)) note_ops(g, seen, names);
  }
  // Nodes that only the planner makes.
  seen.insert(typeid(Fused));
  seen.insert(typeid(Contiguous));
  for (const std::type_index& op : cpu_kernels().ops()) {
    EXPECT_TRUE(seen.count(op)) << op.name() << " is in no sample";
  }
  for (const char* view : {"reshape", "transpose", "broadcast_to", "slice"}) {
    EXPECT_TRUE(names.count(view)) << view;
  }
  report("structured ops", static_cast<int>(names.size()));
  report("samples", static_cast<int>(all_samples().size()));
}

}  // namespace
}  // namespace mica
