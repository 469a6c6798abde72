// The interpreter of fused programs: every instruction runs over a tile that stays in the L1 cache
// before the next one does. Tiles follow each other in row-major order of the output.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/cpu/install.h"
#include "core/ops/elementwise_kernels.h"
#include "core/ops/fused.h"
#include "core/ops/fused_calls.h"
#include "core/ops/fused_tiles.h"
#include "core/ops/reduce_kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {

namespace {

constexpr size_t kTileBytes = 2048;
// Tiles lie one cache line more than their length apart: at equal offsets in pages they would fight
// for the same sets of the L1 cache, and loads would wait for stores that only look alike.
constexpr size_t kSlotPadding = 64;
constexpr int64_t kLine = 64;
// Elements for one task of a program that reduces.
constexpr int64_t kReducedPerTask = 16384;
// From this many instructions on, the next tile's inputs are fetched meanwhile: the hardware only
// foresees the ends of short programs.
constexpr int64_t kCallsToPrefetch = 3;
// Results of programs that move more than this go past the caches: nothing of them would be left
// there for the next reader.
constexpr int64_t kCachedBytes = int64_t{32} << 20;

class Interpreter final : public PreparedKernel {
 public:
  Interpreter(const Fused& op, Inputs in, Outputs out)
      : op_(op),
        count_(size_of(op.shape)),
        tile_(static_cast<int64_t>(kTileBytes / op.widest)),
        calls_(op, in) {
    if (!op.reductions.empty()) prepare_reductions();
    prepare_operands(in, out.first(op.outputs.size()));
    slot_bytes_ = static_cast<size_t>(tile_) * op.widest + kSlotPadding;
    const int64_t moved = moved_bytes(in, out);
    moves_much_ = moved > kCachedBytes;
    task_ = tile_ * tiles_per_task(op, moved, tile_);
    const auto calls = static_cast<int64_t>(calls_.fewest());
    if (calls >= kCallsToPrefetch) {
      const auto lines = tile_ * static_cast<int64_t>(op.widest) / kLine;
      prefetched_ = (lines + calls - 1) / calls * kLine;
    }
  }

  void run(Inputs in, Outputs out) const override {
    Execution execution = {in, out, calls_.choose(in, out), {}, {}};
    execution.rows.resize(in.size());
    for (size_t i = 0; i < in.size(); ++i) {
      if (inputs_[i].mode != Mode::kPeriodic) continue;
      execution.rows[i] = inputs_[i].repeat(in[i].data);
    }
    for (size_t k = 0; k < outputs_.size(); ++k) {
      const bool in_place =
          std::ranges::any_of(in, [&](const Operand& input) { return input.data == out[k].data; });
      execution.streamed.push_back(moves_much_ && !in_place && outputs_[k].mode == Mode::kDirect);
    }
    if (!op_.reductions.empty()) return reduce(execution);
    parallel_for(count_, task_,
                 [&](int64_t begin, int64_t end) { run_task(execution, begin, end); });
  }

 private:
  using Mode = TiledOperand::Mode;
  using Addresses = SmallVector<std::byte*, 32>;  // by value: its tile
  struct Execution {
    Inputs in;
    Outputs out;
    std::span<const FusedCall> calls;
    SmallVector<std::vector<std::byte>, 8> rows;  // by input: the repeated row, for kPeriodic
    SmallVector<char, 8> streamed;                // by output: written past the caches
  };

  void prepare_operands(Inputs in, Outputs out) {
    std::vector<TiledOperand> operands;
    for (const Operand& input : in) operands.emplace_back(input);
    for (const Operand& output : out) operands.emplace_back(output);
    const bool whole_tiles = op_.reductions.empty();  // which have blocks of their own
    if (whole_tiles) tile_ = tile_length(operands, tile_);
    for (TiledOperand& operand : operands) operand.choose_mode(tile_, whole_tiles);
    const auto first_output = operands.begin() + static_cast<ptrdiff_t>(in.size());
    inputs_.assign(operands.begin(), first_output);
    outputs_.assign(first_output, operands.end());
  }

