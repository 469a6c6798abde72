// Whole run configs: exact errors, overrides, the effective config.
#include "trainers/config.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "core/base/error.h"
#include "trainers/schema.h"

namespace mica::trainers {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kGood =
    "data: {path: a.h5}\n"
    "model: [flatten, linear: 10]\n"
    "loss: cross_entropy\n"
    "optimizer: {sgd: {lr: 0.1}}\n"
    "train: {epochs: 2}\n";

RunConfig parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_config(text, "c.yaml", "/configs", overrides);
}

// The text of the error, or "" if there is none.
std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(Config, FillsInDefaults) {
  const RunConfig config = parse(kGood);
  EXPECT_EQ(config.seed, 0);
  EXPECT_EQ(config.data.batch_size, 128);
  EXPECT_EQ(config.train.epochs, 2);
  EXPECT_EQ(config.optimizer.rule->lr(), 0.1);
  EXPECT_EQ(config.model.size(), 2u);
  EXPECT_EQ(config.data.path, "/configs/a.h5");
}

TEST(Config, ReadsAugmentationAsAListOfSteps) {
  const std::string text =
      replaced(kGood, "a.h5", "a.h5, augment: [pad_crop: 2, flip, {pad_crop: {fill: zero}}]");
  const RunConfig config = parse(text);
  ASSERT_EQ(config.augment.size(), 3u);
  EXPECT_EQ(config.augment[0].type, "pad_crop");
  EXPECT_THAT(config.to_yaml(), HasSubstr("pad_crop: {pad: 2, fill: mean}"));
  EXPECT_EQ(parse(config.to_yaml()).to_yaml(), config.to_yaml());
  EXPECT_THAT(differing_keys(config.to_value(), parse(replaced(text, "zero", "edge")).to_value()),
              ElementsAre("data.augment[2].pad_crop.fill"));
  EXPECT_EQ(error_of(replaced(text, "flip", "flop")),
            "c.yaml:1:43: error: unknown augmentation 'flop' (did you mean 'flip'?)");
  EXPECT_THAT(error_of(replaced(text, "pad_crop: 2", "pad_crop: -2")),
              HasSubstr("'pad_crop.pad' must"));
}

TEST(Config, KnowsEveryAugmentation) {
  const std::string schema = describe_schema();
  for (const data::AugmentRow& row : data::augment_rows()) {
    const std::string text = replaced(kGood, "a.h5", fmt::format("a.h5, augment: [{}]", row.name));
    const RunConfig config = parse(text);
    ASSERT_EQ(config.augment.size(), 1u);
    EXPECT_EQ(parse(config.to_yaml()).to_yaml(), config.to_yaml());
    EXPECT_THAT(schema, HasSubstr(fmt::format("{}:", row.name)));
  }
}

TEST(Config, ReportsEverythingAtOnceAndInPlace) {
  const std::string text =
      "sede: 1\n"
      "data: {path: a.h5, batch_size: 0}\n"
      "model:\n"
      "  - linaer: 10\n"
      "  - dropout: 1.5\n"
      "  - conv2d: {kernel: 3}\n"
      "  - relu: 3\n"
      "loss: cross_entropi\n"
      "optimizer:\n"
      "  sgd: {learning_rat: 0.1, momentum: high}\n"
      "train: {epochs: ten}\n";
  EXPECT_EQ(error_of(text),
            "c.yaml:1:1: error: unknown key 'sede' (did you mean 'seed'?)\n"
            "c.yaml:2:32: error: 'data.batch_size' must be at least 1, got 0\n"
            "c.yaml:4:5: error: unknown layer 'linaer' (did you mean 'linear'?)\n"
            "c.yaml:5:14: error: 'dropout.p' must lie in [0, 1], got 1.5\n"
            "c.yaml:6:5: error: 'conv2d.out' must be given\n"
            "c.yaml:7:11: error: 'relu' has no settings, got '3'\n"
            "c.yaml:8:7: error: unknown loss 'cross_entropi' (did you mean 'cross_entropy'?)\n"
            "c.yaml:10:9: error: unknown key 'learning_rat' in 'sgd' (known: lr, momentum, "
            "dampening, weight_decay, nesterov)\n"
            "c.yaml:10:38: error: 'sgd.momentum' must be a number, got 'high'\n"
            "c.yaml:11:17: error: 'train.epochs' must be an integer, got 'ten'\n"
            "10 errors");
}

TEST(Config, WantsEverySection) {
  EXPECT_EQ(
      error_of("seed: 1\n"),
      "c.yaml:1:1: error: 'model' must be given\n"
      "c.yaml:1:1: error: 'loss' must be given (known: cross_entropy, nll, mse, half_mse, l1, "
      "huber, bce_with_logits)\n"
      "c.yaml:1:1: error: 'optimizer' must be given (known: sgd, adam, adamw, rmsprop, adagrad, "
      "lion)\n"
      "c.yaml:1:1: error: 'data.path' must be given\n"
      "4 errors");
}

TEST(Config, KnowsOneOptimizer) {
  EXPECT_THAT(error_of(replaced(kGood, "{sgd: {lr: 0.1}}", "{sgd: {lr: 0.1}, adam: {}}")),
              EndsWith("one optimizer is enough, got 'sgd' and 'adam'"));
  EXPECT_THAT(
      error_of(replaced(kGood, "{sgd: {lr: 0.1}}", "{sdg: {lr: 0.1}}")),
      HasSubstr("c.yaml:4:13: error: unknown key 'sdg' in 'optimizer' (did you mean 'sgd'?)"));
}

