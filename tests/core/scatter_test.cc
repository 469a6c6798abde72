#include "core/ops/scatter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using ::testing::HasSubstr;
using testing::normal_array;

TEST(Scatter, UpdatesMeetPlacesInTheirOrder) {
  const Array x = array({1.0f, 2.0f, 3.0f});
  const Array at_places = array({2, 0, 2});
  const Array updates = array({5.0f, 6.0f, 0.5f});
  expect_values(scatter(x, at_places, updates, 0), {6, 2, 0.5});
  expect_values(scatter_prod(x, at_places, updates, 0), {6, 2, 7.5});
  expect_values(scatter_max(x, at_places, updates, 0), {6, 2, 5});
  expect_values(scatter_min(x, at_places, updates, 0), {1, 2, 0.5});
  expect_values(scatter(x, at_places, 7, 0), {7, 2, 7});
  expect_values(scatter(x, array({-1}), array({9}), 0), {1, 2, 9});
  EXPECT_EQ(scatter(astype(x, float16), at_places, updates, 0).dtype(), float16);
  EXPECT_EQ(scatter(array({1, 2}), array({0}), array({2.9f}), 0).dtype(), int32);
  expect_values(scatter_prod(array({true, true}), array({0}), array({false}), 0), {0, 1});
  const float nan = NAN;
  expect_values(scatter_max(array({nan, 1.0f, 2.0f}), array({0, 1}), array({5.0f, nan}), 0),
                {nan, nan, 2});
  const Array rows = normal_array({4, 3}, 1), three = normal_array({3, 3}, 2);
  const Array written = scatter(rows, array({3, 1, 0}), three, 0);
  expect_same(take(written, array({3, 1, 0}), 0), three, 0);
  expect_same(slice_axis(written, 0, 2, 3), slice_axis(rows, 0, 2, 3), 0);
}

TEST(Scatter, SeveralAxesAtOnce) {
  const Array x = reshape(arange(12), {3, 4});
  const Array rows = array({0, 2}), columns = array({1, -1});
  expect_values(at(x, {rows, columns}).get(), {1, 11});
  expect_values(at(x, {rows}).get(), {0, 1, 2, 3, 8, 9, 10, 11});
  expect_values(slice_axis(at(x, {rows, columns}).set(array({50, 60})), 1, 1, 4),
                {50, 2, 3, 5, 6, 7, 9, 10, 60});
  expect_values(sum(at(x, {array({0, 0}), array({0, 0})}).add(5)), {76});
  expect_values(sum(at(x, {rows, columns}).subtract(1)), {64});
  const Array floats = astype(x, float32);
  expect_values(at(at(floats, {rows, columns}).multiply(4), {rows, columns}).get(), {4, 44});
  expect_values(at(at(floats, {rows, columns}).divide(2), {rows, columns}).get(), {0.5, 5.5});
  expect_values(at(at(x, {rows, columns}).maximum(5), {rows, columns}).get(), {5, 11});
  expect_values(at(at(x, {rows, columns}).minimum(5), {rows, columns}).get(), {1, 5});
  // Rows and columns that broadcast to a grid, and axes by number.
  expect_values(at(x, {expand_dims(rows, {1}), columns}).get(), {1, 3, 9, 11});
  expect_values(gather(x, {columns}, {1}), {1, 5, 9, 3, 7, 11});
  expect_values(gather(x, {columns, rows}, {1, 0}), {1, 11});
  expect_values(ravel_multi_index({rows, columns}, {3, 4}), {1, 11});
  const Arrays back = unravel_index(array({1, 11}), {3, 4});
  expect_values(back[0], {0, 2});
  expect_values(back[1], {1, 3});
}

TEST(Scatter, MasksAndSlices) {
  const Array x = reshape(arange(6), {2, 3});
  const Array mask = remainder(x, 2) == 0;
  expect_values(masked_scatter(x, mask, array({10, 20, 30, 40})), {10, 1, 20, 3, 30, 5});
  expect_values(masked_scatter(x, zeros_like(mask), zeros({0}, int32)), {0, 1, 2, 3, 4, 5});
  EXPECT_THAT(error_text([&] {
                eval(masked_scatter(x, mask, array({1, 2})));
              }),
              HasSubstr("index 2"));
  EXPECT_THAT(error_text([&] { eval(masked_scatter(x, mask, zeros({0}, int32))); }),
              HasSubstr("out of range"));
  expect_values(slice_update_add(x, 10, {0, 1}, {2, 3}), {0, 11, 12, 3, 14, 15});
  expect_values(slice_update_max(x, 3, {0, 0}, {2, 3}, {1, 2}), {3, 1, 3, 3, 4, 5});
  expect_values(slice_update_min(x, array({{1}, {4}}), {0, 0}, {2, 3}), {0, 1, 1, 3, 4, 4});
  const Array start = array({1});
  expect_values(dynamic_slice(x, start, {1}, {2}), {1, 2, 4, 5});
  expect_values(dynamic_slice_update(x, array({{7}, {8}}), start, {1}), {0, 7, 2, 3, 8, 5});
  EXPECT_THAT(error_text([&] { eval(dynamic_slice(x, array({2}), {1}, {2})); }),
              HasSubstr("index 3"));
}

