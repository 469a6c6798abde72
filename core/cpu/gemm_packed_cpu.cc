// After Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), for
// vectors of 16: a block of c of up to 14 rows and 32 columns lives in 28 of the 32 registers while
// the inner axis runs. Lines of b come as vectors, elements of a as broadcasts, which AVX-512 loads
// at twice the rate of its multiply-adds.
//
// The inner axis is cut into pieces of up to 512. Strips of 32 columns of b stream from L2 while 14
// rows of a lie in L1; a strip of a transposed b is packed, others are read in place, and so are
// rows of a unless they would share their cache sets. While a block is multiplied, the lines of c
// that it ends in, the rows of a that follow and the next piece of b are fetched, and rows of a
// transposed a are copied for the next block: what is not in L2 costs no time then.
#include "core/cpu/gemm_packed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/gemm_packed_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
namespace hn = hwy::HWY_NAMESPACE;

#include "core/cpu/gemm_packed_block.inc"

// Copies elements, up to 15 more than `count` into `to`.
HWY_INLINE void copy_line(const float* from, int64_t count, float* to) {
  const Wide d;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  }
  if (i < count) {
    hn::StoreU(hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count - i)), d, from + i), d,
               to + i);
  }
}

// Transposes 16 x 16: at first pairs, then fours, then blocks of four.
HWY_INLINE void transpose_block(Vector (&v)[16]) {
  const Wide d;
  const hn::RepartitionToWide<Wide> pairs;
  Vector t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = hn::InterleaveLower(d, v[i], v[i + 1]);
    t[i + 1] = hn::InterleaveUpper(d, v[i], v[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const auto x = hn::BitCast(pairs, t[i + j]), y = hn::BitCast(pairs, t[i + 2 + j]);
      v[i + 2 * j] = hn::BitCast(d, hn::InterleaveLower(pairs, x, y));
      v[i + 2 * j + 1] = hn::BitCast(d, hn::InterleaveUpper(pairs, x, y));
    }
  }
  // v[4 i + j] holds, block by block, elements j, 4 + j, 8 + j, 12 + j of lines 4 i ... 4 i + 3.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const Vector low_even = hn::ConcatLowerLower(d, v[8 + j], v[j]);
    const Vector low_odd = hn::ConcatLowerLower(d, v[12 + j], v[4 + j]);
    const Vector high_even = hn::ConcatUpperUpper(d, v[8 + j], v[j]);
    const Vector high_odd = hn::ConcatUpperUpper(d, v[12 + j], v[4 + j]);
    t[j] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(low_odd), low_even);
    t[4 + j] = hn::OddEvenBlocks(low_odd, hn::SwapAdjacentBlocks(low_even));
    t[8 + j] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(high_odd), high_even);
    t[12 + j] = hn::OddEvenBlocks(high_odd, hn::SwapAdjacentBlocks(high_even));
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) v[i] = t[i];
}

// Element (i, j) of a matrix of lines from `from` goes to to[j * to_line + i], for up to 16 lines;
// the elements up to the 16th are zero.
void transpose_lines(const float* from, int64_t line, int64_t lines, int64_t count, float* to,
                     int64_t to_line) {
  const Wide d;
  for (int64_t k = 0; k < count; k += 16) {
    const int64_t width = std::min<int64_t>(16, count - k);
    const auto mask = hn::FirstN(d, static_cast<size_t>(width));
    Vector v[16];
    if (lines == 16 && width == 16) {
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) v[i] = hn::LoadU(d, from + i * line + k);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        v[i] = i < lines ? hn::MaskedLoad(mask, d, from + i * line + k) : hn::Zero(d);
      }
    }
    transpose_block(v);
    if (width == 16) {
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) hn::Store(v[i], d, to + (k + i) * to_line);
    } else {
      for (int i = 0; i < width; ++i) hn::Store(v[i], d, to + (k + i) * to_line);
    }
  }
}

// How wide a strip of `columns` is in memory.
int64_t strip_width(int64_t columns) { return columns > 16 ? kStrip : 16; }

