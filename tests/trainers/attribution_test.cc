// Which layer a step of a plan is told to belong to.
#include "trainers/attribution.h"

#include <gtest/gtest.h>

namespace mica::trainers {
namespace {

TEST(Attribution, TellsLayersByShapes) {
  Diagnostics errors;
  const Model model = read_model(
      parse_yaml("[conv2d: {out: 4, kernel: 3, padding: 1}, relu, max_pool2d: 2, flatten,\n"
                 " linear: 9, relu, linear: 9, log_softmax]",
                 "model", errors),
      nullptr, errors);
  errors.throw_if_any();
  const Attribution layers(build_layers(model, {6, 6, 1}, {9}, 0), {6, 6, 1}, 8);
  EXPECT_EQ(layers.find("conv2d", "8x6x6x1, 4x3x3x1 -> 8x6x6x4"), "0 conv2d");
  EXPECT_EQ(layers.find("conv2d_weight", "8x6x6x1, 8x6x6x4 -> 4x3x3x1"), "0 conv2d");
  EXPECT_EQ(layers.find("max_pool2d_gradient", "8x6x6x4, 8x3x3x4 -> 8x6x6x4"), "2 max_pool2d");
  EXPECT_EQ(layers.find("matmul", "8x36, 36x9 -> 8x9"), "4 linear");
  EXPECT_EQ(layers.find("matmul", "9x8, 8x36 -> 9x36"), "4 linear");
  EXPECT_EQ(layers.find("matmul", "8x9, 9x9 -> 8x9"), "6 linear");
  EXPECT_EQ(layers.find("fused", "9x36, 9x36, scalar -> 9x36"), "4 linear");  // its update
  EXPECT_EQ(layers.find("fused", "8x6x6x4, 4 -> 8x6x6x4"), "0,1 conv2d/relu");
  EXPECT_EQ(layers.find("sum", "8 -> 1"), "");
}

}  // namespace
}  // namespace mica::trainers
