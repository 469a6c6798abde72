// Statistics of channels over rows. Rows are cut into chunks, the sums of a chunk are taken side
// by side in vectors, and chunks are combined in their order in float64.
//
// Variances are taken in two passes over a chunk, which is still in the cache for the second, and
// combined after Chan, Golub & LeVeque (1983): nothing cancels, however far from 0 the values are.

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/cpu/floating.h"
#include "core/cpu/install.h"
#include "core/ops/norm_op.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/norm_cpu.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

#ifndef MICA_NORM_CHUNKS
#define MICA_NORM_CHUNKS
namespace mica {

// Some rows of some channels. Rows start `stride` elements apart, which is more than the number of
// channels where those are cut into stripes.
template <class T>
struct ChannelChunk {
  int64_t rows = 0;
  int64_t channels = 0;
  int64_t stride = 0;
  const T* x = nullptr;
  const T* g = nullptr;     // sums of products only
  const T* mean = nullptr;  // the same
  T* first = nullptr;       // the means, or the sums of g
  T* second = nullptr;      // the summed squares about the means, or the sums of g * (x - mean)
};

constexpr int64_t kMostChannels = 512;  // in a stripe
constexpr int64_t kMostColumns = 2048;  // in a line, below

}  // namespace mica
#endif  // MICA_NORM_CHUNKS

HWY_BEFORE_NAMESPACE();
namespace mica {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#include "core/cpu/partial_lanes.inc"

struct LoadWhole {
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, const hn::TFromD<D>* p) const {
    return hn::LoadU(d, p);
  }
};
struct LoadFirst {
  int64_t count;
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, const hn::TFromD<D>* p) const {
    return load_first(d, p, count, hn::TFromD<D>(0));
  }
};

// Few channels make short vectors, so several rows are taken as one line, each of whose columns is
// summed by itself. The last line may be incomplete.
struct Lines {
  int64_t rows_in_line = 1;
  int64_t columns = 0;
  int64_t stride = 0;
  int64_t whole = 0;  // lines
  int64_t rest = 0;   // columns of the line after them

  Lines(int64_t rows, int64_t channels, int64_t row_stride) {
    constexpr int64_t kBlock = 64;
    if (row_stride == channels) rows_in_line = kBlock / std::gcd(channels, kBlock);
    if (rows_in_line * channels > kMostColumns) {
      rows_in_line = row_stride == channels ? std::max<int64_t>(1, kBlock / channels) : 1;
    }
    columns = rows_in_line * channels;
    stride = rows_in_line * row_stride;
    whole = rows / rows_in_line;
    rest = rows % rows_in_line * channels;
  }
};

// Two sums of every column: add(load, place, column, first sum, second sum) adds a vector of terms.
template <int kVectors, class T, class Add>
HWY_INLINE void sum_block(const Lines& lines, int64_t column, T* first, T* second, Add add) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  V a[kVectors], b[kVectors];
  for (int k = 0; k < kVectors; ++k) a[k] = b[k] = hn::Zero(d);
  for (int64_t line = 0; line < lines.whole; ++line) {
    const int64_t place = line * lines.stride + column;
    for (int k = 0; k < kVectors; ++k) {
      add(LoadWhole(), place + k * n, column + k * n, a[k], b[k]);
    }
  }
  for (int k = 0; k < kVectors; ++k) {
    const int64_t here = column + k * n;
    const int64_t left = std::min(n, lines.rest - here);
    if (left > 0) add(LoadFirst{left}, lines.whole * lines.stride + here, here, a[k], b[k]);
    hn::StoreU(a[k], d, first + here);
    hn::StoreU(b[k], d, second + here);
  }
}

// The same for columns that do not fill a vector.
template <class T, class Add>
HWY_INLINE void sum_last(const Lines& lines, int64_t column, T* first, T* second, Add add) {
  const hn::ScalableTag<T> d;
  const int64_t count = lines.columns - column;
  auto a = hn::Zero(d), b = hn::Zero(d);
  for (int64_t line = 0; line < lines.whole; ++line) {
    add(LoadFirst{count}, line * lines.stride + column, column, a, b);
  }
  const int64_t left = std::min(count, lines.rest - column);
  if (left > 0) add(LoadFirst{left}, lines.whole * lines.stride + column, column, a, b);
  store_first(d, a, first + column, count);
  store_first(d, b, second + column, count);
}

template <class T, class Add>
HWY_INLINE void sum_columns(const Lines& lines, T* first, T* second, Add add) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 4 * n <= lines.columns; c += 4 * n) sum_block<4>(lines, c, first, second, add);
  for (; c + n <= lines.columns; c += n) sum_block<1>(lines, c, first, second, add);
  if (c < lines.columns) sum_last(lines, c, first, second, add);
}

// Columns of the same channel added up.
template <class T>
void fold(const Lines& lines, const T* columns, int64_t channels, T* out) {
  std::copy_n(columns, channels, out);
  for (int64_t row = 1; row < lines.rows_in_line; ++row) {
    for (int64_t c = 0; c < channels; ++c) out[c] += columns[row * channels + c];
  }
}

