// --set, --set-file and base files: what ends up where, and what the errors say.
#include "trainers/override.h"
#include "tests/trainers/folder_test.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "trainers/config.h"

namespace mica::trainers {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The config after the overrides, or the errors, a line each.
std::string after(const std::string& text, const std::vector<std::string>& overrides) {
  Diagnostics errors;
  Value config = parse_yaml(text, "c.yaml", errors);
  int number = 0;
  for (const std::string& each : overrides) apply_override(config, each, ++number, errors);
  std::string lines;
  for (const std::string& line : errors.lines()) lines += line + "\n";
  return lines.empty() ? to_flow(config) : lines;
}

TEST(Override, SetsMakesAndReplaces) {
  EXPECT_EQ(after("{seed: 1, optimizer: sgd, model: [linear: 8, relu]}",
                  {"seed=7", "optimizer.sgd.lr=0.1", "model[0].linear=16", "train.name=a=b",
                   "data={path: x.h5}"}),
            "{seed: 7, optimizer: {sgd: {lr: 0.1}}, model: [{linear: 16}, relu], "
            "train: {name: a=b}, data: {path: x.h5}}");
}

TEST(Override, FindsListItemsByName) {
  const std::string model =
      "{model: [{repeat: 2, layers: [{conv2d: {out: 8}}, relu]}, "
      "conv2d: 4, relu, linear: 10, {linear: 3, name: head}]}";
  EXPECT_EQ(after(model, {"model.conv2d[0].out=16"}),
            "{model: [{repeat: 2, layers: [{conv2d: {out: 16}}, relu]}, {conv2d: 4}, relu, "
            "{linear: 10}, {linear: 3, name: head}]}");
  // A scalar stood for the first setting, a bare name for no settings.
  EXPECT_THAT(after(model, {"model.conv2d[1].kernel=5", "model.head.out=7"}),
              HasSubstr("{conv2d: {out: 4, kernel: 5}}, relu, {linear: 10}, "
                        "{linear: {out: 7}, name: head}]}"));
  EXPECT_EQ(after(model, {"model.linear.out=1", "model.conv2d[4].out=1", "model.lineer=1"}),
            "--set #1: error: 'model' has 2 items 'linear' (c.yaml:1:84, c.yaml:1:97); say which, "
            "from model.linear[0] on\n"
            "--set #2: error: 'model' has 2 items 'conv2d', there is no [4]\n"
            "--set #3: error: 'model' has no item 'lineer' (did you mean 'linear'?)\n");
}

TEST(Override, ReplacesAnOptimizerByAnother) {
  EXPECT_EQ(after("{optimizer: {sgd: {lr: 1}, schedule: cosine}}", {"optimizer.adam.lr=2"}),
            "{optimizer: {schedule: cosine, adam: {lr: 2}}}");
  EXPECT_EQ(after("{loss: mse}", {"loss.huber.delta=2"}), "{loss: {huber: {delta: 2}}}");
}

TEST(Override, AppendsAndTakesAway) {
  EXPECT_EQ(after("{optimizer: {schedule: {warmup: 1}}, a: 1}",
                  {"+optimizer.schedule=cosine", "+b=x", "+b=[y, z]"}),
            "{optimizer: {schedule: [{warmup: 1}, cosine]}, a: 1, b: [x, y, z]}");
  EXPECT_EQ(after("{a: {b: 1, c: 2}, l: [1, 2, 3]}", {"~a.b", "~l[1]"}), "{a: {c: 2}, l: [1, 3]}");
  EXPECT_EQ(after("{abc: 1}", {"~abd"}),
            "--set #1: error: there is no 'abd' to take away (did you mean 'abc'?)\n");
}

TEST(Override, SaysWhatIsWrong) {
  Diagnostics errors;
  Value config = parse_yaml("seed: 1\nmodel: [relu]\n", "c.yaml", errors);
  int number = 0;
  for (const char* each :
       {"seed", "seed.x=1", "model[3]=relu", "a=[1", "~seed=1", "a..b=1", "=1"}) {
    apply_override(config, each, ++number, errors);
  }
  constexpr const char* kForms =
      ": error: expected key.path=value, +key.path=value or ~key.path, got '";
  EXPECT_THAT(errors.lines(), ElementsAre(std::string("--set #1") + kForms + "seed'",
                                          "--set #2: error: 'seed' is '1', not a section",
                                          "--set #3: error: 'model' has 1 item, there is no [3]",
                                          "--set #4: error: the '[' opened here is never closed",
                                          std::string("--set #5") + kForms + "~seed=1'",
                                          std::string("--set #6") + kForms + "a..b=1'",
                                          std::string("--set #7") + kForms + "=1'"));
}

std::string merged(const std::string& below, const std::string& above) {
  Diagnostics errors;
  Value value = parse_yaml(below, "base.yaml", errors);
  merge_over(value, parse_yaml(above, "c.yaml", errors));
  EXPECT_THAT(errors.lines(), IsEmpty());
  return to_flow(value);
}

TEST(Merge, MergesSectionsAndReplacesListsAndTypes) {
  EXPECT_EQ(merged("{a: {x: 1, y: 2}, l: [1, 2]}", "{a: {y: 3}, l: [4], b: 5}"),
            "{a: {x: 1, y: 3}, l: [4], b: 5}");
  // The same type: its settings merge. Another: the schedule stays, the optimizer goes.
  constexpr const char* kBase = "{optimizer: {sgd: {lr: 1, momentum: 0.9}, schedule: cosine}}";
  EXPECT_EQ(merged(kBase, "{optimizer: {sgd: {lr: 2}}}"),
            "{optimizer: {sgd: {lr: 2, momentum: 0.9}, schedule: cosine}}");
  EXPECT_EQ(merged(kBase, "{optimizer: {adam: {lr: 2}}}"),
            "{optimizer: {schedule: cosine, adam: {lr: 2}}}");
  EXPECT_EQ(merged(kBase, "{optimizer: adam}"), "{optimizer: {schedule: cosine, adam: null}}");
  EXPECT_EQ(merged("{loss: {huber: {delta: 2}}}", "{loss: mse}"), "{loss: {mse: null}}");
  EXPECT_EQ(merged("{a: {x: 1}, b: 2}", "{a: }"), "{b: 2}");  // back to the default
}

class BaseTest : public FolderTest {
 protected:
  BaseTest() { fs::create_directories(root_ / "sub"); }
  std::string error_of(const std::string& name) {
    try {
      load_config(path(name));
      return "";
    } catch (const Error& error) {
      std::string text = error.what();
      for (size_t at; (at = text.find(root_.string() + "/")) != std::string::npos;) {
        text.erase(at, root_.string().size() + 1);
      }
      return text;
    }
  }
};

constexpr const char* kBase =
    "name: grandparent\n"
    "data: {path: a.h5, batch_size: 8}\n"
    "model: [flatten, linear: 10]\n"
    "loss: cross_entropy\n"
    "optimizer: {sgd: {lr: 0.1}}\n";

TEST_F(BaseTest, InheritsAlongAChain) {
  write("sub/first.yaml", kBase);
  write("second.yaml", "base: sub/first.yaml\nseed: 1\ntrain: {epochs: 3, patience: 2}\n");
  write("third.yaml", "base: second.yaml\ntrain: {epochs: 4}\n");
  write("extra.yaml", "train: {epochs: 6, min_delta: 1}\n");
  RunConfig config =
      load_config(path("third.yaml"), {"train.min_delta=2", "@" + path("extra.yaml")});
  EXPECT_EQ(config.name, "third");
  EXPECT_EQ(config.data.path, path("sub/a.h5"));  // counts from the file that says it
  EXPECT_EQ(config.seed, 1);
  EXPECT_EQ(config.train.epochs, 6);
  EXPECT_EQ(config.train.patience, 2);
  EXPECT_EQ(config.train.min_delta, 2);
  EXPECT_EQ(config.origin("train.patience").text(), path("second.yaml") + ":3:30");
  EXPECT_EQ(config.origin("train.epochs").text(), path("extra.yaml") + ":1:17");
  EXPECT_EQ(config.origin("optimizer.sgd.lr").text(), path("sub/first.yaml") + ":5:23");
}

TEST_F(BaseTest, PlacesErrorsInTheRightFile) {
  write("base.yaml", std::string(kBase) + "train: {epoch: 3}\n");
  write("c.yaml", "base: base.yaml\nseed: -1\n");
  EXPECT_EQ(error_of("c.yaml"),
            "base.yaml:6:9: error: unknown key 'epoch' in 'train' (did you mean 'epochs'?)\n"
            "c.yaml:2:7: error: 'seed' must be at least 0, got -1\n2 errors");
}

TEST_F(BaseTest, RefusesCirclesAndMissingFiles) {
  write("a.yaml", "base: b.yaml\n");
  write("b.yaml", "base: [a.yaml]\n");
  EXPECT_EQ(error_of("a.yaml"),
            "b.yaml:1:8: error: base: a.yaml leads back to itself (a.yaml -> b.yaml -> a.yaml)");
  write("c.yaml", "base: none.yaml\n");
  EXPECT_EQ(error_of("c.yaml"),
            "c.yaml:1:7: error: base: no file none.yaml (it counts from the folder of the file "
            "that names it)");
  write("d.yaml", "base: {a: 1}\n");
  EXPECT_EQ(error_of("d.yaml"),
            "d.yaml:1:7: error: 'base' must be a file or a list of files, got a section");
}

}  // namespace
}  // namespace mica::trainers
