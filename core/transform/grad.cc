#include "core/transform/grad.h"

#include "core/base/pointer_map.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "core/transform/forward_op.h"
#include "core/transform/linearize.h"

namespace mica {
namespace {

// The part of a graph that a reverse walk goes through, inputs before users.
struct Tape {
  std::vector<Node*> order;
  PointerMap index;           // in order
  std::vector<char> depends;  // on one of the arguments

  bool depends_on_arguments(int number) const {
    return number >= 0 && depends[static_cast<size_t>(number)] != 0;
  }
};

bool leads_on(const Node* node, const Tape& tape) {
  return node->tracer && node->op != nullptr && tape.index.find(node) < 0;
}

void walk(Node* root, Tape& tape) {
  struct Frame {
    Node* node;
    size_t next_input;
  };
  std::vector<Frame> stack;
  if (!leads_on(root, tape)) return;
  stack.push_back({root, 0});
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.next_input < frame.node->inputs.size()) {
      Node* input = frame.node->inputs[frame.next_input++].node();
      if (leads_on(input, tape)) stack.push_back({input, 0});
      continue;
    }
    Node* node = frame.node;
    stack.pop_back();
    if (!tape.index.insert(node, static_cast<int>(tape.order.size())).second) continue;
    bool depends = false;
    for (const Array& input : node->inputs) {
      depends = depends || tape.depends_on_arguments(tape.index.find(input.node()));
    }
    tape.order.push_back(node);
    tape.depends.push_back(depends);
  }
}

// The arguments come first, as nodes that the walk does not go beyond.
Tape make_tape(const Arrays& arguments, const Arrays& outputs) {
  Tape tape;
  tape.order.reserve(64);
  tape.depends.reserve(64);
  for (const Array& argument : arguments) {
    tape.index.insert(argument.node(), static_cast<int>(tape.order.size()));
    tape.order.push_back(argument.node());
    tape.depends.push_back(1);
  }
  for (const Array& output : outputs) {
    if (output.defined()) walk(output.node(), tape);
  }
  return tape;
}

void accumulate(Array& total, const Array& more) { total = total.defined() ? total + more : more; }

// Sends the cotangents of one node's outputs on to its inputs.
void step_back(const Tape& tape, Node* node, Arrays& g, std::vector<Arrays>& cotangents) {
  Arrays outputs;
  for (uint32_t i = 0; i < node->specs.size(); ++i) {
    outputs.push_back(Array(node, i));
    if (!g[i].defined()) g[i] = zeros(node->specs[i].shape, node->specs[i].dtype);
  }
  const StreamScope scope(node->stream != nullptr ? *node->stream : current_stream());
  const Arrays back = node->op->vjp(node->inputs, outputs, g);
  MICA_ASSERT(back.size() == node->inputs.size());
  for (size_t i = 0; i < back.size(); ++i) {
    const Array& input = node->inputs[i];
    const int found = tape.index.find(input.node());
    if (!back[i].defined() || !tape.depends_on_arguments(found)) continue;
    Arrays& totals = cotangents[static_cast<size_t>(found)];
    totals.resize(input.node()->specs.size());
    accumulate(totals[input.index()], back[i]);
  }
}

// The cotangents of `arguments` for those of `outputs`.
Arrays pullback(const Arrays& arguments, const Arrays& outputs, const Arrays& output_cotangents) {
  const Tape tape = make_tape(arguments, outputs);
  std::vector<Arrays> cotangents(tape.order.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const int found = tape.index.find(outputs[i].node());
    if (found < 0) continue;
    Arrays& totals = cotangents[static_cast<size_t>(found)];
    totals.resize(outputs[i].node()->specs.size());
    accumulate(totals[outputs[i].index()], output_cotangents[i]);
  }
  for (size_t i = tape.order.size(); i-- > arguments.size();) {
    if (!tape.depends[i] || cotangents[i].empty()) continue;
    Arrays g = std::move(cotangents[i]);
    step_back(tape, tape.order[i], g, cotangents);
  }
  Arrays result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Arrays& total = cotangents[i];
    result.push_back(!total.empty() && total[0].defined() ? total[0] : zeros_like(arguments[i]));
  }
  return result;
}

Array make_tracer(const Array& x) {
  if (!is_inexact(x.dtype())) {
    fail("[grad] an argument of dtype {} has no gradient; cast it or choose other argnums",
         x.dtype());
  }
  Array tracer = apply(Forward(false), {x});
  tracer.node()->tracer = true;
  return tracer;
}

// `given` in the types of `wanted`, whose shapes it has to have.
Arrays same_forms(const char* op, const char* what, const char* whose, const Arrays& given,
                  const Arrays& wanted) {
  if (given.size() != wanted.size()) {
    fail("[{}] {} {}s for {} {}s", op, given.size(), what, wanted.size(), whose);
  }
  Arrays same;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (given[i].shape() != wanted[i].shape()) {
      fail("[{}] {} {} has shape {}, the {} {}", op, what, i, to_string(given[i].shape()), whose,
           to_string(wanted[i].shape()));
    }
    same.push_back(astype(given[i], wanted[i].dtype()));
  }
  return same;
}

