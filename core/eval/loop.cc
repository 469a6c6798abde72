#include "core/eval/loop.h"

#include <algorithm>

#include "core/base/pointer_map.h"
#include "core/eval/loop_op.h"
#include "core/graph/node.h"
#include "core/graph/walk.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "core/transform/linearize.h"
#include "core/transform/vmap.h"

namespace mica {
namespace {

// Stands for an array of one step.
class StepArgument final : public OpWith<StepArgument> {
 public:
  static constexpr std::string_view kName = "step_argument";
  Shape shape;
  Dtype dtype;
  int number;
  FIELDS(StepArgument, shape, dtype, number)
  StepArgument(const Spec& spec, int n) : shape(spec.shape), dtype(spec.dtype), number(n) {}
  std::string_view refusal() const override {
    return "[scan] the body reads a value that depends on its arguments; it is called once, for "
           "no step in particular";
  }
  Specs infer(std::span<const Spec>) const override { return {{shape, dtype}}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {}; }
  Arrays vmap(const Arrays&, const Mapped&) const override { return {}; }
};

Arrays part(const Arrays& all, size_t first, size_t count) {
  const auto begin = all.begin() + static_cast<ptrdiff_t>(first);
  return Arrays(begin, begin + static_cast<ptrdiff_t>(count));
}

Arrays joined(Arrays a, const Arrays& b) {
  a.append(b.begin(), b.end());
  return a;
}

Spec spec_of(const Array& x) { return {x.shape(), x.dtype()}; }

// The graph between a body's arguments and its results. Everything that depends on no argument
// becomes a leaf more.
class BodyTracer {
 public:
  explicit BodyTracer(const Arrays& arguments) {
    for (const Array& argument : arguments) add_leaf(argument);
  }

  void run(const Arrays& results) {
    for (const Array& result : results) walk(result.node());
    for (const Node* node : order_) {
      for (const Array& input : node->inputs) capture(input);
    }
    for (const Array& result : results) capture(result);
    for (const Node* node : order_) add_node(*node);
    for (const Array& result : results) graph.outputs.push_back(value_of(result));
  }

  FlatGraph graph;
  Arrays captured;

 private:
  // Arguments are tracers, and so is all that depends on them.
  void walk(Node* root) {
    walk_inputs_first(
        root, [&](const Node* node) { return is_new(node); },
        [&](Node* node) {
          if (!seen_.insert(node, static_cast<int>(depends_.size())).second) return;
          const bool depends =
              std::any_of(node->inputs.begin(), node->inputs.end(),
                          [&](const Array& input) { return depends_on_arguments(input.node()); });
          depends_.push_back(depends);
          if (depends) order_.push_back(node);
        });
  }

  bool is_new(const Node* node) const {
    return node->tracer && node->op != nullptr && seen_.find(node) < 0 && leaf_of(node) < 0;
  }

  bool depends_on_arguments(const Node* node) const {
    if (leaf_of(node) >= 0) return true;
    const int number = seen_.find(node);
    return number >= 0 && depends_[static_cast<size_t>(number)] != 0;
  }

  int leaf_of(const Node* node) const { return arguments_.find(node); }

  void add_leaf(const Array& argument) {
    arguments_.insert(argument.node(), add_leaf_value(spec_of(argument)));
  }

  int add_leaf_value(const Spec& spec) {
    const int value = static_cast<int>(graph.specs.size());
    graph.specs.push_back(spec);
    graph.leaves.push_back(value);
    graph.leaf_strides.push_back(row_major(spec.shape));
    graph.leaf_dies.push_back(0);
    return value;
  }

  void capture(const Array& array) {
    if (depends_on_arguments(array.node()) || captured_value(array) >= 0) return;
    captured.push_back(array);
    captured_values_.push_back(add_leaf_value(spec_of(array)));
  }

  int captured_value(const Array& array) const {
    for (size_t i = 0; i < captured.size(); ++i) {
      if (captured[i].is_same(array)) return captured_values_[i];
    }
    return -1;
  }

