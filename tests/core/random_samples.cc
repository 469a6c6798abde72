// Samples of the ops that draw by rejection. The references are the textbooks' algorithms on the
// stream that random_op.h promises for each element.
#include <cmath>
#include <numbers>

#include "core/ops/random.h"
#include "core/ops/random_op.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

// The numbers in (0, 1) of element i, one after the other.
std::function<double()> uniforms_of(uint32_t i) {
  const Words key = threefry({3, 9}, {0xC0000000u, i});
  return [key, used = uint32_t{0}]() mutable {
    const Words block = threefry(key, {0, used++});
    return (std::ldexp(block[0], 20) + (block[1] >> 12) + 0.5) / 4503599627370496.0;
  };
}

double gamma_number(double alpha, const std::function<double()>& uniform) {
  const double d = alpha - 1.0 / 3;
  while (true) {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    const double normal = radius * std::cos(2 * std::numbers::pi * uniform());
    const double v = std::pow(1 + normal / std::sqrt(9 * d), 3);
    if (v > 0 && std::log(uniform()) < normal * normal / 2 + d - d * v + d * std::log(v)) {
      return d * v;
    }
  }
}

double poisson_number(double rate, const std::function<double()>& uniform) {
  double count = -1;
  for (double product = 1; product > std::exp(-rate); product *= uniform()) ++count;
  return count;
}

}  // namespace

std::vector<Sample> rejection_samples() {
  const Array key = array<uint32_t>({uint32_t(3), uint32_t(9)});
  return {{"random gamma",
           [](const Arrays& in) {
             return random::gamma(in[0], {2, 3}, in[1], 1.0f, float64);
           },
           {array<double>({1.0, 2.5, 7.0}), key},
           [](const Tensors& in) {
             return generate({2, 3}, [&](const Shape& at) {
               const auto i = static_cast<uint32_t>(3 * at[0] + at[1]);
               return gamma_number(in[0].at({at[1]}), uniforms_of(i));
             });
           },
           {float64},
           false},
          {"random poisson",
           [](const Arrays& in) {
             return random::poisson(in[0], {2, 3}, in[1]);
           },
           {array<double>({0.5, 2.5, 9.0}), key},
           [](const Tensors& in) {
             return generate({2, 3}, [&](const Shape& at) {
               const auto i = static_cast<uint32_t>(3 * at[0] + at[1]);
               return poisson_number(in[0].at({at[1]}), uniforms_of(i));
             });
           },
           {float64},
           false}};
}

}  // namespace mica::testing
