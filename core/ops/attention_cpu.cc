// Attention by tiles of queries and keys (Dao et al. 2022, Milakov & Gimelshein 2018): products of
// a tile come from the matrix library, and only the tile's own rows of softmax are ever there.

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/cpu/gemm.h"
#include "core/cpu/install.h"
#include "core/cpu/library_threads.h"
#include "core/ops/attention_op.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/attention_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#ifndef MICA_ATTENTION_TILE
#define MICA_ATTENTION_TILE
namespace mica {

// The rows of one tile, queries by keys.
template <class T>
struct AttentionTile {
  int64_t rows = 0;
  int64_t keys = 0;
  int64_t width = 0;  // of a row of `out`
  // Keys from `visible` + row on are not seen by a row; kAllKeys where all are.
  int64_t visible = 0;
  T* scores = nullptr;  // (rows, keys), turned into probabilities (unnormalised in the value)
  T* best = nullptr;    // value, per row: the maximum so far
  T* total = nullptr;   // value, per row: the sum of exp(score - maximum) so far
  T* out = nullptr;     // value, (rows, width): scaled down as the maximum grows
  T* slopes = nullptr;  // gradient, (rows, keys): cotangents of probabilities, then of scores
  const T* log_sum = nullptr;  // gradient, per row
  const T* delta = nullptr;    // gradient, per row: the cotangents' mean under the probabilities
};
constexpr int64_t kAllKeys = int64_t{1} << 60;

}  // namespace mica
#endif  // MICA_ATTENTION_TILE

HWY_BEFORE_NAMESPACE();
namespace mica {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#include "core/cpu/partial_lanes.inc"

// After what it uses.
#include "core/ops/softmax_rows.inc"

// The first key that a row does not see.
template <class T>
int64_t seen_keys(const AttentionTile<T>& tile, int64_t row) {
  return std::clamp<int64_t>(tile.visible + row, 0, tile.keys);
}

template <class T>
void value_rows(const AttentionTile<T>& tile) {
  for (int64_t row = 0; row < tile.rows; ++row) {
    T* scores = tile.scores + row * tile.keys;
    const int64_t seen = seen_keys(tile, row);
    std::fill(scores + seen, scores + tile.keys, T(0));
    if (seen == 0) continue;
    const T here = row_max(scores, seen);
    if (here > tile.best[row]) {
      const T factor = std::exp(tile.best[row] - here);
      tile.total[row] *= factor;
      T* out = tile.out + row * tile.width;
      for (int64_t i = 0; i < tile.width; ++i) out[i] *= factor;
      tile.best[row] = here;
    }
    tile.total[row] += row_exp(scores, tile.best[row], scores, seen);
  }
}

template <class T>
void gradient_rows(const AttentionTile<T>& tile) {
  const hn::ScalableTag<T> d;
  for (int64_t row = 0; row < tile.rows; ++row) {
    T* scores = tile.scores + row * tile.keys;
    T* slopes = tile.slopes + row * tile.keys;
    const int64_t seen = seen_keys(tile, row);
    std::fill(scores + seen, scores + tile.keys, T(0));
    std::fill(slopes + seen, slopes + tile.keys, T(0));
    const auto log_sum = hn::Set(d, tile.log_sum[row]), delta = hn::Set(d, tile.delta[row]);
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    along_row(scores, seen, T(0), [&](auto score, int, int64_t i) HWY_ATTR {
      const auto p = exp_of_negative(d, hn::Sub(score, log_sum));
      if (seen - i >= lanes) {
        hn::StoreU(p, d, scores + i);
        hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, slopes + i), delta)), d, slopes + i);
      } else {
        const auto slope = load_first(d, slopes + i, seen - i, T(0));
        store_first(d, p, scores + i, seen - i);
        store_first(d, hn::Mul(p, hn::Sub(slope, delta)), slopes + i, seen - i);
      }
    });
  }
}

