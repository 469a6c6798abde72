// The matrix exponential by scaling, a Padé approximation of degree 13 and squaring: Higham, "The
// scaling and squaring method for the matrix exponential revisited" (2005), algorithm 2.3.

#include <array>
#include <limits>

#include "core/cpu/gemm.h"
#include "core/cpu/install.h"
#include "core/cpu/lapack.h"
#include "core/ops/linalg_kernels.h"
#include "core/ops/linalg_op.h"

namespace mica {
namespace {

constexpr std::array<double, 14> kPade = {64764752532480000.,
                                          32382376266240000.,
                                          7771770303897600.,
                                          1187353796428800.,
                                          129060195264000.,
                                          10559470521600.,
                                          670442572800.,
                                          33522128640.,
                                          1323241920.,
                                          40840800.,
                                          960960.,
                                          16380.,
                                          182.,
                                          1.};
// The norm up to which degree 13 is exact to rounding in double (table 2.3 of the paper).
constexpr double kLargestNorm = 5.371920351148152;

// Divided by the first, so that float holds their products with powers.
template <class T>
constexpr T pade(size_t i) {
  return static_cast<T>(kPade[i] / kPade[0]);
}

// The exponential of n x n matrices, in memory for seven of them.
template <class T>
class Exponential {
 public:
  explicit Exponential(int n) : n_(n), size_(int64_t{n} * n), room_(7 * size_), pivots_(n) {}

  void compute(T* a, T* out) const {
    const double norm = largest_row_sum(a);
    if (!std::isfinite(norm)) {
      std::fill(out, out + size_, std::numeric_limits<T>::quiet_NaN());
      return;
    }
    int squarings = 0;
    if (norm > kLargestNorm)
      squarings = static_cast<int>(std::ceil(std::log2(norm / kLargestNorm)));
    for (int64_t i = 0; i < size_; ++i) a[i] = std::ldexp(a[i], -squarings);
    approximate(a, out);
    for (; squarings > 0; --squarings) {
      multiply(out, out, part(0));
      std::copy(part(0), part(0) + size_, out);
    }
  }

 private:
  T* part(int i) const { return room_.data() + i * size_; }

  double largest_row_sum(const T* a) const {
    double largest = 0;
    for (int64_t row = 0; row < n_; ++row) {
      double total = 0;
      for (int64_t column = 0; column < n_; ++column)
        total += std::abs(double(a[row * n_ + column]));
      // Written so that NaN stays.
      if (!(total <= largest)) largest = total;
      if (std::isnan(largest)) break;
    }
    return largest;
  }

  void multiply(const T* a, const T* b, T* c) const {
    gemm_serial<T>(n_, n_, n_, {a, n_, false}, {b, n_, false}, c, n_);
  }

  // c6 a6 + c4 a4 + c2 a2 + c0 1, with coefficients from pade(first), pade(first - 2) ...
  void combine(size_t first, bool with_unit, T* to) const {
    const T *a2 = part(0), *a4 = part(1), *a6 = part(2);
    for (int64_t i = 0; i < size_; ++i) {
      to[i] = pade<T>(first) * a6[i] + pade<T>(first - 2) * a4[i] + pade<T>(first - 4) * a2[i];
    }
    if (!with_unit) return;
    for (int64_t i = 0; i < n_; ++i) to[i * n_ + i] += pade<T>(first - 6);
  }

  // r = (v - u)^-1 (v + u), with odd powers in u and even ones in v.
  void approximate(const T* a, T* out) const {
    T *a6 = part(2), *high = part(3), *sum = part(4), *u = part(5), *v = part(6);
    multiply(a, a, part(0));
    multiply(part(0), part(0), part(1));
    multiply(part(0), part(1), a6);
    combine(13, false, high);
    multiply(a6, high, sum);
    combine(7, true, high);
    for (int64_t i = 0; i < size_; ++i) sum[i] += high[i];
    multiply(a, sum, u);
    combine(12, false, high);
    multiply(a6, high, v);
    combine(6, true, high);
    for (int64_t i = 0; i < size_; ++i) v[i] += high[i];
    for (int64_t i = 0; i < size_; ++i) {
      out[i] = v[i] + u[i];
      sum[i] = v[i] - u[i];
    }
    // Transposed like everything else, for LAPACK, which changes nothing: the factors commute.
    lapack::gesv(n_, n_, sum, n_, pivots_.data(), out, n_);
  }

  int n_;
  int64_t size_;
  Scratch<T> room_;
  Scratch<int> pivots_;
};

void run_expm(const Expm&, Inputs in, Outputs out) {
  const MatrixBatch a(in[0]), result(out[0]);
  if (a.size() == 0) return;
  dispatch_real(in[0].dtype, [&]<class T>(TypeTag<T>) {
    for_each_matrix(a.count(), 20 * cubed(a.rows()), [&](int64_t begin, int64_t end) {
      const Exponential<T> exponential(a.rows());
      const Scratch<T> scaled(a.size());
      for (int64_t i = begin; i < end; ++i) {
        a.load(i, scaled.data());
        exponential.compute(scaled.data(), result.at<T>(i));
      }
    });
  });
}

}  // namespace

void install_linalg_expm(KernelTable& table) { table.add<Expm>(run_expm, InputLayout::kAny); }

}  // namespace mica
