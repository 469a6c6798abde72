// Row kernels of softmax and its relatives: a row or a block of it stays in the first-level cache
// for the passes maximum, exponentials with their sum, and scaling.

#include <cmath>
#include <limits>
#include <vector>

#include "core/cpu/floating.h"
#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/softmax_op.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/softmax_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#ifndef MICA_SOFTMAX_ROWS
#define MICA_SOFTMAX_ROWS
namespace mica {

enum class RowTask { kSoftmax, kLogSoftmax, kLogSumExp, kCrossEntropy, kCrossEntropyGrad };

// Some rows of a task. `out` has a row or, for kLogSumExp and kCrossEntropy, a number per row.
template <class T>
struct Rows {
  RowTask task = RowTask::kSoftmax;
  int64_t rows = 0;
  int64_t columns = 0;
  const T* x = nullptr;
  T* out = nullptr;
  // Cross-entropy only: the labels, and for each row what its softmax is made of, written by the
  // value and read by the gradient.
  const int64_t* labels = nullptr;
  T* best = nullptr;             // the maximum
  T* total = nullptr;            // the sum of exp(x - maximum)
  const T* cotangent = nullptr;  // of the gradient
  bool streams = false;          // write past the caches
};

}  // namespace mica
#endif  // MICA_SOFTMAX_ROWS

HWY_BEFORE_NAMESPACE();
namespace mica {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#include "core/cpu/partial_lanes.inc"

// After what it uses.
#include "core/ops/softmax_rows.inc"

template <class T, class Each>
HWY_INLINE void transform_row(const T* x, T* out, int64_t n, Each each) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(each(hn::LoadU(d, x + i)), d, out + i);
  if (i < n) store_first(d, each(load_first(d, x + i, n - i, T(0))), out + i, n - i);
}

template <class T>
void softmax_row(const T* x, T* out, int64_t n) {
  const hn::ScalableTag<T> d;
  const T scale = T(1) / row_exp(x, row_max(x, n), out, n);
  const auto scales = hn::Set(d, scale);
  transform_row(out, out, n, [&](auto v) HWY_ATTR { return hn::Mul(v, scales); });
}

// A row's maximum and its sum of exp(x - maximum), read from memory once: a block that stays in
// the first-level cache gives its maximum, then its terms; earlier terms are scaled down when the
// maximum grows (Milakov & Gimelshein 2018). The sum is NaN where the row has NaN, or +inf.
template <class T>
struct RowSum {
  T best = -std::numeric_limits<T>::infinity();
  T total = 0;

  HWY_INLINE RowSum(const T* x, int64_t n) {
    constexpr int64_t kBlock = 2048;
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t count = std::min(kBlock, n - i);
      const T here = row_max(x + i, count);
      if (here > best) {
        if (i > 0) total *= std::exp(best - here);
        best = here;
      }
      // Terms of a row that has been -inf so far are 0.
      total += row_exp<T>(x + i, best == -std::numeric_limits<T>::infinity() ? T(0) : best, nullptr,
                          count);
    }
  }
};

template <class T>
void log_softmax_row(const T* x, T* out, int64_t n) {
  const hn::ScalableTag<T> d;
  const RowSum<T> sum(x, n);
  const auto bests = hn::Set(d, sum.best);
  const auto logs = hn::Set(d, std::log(sum.total));
  transform_row(x, out, n, [&](auto v) HWY_ATTR { return hn::Sub(hn::Sub(v, bests), logs); });
}

// Rows too short to fill vectors are taken side by side, a row to a lane, through a transposed copy
// in the first-level cache.
constexpr int64_t kShortRow = 24;

template <class T>
void short_rows(const T* x, T* out, int64_t rows, int64_t n, bool logarithms) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T tile[static_cast<size_t>(kShortRow) * hn::MaxLanes(d)] = {};
  for (int64_t c = 0; c < n; ++c) {
    for (int64_t row = 0; row < rows; ++row) tile[c * lanes + row] = x[row * n + c];
  }
  auto best = hn::Set(d, -std::numeric_limits<T>::infinity());
  for (int64_t c = 0; c < n; ++c) {
    const auto v = hn::Load(d, tile + c * lanes);
    best = hn::IfThenElse(hn::Gt(v, best), v, best);
  }
  auto total = hn::Zero(d);
  for (int64_t c = 0; c < n; ++c) {
    const auto shifted = hn::Sub(hn::Load(d, tile + c * lanes), best);
    const auto e = exp_of_negative(d, shifted);
    hn::Store(logarithms ? shifted : e, d, tile + c * lanes);
    total = hn::Add(total, e);
  }
  const auto log = hn::IfThenElse(hn::IsNaN(total), total, hn::Log(d, total));
  const auto scale = hn::Div(hn::Set(d, T(1)), total);
  for (int64_t c = 0; c < n; ++c) {
    const auto v = hn::Load(d, tile + c * lanes);
    hn::Store(logarithms ? hn::Sub(v, log) : hn::Mul(v, scale), d, tile + c * lanes);
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < n; ++c) out[row * n + c] = tile[c * lanes + row];
  }
}

