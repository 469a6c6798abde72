// What ONNX files hold, read with protozero. tests/oracles/onnx_models.py runs them.
#include "nn/onnx.h"

#include <gmock/gmock.h>

#include <protozero/pbf_reader.hpp>

#include "core/base/error.h"
#include "core/ops/random.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace mica::nn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The field of a message that holds messages or texts.
std::vector<std::string> fields(const std::string& bytes, uint32_t tag) {
  std::vector<std::string> found;
  protozero::pbf_reader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == tag && reader.wire_type() == protozero::pbf_wire_type::length_delimited) {
      found.push_back(reader.get_string());
    } else {
      reader.skip();
    }
  }
  return found;
}

std::vector<std::string> parts(const std::string& model, uint32_t list, uint32_t name) {
  std::vector<std::string> names;
  for (const std::string& part : fields(fields(model, 7).at(0), list)) {
    names.push_back(fields(part, name).at(0));
  }
  return names;
}
std::vector<std::string> ops(const std::string& model) { return parts(model, 1, 4); }
std::vector<std::string> constants(const std::string& model) { return parts(model, 5, 8); }

Sequential small_network() {
  const Array key = random::key(0);
  Conv2dConfig config;
  config.out = 4;
  return Sequential(Conv2d(3, config, key), BatchNorm(4), Relu(), MaxPool2d(),
                    Conv2d(4, config, key), Sigmoid(), Flatten(), Linear(16, 5, true, key),
                    LogSoftmax());
}

TEST(Onnx, TransposesOnceOnTheWayInAndOnceOnTheWayOut) {
  Sequential model = small_network();
  model.eval();
  EXPECT_THAT(ops(to_onnx(model, {10, 10, 3})),
              ElementsAre("Transpose", "Conv", "BatchNormalization", "Relu", "MaxPool", "Conv",
                          "Sigmoid", "Transpose", "Flatten", "Gemm", "LogSoftmax", "Identity"));
  EXPECT_THAT(ops(to_onnx(model, {10, 10, 3}, {.channels_first = true})),
              ElementsAre("Conv", "BatchNormalization", "Relu", "MaxPool", "Conv", "Sigmoid",
                          "Transpose", "Flatten", "Gemm", "LogSoftmax", "Identity"));
}

TEST(Onnx, ConstantsHaveTheNamesOfTheParameters) {
  Sequential model = small_network();
  EXPECT_THAT(constants(to_onnx(model, {10, 10, 3})),
              ElementsAre("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean",
                          "1.running_var", "4.weight", "4.bias", "7.weight", "7.bias"));
}

TEST(Onnx, EqualModelsGiveEqualBytes) {
  Sequential a = small_network(), b = small_network();
  EXPECT_EQ(to_onnx(a, {10, 10, 3}), to_onnx(b, {10, 10, 3}));
  EXPECT_NE(to_onnx(a, {10, 10, 3}), to_onnx(b, {10, 10, 3}, {.name = "other"}));
}

TEST(Onnx, RawInputsAndTargetsInTheirUnits) {
  Sequential model(Linear(3, 2, true, random::key(0)));
  const std::string bytes =
      to_onnx(model, {3},
              {.mean = {1, 2, 3}, .std = {1, 1, 1}, .target_mean = {0, 1}, .target_std = {2, 2}});
  EXPECT_THAT(ops(bytes), ElementsAre("Sub", "Div", "Gemm", "Mul", "Add", "Identity"));
}

TEST(Onnx, MetadataAndDoc) {
  Sequential model(Relu{});
  const std::string bytes =
      to_onnx(model, {3}, {.doc = "digits", .metadata = {{"class_names", "[\"a\"]"}}});
  EXPECT_THAT(fields(bytes, 6), ElementsAre("digits"));
  EXPECT_THAT(fields(fields(bytes, 14).at(0), 2), ElementsAre("[\"a\"]"));
}

class Doubled : public ModuleWith<Doubled> {
 public:
  NO_FIELDS(Doubled)
  Array forward(const Array& x) override { return x; }
};

TEST(Onnx, NamesTheLayerThatHasNoRule) {
  Sequential model{Relu(), Doubled()};
  try {
    to_onnx(model, {3});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("layer 1 (Doubled) has no rule for ONNX"));
  }
}

}  // namespace
}  // namespace mica::nn