template <class T>
void unfold(const Lines& lines, const T* values, int64_t channels, T* columns) {
  for (int64_t row = 0; row < lines.rows_in_line; ++row) {
    std::copy_n(values, channels, columns + row * channels);
  }
}

template <class T>
void moments_chunk(const ChannelChunk<T>& chunk) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  HWY_ALIGN T first[kMostColumns], second[kMostColumns], means[kMostColumns];
  const Lines lines(chunk.rows, chunk.channels, chunk.stride);
  const T* x = chunk.x;
  sum_columns(lines, first, second, [&](auto load, int64_t at, int64_t, V& a, V&) HWY_ATTR {
    a = hn::Add(a, load(d, x + at));
  });
  fold(lines, first, chunk.channels, chunk.first);
  for (int64_t c = 0; c < chunk.channels; ++c) chunk.first[c] /= static_cast<T>(chunk.rows);
  unfold(lines, chunk.first, chunk.channels, means);
  // The sum about the rounded means, second, makes good what they are off by.
  sum_columns(lines, first, second, [&](auto load, int64_t at, int64_t c, V& a, V& b) HWY_ATTR {
    const V centred = hn::Sub(load(d, x + at), load(d, means + c));
    a = hn::MulAdd(centred, centred, a);
    b = hn::Add(centred, b);
  });
  fold(lines, first, chunk.channels, chunk.second);
  fold(lines, second, chunk.channels, means);
  for (int64_t c = 0; c < chunk.channels; ++c) {
    const T off = means[c] / static_cast<T>(chunk.rows);
    chunk.first[c] += off;
    chunk.second[c] = std::max(T(0), chunk.second[c] - off * means[c]);
  }
}

template <class T>
void dots_chunk(const ChannelChunk<T>& chunk) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  HWY_ALIGN T first[kMostColumns], second[kMostColumns], means[kMostColumns];
  const Lines lines(chunk.rows, chunk.channels, chunk.stride);
  const T* x = chunk.x;
  const T* g = chunk.g;
  unfold(lines, chunk.mean, chunk.channels, means);
  sum_columns(lines, first, second, [&](auto load, int64_t at, int64_t c, V& a, V& b) HWY_ATTR {
    const V cotangent = load(d, g + at);
    a = hn::Add(a, cotangent);
    b = hn::MulAdd(cotangent, hn::Sub(load(d, x + at), load(d, means + c)), b);
  });
  fold(lines, first, chunk.channels, chunk.first);
  fold(lines, second, chunk.channels, chunk.second);
}

void moments_float(const ChannelChunk<float>& chunk) { moments_chunk(chunk); }
void moments_double(const ChannelChunk<double>& chunk) { moments_chunk(chunk); }
void dots_float(const ChannelChunk<float>& chunk) { dots_chunk(chunk); }
void dots_double(const ChannelChunk<double>& chunk) { dots_chunk(chunk); }

}  // namespace HWY_NAMESPACE
}  // namespace mica
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(moments_float);
HWY_EXPORT(moments_double);
HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);

void run_chunk(const ChannelChunk<float>& chunk) {
  if (chunk.g == nullptr)
    HWY_DYNAMIC_DISPATCH(moments_float)(chunk);
  else
    HWY_DYNAMIC_DISPATCH(dots_float)(chunk);
}
void run_chunk(const ChannelChunk<double>& chunk) {
  if (chunk.g == nullptr)
    HWY_DYNAMIC_DISPATCH(moments_double)(chunk);
  else
    HWY_DYNAMIC_DISPATCH(dots_double)(chunk);
}

// How (rows, channels) is cut, by the shape alone.
struct Cut {
  int64_t rows, channels, stripe, rows_in_chunk, stripes, chunks;

  explicit Cut(const Shape& shape) : rows(1), channels(shape.back()) {
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    constexpr int64_t kElements = 16384;
    stripe = std::clamp<int64_t>(channels, 1, kMostChannels);
    // Not too few rows, or there would be as much to combine as there was to sum.
    rows_in_chunk = std::max<int64_t>(64, kElements / stripe);
    stripes = (channels + stripe - 1) / stripe;
    chunks = (rows + rows_in_chunk - 1) / rows_in_chunk;
  }
  int64_t rows_of(int64_t chunk) const {
    return std::min(rows_in_chunk, rows - chunk * rows_in_chunk);
  }
};

// A chunk's part of an input: where it lies, or converted to float without gaps.
template <class T, class Compute>
const Compute* part(const T* from, const ChannelChunk<Compute>& chunk, std::vector<Compute>& room) {
  if constexpr (std::is_same_v<T, Compute>) {
    return from;
  } else {
    room.resize(static_cast<size_t>(chunk.rows * chunk.channels));
    if (chunk.stride == chunk.channels) {
      convert_part_by_float(from, chunk.rows * chunk.channels, room.data());
      return room.data();
    }
    for (int64_t r = 0; r < chunk.rows; ++r) {
      convert_part_by_float(from + r * chunk.stride, chunk.channels,
                            room.data() + r * chunk.channels);
    }
    return room.data();
  }
}

