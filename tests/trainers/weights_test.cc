// Weights of other programs: names, what does not fit, and files of Keras.
#include "trainers/weights.h"
#include "tests/trainers/folder_test.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/io/array_io.h"
#include "core/io/keras.h"
#include "core/io/safetensors.h"
#include "core/ops/create.h"
#include "core/ops/random.h"
#include "core/ops/view.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;

const Shape kExample = {4, 4, 2};

nn::Sequential small_network(uint64_t seed) {
  nn::Conv2dConfig config;
  config.out = 3;
  return nn::Sequential(nn::Conv2d(2, config, random::key(seed)), nn::BatchNorm(3), nn::Flatten(),
                        nn::Linear(12, 5, true, random::key(seed + 1)));
}

class WeightsTest : public FolderTest {
 protected:
  std::string error_of(const std::string& file, const std::optional<WeightNames>& names,
                       ErrorKind kind = ErrorKind::kData) {
    nn::Sequential model = small_network(5);
    const auto before = model.state();
    try {
      load_weights(model, kExample, file, names);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      for (const auto& [name, array] : model.state()) {
        EXPECT_EQ(array.to_bytes(), before.at(name).to_bytes());
      }
      return error.what();
    }
    return "no error";
  }
};

void expect_equal(const nn::Module& a, const nn::Module& b) {
  const auto state = b.state();
  for (const auto& [name, array] : a.state()) {
    EXPECT_EQ(array.to_bytes(), state.at(name).to_bytes()) << name;
  }
}

TEST_F(WeightsTest, GoOutAndComeBackInEveryFormatAndLayout) {
  for (const std::string framework : {"mica", "torch", "mlx", "keras"}) {
    for (const std::string file : {"w.safetensors", "w.npz", "w.weights.h5"}) {
      const nn::Sequential model = small_network(1);
      nn::Sequential other = small_network(3);
      const WeightNames names = read_weight_names(framework);
      save_weights(model, kExample, path(file), names);
      load_weights(other, kExample, path(file), names);
      expect_equal(model, other);
    }
  }
}

TEST_F(WeightsTest, FilesThatSayWhoseTheyAreNeedNoNames) {
  for (const std::string framework : {"mica", "torch", "mlx", "keras"}) {
    const nn::Sequential model = small_network(1);
    nn::Sequential other = small_network(3);
    save_weights(model, kExample, path("w.safetensors"), read_weight_names(framework));
    load_weights(other, kExample, path("w.safetensors"), {});
    expect_equal(model, other);
  }
  save_weights(small_network(1), kExample, path("w.npz"), read_weight_names("mica"));
  EXPECT_THAT(error_of(path("w.npz"), {}, ErrorKind::kUsage),
              HasSubstr("does not say whose names and layouts it has; give --names torch"));
}

TEST_F(WeightsTest, TorchFilesCountTheBatchesOfNorms) {
  save_weights(small_network(1), kExample, path("w.safetensors"), read_weight_names("torch"),
               {{"task", "classification"}});
  const SafetensorsFile file = load_safetensors(path("w.safetensors"));
  EXPECT_EQ(file.arrays.at("1.num_batches_tracked").dtype(), int64);
  EXPECT_EQ(file.metadata.at("format"), "pt");
  EXPECT_EQ(file.metadata.at("task"), "classification");
}

TEST_F(WeightsTest, EqualWeightsGiveEqualBytes) {
  const auto bytes = [&](const std::string& name) {
    save_weights(small_network(1), kExample, path(name), read_weight_names("torch"));
    std::stringstream text;
    text << std::ifstream(path(name), std::ios::binary).rdbuf();
    return text.str();
  };
  EXPECT_EQ(bytes("a.safetensors"), bytes("b.safetensors"));
  EXPECT_EQ(bytes("a.npz"), bytes("b.npz"));
}

TEST_F(WeightsTest, EverythingThatDoesNotFitIsSaidAtOnce) {
  save(path("w.safetensors"), {{"0.weight", zeros({3, 2, 3, 4})},
                               {"0.bais", zeros({3})},
                               {"1.weight", zeros({3})},
                               {"1.bias", zeros({3})},
                               {"1.running_mean", zeros({3})},
                               {"1.running_var", zeros({3})},
                               {"1.num_batches_tracked", zeros({}, int64)},
                               {"head.weight", zeros({5, 12})},
                               {"3.bias", zeros({5})}});
  EXPECT_EQ(error_of(path("w.safetensors"), read_weight_names("torch")),
            path("w.safetensors") +
                ": does not fit the model, with names and layouts of torch:\n"
                "  left over   '0.bais' (3,)\n"
                "  left over   'head.weight' (5, 12)\n"
                "  missing     '0.bias' (3,) (did you mean '0.bais'?)\n"
                "  missing     '3.weight' (5, 12) (of this shape: 'head.weight')\n"
                "  other shape '0.weight' is (3, 2, 3, 4), want (3, 2, 3, 3)\n"
                "5 problems");
}

