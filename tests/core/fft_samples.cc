// Samples of complex numbers and Fourier transforms. Inputs and results are their parts, stacked,
// so that references and differences see real numbers.
#include <cmath>
#include <complex>
#include <numbers>

#include "core/ops/complex.h"
#include "core/ops/elementwise.h"
#include "core/ops/fft.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

using Complex = std::complex<double>;
const std::vector<Dtype> kBoth = {float64, float32};

Array parts(const Array& z) { return stack({real(z), imag(z)}); }
Array whole(const Array& x) {
  return to_complex(squeeze(slice_axis(x, 0, 0, 1), {0}), squeeze(slice_axis(x, 0, 1, 2), {0}));
}

Shape behind(const Shape& shape) { return Shape(shape.begin() + 1, shape.end()); }
Complex number(const Tensor& x, const Shape& at) {
  Shape re = {0}, im = {1};
  re.append(at.begin(), at.end());
  im.append(at.begin(), at.end());
  return {x.at(re), x.at(im)};
}
Tensor parts_of(const Shape& shape, const std::function<Complex(const Shape&)>& value) {
  Shape both = {2};
  both.append(shape.begin(), shape.end());
  return generate(both, [&](const Shape& at) {
    const Complex z = value(behind(at));
    return at[0] == 0 ? z.real() : z.imag();
  });
}

void add_elementwise(std::vector<Sample>& samples) {
  struct Row {
    const char* name;
    std::function<Array(const Array&, const Array&)> function;
    Complex (*value)(Complex, Complex);
  };
  const Row rows[] = {
      {"multiply", [](auto& x, auto& y) { return x * y; }, [](auto x, auto y) { return x * y; }},
      {"divide", [](auto& x, auto& y) { return x / y; }, [](auto x, auto y) { return x / y; }},
      {"power", [](auto& x, auto& y) { return power(x, y); },
       [](auto x, auto y) { return std::pow(x, y); }},
      {"exp", [](auto& x, auto& y) { return exp(x) - y; },
       [](auto x, auto y) { return std::exp(x) - y; }},
      {"log", [](auto& x, auto&) { return log(x); }, [](auto x, auto) { return std::log(x); }},
      {"sqrt", [](auto& x, auto&) { return sqrt(x); }, [](auto x, auto) { return std::sqrt(x); }},
      {"tanh", [](auto& x, auto&) { return tanh(x); }, [](auto x, auto) { return std::tanh(x); }},
      {"conjugate", [](auto& x, auto& y) { return conjugate(x) * y; },
       [](auto x, auto y) { return std::conj(x) * y; }},
      {"abs", [](auto& x, auto& y) { return abs(x) * y; },
       [](auto x, auto y) { return std::abs(x) * y; }},
      {"angle", [](auto& x, auto& y) { return to_complex(angle(x), imag(y)); },
       [](auto x, auto y) { return Complex(std::arg(x), y.imag()); }}};
  const Array x = normal_array({2, 2, 3}, 3), y = normal_array({2, 1, 3}, 5);
  for (const Row& row : rows) {
    samples.push_back({fmt::format("complex {}", row.name),
                       [row](const Arrays& in) {
                         const Array z = row.function(whole(in[0]), whole(in[1]));
                         return parts(broadcast_to(z, {2, 3}));
                       },
                       {x, y},
                       [row](const Tensors& in) {
                         return parts_of({2, 3}, [&](const Shape& at) {
                           return row.value(number(in[0], at), number(in[1], {0, at[1]}));
                         });
                       },
                       kBoth});
  }
  samples.push_back({"complex matmul and sum",
                     [](const Arrays& in) {
                       const Array z = matmul(whole(in[0]), transpose(whole(in[0])));
                       return parts(sum(z, {1}) + mean(in[0]));
                     },
                     {x},
                     [](const Tensors& in) {
                       double mean = 0;
                       for (double v : in[0].data) mean += v / 12;
                       return parts_of({2}, [&](const Shape& at) {
                         Complex total = mean;
                         for (int64_t j = 0; j < 2; ++j) {
                           for (int64_t k = 0; k < 3; ++k) {
                             total += number(in[0], {at[0], k}) * number(in[0], {j, k});
                           }
                         }
                         return total;
                       });
                     },
                     kBoth});
}

Complex root(int64_t numerator, int64_t n, bool inverse) {
  const double angle = 2 * std::numbers::pi * double(numerator % n) / double(n);
  return std::polar(1.0, inverse ? angle : -angle);
}

Shape put(Shape at, int axis, int64_t place) {
  at[static_cast<size_t>(axis)] = place;
  return at;
}

void add_fft(std::vector<Sample>& samples, const Shape& shape, int axis) {
  const int64_t n = shape[static_cast<size_t>(axis)];
  Shape both = {2};
  both.append(shape.begin(), shape.end());
  for (const bool inverse : {false, true}) {
    samples.push_back(
        {fmt::format("{} {} axis {}", inverse ? "ifft" : "fft", to_string(shape), axis),
         [=](const Arrays& in) {
           const Array z = whole(in[0]);
           return parts(inverse ? fft::ifft(z, {}, axis) : fft::fft(z, {}, axis));
         },
         {normal_array(both, 7)},
         [=](const Tensors& in) {
           return parts_of(shape, [&](const Shape& at) {
             Complex total = 0;
             for (int64_t i = 0; i < n; ++i) {
               const Complex w = root(at[static_cast<size_t>(axis)] * i, n, inverse);
               total += number(in[0], put(at, axis, i)) * w;
             }
             return inverse ? total / double(n) : total;
           });
         },
         kBoth});
  }
  const Shape half = put(shape, axis, n / 2 + 1);
  samples.push_back({fmt::format("rfft {} axis {}", to_string(shape), axis),
                     [=](const Arrays& in) { return parts(fft::rfft(in[0], {}, axis)); },
                     {normal_array(shape, 8)},
                     [=](const Tensors& in) {
                       return parts_of(half, [&](const Shape& at) {
                         Complex total = 0;
                         for (int64_t i = 0; i < n; ++i) {
                           const Complex w = root(at[static_cast<size_t>(axis)] * i, n, false);
                           total += in[0].at(put(at, axis, i)) * w;
                         }
                         return total;
                       });
                     },
                     kBoth});
  Shape both_half = {2};
  both_half.append(half.begin(), half.end());
  samples.push_back({fmt::format("irfft {} axis {}", to_string(shape), axis),
                     [=](const Arrays& in) { return fft::irfft(whole(in[0]), n, axis); },
                     {normal_array(both_half, 9)},
                     [=](const Tensors& in) {
                       return generate(shape, [&](const Shape& at) {
                         double total = 0;
                         for (int64_t k = 0; k < n; ++k) {
                           const bool mirrored = k > n / 2;
                           Complex z = number(in[0], put(at, axis, mirrored ? n - k : k));
                           if (k == 0 || 2 * k == n) z = z.real();
                           if (mirrored) z = std::conj(z);
                           const Complex w = root(at[static_cast<size_t>(axis)] * k, n, true);
                           total += (z * w).real();
                         }
                         return total / double(n);
                       });
                     },
                     kBoth});
}

}  // namespace

std::vector<Sample> fft_samples() {
  std::vector<Sample> samples;
  add_elementwise(samples);
  add_fft(samples, {1}, 0);
  add_fft(samples, {2, 6}, 1);
  add_fft(samples, {5, 2}, 0);
  add_fft(samples, {2, 8, 1}, 1);
  add_fft(samples, {7}, 0);
  add_fft(samples, {37}, 0);  // by a chirp
  return samples;
}

}  // namespace mica::testing
