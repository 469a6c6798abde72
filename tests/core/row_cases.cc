#include "tests/core/row_cases.h"

#include <cmath>
#include <random>

namespace mica::testing {
namespace {

constexpr RowFunction kRowFunctions[] = {
#define UNARY(name, ...) {&mica::name, nullptr},
#define TEST UNARY
#define BINARY(name, ...) {nullptr, &mica::name},
#define COMPARE BINARY
#include "core/ops/elementwise.def"
#undef UNARY
#undef TEST
#undef BINARY
#undef COMPARE
};

}  // namespace

RowFunction row_function(size_t row) { return kRowFunctions[row]; }

Array row_input(const ElementwiseRow& row, const Shape& shape, Dtype dtype, uint32_t seed) {
  std::mt19937 generator(seed);
  const bool whole = !is_floating(dtype);
  std::vector<double> values;
  for (int64_t i = 0; i < size_of(shape); ++i) {
    const double u = std::uniform_real_distribution<double>(0, 1)(generator);
    switch (row.sample) {
      case mica::Sample::kAnyReal:
        values.push_back(whole ? std::floor(11 * u) - 5 : 6 * u - 3);
        break;
      case mica::Sample::kPositive:
        values.push_back(whole ? std::floor(1 + 4 * u) : 0.5 + 2 * u);
        break;
      case mica::Sample::kUnit: values.push_back(whole ? 0 : 1.8 * u - 0.9); break;
      case mica::Sample::kAboveOne:
        values.push_back(whole ? std::floor(2 + 2 * u) : 1.1 + 1.9 * u);
        break;
    }
    if (is_unsigned(dtype)) values.back() = std::abs(values.back());
  }
  const Array typed = astype(Array::from(values, shape), dtype);
  return Array::from_bytes(typed.to_bytes().data(), shape, dtype);
}

Arrays row_inputs(const ElementwiseRow& row, const Shape& x, const Shape& y, Dtype dtype) {
  Arrays inputs = {row_input(row, x, dtype, 1)};
  if (row.arity == 2) inputs.push_back(row_input(row, y, dtype, 2));
  return inputs;
}

}  // namespace mica::testing
