// Layer norm and RMS norm: a row stays in the first-level cache for all passes over it. Gradients
// of weight and bias are summed by chunks of rows, which are combined in their order.

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/cpu/floating.h"
#include "core/cpu/install.h"
#include "core/ops/norm_op.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/row_norm_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

#ifndef MICA_ROW_NORM_CHUNK
#define MICA_ROW_NORM_CHUNK
namespace mica {

// Some rows. Of a gradient where g is not null.
template <class T>
struct RowNormChunk {
  int64_t rows = 0;
  int64_t columns = 0;
  bool centred = true;
  T eps = 0;
  const T* x = nullptr;
  const T* g = nullptr;
  const T* weight = nullptr;  // null: 1
  const T* bias = nullptr;    // null: 0
  T* mean = nullptr;          // a number a row: written by the value, read by the gradient
  T* root = nullptr;          // the same
  T* out = nullptr;           // y or dx
  T* dweight = nullptr;       // a number a column, set to the chunk's sum, unless weight is null
  T* dbias = nullptr;         // the same
};

}  // namespace mica
#endif  // MICA_ROW_NORM_CHUNK

HWY_BEFORE_NAMESPACE();
namespace mica {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#include "core/cpu/partial_lanes.inc"

// Calls each(load, store, first column of a vector) along a row; four vectors in a row, numbered
// by `slot`, so that sums may keep four running totals.
template <class T, class Each>
HWY_INLINE void along_row(int64_t columns, Each each) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const auto load = [d](const T* p) HWY_ATTR { return hn::LoadU(d, p); };
  const auto store = [d](V v, T* p) HWY_ATTR { hn::StoreU(v, d, p); };
  int64_t i = 0;
  for (; i + 4 * n <= columns; i += 4 * n) {
    for (int slot = 0; slot < 4; ++slot) each(load, store, i + slot * n, slot);
  }
  for (; i + n <= columns; i += n) each(load, store, i, 0);
  if (i == columns) return;
  const int64_t left = columns - i;
  each([=](const T* p) HWY_ATTR { return load_first(d, p, left, T(0)); },
       [=](V v, T* p) HWY_ATTR { store_first(d, v, p, left); }, i, 0);
}

template <class T, class V>
HWY_INLINE T total(const V* sums) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(
      hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

template <class T>
T row_mean(const T* x, int64_t columns) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  along_row<T>(columns, [&](auto load, auto, int64_t i, int slot)
                            HWY_ATTR { sums[slot] = hn::Add(sums[slot], load(x + i)); });
  return total<T>(sums) / static_cast<T>(columns);
}

// The mean of (x - mean)^2. Lanes beyond the row are loaded as 0, which is not at the mean.
template <class T>
T row_variance(const T* x, T mean, int64_t columns) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const V means = hn::Set(d, mean);
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  along_row<T>(columns, [&](auto load, auto, int64_t i, int slot) HWY_ATTR {
    V centred = hn::Sub(load(x + i), means);
    if (columns - i < n) {
      centred = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(columns - i)), centred);
    }
    sums[slot] = hn::MulAdd(centred, centred, sums[slot]);
  });
  return total<T>(sums) / static_cast<T>(columns);
}

template <class T>
void value_row(const RowNormChunk<T>& c, int64_t row) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const T* x = c.x + row * c.columns;
  T* out = c.out + row * c.columns;
  const T mean = c.centred ? row_mean(x, c.columns) : T(0);
  const T root = T(1) / std::sqrt(row_variance(x, mean, c.columns) + c.eps);
  c.mean[row] = mean;
  c.root[row] = root;
  const V means = hn::Set(d, mean), roots = hn::Set(d, root);
  along_row<T>(c.columns, [&](auto load, auto store, int64_t i, int) HWY_ATTR {
    V y = hn::Mul(hn::Sub(load(x + i), means), roots);
    if (c.weight != nullptr) y = hn::Mul(y, load(c.weight + i));
    if (c.bias != nullptr) y = hn::Add(y, load(c.bias + i));
    store(y, out + i);
  });
}

