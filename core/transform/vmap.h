// vmap: a function of single examples as one of whole batches.
//
//   auto score = [](const Arrays& in) { return Arrays{sum(in[0] * in[1])}; };   // of two vectors
//   auto scores = vmap(score, {0, std::nullopt});
//   scores({rows, weights})[0];          // (n, d) and (d,) -> (n,)
//
//   vmap(grad(f))(rows);                 // the gradient of every row
//
// The function is called once, with stand-ins that have the shape of one example; every op that
// depends on them is then replaced by what it does for all positions of the mapped axis at once
// (Op::vmap). The result is a graph like any other: it can be differentiated, mapped again and
// compiled. The function may not read values that depend on mapped arguments.
#pragma once

#include <optional>
#include <vector>

#include "core/transform/grad.h"

namespace mica {

/// By argument or result, the axis that is mapped; nullopt: none. Negative axes count from the end.
using MappedAxes = std::vector<std::optional<int>>;

/// `in_axes` empty: the first axis of every argument; `out_axes` empty: the first of every result.
/// Throws Error when no argument is mapped, when lengths differ, and when a result that depends on
/// a mapped argument is said not to be mapped.
ArraysFunction vmap(ArraysFunction f, MappedAxes in_axes = {}, MappedAxes out_axes = {});
/// For functions of one array.
UnaryFunction vmap(UnaryFunction f, int in_axis = 0, int out_axis = 0);

}  // namespace mica