void value_rows_float(const AttentionTile<float>& tile) { value_rows(tile); }
void value_rows_double(const AttentionTile<double>& tile) { value_rows(tile); }
void gradient_rows_float(const AttentionTile<float>& tile) { gradient_rows(tile); }
void gradient_rows_double(const AttentionTile<double>& tile) { gradient_rows(tile); }

}  // namespace HWY_NAMESPACE
}  // namespace mica
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(value_rows_float);
HWY_EXPORT(value_rows_double);
HWY_EXPORT(gradient_rows_float);
HWY_EXPORT(gradient_rows_double);

void run_tile(const AttentionTile<float>& tile) {
  if (tile.slopes == nullptr)
    HWY_DYNAMIC_DISPATCH(value_rows_float)(tile);
  else
    HWY_DYNAMIC_DISPATCH(gradient_rows_float)(tile);
}
void run_tile(const AttentionTile<double>& tile) {
  if (tile.slopes == nullptr)
    HWY_DYNAMIC_DISPATCH(value_rows_double)(tile);
  else
    HWY_DYNAMIC_DISPATCH(gradient_rows_double)(tile);
}

constexpr int64_t kQueries = 128;  // in a tile
constexpr int64_t kKeys = 256;

struct Sizes {
  int64_t heads = 1, queries, keys, depth, width;
  double scale;
  bool causal;

  Sizes(Inputs in, double factor, bool masked)
      : queries(in[0].shape.end()[-2]),
        keys(in[1].shape.end()[-2]),
        depth(in[0].shape.back()),
        width(in[2].shape.back()),
        scale(factor),
        causal(masked) {
    for (size_t i = 0; i + 2 < in[0].shape.size(); ++i) heads *= in[0].shape[i];
  }
  // Keys that some query before `end` sees.
  int64_t keys_before(int64_t end) const { return causal ? std::min(keys, end) : keys; }
  int64_t visible(int64_t query, int64_t key) const { return causal ? query - key + 1 : kAllKeys; }
};

// Memory of a task: `take` gives out parts of one buffer, one after the other.
template <class T>
class Room {
 public:
  explicit Room(int64_t count)
      : buffer_(Buffer::allocate(static_cast<size_t>(count) * sizeof(T) + 1)),
        next_(reinterpret_cast<T*>(buffer_.data())) {}
  T* take(int64_t count) {
    T* taken = next_;
    next_ += count;
    return taken;
  }

 private:
  Buffer buffer_;
  T* next_;
};

template <class T>
void scaled_copy(const T* from, int64_t count, T factor, T* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = from[i] * factor;
}

// One tile of queries against all keys.
template <class T>
void value_of_queries(const Sizes& s, int64_t begin, int64_t end, const T* q, const T* k,
                      const T* v, T* out, T* log_sum) {
  const int64_t rows = end - begin;
  Room<T> room(kQueries * (s.depth + kKeys + 2));
  T* scaled = room.take(kQueries * s.depth);
  AttentionTile<T> tile;
  tile.rows = rows, tile.width = s.width, tile.out = out + begin * s.width;
  tile.scores = room.take(kQueries * kKeys);
  tile.best = room.take(kQueries), tile.total = room.take(kQueries);
  scaled_copy(q + begin * s.depth, rows * s.depth, static_cast<T>(s.scale), scaled);
  std::fill_n(tile.best, rows, -std::numeric_limits<T>::infinity());
  std::fill_n(tile.total, rows, T(0));
  std::fill_n(tile.out, rows * s.width, T(0));
  for (int64_t key = 0; key < s.keys_before(end); key += kKeys) {
    tile.keys = std::min(kKeys, s.keys_before(end) - key);
    tile.visible = s.visible(begin, key);
    gemm_serial<T>(rows, tile.keys, s.depth, {scaled, s.depth}, {k + key * s.depth, s.depth, true},
                   tile.scores, tile.keys);
    run_tile(tile);
    gemm_serial<T>(rows, s.width, tile.keys, {tile.scores, tile.keys}, {v + key * s.width, s.width},
                   tile.out, s.width, true);
  }
  for (int64_t row = 0; row < rows; ++row) {
    const T share = s.keys == 0 ? T(0) : T(1) / tile.total[row];
    for (int64_t i = 0; i < s.width; ++i) tile.out[row * s.width + i] *= share;
    log_sum[begin + row] = tile.best[row] + std::log(tile.total[row]);
  }
}

