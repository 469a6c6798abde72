// Convolution by oneDNN primitives, each run on one thread over a chunk of the batch.
//
// A primitive is executed from several tasks at once, so every call brings its own scratchpad:
// with oneDNN's shared one the results are wrong. Primitives live in a bounded cache.
#include "core/ops/conv_kernels.h"

#ifndef MICA_WITH_DNNL

namespace mica {

template <class T>
bool conv_dnnl(const ConvGeometry&, const T*, const T*, T*) {
  return false;
}
template <class T>
bool conv_input_dnnl(const ConvGeometry&, const T*, const T*, T*) {
  return false;
}
template <class T>
bool conv_weight_dnnl(const ConvGeometry&, const T*, const T*, T*) {
  return false;
}

}  // namespace mica

#else

#include <oneapi/dnnl/dnnl.hpp>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/cpu/floating.h"
#include "core/cpu/library_threads.h"
#include "core/runtime/buffer.h"

namespace mica {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

enum class Pass { kForward, kInput, kWeight };

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& this_thread_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

using Type = memory::data_type;
template <class T>
constexpr Type kType = std::is_same_v<T, float> ? Type::f32 : Type::bf16;

// oneDNN computes in bfloat16 on other machines too, slower than in float32.
template <class T>
bool has_instructions() {
  static const bool has = [] {
    const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
    const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
    return std::is_same_v<T, float> || (isa & wanted) == wanted;
  }();
  return has;
}

// One convolution over a chunk of the batch, with its descriptors.
struct Convolution {
  dnnl::primitive primitive;
  memory::desc image, result, weight, plain_weight, scratchpad;
  dnnl::reorder to_blocked, to_plain;  // of the weight; empty where it is used as it lies

  bool reorders() const { return weight != plain_weight; }
};

struct Descriptors {
  memory::dims stride, dilation, low, high;
  memory::desc image, result, weight, plain_weight;

  Descriptors(const ConvGeometry& g, Pass pass, Type type) {
    const Conv2dOptions& o = g.options;
    stride = {o.stride[0], o.stride[1]};
    dilation = {o.dilation[0] - 1, o.dilation[1] - 1};
    low = {o.padding[0], o.padding[1]};
    // Rows and columns that no window reaches count as negative padding.
    const auto rest = [&](int i, int64_t out, int64_t kernel, int64_t in) {
      return (out - 1) * o.stride[i] + o.dilation[i] * (kernel - 1) + 1 - in - o.padding[i];
    };
    high = {rest(0, g.out_height, g.kernel_height, g.height),
            rest(1, g.out_width, g.kernel_width, g.width)};
    image = memory::desc({g.batch, g.channels, g.height, g.width}, type, Tag::nhwc);
    result = memory::desc({g.batch, g.out_channels, g.out_height, g.out_width}, type, Tag::nhwc);
    const int64_t inputs = g.channels / o.groups, outputs = g.out_channels / o.groups;
    const memory::dims grouped = {o.groups, outputs, inputs, g.kernel_height, g.kernel_width};
    const memory::dims single = {outputs, inputs, g.kernel_height, g.kernel_width};
    const memory::dims& dims = o.groups > 1 ? grouped : single;
    // Gradients of weights are added up in float32.
    const Type of_weight = pass == Pass::kWeight ? Type::f32 : type;
    plain_weight = memory::desc(dims, of_weight, o.groups > 1 ? Tag::gohwi : Tag::ohwi);
    weight = memory::desc(dims, of_weight, Tag::any);
  }
};

dnnl::primitive_attr own_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::reorder make_reorder(const memory::desc& from, const memory::desc& to) {
  return dnnl::reorder(
      dnnl::reorder::primitive_desc(cpu_engine(), from, cpu_engine(), to, own_scratchpad()));
}

std::shared_ptr<const Convolution> create(const ConvGeometry& g, Pass pass, Type type) {
  use_one_library_thread();
  const Descriptors d(g, pass, type);
  // The forward pass that the gradients are of, as a hint.
  const Descriptors hint(g, Pass::kForward, type);
  const dnnl::engine& engine = cpu_engine();
  const auto direct = dnnl::algorithm::convolution_direct;
  const auto attributes = own_scratchpad();
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, direct, hint.image, hint.weight, hint.result, d.stride,
       d.dilation, d.low, d.high},
      attributes, engine);
  auto made = std::make_shared<Convolution>();
  made->image = d.image;
  made->result = d.result;
  made->plain_weight = d.plain_weight;
  if (pass == Pass::kForward) {
    made->weight = forward.weights_desc();
    made->scratchpad = forward.scratchpad_desc();
    made->primitive = dnnl::convolution_forward(forward);
  } else if (pass == Pass::kInput) {
    const dnnl::convolution_backward_data::primitive_desc input(
        {direct, d.image, d.weight, d.result, d.stride, d.dilation, d.low, d.high}, attributes,
        engine, forward);
    made->weight = input.weights_desc();
    made->scratchpad = input.scratchpad_desc();
    made->primitive = dnnl::convolution_backward_data(input);
  } else {
    const dnnl::convolution_backward_weights::primitive_desc weight(
        {direct, d.image, d.weight, d.result, d.stride, d.dilation, d.low, d.high}, attributes,
        engine, forward);
    made->weight = weight.diff_weights_desc();
    made->scratchpad = weight.scratchpad_desc();
    made->primitive = dnnl::convolution_backward_weights(weight);
  }
  if (made->reorders()) {
    made->to_blocked = make_reorder(made->plain_weight, made->weight);
    made->to_plain = make_reorder(made->weight, made->plain_weight);
  }
  return made;
}

