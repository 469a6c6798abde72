#include "core/cpu/gemm_bf16.h"

#ifndef MICA_WITH_DNNL

namespace mica {

bool gemm_bf16(int64_t, int64_t, int64_t, MatrixView<bfloat16_t>, MatrixView<bfloat16_t>,
               bfloat16_t*, int64_t) {
  return false;
}

}  // namespace mica

#else

#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/base/fields.h"
#include "core/cpu/library_threads.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

using dnnl::memory;

// One tile's product. The strides belong to the primitive.
struct Key {
  int64_t rows, columns, inner, a_line, b_line, c_line;
  bool a_transposed, b_transposed;
  FIELDS(Key, rows, columns, inner, a_line, b_line, c_line, a_transposed, b_transposed)
  friend bool operator==(const Key&, const Key&) = default;
};
struct KeyHash {
  size_t operator()(const Key& key) const { return hash_fields(key); }
};

struct Product {
  dnnl::matmul primitive;
  memory::desc a, b, c, scratchpad;
};

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

bool has_instructions() {
  static const bool has = [] {
    const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
    const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
    return (isa & wanted) == wanted;
  }();
  return has;
}

memory::desc matrix(int64_t rows, int64_t columns, int64_t line, bool transposed) {
  const memory::dims strides = {transposed ? 1 : line, transposed ? line : 1};
  return memory::desc({rows, columns}, memory::data_type::bf16, strides);
}

// Null where oneDNN has no implementation.
std::shared_ptr<const Product> create(const Key& key) {
  use_one_library_thread();
  auto made = std::make_shared<Product>();
  made->a = matrix(key.rows, key.inner, key.a_line, key.a_transposed);
  made->b = matrix(key.inner, key.columns, key.b_line, key.b_transposed);
  made->c = matrix(key.rows, key.columns, key.c_line, false);
  dnnl::primitive_attr attributes;
  // Tiles run at once: each call brings its own scratchpad.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  try {
    const dnnl::matmul::primitive_desc description({made->a, made->b, made->c}, attributes,
                                                   cpu_engine());
    made->scratchpad = description.scratchpad_desc();
    made->primitive = dnnl::matmul(description);
  } catch (const dnnl::error&) {
    return nullptr;
  }
  return made;
}

std::shared_ptr<const Product> find(const Key& key) {
  constexpr size_t kMostPrimitives = 512;
  static std::mutex mutex;
  static auto& cache =
      *std::make_unique<std::unordered_map<Key, std::shared_ptr<const Product>, KeyHash> >()
           .release();
  const std::lock_guard lock(mutex);
  if (const auto found = cache.find(key); found != cache.end()) return found->second;
  if (cache.size() >= kMostPrimitives) cache.clear();
  return cache.emplace(key, create(key)).first->second;
}

// REQUIRES: dnnl only reads through `data` where it is const.
memory memory_at(const memory::desc& desc, const void* data) {
  return memory(desc, cpu_engine(), const_cast<void*>(data));
}

void execute(const Product& product, const void* a, const void* b, void* c) {
  use_one_library_thread();
  thread_local dnnl::stream stream(cpu_engine());
  const Buffer scratch = Buffer::allocate(product.scratchpad.get_size() + 1);
  product.primitive.execute(stream,
                            {{DNNL_ARG_SRC, memory_at(product.a, a)},
                             {DNNL_ARG_WEIGHTS, memory_at(product.b, b)},
                             {DNNL_ARG_DST, memory_at(product.c, c)},
                             {DNNL_ARG_SCRATCHPAD, memory_at(product.scratchpad, scratch.data())}});
}

}  // namespace

bool gemm_bf16(int64_t rows, int64_t columns, int64_t inner, MatrixView<bfloat16_t> a,
               MatrixView<bfloat16_t> b, bfloat16_t* c, int64_t c_line) {
  const double flops = 2.0 * double(rows) * double(columns) * double(inner);
  // Long sums of small products want to be cut along the inner axis, which gemm does.
  const bool thin = rows < 16 || columns < 16 || (inner > 2048 && rows * columns < 128 * 128);
  if (!has_instructions() || thin || flops < 1e6) return false;
  const double parts = std::min(flops / (2 * kTaskFlops), flops < 4e9 ? 16.0 : 256.0);
  const GemmTile tile = gemm_tile(rows, columns, static_cast<int64_t>(parts));
  const int64_t across = (columns + tile.columns - 1) / tile.columns;
  const int64_t down = (rows + tile.rows - 1) / tile.rows;
  // Tiles differ only at the right and at the bottom.
  const auto tile_at = [&](int64_t row, int64_t column) {
    return find({std::min(tile.rows, rows - row), std::min(tile.columns, columns - column), inner,
                 a.line, b.line, c_line, a.transposed, b.transposed});
  };
  const int64_t last_row = (down - 1) * tile.rows, last_column = (across - 1) * tile.columns;
  const std::shared_ptr<const Product> products[2][2] = {
      {tile_at(0, 0), tile_at(0, last_column)},
      {tile_at(last_row, 0), tile_at(last_row, last_column)}};
  for (const auto& pair : products) {
    if (pair[0] == nullptr || pair[1] == nullptr) return false;
  }
  parallel_for(down * across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / across * tile.rows, column = i % across * tile.columns;
      execute(*products[row == last_row][column == last_column], a.at(row, 0).data,
              b.at(0, column).data, c + row * c_line + column);
    }
  });
  return true;
}

}  // namespace mica

#endif  // MICA_WITH_DNNL
