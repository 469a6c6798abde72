#include "core/ops/fused_tiles.h"

namespace mica {
namespace {

// Of one element in float32 on one core with AVX-512, out of the near caches.
constexpr double kCheapNanoseconds = 0.05;
constexpr double kDivisionNanoseconds = 0.2;
constexpr double kFunctionNanoseconds = 0.5;
constexpr double kNanosecondsPerByte = 0.025;

// Starting and joining a task takes 1 to 3 us.
constexpr double kTaskNanoseconds = 6000;
// Enough to share out evenly; programs that cost more have tasks as long as caches allow.
constexpr int64_t kFewTasks = 16;
constexpr int64_t kMostTilesPerTask = 32;

double cost_of(const FusedInstruction& instruction) {
  if (instruction.kind != FusedInstruction::Kind::kRow) return kCheapNanoseconds;
  const auto& row = elementwise_rows()[static_cast<size_t>(instruction.function)];
  if (row.gives_bool || row.types == Types::kInteger) return kCheapNanoseconds;
  switch (instruction.function) {
    case Function::k_neg:
    case Function::k_abs:
    case Function::k_sign:
    case Function::k_square:
    case Function::k_floor:
    case Function::k_ceil:
    case Function::k_trunc:
    case Function::k_round:
    case Function::k_relu:
    case Function::k_add:
    case Function::k_subtract:
    case Function::k_multiply:
    case Function::k_maximum:
    case Function::k_minimum: return kCheapNanoseconds;
    case Function::k_sqrt:
    case Function::k_rsqrt:
    case Function::k_reciprocal:
    case Function::k_divide: return kDivisionNanoseconds;
    default: return kFunctionNanoseconds;
  }
}

}  // namespace

int64_t tile_length(const std::vector<TiledOperand>& operands, int64_t most) {
  int64_t common = 0;
  bool gathered = false;
  for (const TiledOperand& operand : operands) {
    if (2 * operand.row() < most) continue;
    common = std::gcd(common, operand.row());
    gathered = gathered || !operand.is_periodic(most);
  }
  if (!gathered) return most;
  for (int64_t parts = (common + most - 1) / most; 2 * common >= most * parts; ++parts) {
    if (common % parts == 0) return common / parts;
  }
  return most;
}

int64_t tiles_per_task(const Fused& program, int64_t moved_bytes, int64_t tile) {
  const auto count = static_cast<double>(size_of(program.shape));
  double cost = kNanosecondsPerByte * static_cast<double>(moved_bytes);
  for (const FusedInstruction& instruction : program.code) {
    cost += cost_of(instruction) * static_cast<double>(size_of(instruction.from)) / 4 * count;
  }
  const auto most = static_cast<double>(kFewTasks);
  auto tasks = static_cast<int64_t>(std::min(cost / kTaskNanoseconds, most));
  if (tasks > 1) tasks -= tasks % 2;  // two threads share an odd task out badly
  tasks = std::max<int64_t>(tasks, 1);
  const int64_t tiles = (size_of(program.shape) + tile - 1) / tile;
  return std::clamp<int64_t>((tiles + tasks - 1) / tasks, 1, kMostTilesPerTask);
}

}  // namespace mica