void pack_b(const MatrixView<float>& b, int64_t columns, int64_t depth, float* to) {
  const int64_t size = strip_size(depth);
  if (b.transposed) {
    for (int64_t j = 0; j < columns; j += 16) {
      const int64_t strip = j / kStrip, width = strip_width(columns - strip * kStrip);
      transpose_lines(b.data + j * b.line, b.line, std::min<int64_t>(16, columns - j), depth,
                      to + strip * size + j % kStrip, width);
    }
    return;
  }
  const Wide d;
  const int64_t whole = columns / kStrip * kStrip, width = strip_width(columns - whole);
  const float* from = b.data;
  for (int64_t k = 0; k < depth; ++k, from += b.line) {
    // Lines lie far apart, on different pages: no prefetcher of the machine sees the next one.
    const float* next = from + (k + kNear < depth ? kNear * b.line : 0);
    float* strip = to + k * kStrip;
    for (int64_t j = 0; j < whole; j += kStrip, strip += size) {
      hwy::Prefetch(next + j);
      hwy::Prefetch(next + j + 16);
      const Vector left = hn::LoadU(d, from + j), right = hn::LoadU(d, from + j + 16);
      hn::Store(left, d, strip);
      hn::Store(right, d, strip + 16);
    }
    if (whole < columns) {
      copy_line(from + whole, columns - whole, to + whole / kStrip * size + k * width);
    }
  }
}

// Rows of a as the kernel reads them.
struct Panel {
  const float* data;
  int64_t row, step;
};

// 16 elements from line to line of a transposed matrix, else `row` from row to row.
void copy_rows(const MatrixView<float>& a, int64_t rows, int64_t depth, int64_t row, float* to) {
  if (!a.transposed) {
    for (int64_t i = 0; i < rows; ++i) copy_line(a.data + i * a.line, depth, to + i * row);
    return;
  }
  const Wide d;
  const auto mask = hn::FirstN(d, static_cast<size_t>(rows));
  const float* from = a.data;
  for (int64_t k = 0; k < depth; ++k, from += a.line) {
    hwy::Prefetch(from + (k + kNear < depth ? kNear * a.line : 0));
    hn::Store(hn::MaskedLoad(mask, d, from), d, to + k * 16);
  }
}

Panel panel_of(const MatrixView<float>& a, int64_t rows, int64_t depth, float* scratch) {
  constexpr int64_t kRow = kDepth + 16;
  // 512 floats are half the span of L1's sets: rows so far apart would evict each other.
  if (!a.transposed && a.line % 512 != 0) return {a.data, a.line, 1};
  copy_rows(a, rows, depth, kRow, scratch);
  return a.transposed ? Panel{scratch, 1, 16} : Panel{scratch, kRow, 1};
}

Fetch fetch_rows(const MatrixView<float>& a, int64_t rows) {
  // Rows of a transposed panel are part of a line of the cache, whose start the one before it read.
  if (a.transposed) return {a.data + rows - 1, a.line, a.line};
  return {a.data, a.line, 16 - 15 * a.line};
}

// One line that is there anyway.
Fetch fetch_nothing(const float* line) { return {line, 0, 0}; }

void store_transposed(const float* from, int64_t line, int64_t rows, int64_t columns, float* to,
                      int64_t to_line) {
  const Wide d;
  for (int64_t i = 0; i < rows; i += 16) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(std::min<int64_t>(16, rows - i)));
    for (int64_t j = 0; j < columns; j += 16) {
      Vector v[16];
#pragma GCC unroll 16
      for (int64_t k = 0; k < 16; ++k) {
        v[k] = i + k < rows ? hn::LoadU(d, from + (i + k) * line + j) : hn::Zero(d);
      }
      transpose_block(v);
      const int64_t lines = std::min<int64_t>(16, columns - j);
      for (int64_t k = 0; k < lines; ++k) {
        hn::BlendedStore(v[k], mask, d, to + (j + k) * to_line + i);
      }
    }
  }
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// An axis in nearly equal parts of at most `most`.
struct Parts {
  int64_t length, count;

  Parts(int64_t length, int64_t most) : length(length), count(ceil_div(length, most)) {}
  int64_t begin(int64_t part) const { return part * length / count; }
  int64_t size(int64_t part) const { return begin(part + 1) - begin(part); }
};

// A product, piece by piece of the inner axis, block by block of rows, strip by strip.
class Tile {
 public:
  Tile(const PackedProduct& p, float* scratch)
      : p_(p),
        blocks_(p.rows, kHeight),
        pieces_(ceil_div(p.inner, most_depth(p))),
        depth_(ceil_div(p.inner, pieces_)),
        strips_(ceil_div(p.columns, kStrip)),
        placed_(columns_in_place(p)),
        panels_(scratch),
        packed_(scratch + 2 * kPanel) {}

