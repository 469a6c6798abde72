#include "core/ops/products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ops/complex.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using ::testing::ElementsAre;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;
using ::testing::Pair;

TEST(Products, OfVectorsAndBlocks) {
  expect_values(outer(array({1, 2}), array({3, 4, 5})), {3, 4, 5, 6, 8, 10});
  expect_values(inner(array({1, 2}), array({3, 4})), {11});
  EXPECT_EQ(inner(zeros({2, 3}), zeros({4, 5, 3})).shape(), Shape({2, 4, 5}));
  expect_values(vecdot(array({{1, 2}, {3, 4}}), array({1, 10})), {21, 43});
  const Array z = to_complex(array({1.0f, 0.0f}), array({2.0f, 3.0f}));
  EXPECT_EQ(vecdot(z, z).item<complex64_t>(), complex64_t(14, 0));  // the first is conjugated
  expect_values(kron(array({1, 2}), array({{1, 0}, {0, 1}})), {1, 0, 2, 0, 0, 1, 0, 2});
  expect_values(cross(array({1, 0, 0}), array({0, 1, 0})), {0, 0, 1});
  expect_values(addmm(ones({1, 1}), array({{2.0f}}), array({{3.0f}}), 2, 10), {22});
  EXPECT_EQ(error_text([] { cross(zeros({2}), zeros({2})); }),
            "[cross] axis 0 of shape (2,) has not length 3");
}

TEST(Products, OverPairsOfAxes) {
  const Array a = normal_array({2, 3, 4}, 1), b = normal_array({4, 3, 5}, 2);
  const Array got = tensordot(a, b, {1, 2}, {1, 0});
  EXPECT_EQ(got.shape(), Shape({2, 5}));
  expect_same(got, einsum("ijk,kjl->il", {a, b}), 1e-12);
  expect_same(tensordot(a, normal_array({3, 4}, 3)), einsum("ijk,jk", {a, normal_array({3, 4}, 3)}),
              1e-12);
  EXPECT_EQ(tensordot(array({1, 2}), array({3, 4}), 0).shape(), Shape({2, 2}));
  EXPECT_EQ(error_text([&] { tensordot(a, b, {0}, {0}); }),
            "[tensordot] axes of shapes (2, 3, 4) and (4, 3, 5) that go together have lengths (2,) "
            "and (4,)");
}

TEST(Einsum, EqualsWhatItStandsFor) {
  const Array a = normal_array({3, 4}, 1), b = normal_array({4, 5}, 2), v = normal_array({4}, 3);
  const Array square_matrix = normal_array({4, 4}, 4);
  expect_same(einsum("ij,jk->ik", {a, b}), matmul(a, b), 1e-12);
  expect_same(einsum("ij,jk", {a, b}), matmul(a, b), 1e-12);
  expect_same(einsum("ij->ji", {a}), transpose(a));
  expect_same(einsum("ba", {a}), transpose(a));
  expect_same(einsum("ij->", {a}), sum(a), 1e-12);
  expect_same(einsum("ij->j", {a}), sum(a, {0}), 1e-12);
  expect_same(einsum("ii", {square_matrix}), sum(diagonal(square_matrix)), 1e-12);
  expect_same(einsum("ii->i", {square_matrix}), diagonal(square_matrix));
  expect_same(einsum("ij,j->i", {a, v}), matmul(a, v), 1e-12);
  expect_same(einsum("i,j->ij", {v, v}), outer(v, v), 1e-12);
  expect_same(einsum("ij,ij->i", {a, a}), sum(a * a, {1}), 1e-12);
  expect_same(einsum(" ij , j k , k -> i ", {a, b, normal_array({5}, 5)}),
              matmul(matmul(a, b), normal_array({5}, 5)), 1e-12);
}

TEST(Einsum, BroadcastsTheAxesOfDots) {
  const Array q = normal_array({2, 1, 3, 4}, 1), k = normal_array({5, 6, 4}, 2);
  expect_same(einsum("...qd,...kd->...qk", {q, k}), matmul(q, swapaxes(k, -1, -2)), 1e-12);
  const Array x = normal_array({2, 3, 4}, 3);
  expect_same(einsum("...i->i...", {x}), moveaxis(x, -1, 0));
  expect_same(einsum("b...,b...->b", {x, x}), sum(x * x, {1, 2}), 1e-12);
}

TEST(Einsum, MultipliesTheCheapestPairsFirst) {
  // (a b) c costs 2 * 100 * 100 + ..., a (b c) would cost 100 * 100 * 100.
  const Arrays chain = {zeros({2, 100}), zeros({100, 100}), zeros({100, 100})};
  EXPECT_THAT(einsum_path("ij,jk,kl->il", chain), ElementsAre(Pair(0, 1), Pair(0, 1)));
  EXPECT_THAT(einsum_path("ij,jk,kl->il", {zeros({100, 100}), zeros({100, 100}), zeros({100, 2})}),
              ElementsAre(Pair(1, 2), Pair(0, 1)));
}

TEST(Einsum, TheWholeOrderCounts) {
  // Beginning with the cheapest pair, the first two, takes 22 times the multiplications.
  const Arrays chain = {zeros({50, 2}), zeros({2, 100}), zeros({100, 100}), zeros({100, 50})};
  EXPECT_THAT(einsum_path("ab,bc,cd,de->ae", chain),
              ElementsAre(Pair(1, 2), Pair(1, 2), Pair(0, 1)));
}

TEST(Einsum, ManyOperands) {
  // Up to eight are ordered by trying all, more by the cheapest pair.
  Arrays chain = {normal_array({3, 3}, 0)};
  Array wanted = chain[0];
  std::string terms = "ab";
  for (char last = 'c'; last < 'l'; ++last) {
    chain.push_back(normal_array({3, 3}, static_cast<uint32_t>(last)));
    wanted = matmul(wanted, chain.back());
    terms += fmt::format(",{}{}", static_cast<char>(last - 1), last);
    expect_same(einsum(terms + "->a" + last, chain), wanted, 1e-10);
  }
  EXPECT_EQ(einsum_path(terms + "->ak", chain).size(), 9u);
}

TEST(Einsum, Differentiates) {
  check_derivatives([](const Arrays& in) { return einsum("bij,bjk,k->bi", in); },
                    {normal_array({2, 3, 4}, 1), normal_array({2, 4, 2}, 2), normal_array({2}, 3)});
  check_derivatives([](const Arrays& in) { return einsum("ii,ij->j", in); },
                    {normal_array({3, 3}, 1), normal_array({3, 2}, 2)});
}

TEST(Einsum, ErrorsNameTheEquation) {
  const Array a = zeros({2, 3});
  const auto message = [&](const char* text, const Arrays& operands) {
    return error_text([&] { einsum(text, operands); });
  };
  EXPECT_EQ(message("ij,jk", {a, a}), "[einsum] \"ij,jk\": axis j has lengths 3 and 2");
  EXPECT_EQ(message("ijk", {a}),
            "[einsum] \"ijk\": \"ijk\" names 3 axes, the operand has shape (2, 3)");
  EXPECT_EQ(message("ij->k", {a}), "[einsum] \"ij->k\": no operand has axis k");
  EXPECT_EQ(message("ij->ii", {a}), "[einsum] \"ij->ii\": the result has axis i twice");
  EXPECT_EQ(message("ij", {a, a}), "[einsum] \"ij\": 1 terms for 2 operands");
  EXPECT_EQ(message("i1", {a}), "[einsum] \"i1\": '1' is neither a letter nor \"...\"");
}

}  // namespace
}  // namespace mica
