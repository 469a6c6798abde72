// The calls of kernels that a fused program's instructions become.
//
//   const FusedCalls calls(op, in);                       // once for each layout
//   for (const FusedCall& call : calls.choose(in, out)) ...
#pragma once

#include <span>
#include <vector>

#include "core/graph/kernels.h"
#include "core/ops/elementwise_kernels.h"
#include "core/ops/fused.h"

namespace mica {

/// One instruction, or two, with its kernel found. Arguments and results are the program's values.
struct FusedCall {
  ElementwiseKernel row = nullptr;
  WhereKernel where = nullptr;  // of three arguments: where(), or two instructions
  int arguments[3] = {0, 0, 0};
  int result = 0;
};

class FusedCalls {
 public:
  /// `op` lives longer; the operands need no addresses yet.
  FusedCalls(const Fused& op, Inputs in);

  /// The calls for these operands. Where a result is chosen from two by one condition for all
  /// elements, and the condition holds, the first of the two is computed in its place: the update
  /// of a guarded step costs no more than one without the guard.
  std::span<const FusedCall> choose(Inputs in, Outputs out) const;

  /// How many calls there are at least.
  size_t fewest() const { return direct_.empty() ? calls_.size() : direct_.size(); }

  /// Whether an input of one element has to fill a tile.
  bool needs_tile(size_t input) const { return filled_[input] != 0; }

 private:
  // Output `output` is where(input `condition`, value, ...), and may be `value` itself.
  struct Choice {
    size_t output;
    int condition;
    int value;
    size_t computed;  // the call of direct_ that computes it
  };

  void add_call(size_t instruction);
  bool add_pair(size_t instruction);
  Fixed fixed_operand(const FusedInstruction& instruction);
  void find_choices();
  bool is_chosen(const FusedCall& call) const;
  bool may_write_early(const Choice& choice, Inputs in, const std::byte* out) const;
  bool is_scalar(int value) const;
  int value_of(size_t instruction) const;
  int64_t count_reads(int value) const;

  const Fused& op_;
  std::vector<char> scalar_;  // by input: one element for all
  std::vector<char> filled_;  // by input: a scalar that needs a tile
  std::vector<FusedCall> calls_;
  std::vector<Choice> choices_;
  std::vector<FusedCall> direct_;  // when all conditions hold; empty without choices
};

}  // namespace mica
