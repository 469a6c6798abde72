// Row kernels of softmax and its relatives: a row stays in the first-level cache for the passes
// maximum, exponentials with their sum, and scaling.

#include <cmath>
#include <limits>
#include <vector>

#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/softmax_op.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/softmax_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
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
  const int64_t* labels = nullptr;  // cross-entropy only
  const T* cotangent = nullptr;     // kCrossEntropyGrad only
};

}  // namespace mica
#endif  // MICA_SOFTMAX_ROWS

HWY_BEFORE_NAMESPACE();
namespace mica {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#include "core/cpu/partial_lanes.inc"

template <class T, class Each>
HWY_INLINE void transform_row(const T* x, T* out, int64_t n, Each each) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(each(hn::LoadU(d, x + i)), d, out + i);
  if (i < n) store_first(d, each(load_first(d, x + i, n - i, T(0))), out + i, n - i);
}

// NaN does not count.
template <class T>
HWY_INLINE T row_max(const T* x, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const T lowest = -std::numeric_limits<T>::infinity();
  auto best = hn::Set(d, lowest);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    best = hn::IfThenElse(hn::Gt(v, best), v, best);
  }
  if (i < n) {
    const auto v = load_first(d, x + i, n - i, lowest);
    best = hn::IfThenElse(hn::Gt(v, best), v, best);
  }
  return hn::GetLane(hn::MaxOfLanes(d, best));
}

// Sum of exp(x - shift); the terms go to `out` unless it is null. Where x - shift is NaN, so is
// the term (Highway's Exp would give 0).
template <class T>
HWY_INLINE T row_exp(const T* x, T shift, T* out, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto shifts = hn::Set(d, shift);
  const auto term = [&](auto v) HWY_ATTR {
    const auto t = hn::Sub(v, shifts);
    return hn::IfThenElse(hn::IsNaN(t), t, hn::Exp(d, t));
  };
  auto total = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto e = term(hn::LoadU(d, x + i));
    total = hn::Add(total, e);
    if (out != nullptr) hn::StoreU(e, d, out + i);
  }
  if (i < n) {
    const auto e = term(load_first(d, x + i, n - i, T(0)));
    total = hn::Add(total, hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n - i)), e));
    if (out != nullptr) store_first(d, e, out + i, n - i);
  }
  return hn::GetLane(hn::SumOfLanes(d, total));
}

template <class T>
void softmax_row(const T* x, T* out, int64_t n) {
  const hn::ScalableTag<T> d;
  const T scale = T(1) / row_exp(x, row_max(x, n), out, n);
  const auto scales = hn::Set(d, scale);
  transform_row(out, out, n, [&](auto v) HWY_ATTR { return hn::Mul(v, scales); });
}

template <class T>
void log_softmax_row(const T* x, T* out, int64_t n) {
  const hn::ScalableTag<T> d;
  const T best = row_max(x, n);
  const auto bests = hn::Set(d, best);
  const auto logs = hn::Set(d, std::log(row_exp<T>(x, best, nullptr, n)));
  transform_row(x, out, n, [&](auto v) HWY_ATTR { return hn::Sub(hn::Sub(v, bests), logs); });
}

template <class T>
T logsumexp_row(const T* x, int64_t n) {
  const T best = row_max(x, n);
  if (std::isfinite(best)) return best + std::log(row_exp<T>(x, best, nullptr, n));
  T nan = T(0);
  for (int64_t i = 0; i < n; ++i) nan += std::isnan(x[i]) ? x[i] : T(0);
  return best + nan;
}

template <class T>
T cross_entropy_row(const T* x, int64_t label, int64_t n) {
  if (label < 0 || label >= n) return T(0);
  const T best = row_max(x, n);
  return (best - x[label]) + std::log(row_exp<T>(x, best, nullptr, n));
}

