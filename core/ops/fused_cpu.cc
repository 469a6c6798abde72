// The interpreter of fused programs: every instruction runs over a tile that stays in the L1 cache
// before the next one does. Tiles follow each other in row-major order of the output.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/cpu/install.h"
#include "core/ops/elementwise_kernels.h"
#include "core/ops/fused.h"
#include "core/runtime/parallel.h"

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

constexpr size_t kTileBytes = 2048;
// Tiles lie one cache line more than their length apart: at equal offsets in pages they would fight
// for the same sets of the L1 cache, and loads would wait for stores that only look alike.
constexpr size_t kSlotBytes = kTileBytes + 64;
constexpr int64_t kTilesPerTask = 32;
// From this many instructions on, the next tile's inputs are fetched meanwhile: the hardware only
// foresees the ends of short programs.
constexpr size_t kCallsToPrefetch = 3;
// Results of programs that move more than this go past the caches: nothing of them would be left
// there for the next reader.
constexpr int64_t kCachedBytes = int64_t{32} << 20;

// How tiles of one input are had: in place, filled once (a scalar), out of a few repetitions (a row
// that is the same for all leading indices), or gathered.
struct InputReader {
  enum class Mode : uint8_t { kDirect, kScalar, kPeriodic, kStrided };
  Mode mode;
  size_t item;
  Shape shape;  // without axes that lie behind each other, for kStrided
  Strides strides;
  int64_t period = 0;      // for kPeriodic
  size_t repetitions = 0;  // of the row, enough to find any tile in them

  InputReader(const Operand& in, int64_t tile) : item(size_of(in.dtype)) {
    const bool scalar =
        std::ranges::all_of(in.strides, [](int64_t s) { return s == 0; }) || in.size() == 1;
    if (scalar)
      mode = Mode::kScalar;
    else if (Layout{in.shape, in.strides, 0}.is_contiguous())
      mode = Mode::kDirect;
    else
      collapse(in);
    const bool row = mode == Mode::kStrided && shape.size() == 2 && strides[0] == 0;
    if (!row || strides[1] != 1 || shape[1] > tile) return;
    mode = Mode::kPeriodic;
    period = shape[1];
    repetitions = static_cast<size_t>(tile / period) + 2;
  }

  // The repeated row, for kPeriodic.
  std::vector<std::byte> repeat(const std::byte* data) const {
    const size_t row = static_cast<size_t>(period) * item;
    std::vector<std::byte> repeated(repetitions * row);
    for (size_t i = 0; i < repetitions; ++i) std::memcpy(repeated.data() + i * row, data, row);
    return repeated;
  }

  void collapse(const Operand& in) {
    mode = Mode::kStrided;
    for (size_t i = 0; i < in.shape.size(); ++i) {
      if (in.shape[i] == 1) continue;
      if (!shape.empty() && strides.back() == in.strides[i] * in.shape[i]) {
        shape.back() *= in.shape[i];
        strides.back() = in.strides[i];
      } else {
        shape.push_back(in.shape[i]);
        strides.push_back(in.strides[i]);
      }
    }
  }

  template <class T>
  void gather(const std::byte* data, int64_t begin, int64_t count, T* out) const {
    const size_t last = shape.size() - 1;
    Shape index(shape.size());
    int64_t offset = 0;
    for (size_t axis = shape.size(); axis-- > 0;) {
      index[axis] = begin % shape[axis];
      begin /= shape[axis];
      offset += index[axis] * strides[axis];
    }
    const T* base = reinterpret_cast<const T*>(data);
    const int64_t step = strides[last];
    while (count > 0) {
      const int64_t run = std::min(count, shape[last] - index[last]);
      const T* from = base + offset;
      if (step == 1)
        std::copy_n(from, run, out);
      else if (step == 0)
        std::fill_n(out, run, *from);
      else
        for (int64_t i = 0; i < run; ++i) out[i] = from[i * step];
      out += run;
      count -= run;
      index[last] += run;
      offset += run * step;
      for (size_t axis = last; axis > 0 && index[axis] == shape[axis]; --axis) {
        offset += strides[axis - 1] - strides[axis] * shape[axis];
        index[axis] = 0;
        ++index[axis - 1];
      }
    }
  }

