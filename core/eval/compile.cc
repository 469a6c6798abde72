#include "core/eval/compile.h"

#include <memory>

#include "core/eval/eval.h"
#include "core/eval/lost.h"
#include "core/graph/node.h"
#include "core/ops/elementwise.h"
#include "core/plan/plan.h"

namespace mica {
namespace {

// What a trace depends on of one argument.
struct Form {
  Spec spec;
  Strides strides;
  bool dies;
  friend bool operator==(const Form&, const Form&) = default;
};

// One traced form of the function.
struct Replay {
  // Where a result or a leaf of the plan comes from.
  struct Source {
    int number = -1;  // an argument, or an output of the plan
    Array constant;   // where the number is -1
  };
  std::vector<Form> forms;
  std::shared_ptr<const Plan> plan;
  std::vector<char> leaf_dies;
  std::vector<Source> leaves;       // of the plan: arguments or constants
  std::vector<Source> results;      // plan outputs or constants
  std::vector<int> passed_through;  // by result: the argument that it is, or -1
  std::vector<Spec> specs;          // of the results
};

}  // namespace

class CompiledFunction::State {
 public:
  State(ArraysFunction f, CompileOptions options)
      : function_(std::move(f)), options_(std::move(options)) {}

  Arrays run(Arrays arguments) {
    if (TracingScope::is_active()) return function_(arguments);
    const std::vector<Array*> state = options_.state ? options_.state() : std::vector<Array*>();
    const size_t given = arguments.size();
    std::vector<Array> all;
    all.reserve(given + state.size());
    for (Array& argument : arguments) {
      all.push_back(argument.is_weak()
                        ? Array::scalar(argument.node()->weak_value, argument.dtype())
                        : std::move(argument));
    }
    arguments.clear();
    for (const Array* array : state) all.push_back(*array);
    evaluate(all);
    // From here on the state is held here alone, unless the function's caller keeps it.
    for (Array* array : state) *array = Array();
    std::vector<Array> results;
    try {
      results = replay(all, state);
    } catch (...) {
      for (size_t i = 0; i < state.size(); ++i) *state[i] = all[given + i];
      throw;
    }
    const size_t own = results.size() - state.size();
    for (size_t i = 0; i < state.size(); ++i) *state[i] = std::move(results[own + i]);
    return Arrays(results.begin(), results.begin() + static_cast<ptrdiff_t>(own));
  }

 private:
  static void evaluate(const std::vector<Array>& arrays) {
    Arrays pending;
    for (const Array& array : arrays) {
      if (!array.is_evaluated() || array.node()->pending || array.node()->op) {
        pending.push_back(array);
      }
    }
    if (!pending.empty()) eval(pending);
  }

  static Form form_of(const Array& array) {
    const Node& node = *array.node();
    const Value& value = node.values[array.index()];
    const bool dies = node.references.load(std::memory_order_acquire) == 1 &&
                      node.values.size() == 1 && value.buffer.may_overwrite() &&
                      value.data == value.buffer.data();
    return {node.specs[array.index()], value.strides, dies};
  }

  std::vector<Array> replay(std::vector<Array>& all, const std::vector<Array*>& state) {
    const Replay& entry = find(all, state);
    std::vector<Array> leaves;
    leaves.reserve(entry.leaves.size());
    for (const auto& [number, constant] : entry.leaves) {
      leaves.push_back(number < 0 ? constant : all[static_cast<size_t>(number)]);
    }
    PlanRun run = entry.plan->prepare(std::move(leaves));
    try {
      entry.plan->execute(run);
    } catch (...) {
      give_up_dying_leaves(entry.leaf_dies, run.leaves);
      throw;
    }
    std::vector<Array> results;
    results.reserve(entry.results.size());
    for (size_t i = 0; i < entry.results.size(); ++i) {
      const auto& [number, constant] = entry.results[i];
      if (entry.passed_through[i] >= 0)
        results.push_back(all[static_cast<size_t>(entry.passed_through[i])]);
      else if (number < 0)
        results.push_back(constant);
      else
        results.push_back(
            make_leaf(entry.specs[i], std::move(run.outputs[static_cast<size_t>(number)])));
    }
    return results;
  }

  const Replay& find(const std::vector<Array>& all, const std::vector<Array*>& state) {
    for (const Replay& entry : entries_) {
      if (fits(entry, all)) return entry;
    }
    if (entries_.size() == kMostForms) entries_.erase(entries_.begin());
    entries_.push_back(trace(all, state));
    return entries_.back();
  }

  // Compares without copying, because every call does.
  static bool fits(const Replay& entry, const std::vector<Array>& all) {
    if (entry.forms.size() != all.size()) return false;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!(entry.forms[i] == form_of(all[i]))) return false;
    }
    return true;
  }

  Replay trace(const std::vector<Array>& all, const std::vector<Array*>& state) {
    Replay entry;
    std::vector<Array> stand_ins;
    for (const Array& array : all) {
      entry.forms.push_back(form_of(array));
      const Form& form = entry.forms.back();
      stand_ins.push_back(apply(Placeholder(form.spec, form.strides, form.dies), {}));
    }
    const size_t given = all.size() - state.size();
    for (size_t i = 0; i < state.size(); ++i) *state[i] = stand_ins[given + i];
    Arrays outputs;
    {
      TracingScope tracing;  // nothing is to be evaluated
      outputs =
          function_(Arrays(stand_ins.begin(), stand_ins.begin() + static_cast<ptrdiff_t>(given)));
    }
    for (Array* array : state) outputs.push_back(std::exchange(*array, Array()));
    describe(trace_function(outputs), outputs, stand_ins, entry);
    return entry;
  }

  static void describe(const Trace& trace, const Arrays& outputs,
                       const std::vector<Array>& stand_ins, Replay& entry) {
    entry.plan = find_plan(trace.graph);
    entry.leaf_dies = trace.graph.leaf_dies;
    const auto argument_of = [&](const Array& array) {
      for (size_t i = 0; i < stand_ins.size(); ++i) {
        if (array.node() == stand_ins[i].node()) return static_cast<int>(i);
      }
      return -1;
    };
    for (const Array& leaf : trace.leaves) {
      const int argument = argument_of(leaf);
      entry.leaves.push_back({argument, argument < 0 ? leaf : Array()});
    }
    for (const Array& output : outputs) {
      Replay::Source source = {-1, Array()};
      for (size_t k = 0; k < trace.outputs.size() && source.number < 0; ++k) {
        const auto& [node, index] = trace.outputs[k];
        if (node == output.node() && index == output.index()) source.number = static_cast<int>(k);
      }
      const int argument = argument_of(output);
      if (source.number < 0 && argument < 0) source.constant = output;
      entry.passed_through.push_back(argument);
      entry.results.push_back(std::move(source));
      entry.specs.push_back(output.node()->specs[output.index()]);
    }
  }

  static constexpr size_t kMostForms = 16;

  ArraysFunction function_;
  CompileOptions options_;
  std::vector<Replay> entries_;
};

Arrays CompiledFunction::operator()(Arrays arguments) const {
  return state_->run(std::move(arguments));
}

CompiledFunction compile(ArraysFunction f, CompileOptions options) {
  return CompiledFunction(
      std::make_shared<CompiledFunction::State>(std::move(f), std::move(options)));
}

}  // namespace mica