TEST(Scatter, EmptyArraysAndScalarsRows) {
  const Array none = zeros({0}, int32);
  expect_values(scatter(array({1, 2}), none, none, 0), {1, 2});
  EXPECT_EQ(scatter(zeros({0, 3}), none, zeros({0, 3}), 0).shape(), Shape({0, 3}));
  EXPECT_EQ(at(zeros({2, 0}), {array({1, 1})}).set(1).shape(), Shape({2, 0}));
  expect_values(put_along_axis(zeros({2, 1}), zeros({2, 1}, int32), 3, 1), {3, 3});
  // A scalar index drops the axis.
  expect_values(scatter(zeros({2, 2}), Array(1), array({5, 6}), 0), {0, 0, 5, 6});
  check_derivatives([&](const Arrays& in) { return scatter_prod(in[0], none, in[1], 0); },
                    {normal_array({2}, 3), zeros({0}, float64)});
}

TEST(Scatter, ProductsOfZerosHaveTheirGradients) {
  // Place 0 is met by one zero, place 1 by two, place 2 is zero itself.
  const Array x = array<double>({2, 3, 0, 4}), places = array({0, 1, -3, 2, 0, 1});
  const Array updates = array<double>({0, 0, 0, 5, 7, 2});
  check_derivatives([&](const Arrays& in) { return scatter_prod(in[0], places, in[1], 0); },
                    {x, updates});
}

TEST(Scatter, EqualExtremesShareTheGradient) {
  const auto largest = [](const Arrays& in) {
    return sum(scatter_max(in[0], array({0, 0, 1}), in[1], 0));
  };
  const Arrays g =
      grad(ScalarFunction(largest))({array({1.0f, 5.0f, 2.0f}), array({1.0f, 0.0f, 9.0f})});
  expect_values(g[0], {0.5, 0, 1});
  expect_values(g[1], {0.5, 0, 1});
}

TEST(Scatter, MistakesAreNamed) {
  const Array x = zeros({3, 4});
  const auto text = [](const auto& body) { return error_text([&] { body(); }); };
  EXPECT_THAT(text([&] { scatter(x, array({0.5f}), x, 0); }),
              HasSubstr("[scatter] indices must be integers, got float32"));
  EXPECT_THAT(text([&] {
                scatter_max(x, array({0, 1}), zeros({3, 4}), 0);
              }),
              HasSubstr("[scatter_max]"));
  EXPECT_THAT(text([&] { scatter(x, array({0, 1}), zeros({2, 4}), 2); }), HasSubstr("[scatter]"));
  EXPECT_THAT(text([&] { scatter_min(astype(x, complex64), array({0}), 0, 0); }),
              HasSubstr("[scatter_min] complex numbers have no order"));
  EXPECT_THAT(text([&] {
                at(x, {array({0}), array({0}), array({0})});
              }),
              HasSubstr("[at] 3 index arrays for an array of shape (3, 4)"));
  EXPECT_THAT(text([&] { put_along_axis(x, array({0}), 1, 0); }),
              HasSubstr("[put_along_axis] indices need the rank"));
  EXPECT_THAT(text([&] { masked_scatter(x, array({true}), 1); }),
              HasSubstr("[masked_scatter] got a bool mask of shape (1,)"));
  EXPECT_THAT(
      text([&] {
        eval(scatter(x, array({0, 3}), 1, 0));
      }),
      HasSubstr("[scatter] index 3 (element 1 of the indices) is out of range for axis 0 of "
                "length 3"));
  EXPECT_THAT(text([&] {
                eval(at(x, {array({0, 1}), array({0, -5})}).get());
              }),
              HasSubstr("[at] index -5 (element 1 of the indices) is out of range for axis 1 of "
                        "length 4"));
}

TEST(Scatter, TheNumberOfThreadsChangesNoBit) {
  const Array x = normal_array({500, 700}, 4, float32), u = normal_array({3000, 700}, 5, float32);
  const Array places = astype(abs(normal_array({3000}, 6)) * 100, int32);
  set_threads(1);
  const auto alone = scatter_prod(x, places, u, 0).to_bytes();
  set_threads(0);
  EXPECT_EQ(scatter_prod(x, places, u, 0).to_bytes(), alone);
}

}  // namespace
}  // namespace mica
