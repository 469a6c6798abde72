// What a discrete Fourier transform of one length multiplies with, worked out once.
//
//   const FftTables<float> tables(1000);
//   fft_lines(tables, lanes, re, im, work_re, work_im);   // fft_cpu.cc
//
// Lengths whose prime factors are small are transformed step by step, each step splitting off one
// factor; others as a convolution with a chirp (Bluestein, 1970) of a longer, smooth length. The
// numbers are computed in float64 from exactly reduced angles.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <vector>

namespace mica {

/// Real and imaginary parts, apart.
template <class T>
struct Parts {
  std::vector<T> re, im;

  /// Appends exp(-2 pi i numerator / denominator). REQUIRES: 0 <= numerator < denominator.
  void add_root(int64_t numerator, int64_t denominator) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(numerator) / static_cast<double>(denominator);
    re.push_back(static_cast<T>(std::cos(angle)));
    im.push_back(static_cast<T>(-std::sin(angle)));
  }
};

template <class T>
struct FftTables {
  /// Splits `radix` off what is left of the length.
  struct Step {
    int64_t radix;
    int64_t rest;       // of the length, behind the step
    Parts<T> twiddles;  // radix - 1 for each of `rest` places
    Parts<T> roots;     // the radix-th roots of 1
  };

  int64_t length;
  std::vector<Step> steps;

  // Where a prime factor is too large for a step:
  std::unique_ptr<FftTables> padded;  // of the convolution
  Parts<T> chirp;                     // exp(-pi i j^2 / length)
  Parts<T> filter;  // the transform of the conjugate chirp, divided by the padded length

  explicit FftTables(int64_t n) : length(n) {
    int64_t left = n;
    for (const int64_t radix : {4, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31}) {
      for (; left % radix == 0; left /= radix) add_step(radix, left);
    }
    if (left == 1) return;
    steps.clear();
    padded = std::make_unique<FftTables>(smooth_length(2 * n - 1));
    // j^2 mod 2 n, by its differences 2 j + 1.
    int64_t square = 0;
    for (int64_t j = 0; j < n; ++j) {
      chirp.add_root(square, 2 * n);
      square = (square + 2 * j + 1) % (2 * n);
    }
  }

  /// Elements of scratch memory that a line takes.
  int64_t work_length() const { return padded ? padded->length : length; }

 private:
  void add_step(int64_t radix, int64_t left) {
    Step step = {radix, left / radix, {}, {}};
    for (int64_t p = 0; p < step.rest; ++p) {
      for (int64_t k = 1; k < radix; ++k) step.twiddles.add_root(p * k, left);
    }
    for (int64_t k = 0; k < radix; ++k) step.roots.add_root(k, radix);
    steps.push_back(std::move(step));
  }

  // The shortest length of at least `least` that is a power of 2, or 3 or 5 times one.
  static int64_t smooth_length(int64_t least) {
    int64_t best = 0;
    for (int64_t factor : {1, 3, 5}) {
      while (factor < least) factor *= 2;
      if (best == 0 || factor < best) best = factor;
    }
    return best;
  }
};

}  // namespace mica
