#include "core/eval/eval.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <type_traits>

#include "core/eval/lost.h"
#include "core/eval/streams.h"
#include "core/graph/node.h"
#include "core/plan/plan.h"
#include "core/runtime/mapped_file.h"
#include "core/runtime/stream.h"

namespace mica {
namespace {

void wait_for(const Node* node) {
  if (const EventPtr pending = node->pending) pending->wait();
}

// What has been evaluated while a derivative was traced keeps its graph; afterwards nobody needs
// it.
void forget_graph(Node* node) {
  if (node->op != nullptr && !TracingScope::is_active()) node->detach();
}

// Totals that a loop adds to and never reads are computed now and then (node.h, kMostDepth).
void limit_depth_of_graphs() {
  static const bool once = (set_depth_handler([](const Array& deep) { eval(deep); }), true);
  (void)once;
}

void publish(const Trace& trace, PlanRun& run, const EventPtr& pending) {
  const bool tracing = TracingScope::is_active();
  for (size_t i = 0; i < trace.outputs.size(); ++i) {
    Node* node = trace.outputs[i].node;
    node->values.push_back(std::move(run.outputs[i]));
    node->pending = pending;
    if (node->values.size() == node->specs.size() && !(tracing && node->tracer)) node->detach();
  }
}

Arrays still_pending(const Arrays& arrays) {
  Arrays pending;
  for (const Array& array : arrays) {
    if (!array.defined()) fail("[eval] an empty array cannot be evaluated");
    if (array.is_evaluated()) {
      forget_graph(array.node());
    } else {
      pending.push_back(array);
    }
  }
  return pending;
}

// Waits for the leaves and computes.
void execute(const Plan& plan, const FlatGraph& graph, const PlanRun& run) {
  for (const Array& leaf : run.leaves) wait_for(leaf.node());
  try {
    plan.execute(run);
  } catch (...) {
    give_up_dying_leaves(graph.leaf_dies, run.leaves);
    throw;
  }
}

// A graph whose results are there as soon as its work has been done.
struct Promised {
  std::function<void()> work;
  std::vector<EventPtr> after;  // what its leaves wait for
};

Promised promise(Trace trace, const EventPtr& done) {
  const auto plan = find_plan(trace.graph);
  PlanRun run = plan->prepare(trace.leaves);
  std::vector<EventPtr> after;
  for (const Array& leaf : trace.leaves) {
    if (leaf.node()->pending) after.push_back(leaf.node()->pending);
  }
  publish(trace, run, done);
  const auto graph = std::make_shared<FlatGraph>(std::move(trace.graph));
  return {[plan, graph, run = std::move(run)] { execute(*plan, *graph, run); }, std::move(after)};
}

void enqueue(Trace trace) {
  Stream& stream = *trace.stream;
  auto done = std::make_shared<Event>();
  auto [work, after] = promise(std::move(trace), done);
  stream.enqueue(std::move(work), std::move(after), std::move(done));
}

void eval_on_streams(const Arrays& pending) {
  std::vector<Job> jobs;
  std::map<Stream*, EventPtr> last;  // of each stream
  std::set<EventPtr> own;
  for (const Piece& piece : pieces_by_stream(pending)) {
    Trace trace = trace_graph(piece.arrays);
    auto done = std::make_shared<Event>();
    auto [work, after] = promise(std::move(trace), done);
    // Work that runs already is waited for here: jobs wait for each other only.
    std::erase_if(after, [&](const EventPtr& event) {
      if (own.contains(event)) return false;
      event->wait();
      return true;
    });
    own.insert(done);
    EventPtr& before = last[piece.stream];
    if (before != nullptr) after.push_back(before);
    before = done;
    jobs.push_back({std::move(work), std::move(done), std::move(after)});
  }
  run_jobs(std::move(jobs));
}

// Waits for and copies one evaluated array into row-major order.
void copy_row_major(const Array& array, std::byte* out) {
  const Value& value = array.node()->values[array.index()];
  const Shape& shape = array.shape();
  const size_t item = size_of(array.dtype());
  const int64_t count = size_of(shape);
  if (Layout{shape, value.strides, 0}.is_contiguous()) {
    if (count > 0) std::memcpy(out, value.data, static_cast<size_t>(count) * item);
    check_mapped_files();
    return;
  }
  Shape index(shape.size(), 0);
  int64_t offset = 0;
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out + static_cast<size_t>(i) * item,
                value.data + offset * static_cast<int64_t>(item), item);
    for (size_t axis = shape.size(); axis-- > 0;) {
      offset += value.strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= value.strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  check_mapped_files();
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (is_complex(dtype_of<From>) && is_complex(dtype_of<To>))
    return static_cast<To>(value);
  else if constexpr (is_complex(dtype_of<From>))
    return convert<To>(value.real());
  else if constexpr (is_complex(dtype_of<To>))
    return {convert<typename To::value_type>(value), 0};
  else if constexpr (std::is_same_v<To, float16_t> || std::is_same_v<To, bfloat16_t>)
    return To(static_cast<float>(value));
  else if constexpr (std::is_same_v<From, float16_t> || std::is_same_v<From, bfloat16_t>)
    return static_cast<To>(static_cast<float>(value));
  else
    return static_cast<To>(value);
}

}  // namespace

void eval(const Arrays& arrays) {
  limit_depth_of_graphs();
  const Arrays pending = still_pending(arrays);
  if (!pending.empty()) {
    Trace trace = trace_graph(pending);
    if (trace.several_streams) {
      eval_on_streams(pending);
    } else {
      const auto plan = find_plan(trace.graph);
      PlanRun run = plan->prepare(std::move(trace.leaves));
      execute(*plan, trace.graph, run);
      publish(trace, run, nullptr);
    }
  }
  for (const Array& array : arrays) wait_for(array.node());
}

void async_eval(const Arrays& arrays) {
  const Arrays pending = still_pending(arrays);
  if (pending.empty()) return;
  Trace trace = trace_graph(pending);
  if (!trace.several_streams) return enqueue(std::move(trace));
  trace = {};
  for (const Piece& piece : pieces_by_stream(pending)) enqueue(trace_graph(piece.arrays));
}

std::vector<std::byte> Array::to_bytes() const {
  eval({*this});
  std::vector<std::byte> out(static_cast<size_t>(size()) * size_of(dtype()));
  copy_row_major(*this, out.data());
  return out;
}

template <class T>
std::vector<T> Array::to_vector() const {
  const std::vector<std::byte> bytes = to_bytes();
  const auto count = static_cast<size_t>(size());
  std::vector<T> out(count);
  dispatch(dtype(), [&]<class From>(TypeTag<From>) {
    for (size_t i = 0; i < count; ++i) {
      From value;
      std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
      out[i] = convert<T>(value);
    }
  });
  return out;
}

template <class T>
T Array::item() const {
  if (size() != 1) fail("[item] shape {} has {} elements", mica::to_string(shape()), size());
  return to_vector<T>()[0];
}

#define MICA_INSTANTIATE(T)                            \
  template std::vector<T> Array::to_vector<T>() const; \
  template T Array::item<T>() const;
MICA_INSTANTIATE(bool)
MICA_INSTANTIATE(uint8_t)
MICA_INSTANTIATE(uint16_t)
MICA_INSTANTIATE(uint32_t)
MICA_INSTANTIATE(uint64_t)
MICA_INSTANTIATE(int8_t)
MICA_INSTANTIATE(int16_t)
MICA_INSTANTIATE(int32_t)
MICA_INSTANTIATE(int64_t)
MICA_INSTANTIATE(float16_t)
MICA_INSTANTIATE(bfloat16_t)
MICA_INSTANTIATE(float)
MICA_INSTANTIATE(double)
MICA_INSTANTIATE(complex64_t)
MICA_INSTANTIATE(complex128_t)
#undef MICA_INSTANTIATE

}  // namespace mica