struct Key {
  Pass pass;
  Type type;
  ConvGeometry geometry;
  friend bool operator==(const Key&, const Key&) = default;
};
struct KeyHash {
  size_t operator()(const Key& key) const {
    return hash_fields(key.geometry) * 6 + static_cast<size_t>(key.pass) * 2 +
           (key.type == Type::f32);
  }
};

// Null where oneDNN has no implementation.
std::shared_ptr<const Convolution> find(const ConvGeometry& geometry, Pass pass, Type type) {
  constexpr size_t kMostPrimitives = 512;
  static std::mutex mutex;
  static auto& cache =
      *std::make_unique<std::unordered_map<Key, std::shared_ptr<const Convolution>, KeyHash> >()
           .release();
  const Key key = {pass, type, geometry};
  const std::lock_guard lock(mutex);
  if (const auto found = cache.find(key); found != cache.end()) return found->second;
  std::shared_ptr<const Convolution> made;
  try {
    made = create(geometry, pass, type);
  } catch (const dnnl::error&) {
  }
  if (cache.size() >= kMostPrimitives) cache.clear();
  cache.emplace(key, made);
  return made;
}

float* floats(const Buffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

// REQUIRES: dnnl only reads through `data` where it is const.
memory bind(const memory::desc& desc, const void* data) {
  return memory(desc, cpu_engine(), const_cast<void*>(data));
}

void reorder(const dnnl::reorder& primitive, const memory::desc& from, const void* source,
             const memory::desc& to, void* target) {
  const memory in = bind(from, source), out = bind(to, target);
  primitive.execute(this_thread_stream(), {{DNNL_ARG_FROM, in}, {DNNL_ARG_TO, out}});
}

void execute(const Convolution& c, std::unordered_map<int, memory> arguments) {
  const Buffer scratch = Buffer::allocate(c.scratchpad.get_size() + 1);
  arguments.emplace(DNNL_ARG_SCRATCHPAD, bind(c.scratchpad, floats(scratch)));
  use_one_library_thread();
  c.primitive.execute(this_thread_stream(), arguments);
}

// How many images make a task. The partial sums of a weight gradient cost memory, hence fewer.
int64_t images_per_task(const ConvGeometry& g, Pass pass) {
  const int64_t most = pass == Pass::kWeight ? 8 : 16;
  const auto parts = static_cast<int64_t>(g.flops() / 4e6);
  const int64_t count = std::clamp<int64_t>(parts, 1, std::min(most, g.batch));
  return (g.batch + count - 1) / count;
}

// The primitives of a whole chunk and of the batch's shorter last one.
struct Chunks {
  int64_t images;
  std::shared_ptr<const Convolution> whole, last;

  Chunks(ConvGeometry g, Pass pass, Type type) : images(images_per_task(g, pass)) {
    const int64_t rest = g.batch % images;
    g.batch = images;
    whole = last = find(g, pass, type);
    if (rest == 0 || whole == nullptr) return;
    g.batch = rest;
    last = find(g, pass, type);
    // One layout of the weight serves both.
    if (last != nullptr && last->weight != whole->weight) last = nullptr;
  }
  bool usable() const { return whole != nullptr && last != nullptr; }
  const Convolution& of(int64_t begin, int64_t end) const {
    return end - begin == images ? *whole : *last;
  }
};

// The weight in the layout that the primitive wants; `memory` keeps it.
template <class T>
const T* blocked_weight(const Convolution& c, const T* weight, Buffer& memory) {
  if (!c.reorders()) return weight;
  memory = Buffer::allocate(c.weight.get_size());
  use_one_library_thread();
  reorder(c.to_blocked, c.plain_weight, weight, c.weight, memory.data());
  return reinterpret_cast<const T*>(memory.data());
}

int64_t image_size(const ConvGeometry& g) { return g.height * g.width * g.channels; }
int64_t result_size(const ConvGeometry& g) { return g.out_height * g.out_width * g.out_channels; }

// Fewer images than tasks: how many output rows of one image make a task.
int64_t rows_per_task(const ConvGeometry& g) {
  const auto parts = static_cast<int64_t>(g.flops() / double(g.batch) / 4e6);
  if (g.batch > 4 || parts < 2) return g.out_height;
  const int64_t count = std::min<int64_t>({parts, g.out_height, 16});
  return (g.out_height + count - 1) / count;
}

// Output rows [begin, end) of one image, and the first input row that they see.
struct RowPiece {
  ConvGeometry geometry;
  int64_t first_input;

  RowPiece(const ConvGeometry& g, int64_t begin, int64_t end) : geometry(g) {
    const Conv2dOptions& o = g.options;
    const int64_t top = begin * o.stride[0] - o.padding[0];
    const int64_t bottom =
        (end - 1) * o.stride[0] - o.padding[0] + o.dilation[0] * (g.kernel_height - 1) + 1;
    first_input = std::clamp<int64_t>(top, 0, g.height - 1);
    geometry.batch = 1;
    geometry.height = std::clamp<int64_t>(bottom, first_input + 1, g.height) - first_input;
    geometry.out_height = end - begin;
    geometry.options.padding[0] = first_input - top;
  }
};

template <class T>
bool conv_by_rows(const ConvGeometry& g, int64_t rows, const T* x, const T* weight, T* y) {
  const int64_t pieces = (g.out_height + rows - 1) / rows;
  const auto piece_of = [&](int64_t i) {
    return RowPiece(g, i * rows, std::min(g.out_height, (i + 1) * rows));
  };
  std::vector<std::shared_ptr<const Convolution> > found;
  for (int64_t i = 0; i < pieces; ++i) {
    const ConvGeometry piece = piece_of(i).geometry;
    if (piece.options.padding[0] < 0) return false;  // it sees nothing but padding below
    found.push_back(find(piece, Pass::kForward, kType<T>));
    if (found[i] == nullptr || found[i]->weight != found[0]->weight) return false;
  }
  Buffer memory;
  const T* blocked = blocked_weight(*found[0], weight, memory);
  parallel_for(g.batch * pieces, 1, [&](int64_t task, int64_t) {
    const int64_t image = task / pieces, i = task % pieces;
    const T* from = x + image * image_size(g) + piece_of(i).first_input * g.width * g.channels;
    T* to = y + image * result_size(g) + i * rows * g.out_width * g.out_channels;
    execute(*found[i], {{DNNL_ARG_SRC, bind(found[i]->image, from)},
                        {DNNL_ARG_WEIGHTS, bind(found[i]->weight, blocked)},
                        {DNNL_ARG_DST, bind(found[i]->result, to)}});
  });
  return true;
}

}  // namespace