  static size_t scratch_floats(const PackedProduct& p) {
    const int64_t packed = ceil_div(p.columns - columns_in_place(p), kStrip);
    return static_cast<size_t>(2 * kPanel + packed * strip_size(std::min(p.inner, kDepth)));
  }

  void multiply() const {
    for (int64_t piece = 0; piece < pieces_; ++piece) {
      pack_b(p_.b.at(piece * depth_, placed_), p_.columns - placed_, depth_at(piece), packed_);
      for (int64_t i = 0; i < blocks_.count; ++i) multiply_rows_of(piece, i);
    }
  }

 private:
  // What is copied ahead shares L1 with what is read.
  static int64_t most_depth(const PackedProduct& p) { return p.a.transposed ? kDepth / 2 : kDepth; }
  // The last piece is the shortest: no block copies more lines than it has steps.
  int64_t depth_at(int64_t piece) const { return std::min(depth_, p_.inner - piece * depth_); }

  // Columns of b that are read in place: whole strips.
  static int64_t columns_in_place(const PackedProduct& p) {
    return p.b.transposed ? 0 : p.columns / kStrip * kStrip;
  }

  void multiply_rows_of(int64_t piece, int64_t i) const {
    const int64_t number = piece * blocks_.count + i;
    const Rows rows = rows_at(number);
    const bool is_copied = p_.a.transposed && number > 0;
    const Panel panel = is_copied ? Panel{panel_at(number), 1, 16}
                                  : panel_of(rows.a, rows.count, rows.depth, panel_at(number));
    for (int64_t j = 0; j < strips_; ++j) {
      const int64_t column = j * kStrip, columns = std::min(kStrip, p_.columns - column);
      const bool is_placed = column < placed_;
      const float* strip = packed_ + (column - placed_) / kStrip * strip_size(rows.depth);
      const int64_t b_step = is_placed ? p_.b.line : strip_width(columns);
      // What lies in place comes from afar when it is read for the first time.
      const int64_t ahead = i == 0 && is_placed ? kFar : kNear;
      multiply_rows(rows.count, {.columns = columns,
                                 .depth = rows.depth,
                                 .a = panel.data,
                                 .a_row = panel.row,
                                 .a_step = panel.step,
                                 .b = is_placed ? p_.b.at(piece * depth_, column).data : strip,
                                 .b_step = b_step,
                                 .b_ahead = ahead * b_step,
                                 .c = p_.c + blocks_.begin(i) * p_.c_line + column,
                                 .c_line = p_.c_line,
                                 .accumulate = piece > 0,
                                 .fetch = fetch(piece, i, j, panel.data),
                                 .copy = p_.a.transposed ? copy(number, j) : Copy{}});
    }
  }

  // A block of rows in a piece of the inner axis, by its number in the order in which they are
  // multiplied; empty behind the last.
  struct Rows {
    MatrixView<float> a;
    int64_t count, depth;
  };
  Rows rows_at(int64_t number) const {
    const int64_t piece = number / blocks_.count, i = number % blocks_.count;
    if (piece >= pieces_) return {{}, 0, 0};
    return {p_.a.at(blocks_.begin(i), piece * depth_), blocks_.size(i), depth_at(piece)};
  }
  float* panel_at(int64_t number) const { return panels_ + number % 2 * kPanel; }

  // What one strip fetches: the first those of the next rows of a, the others the next piece of b.
  Fetch fetch(int64_t piece, int64_t i, int64_t strip, const float* nothing) const {
    if (!p_.a.transposed && strip == 0 && i + 1 < blocks_.count) {
      return fetch_rows(p_.a.at(blocks_.begin(i + 1), piece * depth_), blocks_.size(i + 1));
    }
    if (placed_ > 0 && piece + 1 < pieces_) {
      const int64_t line = (i * strips_ + strip) * (depth_ / 16);
      const auto b = p_.b.at((piece + 1) * depth_ + line, 0);
      if (line < depth_at(piece + 1)) return {b.data, 16, b.line - 15 * 16};
    }
    return fetch_nothing(nothing);
  }

  // The share of one strip in copying the rows that come next.
  Copy copy(int64_t number, int64_t strip) const {
    const Rows next = rows_at(number + 1), second = rows_at(number + 2);
    if (next.count == 0) return {};
    const int64_t share = ceil_div(next.depth, strips_), first = strip * share;
    const float* from = next.a.at(0, first).data;
    const float* ahead = strip + 1 < strips_ ? next.a.at(0, first + share).data
                         : second.count > 0  ? second.a.data
                                             : from;
    const int64_t lines = std::clamp<int64_t>(next.depth - first, 0, share);
    return {from, ahead, next.a.line, next.count, lines, panel_at(number + 1) + first * 16};
  }

