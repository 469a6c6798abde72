#include "data/loader.h"

#include <oneapi/tbb/task_group.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/error.h"
#include "core/runtime/parallel.h"
#include "data/epoch_order.h"
#include "data/split.h"

namespace mica::data {
namespace {

/// Values that a task turns into float at a time: enough to be worth a task.
constexpr int64_t kValuesPerTask = 1 << 15;
constexpr double kMaxByte = 255;

/// (value - mean) / std along a line of values that belong together: one entry for every value.
struct Scaling {
  std::vector<double> mean, std;  // empty: values stay as they are

  bool is_identity() const { return mean.empty(); }
  float operator()(double value, size_t at) const {
    return static_cast<float>(is_identity() ? value : (value - mean[at]) / std[at]);
  }
};

/// The entries of the last axis, `times` over: the longer the line, the better it runs.
Scaling scaling(const std::vector<double>& mean, const std::vector<double>& std, int64_t wanted,
                const char* what, int64_t times = 1) {
  if (mean.size() != std.size() || (!mean.empty() && mean.size() != static_cast<size_t>(wanted))) {
    fail("[Loader] normalisation of {} has {} means and {} deviations, but the data has {}", what,
         mean.size(), std.size(), wanted);
  }
  Scaling result;
  for (int64_t time = 0; time < times; ++time) {
    for (size_t i = 0; i < mean.size(); ++i) {
      result.mean.push_back(mean[i]);
      result.std.push_back(std[i] > 0 ? std[i] : 1);
    }
  }
  return result;
}

using Table = std::array<float, 256>;

/// What every byte value becomes, channel by channel.
std::vector<Table> tables(const Scaling& scaling, int64_t channels) {
  std::vector<Table> result(static_cast<size_t>(channels));
  for (size_t c = 0; c < result.size(); ++c) {
    for (size_t value = 0; value < 256; ++value) {
      result[c][value] = scaling(static_cast<double>(value), c);
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

/// REQUIRES: count is a multiple of the scaling's length.
void scale_row(const float* from, float* to, size_t count, const Scaling& scaling) {
  if (scaling.is_identity()) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  const size_t line = scaling.mean.size();
  const double *mean = scaling.mean.data(), *std = scaling.std.data();
  for (size_t begin = 0; begin < count; begin += line) {
    for (size_t i = 0; i < line; ++i) {
      to[begin + i] = static_cast<float>((from[begin + i] - mean[i]) / std[i]);
    }
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
  if (dataset.reconstructs()) {
    result.target_mean = result.mean;
    result.target_std = result.std;
  } else if (targets && info.task == Task::kRegression) {
    result.target_mean = info.target_mean;
    result.target_std = info.target_std;
  }
  const bool own_targets = info.task == Task::kRegression && !dataset.reconstructs();
  const bool missing =
      (needs_training && info.mean.empty()) || (targets && own_targets && info.target_mean.empty());
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
    std::vector<int64_t> rows;
    HostBatch batch;
  };
  /// Where a task works.
  struct Room {
    std::vector<std::byte> row;
    FloatImage image, spare;
  };

  std::shared_ptr<const Dataset> dataset;
  const HostTensor* x = nullptr;  // null: in the file
  std::shared_ptr<const FileRows> file;
  const HostTensor* y = nullptr;  // null: x
  int64_t rows = 0;
  size_t row_bytes = 0;
  LoaderOptions options;
  Augmenter augmenter;
  std::vector<Table> tables;  // x is uint8 and not augmented
  Scaling x_scaling;
  Scaling y_scaling;
  int64_t batches = 0;

  int64_t epoch = 0;
  int64_t position = 0;   // of the next batch to hand out
  int64_t scheduled = 0;  // batches before this one are in slots or handed out
  EpochOrder order;
  int64_t advised = 0;  // blocks of the order that the file's system knows of
  std::vector<std::unique_ptr<Slot>> slots;

  ~State() { settle(); }
  /// Waits until no task uses this object.
  void settle() noexcept;
  void schedule();
  std::vector<int64_t> rows_of(int64_t number);
  std::optional<HostBatch> take();
  HostBatch assemble(int64_t number, std::vector<int64_t> rows) const;
  const std::byte* stored(int64_t row, Room& room) const;
  void fill_x(int64_t row, float* to, Room& room) const;
  void fill_y(int64_t row, size_t at, HostTensor& y) const;
  void mix(int64_t number, HostBatch& batch) const;
};

void Loader::State::settle() noexcept {
  for (const auto& slot : slots) {
    try {
      slot->work.wait();
    } catch (...) {  // the batch will never be asked for
    }
  }
}

// A row as the data set has it.
const std::byte* Loader::State::stored(int64_t row, Room& room) const {
  if (x) return x->bytes.data() + static_cast<size_t>(row) * row_bytes;
  room.row.resize(row_bytes);
  file->read(row, room.row);
  return room.row.data();
}

void Loader::State::fill_x(int64_t row, float* to, Room& room) const {
  const Shape& shape = dataset->sample_shape();
  const auto count = static_cast<size_t>(size_of(shape));
  const bool bytes = dataset->sample_dtype() == Dtype::kUint8;
  const std::byte* from = stored(row, room);
  const auto* as_bytes = reinterpret_cast<const uint8_t*>(from);
  const auto* as_floats = reinterpret_cast<const float*>(from);
  if (!augmenter.changes_examples()) {
    if (bytes)
      look_up(as_bytes, to, count, tables);
    else
      scale_row(as_floats, to, count, x_scaling);
    return;
  }
  FloatImage& image = room.image;
  image.height = shape[0];
  image.width = shape[1];
  image.channels = shape[2];
  image.values.resize(count);
  if (bytes)
    std::copy_n(as_bytes, count, image.values.begin());
  else
    std::copy_n(as_floats, count, image.values.begin());
  augmenter.apply(image, room.spare, epoch, row);
  scale_row(image.values.data(), to, count, x_scaling);
}

void Loader::State::fill_y(int64_t row, size_t at, HostTensor& y) const {
  const auto from = static_cast<size_t>(row);
  if (y.dtype == Dtype::kInt32) {
    y.as<int32_t>()[at] = this->y->as<int32_t>()[from];
    return;
  }
  const size_t targets = this->y->row_bytes() / sizeof(float);
  scale_row(this->y->as<float>().data() + from * targets, y.as<float>().data() + at * targets,
            targets, y_scaling);
}

// The heavier label comes first, so that it is the one whose right answers are counted.
void Loader::State::mix(int64_t number, HostBatch& batch) const {
  const Mix mix = augmenter.mix(epoch, number);
  const std::vector<int64_t> partners = augmenter.partners(batch.x.rows(), epoch, number);
  mix_rows(batch.x, partners, mix);
  if (!y) return;
  batch.second_y = gather(batch.y, partners);
  batch.weight = mix.weight;
  if (mix.weight >= 0.5) return;
  std::swap(batch.y, *batch.second_y);
  batch.weight = 1 - mix.weight;
}

// Batches are asked for in order, so that the file can be read ahead of them.
std::vector<int64_t> Loader::State::rows_of(int64_t number) {
  const int64_t begin = number * options.batch_size;
  const int64_t end = std::min(begin + options.batch_size, rows);
  if (file) {
    const int64_t wanted = order.blocks_wanted(end - 1);
    for (; advised < wanted; ++advised) {
      const auto [first, count] = order.block(advised);
      file->will_need(first, count);
    }
  }
  return order.rows(begin, end - begin);
}

HostBatch Loader::State::assemble(int64_t number, std::vector<int64_t> numbers) const {
  const auto size = static_cast<int64_t>(numbers.size());
  HostBatch batch;
  batch.rows = std::move(numbers);
  Shape x_shape = {size};
  for (const int64_t length : dataset->sample_shape()) x_shape.push_back(length);
  batch.x = HostTensor(Dtype::kFloat32, x_shape);
  if (y) {
    Shape y_shape = y->shape;
    y_shape[0] = size;
    batch.y = HostTensor(y->dtype, y_shape);
  }
  const int64_t row_values = std::max<int64_t>(size_of(dataset->sample_shape()), 1);
  parallel_for(size, std::max<int64_t>(kValuesPerTask / row_values, 1),
               [&](int64_t first, int64_t last) {
                 Room room;
                 for (int64_t i = first; i < last; ++i) {
                   const int64_t row = batch.rows[static_cast<size_t>(i)];
                   fill_x(row, batch.x.as<float>().data() + i * row_values, room);
                   if (y) fill_y(row, static_cast<size_t>(i), batch.y);
                 }
               });
  if (augmenter.mixes()) mix(number, batch);
  return batch;
}

void Loader::State::schedule() {
  const int64_t last = std::min(position + options.prefetch, batches);
  for (scheduled = std::max(scheduled, position); scheduled < last; ++scheduled) {
    Slot& slot = *slots[static_cast<size_t>(scheduled % options.prefetch)];
    slot.rows = rows_of(scheduled);
    slot.work.run(
        [this, &slot, number = scheduled] { slot.batch = assemble(number, std::move(slot.rows)); });
  }
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, const std::string& split,
               LoaderOptions options)
    : state_(std::make_unique<State>()) {
  if (options.batch_size < 1) fail("[Loader] batch_size {}, wanted at least 1", options.batch_size);
  if (options.prefetch < 0) fail("[Loader] prefetch {}, wanted at least 0", options.prefetch);
  State& state = *state_;
  state.rows = dataset->rows(split);
  state.file = dataset->file_rows(split);
  if (!state.file) state.x = &dataset->split(split).x;
  if (!dataset->reconstructs()) state.y = &dataset->targets(split);
  const int64_t rows = state.rows;
  if (rows == 0) fail(ErrorKind::kData, "split '{}' is empty", split);
  state.row_bytes =
      static_cast<size_t>(size_of(dataset->sample_shape())) * size_of(dataset->sample_dtype());
  state.batches = options.batches_of(rows);
  if (state.batches == 0) {
    fail("[Loader] drop_last leaves nothing: batch_size {}, but split '{}' has {} rows",
         options.batch_size, split, rows);
  }
  const Normalization& norm = options.normalization;
  const int64_t channels = dataset->sample_shape().back();
  const Shape& sample = dataset->sample_shape();
  const int64_t repeats = sample.size() > 1 ? sample[sample.size() - 2] : 1;
  state.x_scaling = scaling(norm.mean, norm.std, channels, "x", repeats);
  if (dataset->sample_dtype() == Dtype::kUint8) state.tables = tables(state.x_scaling, channels);
  if (state.y && state.y->dtype == Dtype::kFloat32) {
    const int64_t targets = static_cast<int64_t>(state.y->row_bytes() / sizeof(float));
    state.y_scaling = scaling(norm.target_mean, norm.target_std, targets, "targets");
  }
  for (int64_t i = 0; i < options.prefetch; ++i) {
    state.slots.push_back(std::make_unique<State::Slot>());
  }
  state.augmenter = Augmenter(options.augment, *dataset, options.seed);
  state.dataset = std::move(dataset);
  state.options = std::move(options);
  start(0);
}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

int64_t Loader::batches() const { return state_->batches; }

int64_t Loader::examples() const {
  return std::min(state_->batches * state_->options.batch_size, state_->rows);
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
  if (state.order.blocks() == 0 || (state.options.shuffle && epoch != state.epoch)) {
    state.order = EpochOrder(state.rows, static_cast<int64_t>(state.row_bytes),
                             state.options.shuffle, state.options.seed, epoch);
  }
  // What was read before this position need not be read again, but for its own window.
  state.advised =
      state.order.first_block_of_window(std::min(batch * state.options.batch_size, state.rows - 1));
  state.epoch = epoch;
  state.position = state.scheduled = batch;
}

// The next batch; without its y, where that is x.
std::optional<HostBatch> Loader::State::take() {
  if (position >= batches) return std::nullopt;
  if (options.prefetch == 0) {
    const int64_t number = position++;
    return assemble(number, rows_of(number));
  }
  schedule();
  Slot& slot = *slots[static_cast<size_t>(position % options.prefetch)];
  slot.work.wait();
  HostBatch batch = std::move(slot.batch);
  ++position;
  schedule();
  return batch;
}

std::optional<HostBatch> Loader::next_host() {
  std::optional<HostBatch> batch = state_->take();
  if (!batch || state_->y) return batch;
  batch->y = batch->x;
  if (state_->augmenter.mixes()) batch->second_y = batch->x;
  return batch;
}

std::optional<Batch> Loader::next() {
  const int64_t number = state_->position;
  std::optional<HostBatch> host = state_->take();
  if (!host) return std::nullopt;
  const Array x = to_array(host->x);
  const Array y = state_->y ? to_array(host->y) : x;
  Batch batch{x, y, {}, host->weight, number, std::move(host->rows)};
  if (host->second_y) batch.second_y = to_array(*host->second_y);
  if (!state_->y && state_->augmenter.mixes()) batch.second_y = x;
  return batch;
}

}  // namespace mica::data