  // Whether an output is computed in scratch memory first.
  bool has_slot(const Execution& execution, size_t k) const {
    return execution.streamed[k] || outputs_[k].mode == Mode::kStrided;
  }

  int64_t moved_bytes(Inputs in, Outputs out) const {
    int64_t moved = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      if (inputs_[i].mode == Mode::kScalar) continue;
      moved += in[i].size() * static_cast<int64_t>(size_of(in[i].dtype));
    }
    for (const Operand& result : out) {
      moved += result.size() * static_cast<int64_t>(size_of(result.dtype));
    }
    return moved;
  }

  void run_task(const Execution& execution, int64_t begin, int64_t end) const {
    with_slots(execution, end - begin, [&](Addresses& at) {
      for (int64_t tile = begin; tile < end; tile += tile_) {
        run_tile(execution, tile, std::min(tile_, end - tile), at);
      }
    });
  }

  // Calls body(addresses of the values' tiles), those of scalars being ready for `count` elements.
  template <class Body>
  void with_slots(const Execution& execution, int64_t count, Body&& body) const {
    thread_local std::vector<std::byte> scratch;
    const size_t slots_needed = static_cast<size_t>(op_.slot_count) + op_.outputs.size();
    const size_t needed = slots_needed * slot_bytes_ + 64;
    if (scratch.size() < needed) scratch.resize(needed);
    const auto address = reinterpret_cast<uintptr_t>(scratch.data());
    std::byte* slots = scratch.data() + (64 - address % 64) % 64;

    Addresses at(op_.slots.size());
    for (size_t v = 0; v < at.size(); ++v) {
      if (op_.slots[v] >= 0) at[v] = slots + static_cast<size_t>(op_.slots[v]) * slot_bytes_;
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i].mode != Mode::kScalar) continue;
      if (calls_.needs_tile(i))
        inputs_[i].fill(execution.in[i].data, 0, std::min(tile_, count), at[i]);
      else
        at[i] = execution.in[i].data;
    }
    for (size_t k = 0; k < op_.outputs.size(); ++k) {
      if (!has_slot(execution, k)) continue;
      at[static_cast<size_t>(op_.outputs[k])] =
          slots + (static_cast<size_t>(op_.slot_count) + k) * slot_bytes_;
    }
    body(at);
  }

  void run_tile(const Execution& execution, int64_t begin, int64_t count, Addresses& at) const {
    Addresses next(prefetched_ > 0 ? inputs_.size() + outputs_.size() : 0);
    find_tiles(execution, begin, count, at, next);
    const auto n = static_cast<size_t>(count);
    int64_t done = 0;
    for (const FusedCall& call : execution.calls) {
      if (prefetched_ > 0) prefetch_share(done++, count, next);
      const std::byte* x = at[static_cast<size_t>(call.arguments[0])];
      const std::byte* y = at[static_cast<size_t>(call.arguments[1])];
      std::byte* out = at[static_cast<size_t>(call.result)];
      if (call.where)
        call.where(x, y, at[static_cast<size_t>(call.arguments[2])], out, n);
      else
        call.row(x, y, out, n);
    }
    for (size_t k = 0; k < outputs_.size(); ++k) {
      const std::byte* tile = at[static_cast<size_t>(op_.outputs[k])];
      std::byte* data = execution.out[k].data;
      if (execution.streamed[k])
        stream_bytes(tile, n * outputs_[k].item, data + outputs_[k].offset_of(begin));
      else if (outputs_[k].mode == Mode::kStrided)
        outputs_[k].store(tile, begin, count, data);
    }
  }

  // Where the tiles of inputs and outputs lie, or are put; `next`, if it is wanted: where the next
  // ones lie that are worth fetching. Outputs in rows are parts of larger arrays, which are not in
  // the near caches.
  void find_tiles(const Execution& execution, int64_t begin, int64_t count, Addresses& at,
                  Addresses& next) const {
    const bool fetches = !next.empty() && begin + count < count_;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const TiledOperand& input = inputs_[i];
      std::byte* data = execution.in[i].data;
      if (input.mode == Mode::kDirect || input.mode == Mode::kRows) {
        at[i] = data + input.offset_of(begin);
        if (fetches) next[i] = data + input.offset_of(begin + count);
      } else if (input.mode == Mode::kPeriodic) {
        at[i] = const_cast<std::byte*>(execution.rows[i].data()) +
                static_cast<size_t>(begin % input.period) * input.item;
      } else if (input.mode == Mode::kStrided) {
        input.fill(data, begin, count, at[i]);
      }
    }
    for (size_t k = 0; k < outputs_.size(); ++k) {
      if (has_slot(execution, k)) continue;
      const TiledOperand& output = outputs_[k];
      std::byte* data = execution.out[k].data;
      at[static_cast<size_t>(op_.outputs[k])] = data + output.offset_of(begin);
      if (fetches && output.mode == Mode::kRows) {
        next[inputs_.size() + k] = data + output.offset_of(begin + count);
      }
    }
  }

  // One call's share of the next tile, so that no call waits for a burst of lines. Inlined early,
  // or GCC takes it for a function without effect and drops its calls.
  [[gnu::always_inline]] void prefetch_share(int64_t call, int64_t count,
                                             const Addresses& next) const {
    for (size_t i = 0; i < next.size(); ++i) {
      if (next[i] == nullptr) continue;
      const size_t item = i < inputs_.size() ? inputs_[i].item : outputs_[i - inputs_.size()].item;
      const int64_t bytes = count * static_cast<int64_t>(item);
      const int64_t end = std::min(bytes, (call + 1) * prefetched_);
      for (int64_t k = call * prefetched_; k < end; k += kLine) __builtin_prefetch(next[i] + k);
    }
  }

  // ---- Reductions

  void prepare_reductions() {
    const auto rank = static_cast<int>(op_.shape.size());
    for (int axis = 0; axis < rank; ++axis) {
      const bool is_reduced = std::ranges::count(op_.reduced, axis) > 0;
      (is_reduced            ? length_
       : op_.reduced[0] == 0 ? inner_
                             : outer_) *= op_.shape[static_cast<size_t>(axis)];
    }
    block_ = inner_ == 1 ? kLineBlock : row_block(inner_);
    blocks_ = (length_ + block_ - 1) / block_;
    if (inner_ == 1) tile_ = kLineBlock;
    for (const FusedReduction& r : op_.reductions) {
      const auto code = static_cast<size_t>(r.value) - op_.inputs.size();
      reduce_kernels_.push_back(reduce_kernels(r.reduction, op_.code[code].to));
    }
  }

  // Where the blocks of one reduction put their results, and their type's size.
  struct Partial {
    std::byte* data;
    size_t item;
    ReduceKernels kernels;
    size_t value;
    std::byte* element(int64_t i) const { return data + i * static_cast<int64_t>(item); }
  };

  // Blocks as in reduce_kernels.h. Where there are several, their results are reduced in turn.
  void reduce(const Execution& execution) const {
    std::vector<Partial> partials;
    std::vector<Buffer> scratch;
    for (size_t k = 0; k < op_.reductions.size(); ++k) {
      const Operand& out = execution.out[op_.outputs.size() + k];
      std::byte* target = out.data;
      const size_t item = size_of(out.dtype);
      if (blocks_ > 1) {
        scratch.push_back(Buffer::allocate(static_cast<size_t>(outer_ * blocks_ * inner_) * item));
        target = scratch.back().data();
      }
      const auto value = static_cast<size_t>(op_.reductions[k].value);
      partials.push_back({target, item, reduce_kernels_[k], value});
    }
    if (inner_ > 1)
      reduce_rows(execution, partials);
    else
      reduce_lines(execution, partials);
    for (size_t k = 0; blocks_ > 1 && k < partials.size(); ++k) {
      partials[k].kernels.finish(partials[k].data, outer_, blocks_, inner_,
                                 execution.out[op_.outputs.size() + k].data);
    }
  }

  // A tile is one block of a line, or as many whole lines as it holds.
  void reduce_lines(const Execution& execution, const std::vector<Partial>& partials) const {
    const int64_t lines = blocks_ > 1 ? 1 : kLineBlock / length_;
    const int64_t tiles = blocks_ > 1 ? outer_ * blocks_ : (outer_ + lines - 1) / lines;
    parallel_for(tiles, kReducedPerTask / kLineBlock, [&](int64_t first, int64_t last) {
      with_slots(execution, tile_, [&](Addresses& at) {
        for (int64_t tile = first; tile < last; ++tile) {
          const int64_t line = tile / blocks_ * lines;
          const int64_t start = tile % blocks_ * block_;
          const int64_t held = std::min(lines, outer_ - line);
          const int64_t length = std::min(block_, length_ - start);
          run_tile(execution, line * length_ + start, held * length, at);
          for (const Partial& to : partials) {
            const std::byte* from = at[to.value];
            for (int64_t i = 0; i < held; ++i) {
              to.kernels.line(from + static_cast<size_t>(i * length) * to.item, length,
                              to.element(line * blocks_ + tile % blocks_ + i));
            }
          }
        }
      });
    });
  }

  // A block's rows are added to its result one by one.
  void reduce_rows(const Execution& execution, const std::vector<Partial>& partials) const {
    const int64_t grain = std::max<int64_t>(1, kReducedPerTask / (block_ * inner_));
    parallel_for(blocks_, grain, [&](int64_t first, int64_t last) {
      with_slots(execution, tile_, [&](Addresses& at) {
        const int64_t end = std::min(length_, last * block_) * inner_;
        int64_t next = 0;
        for (int64_t begin = first * block_ * inner_; begin < end; begin = next) {
          // Tiles end with their block.
          const int64_t block = begin / (block_ * inner_);
          next = std::min({begin + tile_, (block + 1) * block_ * inner_, end});
          run_tile(execution, begin, next - begin, at);
          for (const Partial& to : partials) fold_rows(to, block, begin, next, at[to.value]);
        }
      });
    });
  }

  void fold_rows(const Partial& to, int64_t block, int64_t begin, int64_t end,
                 const std::byte* from) const {
    const int64_t first = block * block_ * inner_;
    while (begin < end) {
      const int64_t column = begin % inner_;
      const int64_t width = std::min(end - begin, inner_ - column);
      const bool in_first_row = begin - first < inner_;
      const int64_t rows =
          in_first_row || width < inner_ ? 1 : std::max<int64_t>(1, (end - begin) / inner_);
      std::byte* into = to.element(block * inner_ + column);
      if (in_first_row)
        std::memcpy(into, from, static_cast<size_t>(width) * to.item);
      else
        to.kernels.fold(from, rows, width, into);
      from += static_cast<size_t>(rows * width) * to.item;
      begin += rows * width;
    }
  }

  const Fused& op_;
  int64_t count_;
  int64_t tile_;
  size_t slot_bytes_ = 0;
  int64_t task_ = 1;  // elements
  std::vector<TiledOperand> inputs_;
  std::vector<TiledOperand> outputs_;
  FusedCalls calls_;
  bool moves_much_ = false;  // more than the caches hold
  int64_t prefetched_ = 0;   // bytes of the next tile's operands by every call

  // The shape as reductions see it: (outer, length) or (length, inner), the length in blocks.
  int64_t outer_ = 1, length_ = 1, inner_ = 1;
  int64_t block_ = 1, blocks_ = 1;
  std::vector<ReduceKernels> reduce_kernels_;
};

}  // namespace

void install_fused(KernelTable& table) {
  table.add_prepared<Fused, Interpreter>(InputLayout::kAny);
}

}  // namespace mica