  void fill(const std::byte* data, int64_t begin, int64_t count, std::byte* tile) const {
    switch (item) {
      case 1: return fill_typed(data, begin, count, reinterpret_cast<uint8_t*>(tile));
      case 2: return fill_typed(data, begin, count, reinterpret_cast<uint16_t*>(tile));
      case 4: return fill_typed(data, begin, count, reinterpret_cast<uint32_t*>(tile));
      default: return fill_typed(data, begin, count, reinterpret_cast<uint64_t*>(tile));
    }
  }
  template <class T>
  void fill_typed(const std::byte* data, int64_t begin, int64_t count, T* tile) const {
    if (mode == Mode::kScalar)
      std::fill_n(tile, count, *reinterpret_cast<const T*>(data));
    else
      gather(data, begin, count, tile);
  }
};

// One instruction with its kernel found.
struct Call {
  ElementwiseKernel row = nullptr;
  WhereKernel where = nullptr;
  int arguments[3] = {0, 0, 0};
  int result = 0;
};

class Interpreter final : public PreparedKernel {
 public:
  Interpreter(const Fused& op, Inputs in, Outputs out)
      : op_(op), count_(size_of(op.shape)), tile_(static_cast<int64_t>(kTileBytes / op.widest)) {
    for (const Operand& input : in) readers_.emplace_back(input, tile_);
    const int first = static_cast<int>(in.size());
    filled_.assign(in.size(), false);
    for (const FusedInstruction& instruction : op.code) {
      Call call;
      using Kind = FusedInstruction::Kind;
      const Fixed fixed = fixed_operand(instruction);
      if (instruction.kind == Kind::kWhere)
        call.where = where_kernel(instruction.to, fixed);
      else if (instruction.kind == Kind::kCast)
        call.row = cast_kernel(instruction.from, instruction.to);
      else
        call.row = elementwise_kernel(instruction.function, instruction.from, fixed);
      const auto& given = instruction.arguments;
      for (size_t k = 0; k < 3; ++k) call.arguments[k] = given[std::min(k, given.size() - 1)];
      call.result = first + static_cast<int>(calls_.size());
      calls_.push_back(call);
    }
    moves_much_ = moved_bytes(in, out) > kCachedBytes;
    if (calls_.size() >= kCallsToPrefetch) {
      const auto calls = static_cast<int64_t>(calls_.size());
      prefetched_ = (tile_ + calls - 1) / calls;
    }
  }

  void run(Inputs in, Outputs out) const override {
    Execution execution = {in, out, {}, {}};
    execution.rows.resize(in.size());
    for (size_t i = 0; i < in.size(); ++i) {
      const InputReader& reader = readers_[i];
      if (reader.mode != InputReader::Mode::kPeriodic) continue;
      execution.rows[i] = reader.repeat(in[i].data);
    }
    for (const Operand& result : out) {
      const bool in_place =
          std::ranges::any_of(in, [&](const Operand& input) { return input.data == result.data; });
      execution.streamed.push_back(moves_much_ && !in_place);
    }
    parallel_for(count_, tile_ * kTilesPerTask,
                 [&](int64_t begin, int64_t end) { run_task(execution, begin, end); });
  }

 private:
  struct Execution {
    Inputs in;
    Outputs out;
    SmallVector<std::vector<std::byte>, 8> rows;  // by input: the repeated row, for kPeriodic
    SmallVector<char, 8> streamed;                // by output: written past the caches

    std::byte* result(size_t k, int64_t begin) const {
      return out[k].data + begin * static_cast<int64_t>(size_of(out[k].dtype));
    }
  };

