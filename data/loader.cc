#include "data/loader.h"

#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "core/base/error.h"
#include "core/runtime/parallel.h"
#include "data/sampler.h"

namespace mica::data {
namespace {

/// Values that a task turns into float at a time: enough to be worth a task.
constexpr int64_t kValuesPerTask = 1 << 15;
constexpr double kMaxByte = 255;

struct Scale {
  double mean = 0;
  double std = 1;
  float operator()(double value) const { return static_cast<float>((value - mean) / std); }
};

/// One Scale for every entry of the last axis; none at all if values stay as they are.
std::vector<Scale> scales(const std::vector<double>& mean, const std::vector<double>& std,
                          int64_t wanted, const char* what) {
  if (mean.size() != std.size() || (!mean.empty() && mean.size() != static_cast<size_t>(wanted))) {
    fail("[Loader] normalisation of {} has {} means and {} deviations, but the data has {}", what,
         mean.size(), std.size(), wanted);
  }
  std::vector<Scale> result;
  for (size_t i = 0; i < mean.size(); ++i) {
    result.push_back({mean[i], std[i] > 0 ? std[i] : 1});
  }
  return result;
}

using Table = std::array<float, 256>;

/// What every byte value becomes, channel by channel.
std::vector<Table> tables(const std::vector<Scale>& scales, int64_t channels) {
  std::vector<Table> result(static_cast<size_t>(channels));
  for (size_t c = 0; c < result.size(); ++c) {
    const Scale scale = scales.empty() ? Scale{} : scales[c];
    for (size_t value = 0; value < 256; ++value) {
      result[c][value] = scale(static_cast<double>(value));
    }
  }
  return result;
}

void look_up(const uint8_t* from, float* to, size_t count, const std::vector<Table>& tables) {
  if (tables.size() == 1) {
    const Table& table = tables[0];
    for (size_t i = 0; i < count; ++i) to[i] = table[from[i]];
  } else if (tables.size() == 3) {
    const Table &red = tables[0], &green = tables[1], &blue = tables[2];
    for (size_t i = 0; i + 2 < count; i += 3) {
      to[i] = red[from[i]];
      to[i + 1] = green[from[i + 1]];
      to[i + 2] = blue[from[i + 2]];
    }
  } else {
    for (size_t i = 0, c = 0; i < count; ++i, c = c + 1 == tables.size() ? 0 : c + 1) {
      to[i] = tables[c][from[i]];
    }
  }
}

void scale_row(const float* from, float* to, size_t count, const std::vector<Scale>& scales) {
  if (scales.empty()) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  for (size_t i = 0, c = 0; i < count; ++i, c = c + 1 == scales.size() ? 0 : c + 1) {
    to[i] = scales[c](from[i]);
  }
}

}  // namespace

Normalization normalization(const Dataset& dataset, const std::string& kind, bool targets) {
  const DatasetInfo& info = dataset.info();
  Normalization result;
  const bool needs_training = kind == "channel" || kind == "feature";
  if (kind == "unit") {
    const auto channels = static_cast<size_t>(dataset.sample_shape().back());
    result.mean.assign(channels, 0);
    result.std.assign(channels, kMaxByte);
  } else if (needs_training) {
    result.mean = info.mean;
    result.std = info.std;
  } else if (kind != "none") {
    fail("[normalization] '{}' is unknown, wanted none, channel, feature or unit", kind);
  }
  if (targets && info.task == Task::kRegression) {
    result.target_mean = info.target_mean;
    result.target_std = info.target_std;
  }
  const bool missing = (needs_training && info.mean.empty()) ||
                       (targets && info.task == Task::kRegression && info.target_mean.empty());
  if (missing) {
    fail(ErrorKind::kData,
         "the data set has no training split, so there is no mean and std to normalise by ({})",
         kind);
  }
  return result;
}

struct Loader::State {
  /// A batch on its way. Waiting for it lends a hand, so one thread is enough.
  struct Slot {
    tbb::task_group work;
    HostBatch batch;
  };

  std::shared_ptr<const Dataset> dataset;
  const Split* split = nullptr;
  LoaderOptions options;
  std::vector<Table> tables;    // x is uint8
  std::vector<Scale> x_scales;  // x is float32
  std::vector<Scale> y_scales;
  int64_t batches = 0;

  int64_t epoch = 0;
  int64_t position = 0;   // of the next batch to hand out
  int64_t scheduled = 0;  // batches before this one are in slots or handed out
  std::vector<int64_t> order;
  std::vector<std::unique_ptr<Slot>> slots;

