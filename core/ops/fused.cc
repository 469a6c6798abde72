#include "core/ops/fused.h"

#include <algorithm>

namespace mica {

Fused::Fused(std::vector<Spec> given, std::vector<FusedInstruction> program,
             std::vector<int> results, Shape common, std::vector<FusedReduction> trailing,
             Axes axes)
    : inputs(std::move(given)),
      code(std::move(program)),
      outputs(std::move(results)),
      shape(std::move(common)),
      reductions(std::move(trailing)),
      reduced(std::move(axes)) {
  const size_t first = inputs.size();
  std::vector<size_t> last_use(first + code.size(), 0);
  for (const Spec& input : inputs) widest = std::max(widest, size_of(input.dtype));
  for (size_t i = 0; i < code.size(); ++i) {
    widest = std::max({widest, size_of(code[i].to), size_of(code[i].from)});
    for (int argument : code[i].arguments) last_use[static_cast<size_t>(argument)] = i;
  }
  // Reductions read a tile when all of it is computed.
  for (const FusedReduction& r : reductions) last_use[static_cast<size_t>(r.value)] = code.size();
  // Input tiles are filled before the program runs, so that their slots are taken at once.
  slots.assign(first + code.size(), -1);
  std::vector<int> free;
  for (size_t i = 0; i < first; ++i) slots[i] = slot_count++;
  for (size_t i = 0; i < code.size(); ++i) {
    const int value = static_cast<int>(first + i);
    // An input's tile may be kept from one tile to the next (broadcast scalars), so only
    // temporaries give their slots back. Rows may write over what they read; casts and
    // conditions of other widths may not.
    std::vector<int> given_back;
    for (size_t k = 0; k < code[i].arguments.size(); ++k) {
      const auto at = static_cast<size_t>(code[i].arguments[k]);
      if (at < first || last_use[at] != i || slots[at] < 0) continue;
      if (std::ranges::count(given_back, slots[at]) == 0) given_back.push_back(slots[at]);
    }
    const bool over = code[i].kind == FusedInstruction::Kind::kRow &&
                      size_of(code[i].from) == size_of(code[i].to);
    if (over) free.insert(free.end(), given_back.begin(), given_back.end());
    if (std::find(outputs.begin(), outputs.end(), value) == outputs.end()) {
      if (free.empty()) free.push_back(slot_count++);
      slots[first + i] = free.back();
      free.pop_back();
    }
    if (!over) free.insert(free.end(), given_back.begin(), given_back.end());
  }
}

bool Fused::can_reduce(const Spec& spec, const Reduce& op) {
  if (spec.dtype != float32 && spec.dtype != float64) return false;
  if (size_of(spec.shape) == 0) return false;
  const int rank = static_cast<int>(spec.shape.size());
  const int count = static_cast<int>(op.axes.size());
  const int first = op.axes.front();
  for (int k = 0; k < count; ++k) {
    if (op.axes[static_cast<size_t>(k)] != first + k) return false;
  }
  return first == 0 || first + count == rank;
}

Specs Fused::infer(std::span<const Spec>) const {
  Specs specs;
  const auto dtype = [&](int value) { return code[static_cast<size_t>(value) - inputs.size()].to; };
  for (int output : outputs) specs.push_back({shape, dtype(output)});
  Shape kept = shape;
  for (int axis : reduced) kept[static_cast<size_t>(axis)] = 1;
  for (const FusedReduction& r : reductions) specs.push_back({kept, dtype(r.value)});
  return specs;
}

Arrays Fused::vjp(const Arrays&, const Arrays&, const Arrays&) const {
  fail(ErrorKind::kRuntime, "[fused] planned nodes are not differentiated");
}
Arrays Fused::vmap(const Arrays&, const Mapped&) const {
  fail(ErrorKind::kRuntime, "[fused] planned nodes are not mapped");
}

size_t Fused::hash() const {
  size_t seed = code.size();
  for (const FusedInstruction& instruction : code) hash_combine(seed, hash_fields(instruction));
  for (const FusedReduction& reduction : reductions) hash_combine(seed, hash_fields(reduction));
  return seed;
}

bool Fused::equals(const Op& other) const {
  const Fused* same = dynamic_cast<const Fused*>(&other);
  return same != nullptr && inputs == same->inputs && code == same->code &&
         outputs == same->outputs && shape == same->shape && reductions == same->reductions &&
         reduced == same->reduced;
}

std::string Fused::print() const {
  std::string text = "fused(";
  for (const FusedInstruction& instruction : code) {
    if (text.size() > 6) text += ", ";
    switch (instruction.kind) {
      case FusedInstruction::Kind::kRow: text += fmt::format("{}", instruction.function); break;
      case FusedInstruction::Kind::kWhere: text += "where"; break;
      case FusedInstruction::Kind::kCast: text += fmt::format("{}", instruction.to); break;
    }
  }
  for (const FusedReduction& r : reductions) text += fmt::format(", {}", r.reduction);
  return text + ")";
}

bool Fused::allows_in_place(int input, int output) const {
  if (static_cast<size_t>(output) >= outputs.size()) return false;  // of another size
  const size_t written = static_cast<size_t>(outputs[static_cast<size_t>(output)]) - inputs.size();
  for (size_t i = written + 1; i < code.size(); ++i) {
    const auto& arguments = code[i].arguments;
    if (std::find(arguments.begin(), arguments.end(), input) != arguments.end()) return false;
  }
  return inputs[static_cast<size_t>(input)].shape == shape &&
         size_of(inputs[static_cast<size_t>(input)].dtype) == size_of(code[written].to);
}

}  // namespace mica
