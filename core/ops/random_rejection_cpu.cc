// Numbers drawn by rejection: an element draws as many as it takes, from a stream of its own, so
// that values do not depend on how the work is cut.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/cpu/install.h"
#include "core/ops/random_op.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

// The blocks of one element.
class Stream {
 public:
  Stream(Words key, int64_t element) {
    // Counters with both top bits set are used for nothing else (random.cc).
    const auto upper = static_cast<uint32_t>(static_cast<uint64_t>(element) >> 32);
    key_ = threefry(key, {0xC0000000u | upper, static_cast<uint32_t>(element)});
  }

  /// Uniform in (0, 1): odd multiples of 2^-53.
  double uniform() {
    const Words block = threefry(key_, {0, used_++});
    const uint64_t digits = (static_cast<uint64_t>(block[0]) << 20) | (block[1] >> 12);
    return (static_cast<double>(digits) + 0.5) * 0x1p-52;
  }

  /// Box and Muller's transform.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  Words key_;
  uint32_t used_ = 0;
};

// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
double draw_gamma(double alpha, Stream& stream) {
  if (!(alpha > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(alpha)) return alpha;
  if (alpha < 1) {
    // Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha).
    const double boost = std::log(stream.uniform()) / alpha;
    return draw_gamma(alpha + 1, stream) * std::exp(boost);
  }
  const double d = alpha - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = stream.normal();
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(stream.uniform()) < 0.5 * x * x + d * (1 - v + std::log(v))) return d * v;
  }
}

// log k!, by Stirling's series beyond the first: the next term is below 1e-12 there. std::lgamma
// writes a global variable.
double log_factorial(double k) {
  if (k < 16) {
    double product = 1;
    for (double i = 2; i <= k; ++i) product *= i;
    return std::log(product);
  }
  const double inverse = 1 / k, square = inverse * inverse;
  const double series = inverse * (1.0 / 12 - square * (1.0 / 360 - square / 1260));
  return k * std::log(k) - k + 0.5 * std::log(2 * std::numbers::pi * k) + series;
}

// How many uniform numbers it takes until their product is below exp(-rate) (Knuth).
int64_t draw_small_poisson(double rate, Stream& stream) {
  const double limit = std::exp(-rate);
  int64_t count = 0;
  for (double product = stream.uniform(); product > limit; product *= stream.uniform()) ++count;
  return count;
}

// The algorithm PTRS of Hoermann, "The transformed rejection method for generating Poisson random
// variables", 1993; for rates from 10 on.
int64_t draw_large_poisson(double rate, Stream& stream) {
  const double b = 0.931 + 2.53 * std::sqrt(rate);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double v_r = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double u = stream.uniform() - 0.5;
    const double v = stream.uniform();
    const double us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= v_r) return static_cast<int64_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double left = std::log(v * inverse_alpha / (a / (us * us) + b));
    if (left <= k * std::log(rate) - rate - log_factorial(k)) return static_cast<int64_t>(k);
  }
}

int64_t draw_poisson(double rate, Stream& stream) {
  if (!(rate >= 0)) fail("[random.poisson] a rate is {}; wanted 0 or more", rate);
  // Beyond, the terms that PTRS compares cancel to fewer than 3 digits, and the distribution is
  // within 1e-7 of the normal one (its skewness, rate^-1/2, over 6 sqrt(2 pi)).
  if (rate >= 1e12) {
    const double count = std::round(rate + std::sqrt(rate) * stream.normal());
    return static_cast<int64_t>(std::min(count, 0x1p62));
  }
  return rate < 10 ? draw_small_poisson(rate, stream) : draw_large_poisson(rate, stream);
}

template <class T, class Draw>
void draw_each(Inputs in, const Operand& out, Draw draw) {
  const Words key = {in[0].as<uint32_t>()[0], in[0].as<uint32_t>()[1]};
  const double* parameter = in[1].as<double>();
  parallel_for(out.size(), 512, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Stream stream(key, i);
      out.as<T>()[i] = draw(parameter[i], stream);
    }
  });
}

void run_gamma(const RandomGamma&, Inputs in, Outputs out) {
  draw_each<double>(in, out[0], draw_gamma);
}

void run_poisson(const RandomPoisson&, Inputs in, Outputs out) {
  draw_each<int64_t>(in, out[0], draw_poisson);
}

}  // namespace

void install_random_rejection(KernelTable& table) {
  table.add<RandomGamma>(run_gamma, InputLayout::kContiguous);
  table.add<RandomPoisson>(run_poisson, InputLayout::kContiguous);
}

}  // namespace mica