  const PackedProduct& p_;
  const Parts blocks_;
  const int64_t pieces_, depth_, strips_, placed_;
  float* const panels_;  // of two blocks of rows: one that is read, one that is written
  float* const packed_;  // columns of b
};

void multiply(const PackedProduct& p, float* scratch) { Tile(p, scratch).multiply(); }

// Packed by all for all: panels of up to 14 rows of a, and b's strips, piece by piece.
struct Shared {
  Parts blocks, pieces;
  int64_t strips, row, panel, strip;

  explicit Shared(const PackedProduct& p)
      : blocks(p.rows, kHeight), pieces(p.inner, kDepth), strips(ceil_div(p.columns, kStrip)) {
    const int64_t depth = ceil_div(p.inner, pieces.count);
    row = ceil_div(depth, 16) * 16 + 16;
    panel = (p.a.transposed ? depth * 16 : kHeight * row) + 16;
    strip = strip_size(depth);
  }
  int64_t a_size() const { return pieces.count * blocks.count * panel; }
  int64_t a_at(int64_t piece, int64_t block) const {
    return (piece * blocks.count + block) * panel;
  }
  int64_t b_at(int64_t piece, int64_t j) const { return a_size() + (piece * strips + j) * strip; }
};

PackedSizes shared_sizes(const PackedProduct& p) {
  const Shared s(p);
  return {s.blocks.count, s.strips, s.pieces.count,
          static_cast<size_t>(s.a_size() + s.pieces.count * s.strips * s.strip)};
}

void pack_shared_a(const PackedProduct& p, int64_t piece, int64_t block, float* shared) {
  const Shared s(p);
  copy_rows(p.a.at(s.blocks.begin(block), s.pieces.begin(piece)), s.blocks.size(block),
            s.pieces.size(piece), s.row, shared + s.a_at(piece, block));
}

void pack_shared_b(const PackedProduct& p, int64_t piece, int64_t strip, float* shared) {
  const Shared s(p);
  pack_b(p.b.at(s.pieces.begin(piece), strip * kStrip),
         std::min(kStrip, p.columns - strip * kStrip), s.pieces.size(piece),
         shared + s.b_at(piece, strip));
}

void multiply_shared(const PackedProduct& p, const PackedRange& range, const float* shared) {
  const Shared s(p);
  for (int64_t piece = 0; piece < s.pieces.count; ++piece) {
    for (int64_t i = range.first_block; i < range.end_block; ++i) {
      const float* a = shared + s.a_at(piece, i);
      const MatrixView<float> next = {a + s.panel, p.a.transposed ? 16 : s.row, p.a.transposed};
      for (int64_t j = range.first_strip; j < range.end_strip; ++j) {
        const int64_t columns = std::min(kStrip, p.columns - j * kStrip);
        // The tile's strips of b come from afar when they are read for the first time.
        const int64_t ahead = i == range.first_block ? kFar : kNear;
        multiply_rows(s.blocks.size(i),
                      {.columns = columns,
                       .depth = s.pieces.size(piece),
                       .a = a,
                       .a_row = p.a.transposed ? 1 : s.row,
                       .a_step = p.a.transposed ? 16 : 1,
                       .b = shared + s.b_at(piece, j),
                       .b_step = strip_width(columns),
                       .b_ahead = ahead * strip_width(columns),
                       .c = p.c + s.blocks.begin(i) * p.c_line + j * kStrip,
                       .c_line = p.c_line,
                       .accumulate = piece > 0,
                       .fetch = i + 1 < range.end_block ? fetch_rows(next, 1) : fetch_nothing(a)});
      }
    }
  }
}

const PackedKernels* kernels() {
  static constexpr PackedKernels kKernels = {Tile::scratch_floats, multiply,      store_transposed,
                                             shared_sizes,         pack_shared_a, pack_shared_b,
                                             multiply_shared};
  return &kKernels;
}
#else
const PackedKernels* kernels() { return nullptr; }
#endif

}  // namespace
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace mica {
namespace {

HWY_EXPORT(kernels);

}  // namespace

const PackedKernels* packed_kernels() {
  static const PackedKernels* best = HWY_DYNAMIC_DISPATCH(kernels)();
  return best;
}

}  // namespace mica

#endif  // HWY_ONCE
