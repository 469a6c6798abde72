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

FusedCalls::FusedCalls(const Fused& op, Inputs in) : op_(op), filled_(in.size(), false) {
  for (const Operand& input : in) {
    const auto is_zero = [](int64_t stride) { return stride == 0; };
    scalar_.push_back(input.size() == 1 || std::ranges::all_of(input.strides, is_zero));
  }
  for (size_t i = 0; i < op.code.size(); ++i) {
    if (add_pair(i))
      ++i;
    else
      add_call(i);
  }
  find_choices();
}

bool FusedCalls::is_scalar(int value) const {
  return static_cast<size_t>(value) < scalar_.size() && scalar_[static_cast<size_t>(value)];
}

int FusedCalls::value_of(size_t instruction) const {
  return static_cast<int>(op_.inputs.size() + instruction);
}

void FusedCalls::add_call(size_t i) {
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
  calls_.push_back(call);
}

// This instruction and the next one in one kernel, where the next one alone reads its result.
bool FusedCalls::add_pair(size_t i) {
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
  call.where =
      pair_kernel(first.function, fixed_operand(first), second.function, is_left, is_scalar(other));
  call.arguments[0] = first.arguments[0];
  call.arguments[1] = first.arguments[1];
  call.arguments[2] = other;
  call.result = value_of(i + 1);
  calls_.push_back(call);
  return true;
}

int64_t FusedCalls::count_reads(int value) const {
  int64_t reads = std::ranges::count(op_.outputs, value);
  for (const FusedReduction& r : op_.reductions) reads += r.value == value;
  for (const FusedInstruction& instruction : op_.code) {
    reads += std::ranges::count(instruction.arguments, value);
  }
  return reads;
}

// Which operand the kernel may take as one number; scalars elsewhere are filled into a tile.
Fixed FusedCalls::fixed_operand(const FusedInstruction& instruction) {
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
    if (is_scalar(given[k]) && !taken) filled_[static_cast<size_t>(given[k])] = true;
  }
  return fixed;
}

// Results that are chosen by a scalar condition from a value that is no result itself.
void FusedCalls::find_choices() {
  for (const FusedCall& call : calls_) {
    const FusedInstruction& instruction =
        op_.code[static_cast<size_t>(call.result) - op_.inputs.size()];
    if (instruction.kind != FusedInstruction::Kind::kWhere) continue;
    const int condition = call.arguments[0], value = call.arguments[1];
    const auto output = std::ranges::find(op_.outputs, call.result);
    if (!is_scalar(condition) || output == op_.outputs.end()) continue;
    const bool is_wanted =
        std::ranges::count(op_.outputs, value) > 0 ||
        std::ranges::any_of(choices_, [&](const Choice& c) { return c.value == value; }) ||
        std::ranges::any_of(op_.reductions,
                            [&](const FusedReduction& r) { return r.value == value; });
    if (is_wanted || static_cast<size_t>(value) < op_.inputs.size()) continue;
    choices_.push_back({static_cast<size_t>(output - op_.outputs.begin()), condition, value, 0});
  }
  if (choices_.empty()) return;
  for (FusedCall call : calls_) {
    if (is_chosen(call)) continue;
    for (Choice& choice : choices_) {
      const int result = op_.outputs[choice.output];
      for (int& argument : call.arguments) {
        if (argument == choice.value) argument = result;
      }
      if (call.result != choice.value) continue;
      call.result = result;
      choice.computed = direct_.size();
    }
    direct_.push_back(call);
  }
}

bool FusedCalls::is_chosen(const FusedCall& call) const {
  return std::ranges::any_of(choices_,
                             [&](const Choice& c) { return op_.outputs[c.output] == call.result; });
}

std::span<const FusedCall> FusedCalls::choose(Inputs in, Outputs out) const {
  for (const Choice& choice : choices_) {
    const bool holds = *in[static_cast<size_t>(choice.condition)].as<const bool>();
    if (!holds || !may_write_early(choice, in, out[choice.output].data)) return calls_;
  }
  return choices_.empty() ? calls_ : direct_;
}

// Whether no call reads what lies at `out` after the value is there.
bool FusedCalls::may_write_early(const Choice& choice, Inputs in, const std::byte* out) const {
  for (size_t i = choice.computed + 1; i < direct_.size(); ++i) {
    for (const int argument : direct_[i].arguments) {
      const auto input = static_cast<size_t>(argument);
      if (input < in.size() && in[input].data == out) return false;
    }
  }
  return true;
}

}  // namespace mica
