#include "tests/core/reference.h"

#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "core/base/error.h"

namespace mica::testing {
namespace {

size_t offset_of(const Shape& shape, const Shape& index) {
  int64_t offset = 0;
  for (size_t i = 0; i < shape.size(); ++i) offset = offset * shape[i] + index[i];
  return static_cast<size_t>(offset);
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

// By bisection.
double erfinv(double x) {
  if (!(std::abs(x) <= 1)) return kNan;
  if (std::abs(x) == 1) return x * kInf;
  double low = -7;
  double high = 7;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    (std::erf(middle) < x ? low : high) = middle;
  }
  return x == 0 ? x : low;
}

double maximum(double x, double y) { return x != x || y != y ? kNan : std::max(x, y); }
double minimum(double x, double y) { return x != x || y != y ? kNan : std::min(x, y); }

// The sign of the divisor, as in Python.
double remainder(double x, double y) {
  const double r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double logaddexp(double x, double y) {
  if (x == y) return x + std::log(2.0);
  return std::max(x, y) + std::log1p(std::exp(-std::abs(x - y)));
}

int64_t whole(double x) { return static_cast<int64_t>(x); }

using Function = double (*)(double x, double y);
#define VALUE(expression) [](double x, [[maybe_unused]] double y) -> double { return expression; }

const std::map<std::string_view, Function>& functions() {
  static const std::map<std::string_view, Function> all = {
      {"neg", VALUE(-x)},
      {"abs", VALUE(std::abs(x))},
      {"sign", VALUE(sign(x))},
      {"square", VALUE(x * x)},
      {"sqrt", VALUE(std::sqrt(x))},
      {"rsqrt", VALUE(1 / std::sqrt(x))},
      {"reciprocal", VALUE(1 / x)},
      {"exp", VALUE(std::exp(x))},
      {"expm1", VALUE(std::expm1(x))},
      {"log", VALUE(std::log(x))},
      {"log2", VALUE(std::log2(x))},
      {"log10", VALUE(std::log10(x))},
      {"log1p", VALUE(std::log1p(x))},
      {"sin", VALUE(std::sin(x))},
      {"cos", VALUE(std::cos(x))},
      {"tan", VALUE(std::tan(x))},
      {"sinh", VALUE(std::sinh(x))},
      {"cosh", VALUE(std::cosh(x))},
      {"tanh", VALUE(std::tanh(x))},
      {"arcsin", VALUE(std::asin(x))},
      {"arccos", VALUE(std::acos(x))},
      {"arctan", VALUE(std::atan(x))},
      {"arcsinh", VALUE(std::asinh(x))},
      {"arccosh", VALUE(std::acosh(x))},
      {"arctanh", VALUE(std::atanh(x))},
      {"erf", VALUE(std::erf(x))},
      {"erfinv", VALUE(erfinv(x))},
      {"floor", VALUE(std::floor(x))},
      {"ceil", VALUE(std::ceil(x))},
      {"trunc", VALUE(std::trunc(x))},
      {"round", VALUE(std::nearbyint(x))},
      {"sigmoid", VALUE(1 / (1 + std::exp(-x)))},
      {"relu", VALUE(maximum(x, 0))},
      {"silu", VALUE(x / (1 + std::exp(-x)))},
      {"gelu", VALUE(0.5 * x * (1 + std::erf(x / std::sqrt(2.0))))},
      {"softplus", VALUE(softplus(x))},
      {"isnan", VALUE(x != x)},
      {"isinf", VALUE(std::isinf(x))},
      {"isfinite", VALUE(std::isfinite(x))},
      {"logical_not", VALUE(x == 0)},
      {"add", VALUE(x + y)},
      {"subtract", VALUE(x - y)},
      {"multiply", VALUE(x * y)},
      {"divide", VALUE(x / y)},
      {"power", VALUE(std::pow(x, y))},
      {"maximum", VALUE(maximum(x, y))},
      {"minimum", VALUE(minimum(x, y))},
      {"floor_divide", VALUE(std::floor(x / y))},
      {"remainder", VALUE(remainder(x, y))},
      {"arctan2", VALUE(std::atan2(x, y))},
      {"logaddexp", VALUE(logaddexp(x, y))},
      {"bitwise_and", VALUE(static_cast<double>(whole(x) & whole(y)))},
      {"bitwise_or", VALUE(static_cast<double>(whole(x) | whole(y)))},
      {"bitwise_xor", VALUE(static_cast<double>(whole(x) ^ whole(y)))},
      {"left_shift", VALUE(static_cast<double>(whole(x) << whole(y)))},
      {"right_shift", VALUE(static_cast<double>(whole(x) >> whole(y)))},
      {"equal", VALUE(x == y)},
      {"not_equal", VALUE(x != y)},
      {"less", VALUE(x < y)},
      {"less_equal", VALUE(x <= y)},
      {"greater", VALUE(x > y)},
      {"greater_equal", VALUE(x >= y)},
      {"logical_and", VALUE(x != 0 && y != 0)},
      {"logical_or", VALUE(x != 0 || y != 0)}};
  return all;
}

// A unary row without a reference above is held to its own expression in plain double code.
namespace plain {

using mica::testing::erfinv, mica::testing::maximum, mica::testing::minimum;
using mica::testing::sign;
using std::abs, std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atanh, std::ceil,
    std::cos, std::cosh, std::erf, std::exp, std::expm1, std::floor, std::log, std::log10,
    std::log1p, std::log2, std::sin, std::sinh, std::sqrt, std::tan, std::tanh, std::trunc;
double round(double x) { return std::nearbyint(x); }
[[maybe_unused]] double select(bool mask, double x, double y) { return mask ? x : y; }

const std::map<std::string_view, Function>& functions() {
  static const std::map<std::string_view, Function> all = {
#define UNARY(name, types, sample, value, ...) {#name, VALUE(value)},
#define BINARY(...)
#define TEST(...)
#define COMPARE(...)
#include "core/ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
  };
  return all;
}

}  // namespace plain
}  // namespace

double Tensor::at(const Shape& index) const { return data[offset_of(shape, index)]; }
double& Tensor::at(const Shape& index) { return data[offset_of(shape, index)]; }

void for_each_index(const Shape& shape, const std::function<void(const Shape&)>& visit) {
  Shape index(shape.size(), 0);
  for (int64_t i = 0; i < size_of(shape); ++i) {
    visit(index);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

Tensor generate(const Shape& shape, const std::function<double(const Shape&)>& value) {
  Tensor out{shape, {}};
  for_each_index(shape, [&](const Shape& index) { out.data.push_back(value(index)); });
  return out;
}

Tensor along(const Tensor& x, int axis, int64_t length,
             const std::function<Line(const Line&)>& each) {
  Shape shape = x.shape;
  shape[axis] = length;
  return generate(shape, [&](const Shape& index) {
    Line line;
    Shape from = index;
    for (from[axis] = 0; from[axis] < x.shape[axis]; ++from[axis]) line.push_back(x.at(from));
    return each(line)[static_cast<size_t>(index[axis])];
  });
}

Tensor reshaped(const Tensor& x, const Shape& shape) { return {shape, x.data}; }

Tensor transposed(const Tensor& x, const Axes& axes) {
  Shape shape;
  for (int axis : axes) shape.push_back(x.shape[axis]);
  return generate(shape, [&](const Shape& index) {
    Shape from(index.size(), 0);
    for (size_t i = 0; i < axes.size(); ++i) from[axes[i]] = index[i];
    return x.at(from);
  });
}

Tensor broadcast(const Tensor& x, const Shape& shape) {
  return generate(shape, [&](const Shape& index) {
    Shape from(index.end() - static_cast<ptrdiff_t>(x.shape.size()), index.end());
    for (size_t i = 0; i < from.size(); ++i) from[i] = std::min(from[i], x.shape[i] - 1);
    return x.at(from);
  });
}

double row_value(std::string_view name, double x, double y) {
  for (const auto* table : {&functions(), &plain::functions()}) {
    if (const auto at = table->find(name); at != table->end()) return at->second(x, y);
  }
  fail("row {} has no reference in tests/core/reference.cc", name);
}

}  // namespace mica::testing
