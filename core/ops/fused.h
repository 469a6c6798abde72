// Fused: a straight-line program of pointwise ops over one shape, run tile by tile.
//
// Made by the planner only. Values are numbered: the inputs first, then one for each instruction.
// Inputs may be strided or broadcast; outputs are contiguous.
#pragma once

#include <vector>

#include "core/ops/elementwise.h"

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

class Fused final : public Op {
 public:
  Fused(std::vector<Spec> inputs, std::vector<FusedInstruction> code, std::vector<int> outputs,
        Shape shape);

  std::string_view name() const override { return "fused"; }
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
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

  // Scratch tiles: every value lives in slot `slots[value]` (-1: it has no tile of its own because
  // it goes straight to an output). Slots are shared by values whose lives do not overlap.
  std::vector<int> slots;
  int slot_count = 0;
  size_t widest = 1;  // bytes of the widest element of any value
};

}  // namespace mica