// The two results of every chunk, (chunks, channels) each. g and mean are null for moments.
template <class T, class Compute>
void run_chunks(const Cut& cut, const T* x, const T* g, const Compute* mean, Compute* first,
                Compute* second) {
  parallel_for(cut.chunks * cut.stripes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t chunk = task / cut.stripes;
      const int64_t channel = task % cut.stripes * cut.stripe;
      const int64_t place = chunk * cut.rows_in_chunk * cut.channels + channel;
      ChannelChunk<Compute> now{cut.rows_of(chunk), std::min(cut.stripe, cut.channels - channel),
                                cut.channels};
      std::vector<Compute> x_room, g_room;
      now.x = part(x + place, now, x_room);
      if (g != nullptr) {
        now.g = part(g + place, now, g_room);
        now.mean = mean + channel;
      }
      if (!std::is_same_v<T, Compute>) now.stride = now.channels;
      now.first = first + chunk * cut.channels + channel;
      now.second = second + chunk * cut.channels + channel;
      run_chunk(now);
    }
  });
}

template <class Compute>
void combine_moments(const Cut& cut, const Compute* means, const Compute* squares, Compute* mean,
                     Compute* variance) {
  const auto channels = static_cast<size_t>(cut.channels);
  std::vector<double> total(channels), about(channels);
  double seen = 0;
  for (int64_t chunk = 0; chunk < cut.chunks; ++chunk) {
    const auto count = static_cast<double>(cut.rows_of(chunk));
    const double share = count / (seen + count);
    for (size_t c = 0; c < channels; ++c) {
      const double apart = means[static_cast<size_t>(chunk) * channels + c] - total[c];
      total[c] += apart * share;
      about[c] += squares[static_cast<size_t>(chunk) * channels + c] + apart * apart * seen * share;
    }
    seen += count;
  }
  for (size_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<Compute>(total[c]);
    variance[c] = static_cast<Compute>(about[c] / std::max(seen, 1.0));
  }
}

template <class Compute>
void combine_sums(const Cut& cut, const Compute* parts, Compute* out) {
  std::vector<double> total(static_cast<size_t>(cut.channels));
  for (int64_t i = 0; i < cut.chunks * cut.channels; i += cut.channels) {
    for (size_t c = 0; c < total.size(); ++c) total[c] += parts[static_cast<size_t>(i) + c];
  }
  std::copy(total.begin(), total.end(), out);
}

// Calls body of (the stored type's tag, the computed type's tag) for floating types.
template <class Body>
void dispatch_computed(Dtype dtype, Body&& body) {
  dispatch(dtype, [&]<class T>(TypeTag<T> tag) {
    if constexpr (std::is_same_v<T, double>)
      body(tag, TypeTag<double>());
    else if constexpr (is_floating(dtype_of<T>))
      body(tag, TypeTag<float>());
  });
}

// Room for the results of all chunks; first() and second() are (chunks, channels).
template <class T>
class Partial {
 public:
  explicit Partial(const Cut& cut)
      : count_(static_cast<size_t>(cut.chunks * cut.channels)),
        memory_(Buffer::allocate(2 * count_ * sizeof(T) + 1)) {}
  T* first() const { return reinterpret_cast<T*>(memory_.data()); }
  T* second() const { return first() + count_; }

 private:
  size_t count_;
  Buffer memory_;
};

void run_moments(const ChannelMoments&, Inputs in, Outputs out) {
  const Cut cut(in[0].shape);
  dispatch_computed(in[0].dtype, [&]<class T, class Compute>(TypeTag<T>, TypeTag<Compute>) {
    const Partial<Compute> parts(cut);
    run_chunks<T, Compute>(cut, in[0].as<T>(), nullptr, nullptr, parts.first(), parts.second());
    combine_moments(cut, parts.first(), parts.second(), out[0].as<Compute>(), out[1].as<Compute>());
  });
}

void run_dots(const ChannelDots&, Inputs in, Outputs out) {
  const Cut cut(in[0].shape);
  dispatch_computed(in[0].dtype, [&]<class T, class Compute>(TypeTag<T>, TypeTag<Compute>) {
    const Partial<Compute> parts(cut);
    run_chunks<T, Compute>(cut, in[1].as<T>(), in[0].as<T>(), in[2].as<Compute>(), parts.first(),
                           parts.second());
    combine_sums(cut, parts.first(), out[0].as<Compute>());
    combine_sums(cut, parts.second(), out[1].as<Compute>());
  });
}

}  // namespace

void install_norm(KernelTable& table) {
  table.add<ChannelMoments>(run_moments, InputLayout::kContiguous);
  table.add<ChannelDots>(run_dots, InputLayout::kContiguous);
}

}  // namespace mica
#endif  // HWY_ONCE
