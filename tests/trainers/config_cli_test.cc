// mica config and mica validate: starters, schemas, dry runs, exit codes.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "tests/trainers/folder_test.h"
#include "trainers/config.h"
#include "trainers/schema.h"
#include "trainers/setup.h"
#include "trainers/starters.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

struct Result {
  int code = -1;
  std::string text;  // stdout
};

class ConfigProgram : public FolderTest {
 protected:
  Result run(const std::string& arguments) {
    const std::string command =
        fmt::format("cd '{}' && '{}' {} 2>stderr", root_.string(), MICA_PROGRAM, arguments);
    return shell(command);
  }
  static Result shell(const std::string& command) {
    Result result;
    FILE* pipe = popen(command.c_str(), "r");
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) result.text.append(buffer, n);
    const int status = pclose(pipe);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
  }
  std::string err() { return read_file(root_ / "stderr"); }
  void write_points() {
    write("points.csv", points_csv());
    write("points.yaml", kPointsYaml);
  }
};

// A raw source is prepared for as long as the verb needs it.
TEST_F(ConfigProgram, VerbsThatOnlyLookPrepareForThemselves) {
  write_points();
  const fs::path temporary = root_ / "tmp";
  fs::create_directory(temporary);
  for (const char* verb : {"lr-find points.yaml --steps 20", "summary points.yaml",
                           "bench points.yaml --steps 3", "validate points.yaml"}) {
    const Result result =
        shell(fmt::format("cd '{}' && TMPDIR='{}' '{}' {} 2>stderr", root_.string(),
                          temporary.string(), MICA_PROGRAM, verb));
    EXPECT_EQ(result.code, 0) << verb << "\n" << err();
    EXPECT_TRUE(fs::is_empty(temporary)) << verb;
  }
}

TEST_F(ConfigProgram, ValidatesByOneStep) {
  write_points();
  const Result result = run("validate points.yaml --json");
  EXPECT_EQ(result.code, 0) << result.text;
  const json found = json::parse(result.text);
  EXPECT_EQ(found["ok"], true);
  EXPECT_EQ(found["data"]["rows"]["train"], 48);
  EXPECT_EQ(found["parameters"], 2 * 16 + 16 + 16 * 2 + 2);
  EXPECT_EQ(found["memory"]["parameter_bytes"], 4 * 82);
  EXPECT_GE(found["memory"]["optimizer_bytes"], 2 * 4 * 82);
  EXPECT_GT(found["memory"]["step_peak_bytes"], 3 * 4 * 82);
  EXPECT_NEAR(found["guessing_loss"].get<double>(), std::log(2.0), 1e-12);
  EXPECT_NEAR(found["loss"].get<double>(), 0.7, 0.4);
  ASSERT_EQ(found["warnings"].size(), 1u);
  EXPECT_EQ(found["warnings"][0],
            "points.yaml:4:56: warning: 'step.every' is 30 epochs, but the run has 2: it is never "
            "reached");
  EXPECT_THAT(run("validate points.yaml").text, HasSubstr("points.yaml: ok\n"));
  EXPECT_FALSE(fs::exists(root_ / "runs"));
}

TEST_F(ConfigProgram, ValidateTellsConfigFromData) {
  write_points();
  EXPECT_EQ(run("validate points.yaml --set train.epoch=1").code, 2);
  EXPECT_THAT(err(), HasSubstr("--set #1: error: unknown key 'epoch'"));
  EXPECT_EQ(run("validate points.yaml --set data.path=gone.csv").code, 3);
  const Result result = run("validate points.yaml --json --set seed=x --set train.epochs=y");
  EXPECT_EQ(result.code, 2);
  const json found = json::parse(result.text);
  EXPECT_EQ(found["ok"], false);
  EXPECT_EQ(found["errors"].size(), 2u);
  EXPECT_EQ(run("validate points.yaml --set optimizer.adam.lr=0 --set model[0].linear=3").code, 0);
  EXPECT_EQ(run("validate nothing.yaml").code, 2);
}

TEST_F(ConfigProgram, ListsAndCopiesStarters) {
  const Result list = run("config ls");
  EXPECT_THAT(list.text, HasSubstr("mnist_cnn            A convolutional network on the 60,000"));
  EXPECT_EQ(run("config cp mnist-cnn").code, 0);
  EXPECT_EQ(run("config print --plain mnist_cnn.yaml").code, 0) << err();
  EXPECT_EQ(run("config cp mnist-cnn").code, 2);  // never over a file
  EXPECT_EQ(run("config cp mnist_cn other.yaml").code, 2);
  EXPECT_THAT(err(), HasSubstr("no config 'mnist_cn' (did you mean 'mnist_cnn'?)"));
}

