// Fused: a straight-line program of pointwise ops over one shape, run tile by tile, and reductions
// of what it computes.
//
// Made by the planner only. Values are numbered: the inputs first, then one for each instruction.
// Inputs may be strided or broadcast. Results are first the elements of `outputs`, which may be
// strided too, then those of `reductions`, which are contiguous.
#pragma once

#include <vector>

#include "core/ops/elementwise.h"
#include "core/ops/reduce_op.h"

namespace mica {

struct FusedInstruction {
  enum class Kind : uint8_t { kRow, kWhere, kCast };
  Kind kind = Kind::kRow;
  Function function = Function();
  Dtype from = Dtype::kFloat32;  // type of the arguments (of x and y for kWhere)
  Dtype to = Dtype::kFloat32;    // type of the result
  SmallVector<int, 3> arguments;
  FIELDS(FusedInstruction, kind, function, from, to, arguments)
  friend bool operator==(const FusedInstruction&, const FusedInstruction&) = default;
};

/// A value reduced over the program's `reduced` axes.
struct FusedReduction {
  Reduction reduction = Reduction::k_sum;
  int value = 0;
  FIELDS(FusedReduction, reduction, value)
  friend bool operator==(const FusedReduction&, const FusedReduction&) = default;
};

class Fused final : public Op {
 public:
  Fused(std::vector<Spec> inputs, std::vector<FusedInstruction> code, std::vector<int> outputs,
        Shape shape, std::vector<FusedReduction> reductions = {}, Axes reduced = {});

  /// Whether a program can reduce an array of this spec on the way: sums, products and extremes of
  /// float32 and float64 over leading or trailing axes.
  static bool can_reduce(const Spec& spec, const Reduce& op);

  std::string_view name() const override { return "fused"; }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  size_t hash() const override;
  bool equals(const Op& other) const override;
  std::string print() const override;

  /// Output `output` may lie in the bytes of input `input`: the input is not read any more once
  /// the output is written.
  bool allows_in_place(int input, int output) const;

  std::vector<Spec> inputs;
  std::vector<FusedInstruction> code;
  std::vector<int> outputs;  // values, each the result of an instruction
  Shape shape;
  std::vector<FusedReduction> reductions;
  Axes reduced;  // of all reductions: the first axes, the last ones, or all

  // Scratch tiles: every value lives in slot `slots[value]` (-1: it has no tile of its own because
  // it goes straight to an output). Slots are shared by values whose lives do not overlap.
  std::vector<int> slots;
  int slot_count = 0;
  size_t widest = 1;  // bytes of the widest element of any value
};

}  // namespace mica