// With h = weight g and z = (x - mean) root: dx = root (h - mean(h) - z mean(h z)), mean(h) only
// where the mean was taken off; dweight = sum(g z), dbias = sum(g).
template <class T>
void gradient_row(const RowNormChunk<T>& c, int64_t row) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const T* x = c.x + row * c.columns;
  const T* g = c.g + row * c.columns;
  T* out = c.out + row * c.columns;
  const V means = hn::Set(d, c.mean[row]), roots = hn::Set(d, c.root[row]);
  V plain[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  V dotted[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  along_row<T>(c.columns, [&](auto load, auto store, int64_t i, int slot) HWY_ATTR {
    const V z = hn::Mul(hn::Sub(load(x + i), means), roots);
    const V cotangent = load(g + i);
    V h = cotangent;
    if (c.weight != nullptr) {
      h = hn::Mul(cotangent, load(c.weight + i));
      store(hn::MulAdd(cotangent, z, load(c.dweight + i)), c.dweight + i);
      store(hn::Add(cotangent, load(c.dbias + i)), c.dbias + i);
    }
    plain[slot] = hn::Add(plain[slot], h);
    dotted[slot] = hn::MulAdd(h, z, dotted[slot]);
  });
  const T share = T(1) / static_cast<T>(c.columns);
  const V shift = hn::Set(d, c.centred ? total<T>(plain) * share : T(0));
  const V slope = hn::Set(d, total<T>(dotted) * share);
  along_row<T>(c.columns, [&](auto load, auto store, int64_t i, int) HWY_ATTR {
    const V z = hn::Mul(hn::Sub(load(x + i), means), roots);
    V h = load(g + i);
    if (c.weight != nullptr) h = hn::Mul(h, load(c.weight + i));
    store(hn::Mul(roots, hn::NegMulAdd(z, slope, hn::Sub(h, shift))), out + i);
  });
}

template <class T>
void run_rows(const RowNormChunk<T>& chunk) {
  if (chunk.g == nullptr) {
    for (int64_t row = 0; row < chunk.rows; ++row) value_row(chunk, row);
    return;
  }
  if (chunk.weight != nullptr) {
    std::fill_n(chunk.dweight, chunk.columns, T(0));
    std::fill_n(chunk.dbias, chunk.columns, T(0));
  }
  for (int64_t row = 0; row < chunk.rows; ++row) gradient_row(chunk, row);
}
void run_rows_float(const RowNormChunk<float>& chunk) { run_rows(chunk); }
void run_rows_double(const RowNormChunk<double>& chunk) { run_rows(chunk); }

}  // namespace HWY_NAMESPACE
}  // namespace mica
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(run_rows_float);
HWY_EXPORT(run_rows_double);

void run_best(const RowNormChunk<float>& chunk) { HWY_DYNAMIC_DISPATCH(run_rows_float)(chunk); }
void run_best(const RowNormChunk<double>& chunk) { HWY_DYNAMIC_DISPATCH(run_rows_double)(chunk); }

// x, g and out as they are stored; the chunk has everything else.
template <class T, class Compute>
void run_chunk(RowNormChunk<Compute> chunk, const T* x, const T* g, T* out) {
  if constexpr (std::is_same_v<T, Compute>) {
    chunk.x = x, chunk.g = g, chunk.out = out;
    run_best(chunk);
  } else {
    const auto count = static_cast<size_t>(chunk.rows * chunk.columns);
    const auto wide = [&](const T* from) {
      std::vector<Compute> converted(from == nullptr ? 0 : count);
      convert_part_by_float(from, static_cast<int64_t>(converted.size()), converted.data());
      return converted;
    };
    const std::vector<Compute> x_wide = wide(x), g_wide = wide(g);
    std::vector<Compute> result(count);
    chunk.x = x_wide.data(), chunk.g = g == nullptr ? nullptr : g_wide.data();
    chunk.out = result.data();
    run_best(chunk);
    convert_part_by_float(result.data(), static_cast<int64_t>(count), out);
  }
}