TEST_F(WeightsTest, FilesOfAnotherFrameworkAreRecognised) {
  save_weights(small_network(1), kExample, path("w.npz"), read_weight_names("mlx"));
  EXPECT_THAT(error_of(path("w.npz"), read_weight_names("torch")),
              testing::EndsWith("16 problems; it fits --names mlx"));
}

TEST_F(WeightsTest, NoMetadataAsMlxWritesIt) {
  const std::string header =
      R"({"__metadata__":null,"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}})";
  std::string bytes = {static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  write("a.safetensors", bytes + header + std::string("\0\0\x80\x3f", 4));
  EXPECT_EQ(load_safetensors(path("a.safetensors")).arrays.at("a").item<float>(), 1.0f);
  write("b.safetensors", bytes + header.substr(0, 20) + "  \"\"" + header.substr(24) + "0000");
  EXPECT_THROW(load_safetensors(path("b.safetensors")), Error);
}

TEST_F(WeightsTest, FilesOfNamesMapBothWays) {
  const WeightNames names = read_weight_names(write("names.yaml",
                                                    "layout: torch\n"
                                                    "names:\n"
                                                    "  \"0.*\": features.conv.*\n"
                                                    "  /(\\d)\\.running_(.*)/: norm$1.$2\n"
                                                    "ignore: [\"old.*\"]\n"
                                                    "keep: [3.bias]\n"));
  const nn::Sequential model = small_network(1);
  save_weights(model, kExample, path("w.npz"), names);
  std::map<std::string, Array> arrays = load_npz(path("w.npz"));
  EXPECT_EQ(arrays.at("features.conv.weight").shape(), (Shape{3, 2, 3, 3}));
  EXPECT_TRUE(arrays.contains("norm1.mean"));
  arrays["old.head"] = zeros({7});
  arrays.erase("3.bias");
  save(path("w2.npz"), arrays);
  nn::Sequential other = small_network(3);
  const auto bias = other.state().at("3.bias").to_bytes();
  load_weights(other, kExample, path("w2.npz"), names);
  EXPECT_EQ(other.state().at("3.bias").to_bytes(), bias);
  EXPECT_EQ(other.state().at("0.weight").to_bytes(), model.state().at("0.weight").to_bytes());
}

TEST_F(WeightsTest, MistakesInFilesOfNamesAreFoundAtOnce) {
  const std::string file = write("names.yaml",
                                 "layout: pytorch\n"
                                 "names: {\"0.weight\": \"a.*\", \"/(/\": b}\n"
                                 "ignroe: []\n");
  try {
    read_weight_names(file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(file + ":1:9: error: "));
    EXPECT_THAT(error.what(), HasSubstr("'a.*' has more '*' than '0.weight'"));
    EXPECT_THAT(error.what(), HasSubstr("'/(/' is no regular expression"));
    EXPECT_THAT(error.what(), HasSubstr("(did you mean 'ignore'?)"));
  }
  EXPECT_THROW(read_weight_names("troch"), Error);
}

TEST_F(WeightsTest, RulesThatFitNothingAreErrors) {
  save_weights(small_network(1), kExample, path("w.npz"), read_weight_names("mica"));
  const WeightNames names = read_weight_names(write("n.yaml", "names: {7.weight: a.weight}\n"));
  EXPECT_THAT(error_of(path("w.npz"), names, ErrorKind::kUsage),
              HasSubstr("'7.weight' fits no name of the model"));
}

TEST_F(WeightsTest, PickledFilesAreExplained) {
  write("model.pt", "PK");
  EXPECT_THAT(error_of(path("model.pt"), read_weight_names("torch")),
              HasSubstr("safetensors.torch.save_file"));
}

// The network of tests/fixtures/keras/make.py.
TEST_F(WeightsTest, KerasFilesGiveWhatKerasComputes) {
  nn::Conv2dConfig first, second;
  first.out = 4;
  first.padding = {1, 1};
  second.out = 5;
  second.bias = false;
  const std::string folder = std::string(MICA_FIXTURES) + "/keras/";
  const std::map<std::string, Array> example = load_npz(folder + "example.npz");
  for (const std::string name : {"model.keras", "model.weights.h5", "model.h5"}) {
    EXPECT_TRUE(is_foreign(folder + name));
    nn::Sequential model(nn::Conv2d(1, first), nn::BatchNorm(4, {.eps = 1e-3}), nn::Relu(),
                         nn::MaxPool2d(), nn::Conv2d(4, second), nn::Flatten(), nn::LayerNorm(20),
                         nn::Linear(20, 6), nn::Relu(), nn::Dropout(0.3), nn::Linear(6, 3));
    load_weights(model, {8, 8, 1}, folder + name, {});
    model.eval();
    const std::vector<float> wanted = example.at("output").to_vector<float>();
    const std::vector<float> got = model(example.at("input")).to_vector<float>();
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 2e-5) << name << i;
  }
}

}  // namespace
}  // namespace mica::trainers