  bool is_scalar(int value) const {
    const auto at = static_cast<size_t>(value);
    return at < readers_.size() && readers_[at].mode == InputReader::Mode::kScalar;
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
      if (is_scalar(given[k]) && !taken) filled_[static_cast<size_t>(given[k])] = true;
    }
    return fixed;
  }

  int64_t moved_bytes(Inputs in, Outputs out) const {
    int64_t moved = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      if (is_scalar(static_cast<int>(i))) continue;
      moved += in[i].size() * static_cast<int64_t>(size_of(in[i].dtype));
    }
    for (const Operand& result : out) {
      moved += result.size() * static_cast<int64_t>(size_of(result.dtype));
    }
    return moved;
  }

  void run_task(const Execution& execution, int64_t begin, int64_t end) const {
    thread_local std::vector<std::byte> scratch;
    const size_t slots_needed = static_cast<size_t>(op_.slot_count) + execution.out.size();
    const size_t needed = slots_needed * kSlotBytes + 64;
    if (scratch.size() < needed) scratch.resize(needed);
    const auto address = reinterpret_cast<uintptr_t>(scratch.data());
    std::byte* slots = scratch.data() + (64 - address % 64) % 64;

    SmallVector<std::byte*, 32> at(op_.slots.size());
    for (size_t v = 0; v < at.size(); ++v) {
      if (op_.slots[v] >= 0) at[v] = slots + static_cast<size_t>(op_.slots[v]) * kSlotBytes;
    }
    for (size_t i = 0; i < readers_.size(); ++i) {
      if (readers_[i].mode != InputReader::Mode::kScalar) continue;
      if (filled_[i])
        readers_[i].fill(execution.in[i].data, 0, std::min(tile_, end - begin), at[i]);
      else
        at[i] = execution.in[i].data;
    }
    for (size_t k = 0; k < execution.out.size(); ++k) {
      if (!execution.streamed[k]) continue;
      at[static_cast<size_t>(op_.outputs[k])] =
          slots + (static_cast<size_t>(op_.slot_count) + k) * kSlotBytes;
    }
    for (int64_t tile = begin; tile < end; tile += tile_) {
      run_tile(execution, tile, std::min(tile_, end - tile), at);
    }
  }

  void run_tile(const Execution& execution, int64_t begin, int64_t count,
                SmallVector<std::byte*, 32>& at) const {
    for (size_t i = 0; i < readers_.size(); ++i) {
      const InputReader& reader = readers_[i];
      if (reader.mode == InputReader::Mode::kDirect) {
        at[i] = execution.in[i].data + begin * static_cast<int64_t>(reader.item);
      } else if (reader.mode == InputReader::Mode::kPeriodic) {
        at[i] = const_cast<std::byte*>(execution.rows[i].data()) +
                static_cast<size_t>(begin % reader.period) * reader.item;
      } else if (reader.mode == InputReader::Mode::kStrided) {
        reader.fill(execution.in[i].data, begin, count, at[i]);
      }
    }
    for (size_t k = 0; k < execution.out.size(); ++k) {
      if (execution.streamed[k]) continue;
      at[static_cast<size_t>(op_.outputs[k])] = execution.result(k, begin);
    }
    const auto n = static_cast<size_t>(count);
    int64_t done = 0;
    for (const Call& call : calls_) {
      if (prefetched_ > 0) prefetch_share(done++, count, at);
      const std::byte* x = at[static_cast<size_t>(call.arguments[0])];
      const std::byte* y = at[static_cast<size_t>(call.arguments[1])];
      std::byte* out = at[static_cast<size_t>(call.result)];
      if (call.where)
        call.where(x, y, at[static_cast<size_t>(call.arguments[2])], out, n);
      else
        call.row(x, y, out, n);
    }
    for (size_t k = 0; k < execution.out.size(); ++k) {
      if (!execution.streamed[k]) continue;
      stream_bytes(at[static_cast<size_t>(op_.outputs[k])], n * size_of(execution.out[k].dtype),
                   execution.result(k, begin));
    }
  }

  // One call's share of the next tile, so that no call waits for a burst of lines. Inlined early,
  // or GCC takes it for a function without effect and drops its calls.
  [[gnu::always_inline]] void prefetch_share(int64_t call, int64_t count,
                                             const SmallVector<std::byte*, 32>& at) const {
    for (size_t i = 0; i < readers_.size(); ++i) {
      if (readers_[i].mode != InputReader::Mode::kDirect) continue;
      const auto item = static_cast<int64_t>(readers_[i].item);
      const std::byte* next = at[i] + count * item;
      const int64_t end = std::min(count, (call + 1) * prefetched_) * item;
      for (int64_t k = call * prefetched_ * item; k < end; k += 64) __builtin_prefetch(next + k);
    }
  }

  const Fused& op_;
  int64_t count_;
  int64_t tile_;
  std::vector<InputReader> readers_;
  std::vector<Call> calls_;
  int64_t prefetched_ = 0;    // elements of the next tile by every call
  std::vector<char> filled_;  // by input: a scalar that needs a tile
  bool moves_much_ = false;   // more than the caches hold
};

}  // namespace

void install_fused(KernelTable& table) {
  table.add_prepared<Fused, Interpreter>(InputLayout::kAny);
}

}  // namespace mica