template <class T>
void run_value(const Sizes& s, Inputs in, Outputs out) {
  const int64_t tiles = (s.queries + kQueries - 1) / kQueries;
  parallel_for(s.heads * tiles, 1, [&](int64_t begin, int64_t end) {
    use_one_library_thread();
    for (int64_t task = begin; task < end; ++task) {
      const int64_t head = task / tiles, first = task % tiles * kQueries;
      value_of_queries<T>(
          s, first, std::min(first + kQueries, s.queries),
          in[0].as<T>() + head * s.queries * s.depth, in[1].as<T>() + head * s.keys * s.depth,
          in[2].as<T>() + head * s.keys * s.width, out[0].as<T>() + head * s.queries * s.width,
          out[1].as<T>() + head * s.queries);
    }
  });
}

// One head's arrays, and what its gradient is made of.
template <class T>
struct Head {
  const T *q, *k, *v, *g, *out, *log_sum;
  T *dq, *dk, *dv;
};

template <class T>
class HeadGradient {
 public:
  HeadGradient(const Sizes& s, const Head<T>& head)
      : s_(s),
        head_(head),
        room_(s.queries * (s.depth + 1) + 2 * kQueries * kKeys),
        scaled_(room_.take(s.queries * s.depth)),
        delta_(room_.take(s.queries)),
        scores_(room_.take(kQueries * kKeys)),
        slopes_(room_.take(kQueries * kKeys)) {
    scaled_copy(head.q, s.queries * s.depth, static_cast<T>(s.scale), scaled_);
    for (int64_t row = 0; row < s.queries; ++row) {
      T dot = 0;
      for (int64_t i = row * s.width; i < (row + 1) * s.width; ++i) dot += head.g[i] * head.out[i];
      delta_[row] = dot;
    }
  }

  // Sets the gradients of keys [begin, end), given as whole tiles; adds to those of all queries
  // where `with_queries`.
  void of_keys(int64_t begin, int64_t end, bool with_queries) {
    std::fill(head_.dk + begin * s_.depth, head_.dk + end * s_.depth, T(0));
    std::fill(head_.dv + begin * s_.width, head_.dv + end * s_.width, T(0));
    if (with_queries) std::fill_n(head_.dq, s_.queries * s_.depth, T(0));
    for (int64_t key = begin; key < end; key += kKeys) {
      for (int64_t query = first_query(key); query < s_.queries; query += kQueries) {
        const AttentionTile<T> tile = tile_at(query, key);
        // dv += P^T g, dk += dS^T (scale q).
        gemm_serial<T>(tile.keys, s_.width, tile.rows, {tile.scores, tile.keys, true},
                       {head_.g + query * s_.width, s_.width}, head_.dv + key * s_.width, s_.width,
                       true);
        gemm_serial<T>(tile.keys, s_.depth, tile.rows, {tile.slopes, tile.keys, true},
                       {scaled_ + query * s_.depth, s_.depth}, head_.dk + key * s_.depth, s_.depth,
                       true);
        if (with_queries) add_to_queries(tile, query, key);
      }
    }
    if (with_queries) scale_queries(0, s_.queries);
  }

  // Sets the gradients of one tile of queries.
  void of_queries(int64_t begin, int64_t end) {
    std::fill(head_.dq + begin * s_.depth, head_.dq + end * s_.depth, T(0));
    for (int64_t key = 0; key < s_.keys_before(end); key += kKeys) {
      add_to_queries(tile_at(begin, key), begin, key);
    }
    scale_queries(begin, end);
  }

 private:
  // The first tile of queries of which some see the keys from `key` on.
  int64_t first_query(int64_t key) const { return s_.causal ? key / kQueries * kQueries : 0; }

