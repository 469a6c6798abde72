// mica::linalg under the names that linalg.py uses.
#include "core/ops/linalg.h"

#include <limits>

#include "core/ops/complex.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/numeric.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/oracles/oracle.h"

namespace mica::oracles {
namespace {

using linalg::matrix_transpose;

constexpr double kInf = std::numeric_limits<double>::infinity();

Arrays pair_of(const std::pair<Array, Array>& two) { return {two.first, two.second}; }

void add_solving(Functions& all) {
  all["inv"] = [](const Arrays& in) { return Arrays{linalg::inv(in[0])}; };
  all["tri_inv"] = [](const Arrays& in) { return Arrays{linalg::tri_inv(in[0])}; };
  all["solve"] = [](const Arrays& in) { return Arrays{linalg::solve(in[0], in[1])}; };
  for (const bool upper : {false, true}) {
    for (const bool transposed : {false, true}) {
      for (const bool ones : {false, true}) {
        const std::string name = std::string("solve_triangular") + (upper ? "_upper" : "") +
                                 (transposed ? "_transposed" : "") + (ones ? "_unit" : "");
        all[name] = [=](const Arrays& in) {
          return Arrays{linalg::solve_triangular(in[0], in[1], {upper, transposed, ones})};
        };
      }
    }
  }
  all["pinv"] = [](const Arrays& in) { return Arrays{linalg::pinv(in[0])}; };
  all["lstsq"] = [](const Arrays& in) {
    const auto fit = linalg::lstsq(in[0], in[1]);
    return Arrays{fit.solution, fit.residuals, fit.rank, fit.singular_values};
  };
  all["det"] = [](const Arrays& in) { return Arrays{linalg::det(in[0])}; };
  all["slogdet"] = [](const Arrays& in) { return pair_of(linalg::slogdet(in[0])); };
  all["matrix_rank"] = [](const Arrays& in) { return Arrays{linalg::matrix_rank(in[0])}; };
  for (const int n : {-3, -1, 0, 1, 2, 7}) {
    all["matrix_power_" + std::to_string(n)] = [=](const Arrays& in) {
      return Arrays{linalg::matrix_power(in[0], n)};
    };
  }
}

void add_factors(Functions& all) {
  all["cholesky"] = [](const Arrays& in) { return Arrays{linalg::cholesky(in[0])}; };
  all["cholesky_upper"] = [](const Arrays& in) { return Arrays{linalg::cholesky(in[0], true)}; };
  all["cholesky_inv"] = [](const Arrays& in) { return Arrays{linalg::cholesky_inv(in[0])}; };
  all["qr"] = [](const Arrays& in) { return pair_of(linalg::qr(in[0])); };
  all["qr_complete"] = [](const Arrays& in) {
    return pair_of(linalg::qr(in[0], linalg::QrMode::kComplete));
  };
  all["lu"] = [](const Arrays& in) {
    const auto [p, l, u] = linalg::lu(in[0]);
    return Arrays{p, l, u};
  };
  all["lu_factor"] = [](const Arrays& in) { return pair_of(linalg::lu_factor(in[0])); };
  for (const bool full : {false, true}) {
    all[full ? "svd_full" : "svd"] = [=](const Arrays& in) {
      const auto [u, s, vh] = linalg::svd(in[0], full);
      return Arrays{u, s, vh};
    };
  }
  all["svdvals"] = [](const Arrays& in) { return Arrays{linalg::svdvals(in[0])}; };
  // The factor of the polar decomposition, which no sign of a singular vector changes.
  all["polar"] = [](const Arrays& in) {
    const auto [u, s, vh] = linalg::svd(in[0], false);
    return Arrays{matmul(u, vh)};
  };
  all["eigh"] = [](const Arrays& in) { return pair_of(linalg::eigh(in[0])); };
  all["eigvalsh"] = [](const Arrays& in) { return Arrays{linalg::eigvalsh(in[0])}; };
  all["logm_eigh"] = [](const Arrays& in) {
    const auto [w, v] = linalg::eigh(in[0]);
    return Arrays{matmul(v * expand_dims(log(w), {-2}), matrix_transpose(v)), square(v)};
  };
  all["eig"] = [](const Arrays& in) { return pair_of(linalg::eig(in[0])); };
  all["eigvals"] = [](const Arrays& in) { return Arrays{linalg::eigvals(in[0])}; };
  all["eig_free"] = [](const Arrays& in) {
    const auto [values, vectors] = linalg::eig(in[0]);
    return Arrays{real(values), imag(values), square(abs(vectors))};
  };
  all["expm"] = [](const Arrays& in) { return Arrays{linalg::expm(in[0])}; };
}

void add_norms(Functions& all) {
  const std::pair<std::string, double> orders[] = {{"1", 1},   {"-1", -1},    {"2", 2},
                                                   {"-2", -2}, {"inf", kInf}, {"-inf", -kInf},
                                                   {"0", 0},   {"0.5", 0.5},  {"3", 3}};
  for (const auto& [name, ord] : orders) {
    const double order = ord;
    all["vector_norm_" + name] = [=](const Arrays& in) {
      return Arrays{linalg::norm(in[0], order, {-1})};
    };
    all["matrix_norm_" + name] = [=](const Arrays& in) {
      return Arrays{linalg::norm(in[0], order, {-2, -1})};
    };
    all["cond_" + name] = [=](const Arrays& in) { return Arrays{linalg::cond(in[0], order)}; };
  }
  for (const char* name : {"fro", "nuc"}) {
    all[std::string("matrix_norm_") + name] = [=](const Arrays& in) {
      return Arrays{linalg::norm(in[0], name, {-2, -1})};
    };
    all[std::string("cond_") + name] = [=](const Arrays& in) {
      return Arrays{linalg::cond(in[0], name)};
    };
  }
  all["norm"] = [](const Arrays& in) { return Arrays{linalg::norm(in[0])}; };
}

}  // namespace

Functions linalg_functions() {
  Functions all;
  add_solving(all);
  add_factors(all);
  add_norms(all);
  return all;
}

}  // namespace mica::oracles
