#include "core/ops/fused_calls.h"

#include <algorithm>

namespace mica {

ElementwiseKernel elementwise_kernel(Function function, Dtype dtype, Fixed fixed) {
  const ElementwiseKernel* table = dtype == float32   ? float32_kernels(fixed)
                                   : dtype == float64 ? float64_kernels(fixed)
                                                      : scalar_kernels(dtype, fixed);
  const ElementwiseKernel kernel = table ? table[static_cast<size_t>(function)] : nullptr;
  if (kernel == nullptr) {
    fail(ErrorKind::kRuntime, "no cpu kernel for {} of {}", function, dtype);
  }
  return kernel;
}

namespace {

bool is_binary(const FusedInstruction& instruction) {
  return instruction.kind == FusedInstruction::Kind::kRow && instruction.arguments.size() == 2 &&
         instruction.from == float32 && instruction.to == float32;
}

}  // namespace

class FusedCalls::Builder {
 public:
  Builder(const Fused& op, Inputs in, FusedCalls& to) : op_(op), to_(to) {
    for (const Operand& input : in) {
      const auto is_zero = [](int64_t stride) { return stride == 0; };
      scalar_.push_back(input.size() == 1 || std::ranges::all_of(input.strides, is_zero));
    }
    to_.filled_.assign(in.size(), false);
  }

  void run() {
    for (size_t i = 0; i < op_.code.size(); ++i) {
      if (add_pair(i))
        ++i;
      else
        add_call(i);
    }
    std::vector<Choice> choices = find_choices();
    if (choices.empty()) return;
    to_.direct_ = std::make_unique<Direct>();
    to_.direct_->choices = std::move(choices);
    add_direct_calls(*to_.direct_);
  }

 private:
  bool is_scalar(int value) const {
    return static_cast<size_t>(value) < scalar_.size() && scalar_[static_cast<size_t>(value)];
  }

  int value_of(size_t instruction) const {
    return static_cast<int>(op_.inputs.size() + instruction);
  }

  void add_call(size_t i) {
    using Kind = FusedInstruction::Kind;
    const FusedInstruction& instruction = op_.code[i];
    FusedCall call;
    const Fixed fixed = fixed_operand(instruction);
    if (instruction.kind == Kind::kWhere)
      call.where = where_kernel(instruction.to, fixed);
    else if (instruction.kind == Kind::kCast)
      call.row = cast_kernel(instruction.from, instruction.to);
    else
      call.row = elementwise_kernel(instruction.function, instruction.from, fixed);
    const auto& given = instruction.arguments;
    for (size_t k = 0; k < 3; ++k) call.arguments[k] = given[std::min(k, given.size() - 1)];
    call.result = value_of(i);
    to_.calls_.push_back(call);
  }

  // This instruction and the next one in one kernel, where the next one alone reads its result.
  bool add_pair(size_t i) {
    if (i + 1 == op_.code.size() || !is_binary(op_.code[i]) || !is_binary(op_.code[i + 1])) {
      return false;
    }
    const FusedInstruction& first = op_.code[i];
    const FusedInstruction& second = op_.code[i + 1];
    const int result = value_of(i);
    const bool is_left = second.arguments[0] == result;
    const int other = second.arguments[is_left ? 1 : 0];
    if (other == result || (!is_left && second.arguments[1] != result)) return false;
    if (count_reads(result) != 1) return false;
    if (pair_kernel(first.function, Fixed::kNone, second.function, is_left, false) == nullptr) {
      return false;
    }
    FusedCall call;
    call.where = pair_kernel(first.function, fixed_operand(first), second.function, is_left,
                             is_scalar(other));
    call.arguments[0] = first.arguments[0];
    call.arguments[1] = first.arguments[1];
    call.arguments[2] = other;
    call.result = value_of(i + 1);
    to_.calls_.push_back(call);
    return true;
  }

  int64_t count_reads(int value) const {
    int64_t reads = std::ranges::count(op_.outputs, value);
    for (const FusedReduction& r : op_.reductions) reads += r.value == value;
    for (const FusedInstruction& instruction : op_.code) {
      reads += std::ranges::count(instruction.arguments, value);
    }
    return reads;
  }

  // Which operand the kernel may take as one number; scalars elsewhere are filled into a tile.
  Fixed fixed_operand(const FusedInstruction& instruction) {
    const auto& given = instruction.arguments;
    const size_t x = instruction.kind == FusedInstruction::Kind::kWhere ? 1 : 0;
    Fixed fixed = Fixed::kNone;
    if (given.size() == x + 2 && is_scalar(given[x + 1])) {
      fixed = Fixed::kY;
    } else if (given.size() == x + 2 && is_scalar(given[x])) {
      fixed = Fixed::kX;
    }
    for (size_t k = 0; k < given.size(); ++k) {
      const bool taken = (fixed == Fixed::kX && k == x) || (fixed == Fixed::kY && k == x + 1);
      if (is_scalar(given[k]) && !taken) to_.filled_[static_cast<size_t>(given[k])] = true;
    }
    return fixed;
  }

  // Results that are chosen by a scalar condition from a value that is no result itself.
  std::vector<Choice> find_choices() const {
    std::vector<Choice> choices;
    for (const FusedCall& call : to_.calls_) {
      const FusedInstruction& instruction =
          op_.code[static_cast<size_t>(call.result) - op_.inputs.size()];
      if (instruction.kind != FusedInstruction::Kind::kWhere) continue;
      const int condition = call.arguments[0], value = call.arguments[1];
      const auto output = std::ranges::find(op_.outputs, call.result);
      if (!is_scalar(condition) || output == op_.outputs.end()) continue;
      const auto is_it = [&](const auto& other) { return other.value == value; };
      const bool is_wanted = std::ranges::count(op_.outputs, value) > 0 ||
                             std::ranges::any_of(choices, is_it) ||
                             std::ranges::any_of(op_.reductions, is_it);
      if (is_wanted || static_cast<size_t>(value) < op_.inputs.size()) continue;
      choices.push_back({static_cast<size_t>(output - op_.outputs.begin()), condition, value, 0});
    }
    return choices;
  }

  // All calls but those that choose; what they would choose goes where they would put it.
  void add_direct_calls(Direct& direct) const {
    for (FusedCall call : to_.calls_) {
      const auto chooses = [&](const Choice& c) { return op_.outputs[c.output] == call.result; };
      if (std::ranges::any_of(direct.choices, chooses)) continue;
      for (Choice& choice : direct.choices) {
        const int result = op_.outputs[choice.output];
        for (int& argument : call.arguments) {
          if (argument == choice.value) argument = result;
        }
        if (call.result != choice.value) continue;
        call.result = result;
        choice.computed = direct.calls.size();
      }
      direct.calls.push_back(call);
    }
  }

  const Fused& op_;
  FusedCalls& to_;
  SmallVector<char, 16> scalar_;  // by input: one element for all
};

FusedCalls::FusedCalls(const Fused& op, Inputs in) { Builder(op, in, *this).run(); }

// All conditions hold, and no call reads what lies where a value is put after it is there.
bool FusedCalls::Direct::holds(Inputs in, Outputs out) const {
  for (const Choice& choice : choices) {
    if (!*in[static_cast<size_t>(choice.condition)].as<const bool>()) return false;
    for (size_t i = choice.computed + 1; i < calls.size(); ++i) {
      for (const int argument : calls[i].arguments) {
        const auto input = static_cast<size_t>(argument);
        if (input < in.size() && in[input].data == out[choice.output].data) return false;
      }
    }
  }
  return true;
}

}  // namespace mica
