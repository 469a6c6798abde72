// The rows of elementwise.def as functions, and inputs for them.
//
//   for_each_row([](const ElementwiseRow& row, const RowFunction& function) {
//     eval(function(row_inputs(row, {2, 3}, {3}, float32)));
//   });
#pragma once

#include "core/ops/elementwise.h"

namespace mica::testing {

struct RowFunction {
  Array (*unary)(Array);
  Array (*binary)(Array, Array);
  Array operator()(const Arrays& in) const { return unary ? unary(in[0]) : binary(in[0], in[1]); }
};
/// The function of row number `row`.
RowFunction row_function(size_t row);

/// Calls check(row, its function) for every row.
template <class Check>
void for_each_row(Check check) {
  const auto rows = elementwise_rows();
  for (size_t i = 0; i < rows.size(); ++i) check(rows[i], row_function(i));
}

/// Numbers where the row has a value, in memory of their own; the same for the same seed.
Array row_input(const ElementwiseRow& row, const Shape& shape, Dtype dtype, uint32_t seed);
/// One input or two.
Arrays row_inputs(const ElementwiseRow& row, const Shape& x, const Shape& y, Dtype dtype);

}  // namespace mica::testing