  int value_of(const Array& array) const {
    if (const int leaf = leaf_of(array.node()); leaf >= 0) return leaf;
    if (const int value = captured_value(array); value >= 0) return value;
    return first_values_[static_cast<size_t>(numbers_.find(array.node()))] +
           static_cast<int>(array.index());
  }

  void add_node(const Node& node) {
    FlatNode flat;
    flat.op = node.op;
    for (const Array& input : node.inputs) flat.inputs.push_back(value_of(input));
    flat.first_output = static_cast<int>(graph.specs.size());
    flat.output_count = static_cast<int>(node.specs.size());
    numbers_.insert(&node, static_cast<int>(first_values_.size()));
    first_values_.push_back(flat.first_output);
    for (const Spec& spec : node.specs) graph.specs.push_back(spec);
    graph.nodes.push_back(std::move(flat));
  }

  PointerMap arguments_;  // to their values
  PointerMap seen_;
  std::vector<char> depends_;  // by the number in seen_
  std::vector<Node*> order_;   // that depend on arguments
  std::vector<int> captured_values_;
  PointerMap numbers_;             // of the nodes of the graph
  std::vector<int> first_values_;  // by number: the value of the first output
};

void check_carry(const Array& before, const Array& after, size_t i) {
  if (before.shape() == after.shape() && before.dtype() == after.dtype()) return;
  fail("[scan] carry {} is {} {}, the body makes it {} {}", i, before.dtype(),
       to_string(before.shape()), after.dtype(), to_string(after.shape()));
}

int64_t length_of(const Arrays& xs, const LoopOptions& options) {
  int64_t length = options.length;
  for (size_t i = 0; i < xs.size(); ++i) {
    if (xs[i].rank() == 0) fail("[scan] xs {} is a scalar and has no axis of steps", i);
    if (length >= 0 && xs[i].dim(0) != length) {
      fail("[scan] xs {} has {} steps, wanted {}", i, xs[i].dim(0), length);
    }
    length = xs[i].dim(0);
  }
  if (length < 0) fail("[scan] no xs and no length say how many steps there are");
  return length;
}

// The outputs of the op, in its order.
Arrays run_loop(const LoopBody& body, const Arrays& init, const Arrays& xs, int64_t length,
                bool reverse, bool keeps_carries) {
  const TracingScope tracing;
  Arrays arguments;
  for (const Array& x : joined(init, xs)) {
    Spec spec = spec_of(x);
    if (arguments.size() >= init.size()) spec.shape.erase(spec.shape.begin());
    arguments.push_back(apply(StepArgument(spec, static_cast<int>(arguments.size())), {}));
    arguments.back().node()->tracer = true;
  }
  auto [carry, outputs] =
      body(part(arguments, 0, init.size()), part(arguments, init.size(), xs.size()));
  if (carry.size() != init.size()) {
    fail("[scan] {} carries go into the body, {} come out", init.size(), carry.size());
  }
  for (size_t i = 0; i < init.size(); ++i) {
    if (carry[i].is_weak()) carry[i] = astype(carry[i], init[i].dtype());
    check_carry(init[i], carry[i], i);
  }
  BodyTracer tracer(arguments);
  tracer.run(joined(carry, outputs));
  LoopGraph graph = {
      std::move(tracer.graph), init.size(), xs.size(), length, reverse, keeps_carries};
  return apply_all(Loop(std::move(graph)), joined(joined(init, xs), tracer.captured));
}

}  // namespace

std::pair<Arrays, Arrays> scan(const LoopBody& body, const Arrays& init, const Arrays& xs,
                               const LoopOptions& options) {
  Arrays first;
  for (const Array& x : init) {
    first.push_back(x.is_weak() ? Array::scalar(x.node()->weak_value, x.dtype()) : x);
  }
  const int64_t length = length_of(xs, options);
  const bool keeps = TracingScope::is_active();
  const Arrays all = run_loop(body, first, xs, length, options.reverse, keeps);
  const size_t kept = keeps ? init.size() : 0;
  return {part(all, 0, init.size()), part(all, init.size(), all.size() - init.size() - kept)};
}

std::pair<Array, Array> scan(const UnaryLoopBody& body, const Array& init, const Array& xs,
                             const LoopOptions& options) {
  const LoopBody many = [&](const Arrays& carry, const Arrays& x) {
    const auto [next, output] = body(carry[0], x[0]);
    return std::pair(Arrays{next}, Arrays{output});
  };
  const auto [carry, outputs] = scan(many, Arrays{init}, Arrays{xs}, options);
  return {carry[0], outputs[0]};
}

Arrays LoopGraph::apply_body(const Arrays& leaves) const {
  std::vector<Array> values(graph.specs.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    values[static_cast<size_t>(graph.leaves[i])] = leaves[i];
  }
  for (const FlatNode& node : graph.nodes) {
    Arrays in;
    for (const int input : node.inputs) in.push_back(values[static_cast<size_t>(input)]);
    const Arrays out = apply_all(node.op, std::move(in));
    for (size_t i = 0; i < out.size(); ++i) {
      values[static_cast<size_t>(node.first_output) + i] = out[i];
    }
  }
  Arrays results;
  for (const int output : graph.outputs) results.push_back(values[static_cast<size_t>(output)]);
  return results;
}

Specs Loop::infer(std::span<const Spec>) const {
  Specs specs;
  const auto stacked = [&](Spec spec) {
    spec.shape.insert(spec.shape.begin(), body_.length);
    specs.push_back(std::move(spec));
  };
  for (size_t i = 0; i < body_.carries; ++i) specs.push_back(body_.result(i));
  for (size_t i = 0; i < body_.outputs(); ++i) stacked(body_.result(body_.carries + i));
  for (size_t i = 0; body_.keeps_carries && i < body_.carries; ++i) stacked(body_.result(i));
  return specs;
}

size_t Loop::hash() const {
  size_t seed = body_.graph.hash();
  for (const size_t number : {body_.carries, body_.xs, static_cast<size_t>(body_.length),
                              static_cast<size_t>(2 * body_.reverse + body_.keeps_carries)}) {
    hash_combine(seed, number);
  }
  return seed;
}

bool Loop::equals(const Op& other) const {
  const auto* loop = dynamic_cast<const Loop*>(&other);
  if (loop == nullptr) return false;
  const LoopGraph& b = loop->body_;
  return body_.carries == b.carries && body_.xs == b.xs && body_.length == b.length &&
         body_.reverse == b.reverse && body_.keeps_carries == b.keeps_carries &&
         body_.graph == b.graph;
}

std::string Loop::print() const {
  return fmt::format("scan(length={}, nodes={})", body_.length, body_.graph.nodes.size());
}

namespace {

Arrays chosen(const Arrays& all, const std::vector<char>& which) {
  Arrays some;
  for (size_t i = 0; i < all.size(); ++i) {
    if (which[i]) some.push_back(all[i]);
  }
  return some;
}

Arrays floating(const Arrays& all) {
  std::vector<char> which;
  for (const Array& x : all) which.push_back(is_inexact(x.dtype()));
  return chosen(all, which);
}

// The body's step backwards: from cotangents of the next carry and of the step's outputs to those
// of the leaves in `which`.
Arrays step_back(const LoopGraph& body, const Arrays& leaves, const std::vector<char>& which,
                 const Arrays& cotangents) {
  const auto of_chosen = [&](const Arrays& x) {
    Arrays all = leaves;
    size_t next = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (which[i]) all[i] = x[next++];
    }
    return floating(body.apply_body(all));
  };
  return linearize(of_chosen, chosen(leaves, which)).pullback(cotangents);
}

}  // namespace

