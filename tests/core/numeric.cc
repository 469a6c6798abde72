#include "tests/core/numeric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"

namespace mica::testing {
namespace {

bool is_close(double got, double wanted, double tolerance) {
  if (std::isnan(got) || std::isnan(wanted)) return std::isnan(got) && std::isnan(wanted);
  if (got == wanted) return true;  // infinities too
  return std::abs(got - wanted) <= tolerance * std::max(1.0, std::abs(wanted));
}

std::vector<int> differentiable(const Arrays& inputs) {
  std::vector<int> numbers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() == float64) numbers.push_back(static_cast<int>(i));
  }
  return numbers;
}

// f's result weighted with fixed random numbers and summed: a scalar whose gradient holds a part
// of every entry of the Jacobian.
ScalarFunction weighted(const ArrayFunction& f, uint32_t seed) {
  return [f, seed](const Arrays& in) {
    const Array out = f(in);
    return sum(out * normal_array(out.shape(), seed));
  };
}

// Compares the gradients of a scalar function with differences.
void check_gradient(const ScalarFunction& f, const Arrays& inputs, const DerivativeCheck& check) {
  const std::vector<int> numbers = differentiable(inputs);
  const Arrays gradients = grad(f, numbers)(inputs);
  for (size_t n = 0; n < numbers.size(); ++n) {
    const Array& input = inputs[numbers[n]];
    ASSERT_EQ(gradients[n].shape(), input.shape());
    ASSERT_EQ(gradients[n].dtype(), input.dtype());
    const std::vector<double> got = gradients[n].to_vector<double>();
    const std::vector<double> values = input.to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) {
      const auto at = [&](double offset) {
        std::vector<double> moved = values;
        moved[i] += offset;
        Arrays arguments = inputs;
        arguments[numbers[n]] = Array::from(moved, input.shape());
        return f(arguments).item<double>();
      };
      const double wanted = (at(check.step) - at(-check.step)) / (2 * check.step);
      EXPECT_TRUE(is_close(got[i], wanted, check.tolerance))
          << "derivative by element " << i << " of input " << numbers[n] << ": " << got[i]
          << ", by differences " << wanted;
    }
  }
}

}  // namespace

void expect_values(const Array& got, const std::vector<double>& wanted, double tolerance) {
  const std::vector<double> values = got.to_vector<double>();
  ASSERT_EQ(values.size(), wanted.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(is_close(values[i], wanted[i], tolerance))
        << "element " << i << ": got " << values[i] << ", wanted " << wanted[i];
  }
}

void expect_same(const Array& got, const Array& wanted, double tolerance) {
  ASSERT_EQ(got.shape(), wanted.shape());
  expect_values(got, wanted.to_vector<double>(), tolerance);
}

std::vector<double> normal_values(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = normal(generator);
  return values;
}

Array normal_array(const Shape& shape, uint32_t seed, Dtype dtype) {
  return astype(Array::from(normal_values(size_of(shape), seed), shape), dtype);
}

void check_derivatives(const ArrayFunction& f, const Arrays& inputs, const DerivativeCheck& check) {
  const ScalarFunction scalar = weighted(f, 101);
  check_gradient(scalar, inputs, check);
  if (check.order < 2) return;
  const std::vector<int> numbers = differentiable(inputs);
  const ScalarFunction along = [&](const Arrays& in) {
    Array total = Array::scalar(0, float64);
    for (const Array& gradient : grad(scalar, numbers)(in)) {
      total = total + sum(gradient * normal_array(gradient.shape(), 102));
    }
    return total;
  };
  check_gradient(along, inputs, check);
}

std::string error_text(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "";
}

}  // namespace mica::testing