template <class T>
bool run_short_rows(const Rows<T>& task) {
  const bool logarithms = task.task == RowTask::kLogSoftmax;
  if (task.columns > kShortRow || (task.task != RowTask::kSoftmax && !logarithms)) return false;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (int64_t row = 0; row < task.rows; row += lanes) {
    const int64_t place = row * task.columns;
    short_rows(task.x + place, task.out + place, std::min(lanes, task.rows - row), task.columns,
               logarithms);
  }
  return true;
}

template <class T>
T logsumexp_row(const T* x, int64_t n) {
  const RowSum<T> sum(x, n);
  if (sum.best < std::numeric_limits<T>::infinity()) return sum.best + std::log(sum.total);
  T nan = T(0);
  for (int64_t i = 0; i < n; ++i) nan += std::isnan(x[i]) ? x[i] : T(0);
  return sum.best + nan;
}

template <class T>
void cross_entropy_row(const Rows<T>& task, int64_t row) {
  const int64_t n = task.columns, label = task.labels[row];
  const T* x = task.x + row * n;
  task.out[row] = task.best[row] = task.total[row] = T(0);
  if (label < 0 || label >= n) return;
  const RowSum<T> sum(x, n);
  task.best[row] = sum.best;
  task.total[row] = sum.total;
  task.out[row] = (sum.best - x[label]) + std::log(sum.total);
}

// A row without a label or with a cotangent of 0 may hold anything; its gradient is 0.
template <class T>
void cross_entropy_grad_row(const Rows<T>& task, int64_t row) {
  const hn::ScalableTag<T> d;
  const int64_t n = task.columns, label = task.labels[row];
  const T* x = task.x + row * n;
  T* out = task.out + row * n;
  const T cotangent = task.cotangent[row];
  if (label < 0 || label >= n || cotangent == T(0)) {
    std::fill_n(out, n, T(0));
    return;
  }
  const auto bests = hn::Set(d, task.best[row]);
  const auto scales = hn::Set(d, cotangent / task.total[row]);
  const auto term = [&](auto v)
                        HWY_ATTR { return hn::Mul(exp_of_negative(d, hn::Sub(v, bests)), scales); };
  if (task.streams) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    for (int64_t i = 0; i < n; i += lanes) hn::Stream(term(hn::LoadU(d, x + i)), d, out + i);
  } else {
    transform_row(x, out, n, term);
  }
  out[label] -= cotangent;
}

template <class T>
void run_rows(const Rows<T>& task) {
  if (run_short_rows(task)) return;
  const int64_t n = task.columns;
  for (int64_t row = 0; row < task.rows; ++row) {
    const T* x = task.x + row * n;
    switch (task.task) {
      case RowTask::kSoftmax: softmax_row(x, task.out + row * n, n); break;
      case RowTask::kLogSoftmax: log_softmax_row(x, task.out + row * n, n); break;
      case RowTask::kLogSumExp: task.out[row] = logsumexp_row(x, n); break;
      case RowTask::kCrossEntropy: cross_entropy_row(task, row); break;
      case RowTask::kCrossEntropyGrad: cross_entropy_grad_row(task, row); break;
    }
  }
  if (task.streams) hwy::FlushStream();
}

void run_rows_float(const Rows<float>& task) { run_rows(task); }
void run_rows_double(const Rows<double>& task) { run_rows(task); }

}  // namespace HWY_NAMESPACE
}  // namespace mica
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(run_rows_float);
HWY_EXPORT(run_rows_double);

void run_chunk(const Rows<float>& task) { HWY_DYNAMIC_DISPATCH(run_rows_float)(task); }
void run_chunk(const Rows<double>& task) { HWY_DYNAMIC_DISPATCH(run_rows_double)(task); }

// Half types go through float32, a chunk at a time; best and total are float32 anyway.
template <class Half>
void run_half_chunk(const Half* x, Half* out, const Half* cotangent, bool whole_rows,
                    Rows<float> task) {
  const int64_t count = task.rows * task.columns;
  std::vector<float> x_wide(static_cast<size_t>(count));
  convert_part_by_float(x, count, x_wide.data());
  std::vector<float> result(static_cast<size_t>(whole_rows ? count : task.rows));
  std::vector<float> cotangent_wide;
  if (cotangent != nullptr) cotangent_wide.assign(cotangent, cotangent + task.rows);
  task.x = x_wide.data(), task.out = result.data(), task.cotangent = cotangent_wide.data();
  run_chunk(task);
  convert_part_by_float(result.data(), static_cast<int64_t>(result.size()), out);
}

