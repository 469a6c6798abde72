#include "core/cpu/gemm_packed.h"

#include <algorithm>
#include <utility>

#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// An axis in nearly equal parts of at most `most`, which begin at multiples of `unit`.
struct Parts {
  int64_t length, unit, count;

  Parts(int64_t length, int64_t unit, int64_t most)
      : length(length), unit(unit), count(ceil_div(length, std::max(most, unit))) {}
  int64_t begin(int64_t part) const {
    return std::min(length, part * ceil_div(length, unit) / count * unit);
  }
  int64_t size(int64_t part) const { return begin(part + 1) - begin(part); }
};

constexpr int64_t kFewRows = 64;
constexpr double kManyFlops = 3e9;

enum class Way { kLibrary, kTiles, kShared };

// Where a library's tiles are as fast, they are taken: it reads operands in place where that pays.
Way way_of(int64_t rows, int64_t columns, int64_t inner, const MatrixView<float>& a,
           const MatrixView<float>& b) {
  constexpr int64_t kThin = 32, kLarge = 512, kMostShared = int64_t{32} << 20;
  const double flops = 2.0 * double(rows) * double(columns) * double(inner);
  // Packing takes as long as a few hundred multiplications, and memory.
  const bool shares = std::min({rows, columns, inner}) >= kLarge && flops >= kManyFlops;
  if (shares && (rows + columns) * inner <= kMostShared) return Way::kShared;
  if (rows == 1 || columns == 1) return Way::kLibrary;
  if (rows <= kFewRows || inner <= kThin) return Way::kTiles;
  if (b.transposed) {
    // Long columns, and those a multiple of 2 KiB apart, which evict each other, cost the library
    // more than they cost to be packed, which pays as well where few tiles share them.
    const bool slow = b.line % 512 == 0 || inner >= kLarge || rows <= kLarge;
    return slow || a.transposed ? Way::kTiles : Way::kLibrary;
  }
  // Long lines of b are read in place; the library copies them.
  const bool wide = columns > kLarge && inner >= 384 && flops >= 1e8 && flops < kManyFlops;
  // Long columns of a are copied on the way; the library packs them first.
  const bool tall = a.transposed && inner >= 256 && flops >= 3e8;
  const bool slow = a.line % 512 == 0 || inner >= 1024;
  return (wide && !a.transposed) || (tall && slow) ? Way::kTiles : Way::kLibrary;
}

// What is packed for a tile serves the tile alone: tiles are as large as L2 and an even division
// among cores allow, and tall where their columns are transposed.
GemmTile tile_of(const PackedProduct& p) {
  GemmTile tile = {std::min<int64_t>(p.rows, p.b.transposed ? 256 : 128),
                   std::min<int64_t>(p.columns, p.b.transposed ? 128 : 256)};
  const double flops = 2.0 * double(p.rows) * double(p.columns) * double(p.inner);
  const auto wanted = static_cast<int64_t>(
      std::clamp(flops / (12 * kTaskFlops), std::min(flops / (2 * kTaskFlops), 4.0), 8.0));
  while (ceil_div(p.rows, tile.rows) * ceil_div(p.columns, tile.columns) < wanted) {
    int64_t& side = tile.rows >= tile.columns ? tile.rows : tile.columns;
    if (side <= 32) break;
    side = ceil_div(side, 2);
  }
  return tile;
}

void multiply(const PackedKernels& kernels, const PackedProduct& tile) {
  const Buffer scratch = Buffer::allocate(kernels.scratch_floats(tile) * sizeof(float));
  kernels.multiply(tile, reinterpret_cast<float*>(scratch.data()));
}

// Element (i, j) of the product becomes element (j, i) of the result.
void multiply_transposed(const PackedKernels& kernels, PackedProduct tile, float* c,
                         int64_t c_line) {
  const int64_t line = ceil_div(tile.columns, 16) * 16;
  const Buffer memory = Buffer::allocate(static_cast<size_t>(tile.rows * line) * sizeof(float));
  tile.c = reinterpret_cast<float*>(memory.data());
  tile.c_line = line;
  multiply(kernels, tile);
  kernels.store_transposed(tile.c, line, tile.rows, tile.columns, c, c_line);
}

// Packs both operands once, then multiplies tile by tile.
void multiply_shared(const PackedKernels& kernels, const PackedProduct& p) {
  const PackedSizes sizes = kernels.shared_sizes(p);
  const Buffer memory = Buffer::allocate(sizes.floats * sizeof(float));
  float* shared = reinterpret_cast<float*>(memory.data());
  // Strips first, which take longer.
  constexpr int64_t kTogether = 4;
  const int64_t strips = sizes.strips * sizes.pieces, blocks = sizes.blocks * sizes.pieces;
  parallel_for(strips + blocks, kTogether, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (i < strips) {
        kernels.pack_shared_b(p, i / sizes.strips, i % sizes.strips, shared);
      } else {
        kernels.pack_shared_a(p, (i - strips) / sizes.blocks, (i - strips) % sizes.blocks, shared);
      }
    }
  });
  // The strips of a tile stay in L2 while its blocks of rows pass by.
  constexpr int64_t kBlocks = 10, kStrips = 8;
  const Parts down(sizes.blocks, 1, kBlocks), across(sizes.strips, 1, kStrips);
  parallel_for(down.count * across.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i % down.count, column = i / down.count;
      kernels.multiply_shared(
          p, {down.begin(row), down.begin(row + 1), across.begin(column), across.begin(column + 1)},
          shared);
    }
  });
}

}  // namespace

bool gemm_packed(int64_t rows, int64_t columns, int64_t inner, MatrixView<float> a,
                 MatrixView<float> b, float* c, int64_t c_line) {
  const PackedKernels* kernels = packed_kernels();
  if (kernels == nullptr || inner == 0) return false;
  const Way way = way_of(rows, columns, inner, a, b);
  if (way == Way::kLibrary) return false;
  if (way == Way::kShared) {
    multiply_shared(*kernels, {rows, columns, inner, a, b, c, c_line});
    return true;
  }
  // Few rows times the transpose of many: transposing the many costs more than the few and the
  // result.
  const bool swapped = rows <= kFewRows && b.transposed && columns > rows;
  if (swapped) {
    std::swap(a, b);
    std::swap(rows, columns);
    a.transposed = !a.transposed;
    b.transposed = !b.transposed;
  }
  const PackedProduct p = {rows, columns, inner, a, b, c, c_line};
  const GemmTile tile = tile_of(p);
  const Parts down(rows, 1, tile.rows), across(columns, 32, tile.columns);
  // Neighbours share the columns of b.
  parallel_for(down.count * across.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = down.begin(i % down.count), column = across.begin(i / down.count);
      PackedProduct part = {down.size(i % down.count),
                            across.size(i / down.count),
                            inner,
                            a.at(row, 0),
                            b.at(0, column),
                            nullptr,
                            c_line};
      if (swapped) {
        multiply_transposed(*kernels, part, c + column * c_line + row, c_line);
      } else {
        part.c = c + row * c_line + column;
        multiply(*kernels, part);
      }
    }
  });
  return true;
}

}  // namespace mica