// A copied config trains where it lies.
TEST_F(ConfigProgram, CopiesFindTheirData) {
  write("configs/x.yaml", "");
  write("data/samples/mnist/x", "");
  EXPECT_EQ(run("config cp mnist-mlp").code, 0) << err();
  EXPECT_THAT(read_file(root_ / "mnist_mlp.yaml"), HasSubstr("\n  path: data/samples/mnist\n"));
  write("configs/mine/x.yaml", "");
  EXPECT_EQ(run("config cp mnist-mlp configs/mine/a.yaml").code, 0) << err();
  EXPECT_THAT(read_file(root_ / "configs/mine/a.yaml"),
              HasSubstr("\n  path: ../../data/samples/mnist\n"));
  fs::remove_all(root_ / "configs");
  EXPECT_EQ(run("config cp mnist-mlp b.yaml").code, 0) << err();
  EXPECT_EQ(load_config((root_ / "b.yaml").string()).data.path, "");
  EXPECT_THAT(run("config cp mnist-mlp -").text, HasSubstr("source: mnist\n  # path: FOLDER"));
}

TEST(Starters, AllReadAndSayWhatTheyAre) {
  EXPECT_GE(starters().size(), 5u);
  for (const Starter& starter : starters()) {
    SCOPED_TRACE(starter.name);
    EXPECT_GT(summary_of(starter).size(), 20u);
    EXPECT_NO_THROW(parse_config(std::string(starter.text), "c.yaml", "/"));
  }
}

TEST(Starters, MadeOnesFitTheirData) {
  for (const char* kind : {"auto", "linear", "mlp", "cnn"}) {
    for (const Shape& example : {Shape{28, 28, 1}, Shape{5, 7, 3}, Shape{13}}) {
      if (std::string(kind) == "cnn" && example.size() != 3) continue;
      StarterOptions options;
      options.kind = kind;
      options.example.assign(example.begin(), example.end());
      options.outputs = 7;
      options.classification = example.size() == 3;
      const std::string text = starter_config(options);
      SCOPED_TRACE(text);
      const RunConfig config = parse_config(text, "c.yaml", "/");
      EXPECT_NO_THROW(build_network(config, example, {7}));
    }
  }
}

// Of a path, too, that means something in YAML; and no pooling of what is one pixel high.
TEST(Starters, FitAnyPathAndShape) {
  StarterOptions options;
  options.data = "runs #1: mine.h5";
  options.example = {1, 40, 2};
  const std::string text = starter_config(options);
  SCOPED_TRACE(text);
  const RunConfig config = parse_config(text, "c.yaml", "/");
  EXPECT_EQ(config.data.path, "/runs #1: mine.h5");
  EXPECT_NO_THROW(build_network(config, {1, 40, 2}, {10}));
  options.kind = "cnn";
  EXPECT_THROW(starter_config(options), Error);
}

TEST_F(ConfigProgram, InitReadsTheDataSet) {
  const std::string data = MICA_FIXTURES "/data/prepared.h5";
  EXPECT_EQ(run(fmt::format("config init '{}' -o new.yaml", data)).code, 0) << err();
  EXPECT_EQ(run("validate new.yaml --set data.batch_size=4").code, 0) << err();
  EXPECT_EQ(run("config init -o new.yaml").code, 2);
  EXPECT_THAT(run("config init -o - --task regression --kind mlp").text, HasSubstr("loss: huber"));
}

TEST(JsonSchema, IsHeldToByTheShippedConfigs) {
  const json schema = json::parse(json_schema());
  EXPECT_EQ(schema["properties"]["data"]["properties"]["batch_size"]["minimum"], 1);
  EXPECT_EQ(schema["properties"]["train"]["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["optimizer"]["anyOf"][1]["properties"]["adam"]["anyOf"][0]
                  ["properties"]["lr"]["default"],
            0.001);
  const std::string script = MICA_SOURCE "/tests/trainers/json_schema.py";
  const std::string command =
      fmt::format("python3 '{}' '{}' '{}/configs' 2>&1", script, MICA_PROGRAM, MICA_SOURCE);
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  std::string text;
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  const int code = WEXITSTATUS(pclose(pipe));
  if (code == 77) GTEST_SKIP() << text;
  EXPECT_EQ(code, 0) << text;
}

}  // namespace
}  // namespace mica::trainers