template <class T>
bool conv_dnnl(const ConvGeometry& g, const T* x, const T* weight, T* y) {
  if (!has_instructions<T>()) return false;
  const int64_t rows = rows_per_task(g);
  if (rows < g.out_height && conv_by_rows(g, rows, x, weight, y)) return true;
  const Chunks chunks(g, Pass::kForward, kType<T>);
  if (!chunks.usable()) return false;
  Buffer memory;
  const T* blocked = blocked_weight(*chunks.whole, weight, memory);
  parallel_for(g.batch, chunks.images, [&](int64_t begin, int64_t end) {
    const Convolution& c = chunks.of(begin, end);
    execute(c, {{DNNL_ARG_SRC, bind(c.image, x + begin * image_size(g))},
                {DNNL_ARG_WEIGHTS, bind(c.weight, blocked)},
                {DNNL_ARG_DST, bind(c.result, y + begin * result_size(g))}});
  });
  return true;
}

template <class T>
bool conv_input_dnnl(const ConvGeometry& g, const T* cotangent, const T* weight, T* dx) {
  if (!has_instructions<T>()) return false;
  const Chunks chunks(g, Pass::kInput, kType<T>);
  if (!chunks.usable()) return false;
  Buffer memory;
  const T* blocked = blocked_weight(*chunks.whole, weight, memory);
  parallel_for(g.batch, chunks.images, [&](int64_t begin, int64_t end) {
    const Convolution& c = chunks.of(begin, end);
    execute(c, {{DNNL_ARG_DIFF_DST, bind(c.result, cotangent + begin * result_size(g))},
                {DNNL_ARG_WEIGHTS, bind(c.weight, blocked)},
                {DNNL_ARG_DIFF_SRC, bind(c.image, dx + begin * image_size(g))}});
  });
  return true;
}