TEST(Config, OverridesFollowTheSameRules) {
  EXPECT_EQ(parse(kGood, {"seed=5", "optimizer.sgd.lr=0.5"}).optimizer.rule->lr(), 0.5);
  EXPECT_EQ(error_of(kGood, {"seed=1", "train.epoch=5", "data.batch_size=big"}),
            "--set #2: error: unknown key 'epoch' in 'train' (did you mean 'epochs'?)\n"
            "--set #3: error: 'data.batch_size' must be an integer, got 'big'\n"
            "2 errors");
}

TEST(Config, ResolvesPathsAgainstFileOrCurrentFolder) {
  EXPECT_EQ(parse(replaced(kGood, "a.h5", "../d/a.h5")).data.path, "/d/a.h5");
  EXPECT_EQ(parse(replaced(kGood, "a.h5", "/x/a.h5")).data.path, "/x/a.h5");
  EXPECT_EQ(parse(kGood, {"data.path=b.h5"}).data.path,
            (std::filesystem::current_path() / "b.h5").string());
}

TEST(Config, ReadsSchedulesAndGroups) {
  const RunConfig config =
      parse(replaced(kGood, "{sgd: {lr: 0.1}}",
                     "{sgd: {lr: 0.1}, schedule: [warmup: 2, cosine], clip_norm: 1,\n"
                     "  groups: [{match: \"*.bias\", weight_decay: 0, lr_factor: 2}]}"));
  EXPECT_THAT(config.optimizer.schedule_types, ElementsAre("warmup", "cosine"));
  EXPECT_EQ(config.optimizer.clip_norm, 1);
  ASSERT_EQ(config.optimizer.groups.size(), 1u);
  EXPECT_EQ(config.optimizer.groups[0].pattern, "*.bias");
  EXPECT_EQ(config.optimizer.groups[0].weight_decay, 0);
}

TEST(Config, PrintsAnEffectiveConfigThatReadsBack) {
  const RunConfig config = parse(replaced(
      kGood, "{sgd: {lr: 0.1}}", "{adam: {lr: 0.1}, schedule: cosine, groups: [{match: '*'}]}"));
  const std::string text = config.to_yaml();
  EXPECT_THAT(text, HasSubstr("optimizer:\n  adam: {lr: 0.1, "));
  EXPECT_THAT(text, HasSubstr("path: /configs/a.h5\n"));
  EXPECT_EQ(parse(text).to_yaml(), text);
}

TEST(Config, PrintsCommentsBehindValuesThatReadBack) {
  RunConfig config =
      parse(replaced(kGood, "{sgd: {lr: 0.1}}",
                     "{adam: 0.2, schedule: [warmup: 2, cosine], groups: [{match: '*'}]}"));
  const std::string docs = print_config(config, Comments::kDocs);
  EXPECT_THAT(docs, HasSubstr("    lr: 0.2                         # learning rate\n"));
  EXPECT_THAT(docs, HasSubstr("  - flatten\n  - linear: {out: 10, bias: true}\n"));
  EXPECT_EQ(parse(docs).to_yaml(), config.to_yaml());
}

TEST(Config, KnowsWhereEachValueWasRead) {
  RunConfig config = parse(kGood, {"seed=4", "model.linear.out=3"});
  EXPECT_EQ(config.origin("optimizer.sgd.lr").text(), "c.yaml:4:23");
  EXPECT_EQ(config.origin("optimizer.sgd.momentum").text(), "c.yaml:4:13");
  EXPECT_EQ(config.origin("seed").text(), "--set #1");
  const std::string origins = print_config(config, Comments::kOrigins);
  EXPECT_THAT(origins, HasSubstr("seed: 4                             # --set #1\n"));
  EXPECT_THAT(origins, HasSubstr("  batch_size: 128                   # default\n"));
  EXPECT_THAT(origins, HasSubstr("# c.yaml:2; out: --set #2\n"));
  EXPECT_EQ(parse(origins).to_yaml(), config.to_yaml());
}

TEST(Config, ReadsAnOptimizerWithoutSettings) {
  EXPECT_EQ(parse(replaced(kGood, "{sgd: {lr: 0.1}}", "adam")).optimizer.type, "adam");
  EXPECT_EQ(error_of(replaced(kGood, "{sgd: {lr: 0.1}}", "adm")),
            "c.yaml:4:12: error: unknown key 'adm' in 'optimizer' (did you mean 'adam'?)");
  EXPECT_THAT(error_of(replaced(kGood, "{sgd: {lr: 0.1}}", "")),
              HasSubstr("c.yaml:4:1: error: 'optimizer' must name one (known: sgd, adam"));
}

TEST(Config, NamesTheKeysThatDiffer) {
  const Value a = parse(kGood).to_value();
  EXPECT_THAT(differing_keys(a, a), IsEmpty());
  EXPECT_THAT(differing_keys(a, parse(kGood, {"optimizer.sgd.lr=1", "train.epochs=3"}).to_value()),
              ElementsAre("optimizer.sgd.lr", "train.epochs"));
  EXPECT_THAT(differing_keys(a, parse(kGood, {"model[1]={linear: 4}", "seed=1"}).to_value()),
              ElementsAre("seed", "model[1].linear.out"));
}

TEST(Config, DescribesEveryKey) {
  const std::string schema = describe_schema();
  for (const char* word : {"batch_size: 128", "precision: float32", "epochs: 10", "conv2d:",
                           "cross_entropy:", "adamw:", "cosine:", "out: ...", "must be given"}) {
    EXPECT_THAT(schema, HasSubstr(word));
  }
}

}  // namespace
}  // namespace mica::trainers
