#include "core/ops/fused.h"

#include <algorithm>

namespace mica {

Fused::Fused(std::vector<Spec> given, std::vector<FusedInstruction> program,
             std::vector<int> results, Shape common)
    : inputs(std::move(given)),
      code(std::move(program)),
      outputs(std::move(results)),
      shape(std::move(common)) {
  const size_t first = inputs.size();
  std::vector<size_t> last_use(first + code.size(), 0);
  for (const Spec& input : inputs) widest = std::max(widest, size_of(input.dtype));
  for (size_t i = 0; i < code.size(); ++i) {
    widest = std::max({widest, size_of(code[i].to), size_of(code[i].from)});
    for (int argument : code[i].arguments) last_use[static_cast<size_t>(argument)] = i;
  }
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

Specs Fused::infer(std::span<const Spec>) const {
  Specs specs;
  for (int output : outputs) {
    specs.push_back({shape, code[static_cast<size_t>(output) - inputs.size()].to});
  }
  return specs;
}

Arrays Fused::vjp(const Arrays&, const Arrays&, const Arrays&) const {
  fail(ErrorKind::kRuntime, "[fused] planned nodes are not differentiated");
}

size_t Fused::hash() const {
  size_t seed = code.size();
  for (const FusedInstruction& instruction : code) hash_combine(seed, hash_fields(instruction));
  return seed;
}

bool Fused::equals(const Op& other) const {
  const Fused* same = dynamic_cast<const Fused*>(&other);
  return same != nullptr && inputs == same->inputs && code == same->code &&
         outputs == same->outputs && shape == same->shape;
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
  return text + ")";
}

bool Fused::allows_in_place(int input, int output) const {
  const size_t written = static_cast<size_t>(outputs[static_cast<size_t>(output)]) - inputs.size();
  for (size_t i = written + 1; i < code.size(); ++i) {
    const auto& arguments = code[i].arguments;
    if (std::find(arguments.begin(), arguments.end(), input) != arguments.end()) return false;
  }
  return inputs[static_cast<size_t>(input)].shape == shape &&
         size_of(inputs[static_cast<size_t>(input)].dtype) == size_of(code[written].to);
}

}  // namespace mica