template <class T>
void cross_entropy_grad_row(const T* x, int64_t label, T cotangent, T* out, int64_t n) {
  const hn::ScalableTag<T> d;
  if (label < 0 || label >= n) {
    for (int64_t i = 0; i < n; ++i) out[i] = T(0);
    return;
  }
  const T total = row_exp(x, row_max(x, n), out, n);
  const auto scales = hn::Set(d, cotangent / total);
  transform_row(out, out, n, [&](auto v) HWY_ATTR { return hn::Mul(v, scales); });
  out[label] -= cotangent;
}

template <class T>
void run_rows(const Rows<T>& task) {
  const int64_t n = task.columns;
  for (int64_t row = 0; row < task.rows; ++row) {
    const T* x = task.x + row * n;
    switch (task.task) {
      case RowTask::kSoftmax: softmax_row(x, task.out + row * n, n); break;
      case RowTask::kLogSoftmax: log_softmax_row(x, task.out + row * n, n); break;
      case RowTask::kLogSumExp: task.out[row] = logsumexp_row(x, n); break;
      case RowTask::kCrossEntropy: task.out[row] = cross_entropy_row(x, task.labels[row], n); break;
      case RowTask::kCrossEntropyGrad:
        cross_entropy_grad_row(x, task.labels[row], task.cotangent[row], task.out + row * n, n);
        break;
    }
  }
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

// Half types go through float32, a chunk at a time.
template <class Half>
void run_chunk(const Rows<Half>& task) {
  const int64_t count = task.rows * task.columns;
  const std::vector<float> x(task.x, task.x + count);
  const bool whole_rows = task.task != RowTask::kLogSumExp && task.task != RowTask::kCrossEntropy;
  std::vector<float> out(whole_rows ? count : task.rows);
  std::vector<float> cotangent;
  if (task.cotangent != nullptr) cotangent.assign(task.cotangent, task.cotangent + task.rows);
  run_chunk(Rows<float>{task.task, task.rows, task.columns, x.data(), out.data(), task.labels,
                        cotangent.data()});
  for (size_t i = 0; i < out.size(); ++i) task.out[i] = Half(out[i]);
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

template <class T>
void run_typed(RowTask kind, Inputs in, const Operand& result) {
  const int64_t columns = in[0].shape.back();
  const AxisSplit split = split_at(in[0].shape, static_cast<int>(in[0].shape.size()) - 1);
  const std::vector<int64_t> labels = in.size() > 1 ? labels_of(in[1]) : std::vector<int64_t>();
  const bool whole_rows = kind != RowTask::kLogSumExp && kind != RowTask::kCrossEntropy;
  constexpr int64_t kElementsPerChunk = 16384;
  const int64_t grain = std::max<int64_t>(1, kElementsPerChunk / std::max<int64_t>(columns, 1));
  parallel_for(split.outer, grain, [&](int64_t begin, int64_t end) {
    Rows<T> chunk{kind,
                  end - begin,
                  columns,
                  in[0].as<T>() + begin * columns,
                  result.as<T>() + begin * (whole_rows ? columns : 1),
                  nullptr,
                  nullptr};
    if (in.size() > 1) chunk.labels = labels.data() + begin;
    if (in.size() > 2) chunk.cotangent = in[2].as<T>() + begin;
    run_chunk(chunk);
  });
}

void run(RowTask kind, Inputs in, Outputs out) {
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (is_floating(dtype_of<T>)) run_typed<T>(kind, in, out[0]);
  });
}

void run_softmax(const Softmax&, Inputs in, Outputs out) { run(RowTask::kSoftmax, in, out); }
void run_log_softmax(const LogSoftmax&, Inputs in, Outputs out) {
  run(RowTask::kLogSoftmax, in, out);
}
void run_logsumexp(const LogSumExp&, Inputs in, Outputs out) { run(RowTask::kLogSumExp, in, out); }
void run_cross_entropy(const CrossEntropy&, Inputs in, Outputs out) {
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