  ~State() { settle(); }
  /// Waits until no task uses this object.
  void settle() noexcept;
  void schedule();
  HostBatch assemble(int64_t number) const;
  void fill_row(int64_t row, size_t at, HostBatch& batch) const;
};

void Loader::State::settle() noexcept {
  for (const auto& slot : slots) {
    try {
      slot->work.wait();
    } catch (...) {  // the batch will never be asked for
    }
  }
}

void Loader::State::fill_row(int64_t row, size_t at, HostBatch& batch) const {
  const auto from = static_cast<size_t>(row);
  const auto count = static_cast<size_t>(size_of(split->sample_shape()));
  float* x = batch.x.as<float>().data() + at * count;
  if (split->x.dtype == Dtype::kUint8) {
    look_up(split->x.as<uint8_t>().data() + from * count, x, count, tables);
  } else {
    scale_row(split->x.as<float>().data() + from * count, x, count, x_scales);
  }
  if (split->y.dtype == Dtype::kInt32) {
    batch.y.as<int32_t>()[at] = split->y.as<int32_t>()[from];
    return;
  }
  const size_t targets = split->y.row_bytes() / sizeof(float);
  scale_row(split->y.as<float>().data() + from * targets, batch.y.as<float>().data() + at * targets,
            targets, y_scales);
}

HostBatch Loader::State::assemble(int64_t number) const {
  const int64_t begin = number * options.batch_size;
  const int64_t end = std::min(begin + options.batch_size, split->rows());
  HostBatch batch;
  batch.rows.assign(order.begin() + begin, order.begin() + end);
  Shape x_shape = split->x.shape;
  Shape y_shape = split->y.shape;
  x_shape[0] = y_shape[0] = end - begin;
  batch.x = HostTensor(Dtype::kFloat32, x_shape);
  batch.y = HostTensor(split->y.dtype, y_shape);
  const int64_t row_values = std::max<int64_t>(size_of(split->sample_shape()), 1);
  parallel_for(end - begin, std::max<int64_t>(kValuesPerTask / row_values, 1),
               [&](int64_t first, int64_t last) {
                 for (int64_t i = first; i < last; ++i) {
                   const auto at = static_cast<size_t>(i);
                   fill_row(batch.rows[at], at, batch);
                 }
               });
  return batch;
}

void Loader::State::schedule() {
  const int64_t last = std::min(position + options.prefetch, batches);
  for (scheduled = std::max(scheduled, position); scheduled < last; ++scheduled) {
    Slot& slot = *slots[static_cast<size_t>(scheduled % options.prefetch)];
    slot.work.run([this, &slot, number = scheduled] { slot.batch = assemble(number); });
  }
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, const std::string& split,
               LoaderOptions options)
    : state_(std::make_unique<State>()) {
  if (options.batch_size < 1) fail("[Loader] batch_size {}, wanted at least 1", options.batch_size);
  if (options.prefetch < 0) fail("[Loader] prefetch {}, wanted at least 0", options.prefetch);
  State& state = *state_;
  state.split = &dataset->split(split);
  const int64_t rows = state.split->rows();
  if (rows == 0) fail(ErrorKind::kData, "split '{}' is empty", split);
  const bool round_down = options.drop_last;
  state.batches = (rows + (round_down ? 0 : options.batch_size - 1)) / options.batch_size;
  if (state.batches == 0) {
    fail("[Loader] drop_last leaves nothing: batch_size {}, but split '{}' has {} rows",
         options.batch_size, split, rows);
  }
  const Normalization& norm = options.normalization;
  const int64_t channels = dataset->sample_shape().back();
  state.x_scales = scales(norm.mean, norm.std, channels, "x");
  if (state.split->x.dtype == Dtype::kUint8) state.tables = tables(state.x_scales, channels);
  if (state.split->y.dtype == Dtype::kFloat32) {
    const int64_t targets = static_cast<int64_t>(state.split->y.row_bytes() / sizeof(float));
    state.y_scales = scales(norm.target_mean, norm.target_std, targets, "targets");
  }
  for (int64_t i = 0; i < options.prefetch; ++i) {
    state.slots.push_back(std::make_unique<State::Slot>());
  }
  state.dataset = std::move(dataset);
  state.options = std::move(options);
  start(0);
}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

int64_t Loader::batches() const { return state_->batches; }

int64_t Loader::examples() const {
  return std::min(state_->batches * state_->options.batch_size, state_->split->rows());
}

const Dataset& Loader::dataset() const { return *state_->dataset; }
const LoaderOptions& Loader::options() const { return state_->options; }
int64_t Loader::epoch() const { return state_->epoch; }
int64_t Loader::position() const { return state_->position; }

void Loader::start(int64_t epoch, int64_t batch) {
  State& state = *state_;
  if (epoch < 0 || batch < 0 || batch > state.batches) {
    fail("[Loader] cannot start at batch {} of epoch {}: an epoch has {} batches", batch, epoch,
         state.batches);
  }
  state.settle();
  const bool new_order = state.order.empty() || (state.options.shuffle && epoch != state.epoch);
  if (new_order && state.options.shuffle) {
    state.order =
        permutation(state.split->rows(), state.options.seed, static_cast<uint64_t>(epoch));
  } else if (new_order) {
    state.order.resize(static_cast<size_t>(state.split->rows()));
    std::iota(state.order.begin(), state.order.end(), int64_t{0});
  }
  state.epoch = epoch;
  state.position = state.scheduled = batch;
}

std::optional<HostBatch> Loader::next_host() {
  State& state = *state_;
  if (state.position >= state.batches) return std::nullopt;
  if (state.options.prefetch == 0) return state.assemble(state.position++);
  state.schedule();
  State::Slot& slot = *state.slots[static_cast<size_t>(state.position % state.options.prefetch)];
  slot.work.wait();
  HostBatch batch = std::move(slot.batch);
  ++state.position;
  state.schedule();
  return batch;
}

std::optional<Batch> Loader::next() {
  const int64_t number = state_->position;
  std::optional<HostBatch> host = next_host();
  if (!host) return std::nullopt;
  return Batch{to_array(host->x), to_array(host->y), number, std::move(host->rows)};
}

}  // namespace mica::data
