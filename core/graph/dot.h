// The graph of arrays that are not computed yet, as text for people.
//
//   Array x = array({1.0f, 2.0f});
//   Array y = exp(x) * x;
//   std::string graph = to_dot(y, {{"x", x}, {"y", y}});   // dot -Tsvg graph.dot > graph.svg
//   print_graph(std::cout, y, {{"x", x}, {"y", y}});
//   //   x                = input: float32 (2,)
//   //   t1               = exp(x): float32 (2,)
//   //   y                = multiply(t1, x): float32 (2,)
//
// Evaluating replaces a graph by its values: what is evaluated is an input. For the graph of a
// gradient, give the result of grad(f)(x) before it is read. Nothing is computed here, and nodes
// that several outputs share appear once. Arrays may be large and deep; texts grow with the number
// of nodes.
#pragma once

#include <initializer_list>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/array.h"

namespace mica {

/// Names to show for arrays of a graph.
using GraphNames = std::vector<std::pair<std::string, Array>>;

/// A graph in the language of Graphviz: operations as ellipses with their options, shapes and
/// dtypes; inputs as boxes, constants without a border; outputs with a double border. Throws
/// Error(kUsage) for an empty array.
std::string to_dot(const Arrays& outputs, const GraphNames& names = {});
inline std::string to_dot(const Array& output, const GraphNames& names = {}) {
  return to_dot(Arrays{output}, names);
}

/// A line for each array of the graph, in an order in which they can be computed.
void print_graph(std::ostream& out, const Arrays& outputs, const GraphNames& names = {});
inline void print_graph(std::ostream& out, const Array& output, const GraphNames& names = {}) {
  print_graph(out, Arrays{output}, names);
}

}  // namespace mica
