#include "core/transform/checkpoint.h"

#include <algorithm>

#include "core/ops/view_op.h"
#include "core/transform/forward_op.h"
#include "core/transform/linearize.h"
#include "core/transform/rewrite.h"

namespace mica {
namespace {

// `results` of `arguments`, built again for others.
Arrays build_again(const Arrays& results, const Arrays& arguments, const Arrays& others) {
  Rewriter again(
      [](Node& node, const Arrays& in, const Mapped&) { return apply_all(node.op, in); });
  for (size_t i = 0; i < arguments.size(); ++i) again.replace(arguments[i], others[i]);
  Arrays built;
  for (const Array& result : results) {
    const Array other = again.rewritten(result);
    built.push_back(other.defined() ? other : result);
  }
  return built;
}

// Tracers that the results depend on beside the arguments, each as an argument more.
Arrays captured_by(const Arrays& results, const Arrays& arguments) {
  Rewriter walker([](Node& node, const Arrays&, const Mapped&) {
    Arrays own;
    for (uint32_t i = 0; i < node.specs.size(); ++i) {
      own.push_back(Array(&node, i));
    }
    return own;
  });
  for (const Array& argument : arguments) walker.replace(argument, argument);
  for (const Array& result : results) walker.rewritten(result);
  Arrays captured;
  for (const Array& each : walker.captured()) {
    const auto same = [&](const Array& other) { return other.is_same(each); };
    const bool known = std::any_of(captured.begin(), captured.end(), same);
    if (!known && is_inexact(each.dtype())) captured.push_back(each);
  }
  return captured;
}

// Cotangents of `inputs`, from results built again once the cotangents `g` are there.
Arrays derive_again(const Arrays& results, const Arrays& arguments, const Arrays& inputs,
                    const Arrays& g) {
  Arrays later;
  Arrays floating;
  for (const Array& input : inputs) {
    Arrays waiting = {input};
    waiting.append(g.begin(), g.end());
    later.push_back(apply(After(), std::move(waiting)));
    if (is_inexact(input.dtype())) floating.push_back(later.back());
  }
  const auto of_floating = [&](const Arrays& x) {
    Arrays others = later;
    size_t next = 0;
    for (Array& other : others) {
      if (is_inexact(other.dtype())) other = x[next++];
    }
    return build_again(results, arguments, others);
  };
  const Arrays found = linearize(of_floating, floating).pullback(g);
  Arrays cotangents;
  size_t next = 0;
  for (const Array& input : inputs) {
    cotangents.push_back(is_inexact(input.dtype()) ? found[next++] : Array());
  }
  return cotangents;
}

}  // namespace

ArraysFunction checkpoint(ArraysFunction f) {
  return [f = std::move(f)](const Arrays& given) {
    Arrays arguments;
    for (const Array& x : given) {
      arguments.push_back(apply(Forward(false), {x}));
      arguments.back().node()->tracer = true;
    }
    const Arrays results = f(arguments);
    const Arrays captured = captured_by(results, arguments);
    Arrays inputs = given;
    inputs.append(captured.begin(), captured.end());
    const size_t count = inputs.size();
    inputs.append(results.begin(), results.end());
    arguments.append(captured.begin(), captured.end());
    Backward backward = [results, arguments](const Arrays& in, const Arrays&, const Arrays& g) {
      return derive_again(results, arguments, in, g);
    };
    return apply_all(std::make_shared<const CustomVjp>(count, std::move(backward)), inputs);
  };
}

}  // namespace mica
