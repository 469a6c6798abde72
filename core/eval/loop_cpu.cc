// The kernel of scan: the body's plan, run once for every step.
#include <algorithm>
#include <cstring>

#include "core/cpu/install.h"
#include "core/eval/loop_op.h"
#include "core/plan/plan.h"

namespace mica {
namespace {

size_t bytes_of(const Spec& spec) {
  return static_cast<size_t>(size_of(spec.shape)) * size_of(spec.dtype);
}

// Rows of `value` in row-major order.
void copy_out(const Value& value, const Spec& spec, std::byte* to) {
  const size_t item = size_of(spec.dtype);
  if (Layout{spec.shape, value.strides, 0}.is_contiguous()) {
    if (bytes_of(spec) > 0) std::memcpy(to, value.data, bytes_of(spec));
    return;
  }
  Shape index(spec.shape.size(), 0);
  int64_t offset = 0;
  for (int64_t i = 0; i < size_of(spec.shape); ++i) {
    std::memcpy(to + static_cast<size_t>(i) * item,
                value.data + offset * static_cast<int64_t>(item), item);
    for (size_t axis = spec.shape.size(); axis-- > 0;) {
      offset += value.strides[axis];
      if (++index[axis] < spec.shape[axis]) break;
      offset -= value.strides[axis] * spec.shape[axis];
      index[axis] = 0;
    }
  }
}

class PreparedLoop final : public PreparedKernel {
 public:
  PreparedLoop(const Loop& op, Inputs, Outputs) : body_(op.body()) {
    Arrays arguments;
    for (size_t i = 0; i < body_.graph.leaves.size(); ++i) {
      const Spec& spec = body_.leaf(i);
      arguments.push_back(apply(Placeholder(spec, row_major(spec.shape), false), {}));
    }
    Arrays results;
    {
      const TracingScope tracing;  // nothing is to be evaluated
      results = body_.apply_body(arguments);
    }
    const Trace trace = trace_function(results);
    plan_ = find_plan(trace.graph);
    const auto argument_of = [&](const Array& array) {
      for (size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i].node() == array.node()) return static_cast<int>(i);
      }
      return -1;
    };
    for (const Array& leaf : trace.leaves) {
      leaves_.push_back(argument_of(leaf));
      MICA_ASSERT(leaves_.back() >= 0);
    }
    for (const Array& result : results) {
      // Forwarding ops pass their inputs on; the trace knows which arrays that makes equal.
      Array array = result;
      while (array.node()->op != nullptr &&
             array.node()->op->forwarded_input(static_cast<int>(array.index())) >= 0) {
        const int input = array.node()->op->forwarded_input(static_cast<int>(array.index()));
        array = Array(array.node()->inputs[static_cast<size_t>(input)]);
      }
      Source source = {argument_of(array), -1};
      for (size_t k = 0; source.argument < 0 && k < trace.outputs.size(); ++k) {
        const auto& [node, index] = trace.outputs[k];
        const bool same = (node == array.node() && index == array.index()) ||
                          (node == result.node() && index == result.index());
        if (same) source.output = static_cast<int>(k);
      }
      MICA_ASSERT(source.argument >= 0 || source.output >= 0);
      sources_.push_back(source);
    }
  }

  void run(Inputs in, Outputs out) const override {
    const size_t carries = body_.carries;
    std::vector<Array> arguments;
    for (size_t i = 0; i < in.size(); ++i) arguments.push_back(leaf(i, in[i].data));
    // Two places for each carry: a step reads one and writes the other.
    std::vector<Buffer> places[2];
    for (size_t i = 0; i < carries; ++i) {
      for (auto& place : places) {
        place.push_back(Buffer::allocate(std::max<size_t>(1, bytes_of(body_.leaf(i)))));
      }
    }
    for (int64_t step = 0; step < body_.length; ++step) {
      const int64_t at = body_.reverse ? body_.length - 1 - step : step;
      for (size_t i = carries; i < carries + body_.xs; ++i) {
        const auto offset = static_cast<size_t>(at) * bytes_of(body_.leaf(i));
        arguments[i] = leaf(i, in[i].data + offset);
      }
      run_step(arguments, at, places[step % 2], out);
      for (size_t i = 0; i < carries; ++i) {
        arguments[i] = leaf(i, places[step % 2][i].data());
      }
    }
    for (size_t i = 0; i < carries; ++i) {
      const Value& last = arguments[i].node()->values[0];
      if (bytes_of(body_.leaf(i)) > 0) {
        std::memcpy(out[i].data, last.data, bytes_of(body_.leaf(i)));
      }
    }
  }

 private:
  // Where a result of the body is found.
  struct Source {
    int argument;  // that it is, unchanged, or -1
    int output;    // of the plan
  };

  Array leaf(size_t number, std::byte* data) const {
    const Spec& spec = body_.leaf(number);
    return make_leaf(spec, {Buffer(), data, row_major(spec.shape)});
  }

  void run_step(const std::vector<Array>& arguments, int64_t at, std::vector<Buffer>& next,
                Outputs out) const {
    const size_t carries = body_.carries, outputs = body_.outputs();
    const auto place = [&](size_t output) {
      const size_t bytes =
          size_of(out[output].dtype) * static_cast<size_t>(out[output].size() / body_.length);
      return out[output].data + static_cast<size_t>(at) * bytes;
    };
    for (size_t i = 0; body_.keeps_carries && i < carries; ++i) {
      const Value& carry = arguments[i].node()->values[0];
      copy_out(carry, body_.leaf(i), place(carries + outputs + i));
    }
    std::vector<Array> leaves;
    leaves.reserve(leaves_.size());
    for (const int number : leaves_) leaves.push_back(arguments[static_cast<size_t>(number)]);
    const PlanRun run = plan_->prepare(std::move(leaves));
    plan_->execute(run);
    for (size_t i = 0; i < sources_.size(); ++i) {
      const Source& source = sources_[i];
      const Value& value = source.argument >= 0
                               ? arguments[static_cast<size_t>(source.argument)].node()->values[0]
                               : run.outputs[static_cast<size_t>(source.output)];
      copy_out(value, body_.result(i), i < carries ? next[i].data() : place(i));
    }
  }

  const LoopGraph& body_;  // of the op, which lives longer
  std::shared_ptr<const Plan> plan_;
  std::vector<int> leaves_;  // of the plan: arguments
  std::vector<Source> sources_;
};

}  // namespace

void install_loop(KernelTable& table) {
  table.add_prepared<Loop, PreparedLoop>(InputLayout::kContiguous);
}

}  // namespace mica