// The loop backwards: its carry are the cotangents of the carry and the sums so far of those of
// what the body took from outside; its xs are carries, xs and cotangents of outputs.
Arrays Loop::vjp(const Arrays& in, const Arrays& out, const Arrays& g) const {
  const size_t carries = body_.carries, outputs = body_.outputs(), xs = body_.xs;
  const Arrays outside = part(in, carries + xs, in.size() - carries - xs);
  // Cotangents are for tracers alone; the carry's lead from step to step.
  std::vector<char> which;
  for (size_t i = 0; i < in.size(); ++i) {
    which.push_back(is_inexact(in[i].dtype()) && (i < carries || in[i].node()->tracer));
  }
  Arrays all_out = out;
  if (!body_.keeps_carries) {
    LoopGraph again = body_;
    again.keeps_carries = true;
    all_out = apply_all(Loop(std::move(again)), in);
  }
  Arrays first = floating(part(g, 0, carries));
  const size_t of_carry = first.size();
  for (size_t i = carries + xs; i < in.size(); ++i) {
    if (which[i]) first.push_back(zeros(in[i].shape(), in[i].dtype()));
  }
  // The kept carries have cotangents in derivatives of this rule.
  const Arrays g_outputs = floating(part(g, carries, outputs));
  const Arrays g_kept =
      body_.keeps_carries ? floating(part(g, carries + outputs, carries)) : Arrays();
  const size_t leaves = carries + xs;
  const LoopBody back = [&](const Arrays& carry, const Arrays& step) {
    const Arrays given = joined(part(carry, 0, of_carry), part(step, leaves, g_outputs.size()));
    const Arrays found = step_back(body_, joined(part(step, 0, leaves), outside), which, given);
    const size_t of_xs = found.size() - carry.size();
    Arrays next = part(found, 0, of_carry);
    for (size_t i = 0; i < g_kept.size(); ++i) {
      next[i] = next[i] + step[leaves + g_outputs.size() + i];
    }
    for (size_t i = of_carry; i < carry.size(); ++i) next.push_back(carry[i] + found[of_xs + i]);
    return std::pair(next, part(found, of_carry, of_xs));
  };
  const Arrays states = part(all_out, carries + outputs, carries);
  const Arrays steps = joined(joined(states, part(in, carries, xs)), joined(g_outputs, g_kept));
  const Arrays found = run_loop(back, first, steps, body_.length, !body_.reverse, false);
  Arrays cotangents;
  size_t next_carry = 0, next_x = first.size();
  for (size_t i = 0; i < in.size(); ++i) {
    const bool is_x = i >= carries && i < carries + xs;
    cotangents.push_back(which[i] ? found[is_x ? next_x++ : next_carry++] : Array());
  }
  return cotangents;
}

