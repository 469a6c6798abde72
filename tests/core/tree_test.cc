// Transforms of functions of trees, against the same functions of plain arrays.
#include "core/transform/tree.h"

#include <gtest/gtest.h>

#include <map>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::normal_array;

struct Layer {
  Array weight, bias;
  int64_t inputs = 0;  // a constant
  FIELDS(Layer, weight, bias, inputs)
};

struct Network {
  std::vector<Layer> layers;
  std::map<std::string, Array> extra;
  std::string name;
  FIELDS(Network, layers, extra, name)
};

Network network() {
  return {{{normal_array({3, 4}, 1, float64), normal_array({4}, 2, float64), 3},
           {normal_array({4, 2}, 3, float64), normal_array({2}, 4, float64), 4}},
          {{"scale", normal_array({2}, 5, float64)}},
          "two layers"};
}

Array apply(const Network& net, const Array& x) {
  const Array h = tanh(matmul(x, net.layers[0].weight) + net.layers[0].bias);
  return (matmul(h, net.layers[1].weight) + net.layers[1].bias) * net.extra.at("scale");
}

Array loss(const Network& net, const Array& x) { return sum(square(apply(net, x))); }

TEST(Tree, ArraysInOrderAndBack) {
  const Network net = network();
  const Arrays all = tree::arrays(net);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[1].node(), net.layers[0].bias.node());
  EXPECT_EQ(all[4].node(), net.extra.at("scale").node());
  const Network doubled = tree::map([](const Array& w) { return 2.0f * w; }, net);
  EXPECT_EQ(doubled.name, "two layers");
  EXPECT_EQ(doubled.layers[1].inputs, 4);
  expect_same(doubled.layers[0].weight, net.layers[0].weight * 2.0f, 0);
  EXPECT_EQ(error_text([&] { tree::with_arrays(net, {all[0]}); }),
            "[with_arrays] 1 arrays for a tree of 5");
  EXPECT_EQ(tree::arrays(std::tuple(all[0], std::pair(all[1], 3), std::string("x"))).size(), 2u);
}

TEST(Tree, GradientsAreTrees) {
  const Network net = network();
  const Array x = normal_array({5, 3}, 6, float64);
  const auto [value, gradient] = tree::value_and_grad(loss)(net, x);
  const auto plain = value_and_grad([&](const Arrays& in) {
    return loss(tree::with_arrays(net, Arrays(in.begin(), in.begin() + 5)), in[5]);
  });
  Arrays in = tree::arrays(net);
  in.push_back(x);
  const auto [wanted, wanted_gradients] = plain(in);
  expect_same(value, wanted, 0);
  const Arrays got = tree::arrays(gradient);
  for (size_t i = 0; i < got.size(); ++i) expect_same(got[i], wanted_gradients[i], 0);
  EXPECT_EQ(gradient.layers[0].inputs, 3);

  const auto [by_net, by_x] = tree::grad<0, 1>(loss)(net, x);
  expect_same(by_net.layers[1].bias, wanted_gradients[3], 0);
  expect_same(by_x, wanted_gradients[5], 0);
  expect_same(tree::grad<1>(loss)(net, x), by_x, 0);
}

TEST(Tree, MoreResultsThanTheScalar) {
  const Network net = network();
  const Array x = normal_array({5, 3}, 6, float64);
  const auto both = [&](const Network& n) {
    const Array y = apply(n, x);
    return std::pair(sum(square(y)), std::map<std::string, Array>{{"outputs", y}});
  };
  const auto [results, gradient] = tree::value_and_grad(both)(net);
  expect_same(results.second.at("outputs"), apply(net, x), 0);
  expect_same(gradient.extra.at("scale"), tree::grad(loss)(net, x).extra.at("scale"), 0);
}

TEST(Tree, TransformsCompose) {
  const Network net = network();
  const Array x = normal_array({5, 3}, 6, float64);
  // Per-example gradients sum up to the gradient of the sum.
  const auto each = tree::vmap(tree::grad(loss), {std::nullopt, 0})(net, x);
  EXPECT_EQ(each.layers[0].weight.shape(), (Shape{5, 3, 4}));
  expect_same(sum(each.layers[0].weight, {0}), tree::grad(loss)(net, x).layers[0].weight, 1e-12);
  // <jvp of the gradient along v, v> = v' H v, the second derivative along v.
  const auto gradient = [&](const Network& n) { return tree::grad(loss)(n, x); };
  const auto hv = tree::jvp(gradient, net, net).second;
  const auto along = [&](const Array& t) {
    return loss(tree::map([&](const Array& w) { return w + t * w; }, net), x);
  };
  Array total = zeros({}, float64);
  for (size_t i = 0; i < 5; ++i) {
    total = total + sum(tree::arrays(hv)[i] * tree::arrays(net)[i]);
  }
  expect_same(total, grad(grad(along))(zeros({}, float64)), 1e-10);
  EXPECT_EQ(error_text([&] { tree::vmap(loss, {0})(net, x); }), "[vmap] 1 axes for 2 arguments");
}

}  // namespace
}  // namespace mica
