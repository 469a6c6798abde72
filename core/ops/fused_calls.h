// The calls of kernels that a fused program's instructions become.
//
//   const FusedCalls calls(op, in);                       // once for each layout
//   for (const FusedCall& call : calls.choose(in, out)) ...
#pragma once

#include <memory>
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
  /// The operands need no addresses yet.
  FusedCalls(const Fused& op, Inputs in);

  /// The calls for these operands. Where a result is chosen from two by one condition for all
  /// elements, and the condition holds, the first of the two is computed in its place: the update
  /// of a guarded step costs no more than one without the guard.
  std::span<const FusedCall> choose(Inputs in, Outputs out) const {
    return direct_ && direct_->holds(in, out) ? direct_->calls : calls_;
  }

  /// How many calls there are at least.
  size_t fewest() const { return direct_ ? direct_->calls.size() : calls_.size(); }

  /// Whether an input of one element has to fill a tile.
  bool needs_tile(size_t input) const { return filled_[input] != 0; }

 private:
  class Builder;

  // Output `output` is where(input `condition`, value, ...), and may be `value` itself.
  struct Choice {
    size_t output;
    int condition;
    int value;
    size_t computed;  // the call that computes it
  };
  // What is called when all conditions hold.
  struct Direct {
    std::vector<Choice> choices;
    std::vector<FusedCall> calls;

    bool holds(Inputs in, Outputs out) const;
  };

  std::vector<FusedCall> calls_;
  std::vector<char> filled_;        // by input: a scalar that needs a tile
  std::unique_ptr<Direct> direct_;  // null without choices: most programs have none
};

}  // namespace mica