// A loop over batches: all carries get the mapped axis, xs behind the steps.
Arrays Loop::vmap(const Arrays& in, const Mapped& mapped) const {
  const size_t carries = body_.carries;
  int64_t count = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    if (mapped[i]) count = in[i].dim(0);
  }
  Arrays first, steps, outside;
  MappedAxes axes;
  for (size_t i = 0; i < in.size(); ++i) {
    const bool is_x = i >= carries && i < carries + body_.xs;
    axes.push_back(mapped[i] || i < carries ? std::optional<int>(0) : std::nullopt);
    if (i < carries && !mapped[i]) {
      Shape shape = in[i].shape();
      shape.insert(shape.begin(), count);
      first.push_back(broadcast_to(in[i], shape));
    } else if (i < carries) {
      first.push_back(in[i]);
    } else if (is_x) {
      steps.push_back(mapped[i] ? moveaxis(in[i], 0, 1) : in[i]);
    } else {
      outside.push_back(in[i]);
    }
  }
  const auto one = [&](const Arrays& leaves) { return body_.apply_body(leaves); };
  const ArraysFunction many = mica::vmap(ArraysFunction(one), axes);
  const LoopBody body = [&](const Arrays& carry, const Arrays& step) {
    const Arrays results = many(joined(joined(carry, step), outside));
    return std::pair(part(results, 0, carries), part(results, carries, results.size() - carries));
  };
  Arrays out = run_loop(body, first, steps, body_.length, body_.reverse, body_.keeps_carries);
  for (size_t i = carries; i < out.size(); ++i) out[i] = moveaxis(out[i], 1, 0);
  return out;
}

}  // namespace mica
