// Elementwise arithmetic, functions and comparisons, read from elementwise.def.
//
//   Array y = exp(-x) * 2 + sin(x);
//   Array z = where(x > 0, x, 0.01f * x);
//   Array h = astype(x, float16);
//
// Inputs broadcast as in NumPy and are promoted to a common type (dtype.h, promote); C++ numbers
// take the type of the array they meet. Integers given to functions of floats become float32.
// Comparisons give bool. Shapes that do not broadcast and types that an op has no meaning for
// throw Error.
#pragma once

#include <utility>

#include "core/graph/array.h"
#include "core/graph/op.h"

// GoogleTest has a TEST of its own.
#pragma push_macro("TEST")
#undef TEST

namespace mica {

#define UNARY(name, ...) Array name(Array x);
#define TEST UNARY
#define BINARY(name, ...) Array name(Array x, Array y);
#define COMPARE BINARY
#include "core/ops/elementwise.def"
#undef UNARY
#undef TEST
#undef BINARY
#undef COMPARE

/// x where the condition holds, y elsewhere. The condition is compared with 0 if it is not bool.
Array where(Array condition, Array x, Array y);
/// x in another type. Floats are truncated towards zero on the way to integers.
Array astype(Array x, Dtype dtype);
/// minimum(maximum(x, low), high).
Array clip(Array x, Array low, Array high);

inline Array operator-(Array x) { return neg(std::move(x)); }
inline Array operator+(Array x, Array y) { return add(std::move(x), std::move(y)); }
inline Array operator-(Array x, Array y) { return subtract(std::move(x), std::move(y)); }
inline Array operator*(Array x, Array y) { return multiply(std::move(x), std::move(y)); }
inline Array operator/(Array x, Array y) { return divide(std::move(x), std::move(y)); }
inline Array operator==(Array x, Array y) { return equal(std::move(x), std::move(y)); }
inline Array operator!=(Array x, Array y) { return not_equal(std::move(x), std::move(y)); }
inline Array operator<(Array x, Array y) { return less(std::move(x), std::move(y)); }
inline Array operator<=(Array x, Array y) { return less_equal(std::move(x), std::move(y)); }
inline Array operator>(Array x, Array y) { return greater(std::move(x), std::move(y)); }
inline Array operator>=(Array x, Array y) { return greater_equal(std::move(x), std::move(y)); }
inline Array& operator+=(Array& x, Array y) { return x = std::move(x) + std::move(y); }
inline Array& operator-=(Array& x, Array y) { return x = std::move(x) - std::move(y); }
inline Array& operator*=(Array& x, Array y) { return x = std::move(x) * std::move(y); }
inline Array& operator/=(Array& x, Array y) { return x = std::move(x) / std::move(y); }

/// All arrays in their common type; weak scalars take the type of the others.
Arrays promoted(const Arrays& arrays);
/// Sums `g` over the axes along which an operand of shape `shape` was broadcast.
Array unbroadcast(const Array& g, const Shape& shape);

// ---- For the planner, the kernels and the tests.

enum class Function : uint16_t {
#define UNARY(name, ...) k_##name,
#define TEST UNARY
#define BINARY UNARY
#define COMPARE UNARY
#include "core/ops/elementwise.def"
#undef UNARY
#undef TEST
#undef BINARY
#undef COMPARE
};

enum class Types : uint8_t { kNumber, kReal, kInexact, kFloat, kInteger };
/// Where tests draw inputs from: normal numbers, [0.5, 2.5], (-0.9, 0.9), [1.1, 3].
enum class Sample : uint8_t { kAnyReal, kPositive, kUnit, kAboveOne };

/// One row of the table, without its kernels.
struct ElementwiseRow {
  std::string_view name;
  int arity;
  Types types;
  Sample sample;
  bool gives_bool;
  bool has_gradient;
};
std::span<const ElementwiseRow> elementwise_rows();

/// The dtype a row computes in for inputs of type `dtype`. Throws for types without a meaning.
Dtype compute_dtype(const ElementwiseRow& row, Dtype dtype);

/// Any op whose output element i depends on input elements i only: the planner fuses these.
class PointwiseOp : public Op {};

class Elementwise final : public OpWith<Elementwise, PointwiseOp> {
 public:
  static constexpr std::string_view kName = "elementwise";
  Function function;
  FIELDS(Elementwise, function)
  explicit Elementwise(Function f) : function(f) {}

  const ElementwiseRow& row() const;
  std::string_view name() const override { return row().name; }
  std::string print() const override { return std::string(name()); }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class Where final : public OpWith<Where, PointwiseOp> {
 public:
  static constexpr std::string_view kName = "where";
  NO_FIELDS(Where)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class Cast final : public OpWith<Cast, PointwiseOp> {
 public:
  static constexpr std::string_view kName = "astype";
  Dtype dtype;
  FIELDS(Cast, dtype)
  explicit Cast(Dtype d) : dtype(d) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica

template <>
struct fmt::formatter<mica::Function> : fmt::formatter<std::string_view> {
  auto format(mica::Function function, format_context& context) const {
    const auto& row = mica::elementwise_rows()[static_cast<size_t>(function)];
    return fmt::formatter<std::string_view>::format(row.name, context);
  }
};

#pragma pop_macro("TEST")