std::vector<int> argument_numbers(const std::vector<int>& argnums, size_t count) {
  std::vector<int> numbers;
  for (int n : argnums) {
    if (n < 0 || n >= static_cast<int>(count)) fail("[grad] argument {} of {}", n, count);
    numbers.push_back(n);
  }
  for (int n = 0; argnums.empty() && n < static_cast<int>(count); ++n) numbers.push_back(n);
  return numbers;
}

}  // namespace

std::function<std::pair<Arrays, Arrays>(const Arrays&)> value_and_grad_aux(
    ArraysFunction f, std::vector<int> argnums) {
  return [f = std::move(f), argnums = std::move(argnums)](const Arrays& arguments) {
    TracingScope tracing;
    Arrays traced = arguments;
    Arrays tracers;
    for (int n : argument_numbers(argnums, arguments.size())) {
      Array& argument = traced[static_cast<size_t>(n)];
      argument = make_tracer(argument);
      tracers.push_back(argument);
    }
    Arrays outputs = f(traced);
    if (outputs.empty() || outputs[0].size() != 1) {
      fail("[grad] the function's result has shape {}; only a scalar has a gradient",
           outputs.empty() ? "none" : to_string(outputs[0].shape()));
    }
    const Array one = ones_like(outputs[0]);
    Arrays gradients = pullback(tracers, {outputs[0]}, {one});
    return std::pair(std::move(outputs), std::move(gradients));
  };
}

std::function<std::pair<Array, Arrays>(const Arrays&)> value_and_grad(ScalarFunction f,
                                                                      std::vector<int> argnums) {
  auto with_aux = value_and_grad_aux([f = std::move(f)](const Arrays& x) { return Arrays{f(x)}; },
                                     std::move(argnums));
  return [with_aux = std::move(with_aux)](const Arrays& arguments) {
    auto [outputs, gradients] = with_aux(arguments);
    return std::pair(outputs[0], std::move(gradients));
  };
}

ArraysFunction grad(ScalarFunction f, std::vector<int> argnums) {
  auto with_value = value_and_grad(std::move(f), std::move(argnums));
  return [with_value = std::move(with_value)](const Arrays& x) { return with_value(x).second; };
}

UnaryFunction grad(UnaryFunction f) {
  auto many = grad(ScalarFunction([f = std::move(f)](const Arrays& x) { return f(x[0]); }), {0});
  return [many = std::move(many)](const Array& x) { return many({x})[0]; };
}

Linearized linearize(const ArraysFunction& f, const Arrays& primals) {
  Arrays tracers;
  for (const Array& primal : primals) tracers.push_back(make_tracer(primal));
  Linearized result;
  result.outputs = f(tracers);
  result.pullback = [tracers, outputs = result.outputs](const Arrays& cotangents) {
    return mica::pullback(tracers, outputs, cotangents);
  };
  return result;
}

Arrays Linearized::pushforward(const Arrays& tangents) const {
  Arrays linear;  // cotangents, of which the pullback is a linear map
  for (const Array& y : outputs) linear.push_back(make_tracer(zeros(y.shape(), y.dtype())));
  return mica::pullback(linear, pullback(linear), tangents);
}

std::pair<Arrays, Arrays> vjp(const ArraysFunction& f, const Arrays& primals,
                              const Arrays& cotangents) {
  const TracingScope tracing;
  Linearized at = linearize(f, primals);
  Arrays given = same_forms("vjp", "cotangent", "output", cotangents, at.outputs);
  Arrays back = at.pullback(given);
  return {std::move(at.outputs), std::move(back)};
}

std::pair<Arrays, Arrays> jvp(const ArraysFunction& f, const Arrays& primals,
                              const Arrays& tangents) {
  const TracingScope tracing;
  const Arrays given = same_forms("jvp", "tangent", "primal", tangents, primals);
  Arrays outputs;
  std::vector<size_t> floating;
  const Linearized at = linearize(
      [&](const Arrays& x) {
        outputs = f(x);
        Arrays chosen;
        for (size_t i = 0; i < outputs.size(); ++i) {
          if (!is_inexact(outputs[i].dtype())) continue;
          chosen.push_back(outputs[i]);
          floating.push_back(i);
        }
        return chosen;
      },
      primals);
  Arrays along;
  for (const Array& y : outputs) along.push_back(zeros(y.shape(), y.dtype()));
  const Arrays found = at.pushforward(given);
  for (size_t i = 0; i < found.size(); ++i) along[floating[i]] = found[i];
  return {std::move(outputs), std::move(along)};
}

std::pair<Array, Array> jvp(const UnaryFunction& f, const Array& primal, const Array& tangent) {
  const ArraysFunction many = [&](const Arrays& x) { return Arrays{f(x[0])}; };
  const auto [outputs, along] = jvp(many, {primal}, {tangent});
  return {outputs[0], along[0]};
}

Array stop_gradient(const Array& x) { return apply(Forward(true), {x}); }

ArraysFunction custom_vjp(ArraysFunction f, Backward backward) {
  return [f = std::move(f), backward = std::move(backward)](const Arrays& arguments) {
    Arrays inputs = arguments;
    for (const Array& output : f(arguments)) inputs.push_back(output);
    return apply_all(std::make_shared<const CustomVjp>(arguments.size(), backward), inputs);
  };
}

}  // namespace mica