struct RowCut {
  int64_t rows = 1, columns, grain;
  explicit RowCut(const Shape& shape) : columns(shape.back()) {
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    // Not too few rows, or there would be as many sums of chunks as gradients to sum.
    grain = std::max<int64_t>(columns > 1024 ? 16 : 64, 16384 / std::max<int64_t>(columns, 1));
  }
  int64_t chunks() const { return (rows + grain - 1) / grain; }
};

template <class Body>
void dispatch_computed(Dtype dtype, Body&& body) {
  dispatch(dtype, [&]<class T>(TypeTag<T> tag) {
    if constexpr (std::is_same_v<T, double>)
      body(tag, TypeTag<double>());
    else if constexpr (is_floating(dtype_of<T>))
      body(tag, TypeTag<float>());
  });
}

void run_value(const RowNorm& op, Inputs in, Outputs out) {
  const RowCut cut(in[0].shape);
  dispatch_computed(in[0].dtype, [&]<class T, class Compute>(TypeTag<T>, TypeTag<Compute>) {
    parallel_for(cut.rows, cut.grain, [&](int64_t begin, int64_t end) {
      RowNormChunk<Compute> chunk{end - begin, cut.columns, op.centred,
                                  static_cast<Compute>(op.eps)};
      if (in.size() > 1) chunk.weight = in[1].as<Compute>();
      if (in.size() > 2) chunk.bias = in[2].as<Compute>();
      chunk.mean = out[1].as<Compute>() + begin;
      chunk.root = out[2].as<Compute>() + begin;
      const int64_t place = begin * cut.columns;
      run_chunk<T, Compute>(chunk, in[0].as<T>() + place, nullptr, out[0].as<T>() + place);
    });
  });
}

// The sums of all chunks, (chunks, columns), added up.
template <class T>
void combine(const RowCut& cut, const T* parts, T* out) {
  std::vector<double> sums(static_cast<size_t>(cut.columns));
  for (int64_t chunk = 0; chunk < cut.chunks(); ++chunk) {
    const T* part = parts + chunk * cut.columns;
    for (size_t c = 0; c < sums.size(); ++c) sums[c] += part[c];
  }
  std::copy(sums.begin(), sums.end(), out);
}

void run_gradient(const RowNormGradient& op, Inputs in, Outputs out) {
  const RowCut cut(in[0].shape);
  const bool weighted = in.size() > 4;
  dispatch_computed(in[0].dtype, [&]<class T, class Compute>(TypeTag<T>, TypeTag<Compute>) {
    const auto part_size = weighted ? static_cast<size_t>(cut.chunks() * cut.columns) : 0;
    const Buffer room = Buffer::allocate(2 * part_size * sizeof(Compute) + 1);
    Compute* parts = reinterpret_cast<Compute*>(room.data());
    parallel_for(cut.rows, cut.grain, [&](int64_t begin, int64_t end) {
      RowNormChunk<Compute> chunk{end - begin, cut.columns, op.centred};
      chunk.mean = in[2].as<Compute>() + begin;
      chunk.root = in[3].as<Compute>() + begin;
      if (weighted) {
        chunk.weight = in[4].as<Compute>();
        chunk.dweight = parts + begin / cut.grain * cut.columns;
        chunk.dbias = chunk.dweight + part_size;
      }
      const int64_t place = begin * cut.columns;
      run_chunk<T, Compute>(chunk, in[1].as<T>() + place, in[0].as<T>() + place,
                            out[0].as<T>() + place);
    });
    if (!weighted) return;
    combine(cut, parts, out[1].as<Compute>());
    combine(cut, parts + part_size, out[2].as<Compute>());
  });
}

}  // namespace

void install_row_norm(KernelTable& table) {
  table.add<RowNorm>(run_value, InputLayout::kContiguous);
  table.add<RowNormGradient>(run_gradient, InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