template <class T>
bool conv_weight_dnnl(const ConvGeometry& g, const T* x, const T* cotangent, T* dweight) {
  if (!has_instructions<T>()) return false;
  const Chunks chunks(g, Pass::kWeight, kType<T>);
  if (!chunks.usable()) return false;
  const int64_t count = (g.batch + chunks.images - 1) / chunks.images;
  const auto size = static_cast<int64_t>(chunks.whole->weight.get_size() / sizeof(float));
  const Buffer memory = Buffer::allocate(static_cast<size_t>((count + 1) * size) * sizeof(float));
  float* partial = floats(memory);
  parallel_for(g.batch, chunks.images, [&](int64_t begin, int64_t end) {
    const Convolution& c = chunks.of(begin, end);
    float* out = partial + begin / chunks.images * size;
    execute(c, {{DNNL_ARG_SRC, bind(c.image, x + begin * image_size(g))},
                {DNNL_ARG_DIFF_DST, bind(c.result, cotangent + begin * result_size(g))},
                {DNNL_ARG_DIFF_WEIGHTS, bind(c.weight, out)}});
  });
  const Convolution& c = *chunks.whole;
  float* total = partial + count * size;
  sum_parts(partial, count, size, total);
  use_one_library_thread();
  if (c.reorders()) {
    // The parts are no longer needed.
    reorder(c.to_plain, c.weight, total, c.plain_weight, partial);
    total = partial;
  }
  convert_by_float(total, g.weight_size(), dweight);
  return true;
}

}  // namespace mica

#endif  // MICA_WITH_DNNL

namespace mica {

#define MICA_CONV(T)                                                          \
  template bool conv_dnnl(const ConvGeometry&, const T*, const T*, T*);       \
  template bool conv_input_dnnl(const ConvGeometry&, const T*, const T*, T*); \
  template bool conv_weight_dnnl(const ConvGeometry&, const T*, const T*, T*);
MICA_CONV(float)
MICA_CONV(bfloat16_t)
#undef MICA_CONV

}  // namespace mica
