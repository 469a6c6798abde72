// The ops behind linalg.h. All work on matrices in the last two axes, float32 or float64; axes
// before them are batches, and equal for all inputs of an op.
//
// Kernels throw Error (ErrorKind::kUsage) for matrices that are singular, not positive definite or
// for which an iteration does not converge, naming the first of them in the batch.
#pragma once

#include "core/graph/op.h"
#include "core/ops/mapping.h"

namespace mica {

/// What these ops share: the mapped axis is one more batch.
template <class Self>
class BatchedOp : public OpWith<Self> {
 public:
  Arrays vmap(const Arrays& in, const Mapped& mapped) const final {
    return apply_all(static_cast<const Self&>(*this), all_mapped(in, mapped));
  }
};

/// x, if its last two axes are matrices of a type that there are kernels for. Throws otherwise.
const Spec& check_matrix(const Spec& x, std::string_view op);
/// The same, and the matrices are square.
const Spec& check_square(const Spec& x, std::string_view op);
/// The axes before the last `own` ones, and others behind them.
Shape batch_and(const Shape& shape, size_t own, std::initializer_list<int64_t> others);

// ---- Factors by elimination (linalg_solve.cc).

/// (..., m, n) -> L and U in one matrix, int32 pivots (..., min(m, n)), row i having been swapped
/// with row pivots[i], in this order; and the int32 order (..., m) that rows of a are in after
/// that.
class LuFactor final : public BatchedOp<LuFactor> {
 public:
  static constexpr std::string_view kName = "lu_factor";
  NO_FIELDS(LuFactor)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// a, its factors and pivots, b -> x with a x = b (or the transpose of a). The derivative goes to a
/// and b; the factors count as constants.
class LuSolve final : public BatchedOp<LuSolve> {
 public:
  static constexpr std::string_view kName = "solve";
  bool transposed = false;
  FIELDS(LuSolve, transposed)
  explicit LuSolve(bool of_transpose) : transposed(of_transpose) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// a, b -> x with a x = b, where a's other triangle is not looked at.
class SolveTriangular final : public BatchedOp<SolveTriangular> {
 public:
  static constexpr std::string_view kName = "solve_triangular";
  bool upper = false;
  bool transposed = false;
  bool unit_diagonal = false;
  FIELDS(SolveTriangular, upper, transposed, unit_diagonal)
  SolveTriangular(bool is_upper, bool of_transpose, bool is_unit)
      : upper(is_upper), transposed(of_transpose), unit_diagonal(is_unit) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// A symmetric matrix -> its lower factor.
class Cholesky final : public BatchedOp<Cholesky> {
 public:
  static constexpr std::string_view kName = "cholesky";
  NO_FIELDS(Cholesky)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// The inverse; `quiet` gives NaN for singular matrices.
class Inv final : public BatchedOp<Inv> {
 public:
  static constexpr std::string_view kName = "inv";
  bool quiet = false;
  FIELDS(Inv, quiet)
  explicit Inv(bool nan_if_singular) : quiet(nan_if_singular) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

class Det final : public BatchedOp<Det> {
 public:
  static constexpr std::string_view kName = "det";
  NO_FIELDS(Det)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// The derivative of det: det(a) inv(a)^T, finite for singular a as well.
class Cofactor final : public BatchedOp<Cofactor> {
 public:
  static constexpr std::string_view kName = "cofactor";
  NO_FIELDS(Cofactor)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// -> the determinant's sign (0 for singular matrices) and the logarithm of its absolute value.
class Slogdet final : public BatchedOp<Slogdet> {
 public:
  static constexpr std::string_view kName = "slogdet";
  NO_FIELDS(Slogdet)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

// ---- Orthogonal factors (linalg_factor.cc).

/// (..., m, n) -> q and r; `complete`: q is (..., m, m).
class Qr final : public BatchedOp<Qr> {
 public:
  static constexpr std::string_view kName = "qr";
  bool complete = false;
  FIELDS(Qr, complete)
  explicit Qr(bool whole) : complete(whole) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// (..., m, n) -> u, s, vh; `full`: u and vh are square.
class Svd final : public BatchedOp<Svd> {
 public:
  static constexpr std::string_view kName = "svd";
  bool full = false;
  FIELDS(Svd, full)
  explicit Svd(bool whole) : full(whole) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

class SvdVals final : public BatchedOp<SvdVals> {
 public:
  static constexpr std::string_view kName = "svdvals";
  NO_FIELDS(SvdVals)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// By singular values above `rcond` times the largest.
class Pinv final : public BatchedOp<Pinv> {
 public:
  static constexpr std::string_view kName = "pinv";
  double rcond = 0;
  FIELDS(Pinv, rcond)
  explicit Pinv(double least) : rcond(least) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

// ---- Eigenvalues (linalg_eig.cc).

/// A symmetric matrix -> eigenvalues in ascending order, and their vectors as columns.
class Eigh final : public BatchedOp<Eigh> {
 public:
  static constexpr std::string_view kName = "eigh";
  NO_FIELDS(Eigh)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

class Eigvalsh final : public BatchedOp<Eigvalsh> {
 public:
  static constexpr std::string_view kName = "eigvalsh";
  NO_FIELDS(Eigvalsh)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

/// -> real and imaginary parts of the eigenvalues, then of the vectors, which are columns.
class Eig final : public BatchedOp<Eig> {
 public:
  static constexpr std::string_view kName = "eig";
  NO_FIELDS(Eig)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

class Eigvals final : public BatchedOp<Eigvals> {
 public:
  static constexpr std::string_view kName = "eigvals";
  NO_FIELDS(Eigvals)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

class Expm final : public BatchedOp<Expm> {
 public:
  static constexpr std::string_view kName = "expm";
  NO_FIELDS(Expm)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
};

}  // namespace mica