std::vector<int64_t> labels_of(const Operand& labels) {
  std::vector<int64_t> converted(static_cast<size_t>(labels.size()));
  dispatch(labels.dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_integral_v<T>) {
      // A uint64 beyond int64 turns negative, which is no label either.
      for (size_t i = 0; i < converted.size(); ++i) {
        converted[i] = static_cast<int64_t>(labels.as<T>()[i]);
      }
    }
  });
  return converted;
}

// Where the labels must be classes: throws for the first that is not.
void check_labels(const std::vector<int64_t>& labels, int64_t classes) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    fail("[cross_entropy] label {} (element {}) is not one of the {} classes", labels[i], i,
         classes);
  }
}

// Results that no cache holds are written past them, where whole vectors fit.
bool streams_result(const Operand& out, int64_t row_bytes) {
  constexpr int64_t kLargest = 64 << 20;
  return out.size() * static_cast<int64_t>(size_of(out.dtype)) >= kLargest && row_bytes % 64 == 0 &&
         reinterpret_cast<uintptr_t>(out.data) % 64 == 0;
}

template <class T>
void run_typed(RowTask kind, Inputs in, Outputs out) {
  using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const int64_t columns = in[0].shape.back();
  const AxisSplit split = split_at(in[0].shape, static_cast<int>(in[0].shape.size()) - 1);
  const std::vector<int64_t> labels = in.size() > 1 ? labels_of(in[1]) : std::vector<int64_t>();
  const bool whole_rows = kind != RowTask::kLogSumExp && kind != RowTask::kCrossEntropy;
  const bool is_gradient = kind == RowTask::kCrossEntropyGrad;
  const bool streams =
      is_gradient && streams_result(out[0], columns * static_cast<int64_t>(sizeof(T)));
  constexpr int64_t kElementsPerChunk = 16384;
  const int64_t grain = std::max<int64_t>(1, kElementsPerChunk / std::max<int64_t>(columns, 1));
  parallel_for(split.outer, grain, [&](int64_t begin, int64_t end) {
    Rows<Compute> chunk{kind, end - begin, columns};
    if (in.size() > 1) chunk.labels = labels.data() + begin;
    if (kind == RowTask::kCrossEntropy) {
      chunk.best = out[1].as<Compute>() + begin;
      chunk.total = out[2].as<Compute>() + begin;
    }
    if (is_gradient) {
      chunk.best = in[3].as<Compute>() + begin;
      chunk.total = in[4].as<Compute>() + begin;
    }
    const T* x = in[0].as<T>() + begin * columns;
    T* result = out[0].as<T>() + begin * (whole_rows ? columns : 1);
    const T* cotangent = is_gradient ? in[2].as<T>() + begin : nullptr;
    if constexpr (std::is_same_v<T, Compute>) {
      chunk.x = x, chunk.out = result, chunk.cotangent = cotangent, chunk.streams = streams;
      run_chunk(chunk);
    } else {
      run_half_chunk(x, result, cotangent, whole_rows, chunk);
    }
  });
}

void run(RowTask kind, Inputs in, Outputs out) {
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (is_floating(dtype_of<T>)) run_typed<T>(kind, in, out);
  });
}

void run_softmax(const Softmax&, Inputs in, Outputs out) { run(RowTask::kSoftmax, in, out); }
void run_log_softmax(const LogSoftmax&, Inputs in, Outputs out) {
  run(RowTask::kLogSoftmax, in, out);
}
void run_logsumexp(const LogSumExp&, Inputs in, Outputs out) { run(RowTask::kLogSumExp, in, out); }
void run_cross_entropy(const CrossEntropy& op, Inputs in, Outputs out) {
  if (op.strict) check_labels(labels_of(in[1]), in[0].shape.back());
  run(RowTask::kCrossEntropy, in, out);
}
void run_cross_entropy_grad(const CrossEntropyGrad&, Inputs in, Outputs out) {
  run(RowTask::kCrossEntropyGrad, in, out);
}

}  // namespace

void install_softmax(KernelTable& table) {
  table.add<Softmax>(run_softmax, InputLayout::kContiguous);
  table.add<LogSoftmax>(run_log_softmax, InputLayout::kContiguous);
  table.add<LogSumExp>(run_logsumexp, InputLayout::kContiguous);
  table.add<CrossEntropy>(run_cross_entropy, InputLayout::kContiguous);
  table.add<CrossEntropyGrad>(run_cross_entropy_grad, InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
