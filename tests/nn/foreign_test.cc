// Names and layouts of other frameworks. tests/oracles/handing_on.py has the frameworks themselves.
#include "nn/foreign.h"

#include <gmock/gmock.h>

#include "core/ops/create.h"
#include "core/ops/random.h"
#include "core/ops/view.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace mica::nn {
namespace {

using testing::ElementsAre;

const Framework kAll[] = {Framework::kMica, Framework::kTorch, Framework::kMlx, Framework::kKeras};

Sequential small_network() {
  const Array key = random::key(0);
  Conv2dConfig config;
  config.out = 5;
  config.kernel = {3, 2};
  return Sequential(Conv2d(3, config, key), BatchNorm(5), Relu(), Flatten(), LayerNorm(20),
                    Linear(20, 4, true, key), Linear(4, 2, false, key));
}
const Shape kExample = {4, 3, 3};  // the convolution makes 2 x 2 x 5 of it

std::vector<std::string> names(Framework framework) {
  Sequential model = small_network();
  std::vector<std::string> names;
  for (const ForeignWeight& weight : foreign_weights(model, kExample, framework)) {
    names.push_back(weight.foreign_name);
  }
  return names;
}

TEST(Foreign, Names) {
  EXPECT_EQ(names(Framework::kTorch), names(Framework::kMica));
  EXPECT_THAT(names(Framework::kTorch),
              ElementsAre("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean",
                          "1.running_var", "4.weight", "4.bias", "5.weight", "5.bias", "6.weight"));
  EXPECT_EQ(names(Framework::kMlx)[0], "layers.0.weight");
  EXPECT_THAT(names(Framework::kKeras),
              ElementsAre("layers/conv2d/vars/0", "layers/conv2d/vars/1",
                          "layers/batch_normalization/vars/0", "layers/batch_normalization/vars/1",
                          "layers/batch_normalization/vars/2", "layers/batch_normalization/vars/3",
                          "layers/layer_normalization/vars/0", "layers/layer_normalization/vars/1",
                          "layers/dense/vars/0", "layers/dense/vars/1", "layers/dense_1/vars/0"));
}

TEST(Foreign, ShapesAndBack) {
  for (const Framework framework : kAll) {
    Sequential model = small_network();
    const NamedArrays state = model.state();
    for (const ForeignWeight& weight : foreign_weights(model, kExample, framework)) {
      const Array there = weight.to_foreign(state.at(weight.name));
      EXPECT_EQ(there.shape(), weight.foreign_shape) << name_of(framework) << weight.name;
      EXPECT_EQ(weight.to_mica(there).to_vector<float>(), state.at(weight.name).to_vector<float>())
          << name_of(framework) << weight.name;
    }
  }
}

TEST(Foreign, KernelsOfConvolutionsAndLinearLayers) {
  Sequential model = small_network();
  EXPECT_EQ(foreign_weights(model, kExample, Framework::kTorch)[0].foreign_shape,
            (Shape{5, 3, 3, 2}));
  EXPECT_EQ(foreign_weights(model, kExample, Framework::kMlx)[0].foreign_shape,
            (Shape{5, 3, 2, 3}));
  EXPECT_EQ(foreign_weights(model, kExample, Framework::kKeras)[0].foreign_shape,
            (Shape{3, 2, 3, 5}));
  EXPECT_EQ(foreign_weights(model, kExample, Framework::kKeras)[8].foreign_shape, (Shape{20, 4}));
}

// An image of 2 x 1 x 3 is flattened as (h, w, c) here and as (c, h, w) in PyTorch.
TEST(Foreign, FlattenedImagesKeepTheirOrder) {
  Sequential model(Flatten(), LayerNorm(6), Dropout(), Linear(6, 1), Linear(1, 6));
  const Array here = reshape(arange(6), {1, 6});
  const auto torch = foreign_weights(model, {2, 1, 3}, Framework::kTorch);
  EXPECT_THAT(torch[0].to_foreign(reshape(here, {6})).to_vector<int>(),
              ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(torch[2].to_foreign(here).to_vector<int>(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(torch[4].to_foreign(reshape(here, {6, 1})).to_vector<int>(),
              ElementsAre(0, 1, 2, 3, 4, 5));
  const auto mlx = foreign_weights(model, {2, 1, 3}, Framework::kMlx);
  EXPECT_THAT(mlx[2].to_foreign(here).to_vector<int>(), ElementsAre(0, 1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace mica::nn