  // Probabilities, and the cotangents of scores.
  AttentionTile<T> tile_at(int64_t query, int64_t key) {
    AttentionTile<T> tile;
    tile.rows = std::min(kQueries, s_.queries - query);
    tile.keys = std::min(kKeys, s_.keys - key);
    tile.visible = s_.visible(query, key);
    tile.scores = scores_, tile.slopes = slopes_;
    tile.log_sum = head_.log_sum + query, tile.delta = delta_ + query;
    gemm_serial<T>(tile.rows, tile.keys, s_.depth, {scaled_ + query * s_.depth, s_.depth},
                   {head_.k + key * s_.depth, s_.depth, true}, tile.scores, tile.keys);
    gemm_serial<T>(tile.rows, tile.keys, s_.width, {head_.g + query * s_.width, s_.width},
                   {head_.v + key * s_.width, s_.width, true}, tile.slopes, tile.keys);
    run_tile(tile);
    return tile;
  }

  void scale_queries(int64_t begin, int64_t end) {
    T* dq = head_.dq + begin * s_.depth;
    scaled_copy(dq, (end - begin) * s_.depth, static_cast<T>(s_.scale), dq);
  }

  void add_to_queries(const AttentionTile<T>& tile, int64_t query, int64_t key) {
    gemm_serial<T>(tile.rows, s_.depth, tile.keys, {tile.slopes, tile.keys},
                   {head_.k + key * s_.depth, s_.depth}, head_.dq + query * s_.depth, s_.depth,
                   true);
  }

  const Sizes& s_;
  Head<T> head_;
  Room<T> room_;
  T *scaled_, *delta_, *scores_, *slopes_;
};

template <class T>
void run_gradient(const Sizes& s, Inputs in, Outputs out) {
  const int64_t queries = s.queries, keys = s.keys;
  const auto head_at = [&](int64_t h) {
    return Head<T>{in[0].as<T>() + h * queries * s.depth,  in[1].as<T>() + h * keys * s.depth,
                   in[2].as<T>() + h * keys * s.width,     in[3].as<T>() + h * queries * s.width,
                   in[4].as<T>() + h * queries * s.width,  in[5].as<T>() + h * queries,
                   out[0].as<T>() + h * queries * s.depth, out[1].as<T>() + h * keys * s.depth,
                   out[2].as<T>() + h * keys * s.width};
  };
  const auto for_each_task = [](int64_t count, auto&& task) {
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      use_one_library_thread();
      for (int64_t i = begin; i < end; ++i) task(i);
    });
  };
  constexpr int64_t kEnoughHeads = 16;
  if (s.heads >= kEnoughHeads) {
    for_each_task(s.heads,
                  [&](int64_t h) { HeadGradient<T>(s, head_at(h)).of_keys(0, keys, true); });
    return;
  }
  // Few heads are cut into tiles, which are computed once for the keys and once for the queries.
  const int64_t key_tiles = (keys + kKeys - 1) / kKeys;
  for_each_task(s.heads * key_tiles, [&](int64_t task) {
    const int64_t key = task % key_tiles * kKeys;
    HeadGradient<T>(s, head_at(task / key_tiles)).of_keys(key, std::min(key + kKeys, keys), false);
  });
  const int64_t query_tiles = (queries + kQueries - 1) / kQueries;
  for_each_task(s.heads * query_tiles, [&](int64_t task) {
    const int64_t query = task % query_tiles * kQueries;
    HeadGradient<T>(s, head_at(task / query_tiles))
        .of_queries(query, std::min(query + kQueries, queries));
  });
}

void run_attention(const Attention& op, Inputs in, Outputs out) {
  const Sizes s(in, op.scale, op.causal);
  out[0].dtype == float64 ? run_value<double>(s, in, out) : run_value<float>(s, in, out);
}

void run_attention_gradient(const AttentionGradient& op, Inputs in, Outputs out) {
  const Sizes s(in, op.scale, op.causal);
  out[0].dtype == float64 ? run_gradient<double>(s, in, out) : run_gradient<float>(s, in, out);
}

}  // namespace

void install_attention(KernelTable& table) {
  table.add<Attention>(run_attention, InputLayout::kContiguous);
  table.add<AttentionGradient>(run_attention_gradient, InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
