// Configs as trees: what the text says, where it says it, and the traps of YAML.
#include "trainers/value.h"

#include <gmock/gmock.h>

#include "core/base/error.h"

namespace mica::trainers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Value parse(const std::string& text, Diagnostics& errors) {
  return parse_yaml(text, "c.yaml", errors);
}

TEST(Value, KnowsWhereItWasWritten) {
  Diagnostics errors;
  const Value config = parse("seed: 3\ntrain:\n  epochs: 5\n", errors);
  ASSERT_THAT(errors.lines(), IsEmpty());
  const Value* epochs = config.find("train")->find("epochs");
  EXPECT_EQ(epochs->text, "5");
  EXPECT_EQ(epochs->at.text(), "c.yaml:3:11");
  EXPECT_EQ(config.find("train")->entries[0].at.text(), "c.yaml:3:3");
}

TEST(Value, ReadsAMapOfOneInsideAList) {
  Diagnostics errors;
  const Value list = parse("[conv2d: {out: 8}, relu, max_pool2d: 2]", errors);
  ASSERT_EQ(list.items.size(), 3u);
  EXPECT_EQ(list.items[0].entries[0].key, "conv2d");
  EXPECT_EQ(list.items[0].entries[0].at.text(), "c.yaml:1:2");
  EXPECT_EQ(list.items[2].entries[0].value.text, "2");
}

TEST(Value, ReportsDuplicateAndMergeKeys) {
  Diagnostics errors;
  parse("a: 1\nb: 2\na: 3\n<<: {c: 1}\n", errors);
  EXPECT_THAT(errors.lines(),
              ElementsAre("c.yaml:3:1: error: duplicate key 'a' (first at c.yaml:1:1)",
                          "c.yaml:4:1: error: merge keys ('<<') are not supported; write the "
                          "values out"));
}

TEST(Value, ReportsSecondDocumentsAndBrokenText) {
  Diagnostics errors;
  parse("a: 1\n---\nb: 2\n", errors);
  EXPECT_THAT(errors.lines(), ElementsAre(HasSubstr("only one YAML document")));
  Diagnostics endless;
  parse("a: &a [*a]\n", endless);
  EXPECT_THAT(endless.lines(), ElementsAre(HasSubstr("nested more than 64 deep")));
  Diagnostics astray;  // yaml-cpp finds documents without end in it
  parse("- a\n, b\n", astray);
  EXPECT_THAT(astray.lines(), ElementsAre(HasSubstr("c.yaml:2:1: error: not valid YAML: this")));
  Diagnostics broken;
  parse("a: [1, 2\nb: 3\n", broken);
  EXPECT_THAT(broken.lines(), ElementsAre(HasSubstr("c.yaml:2:2: error: not valid YAML: ")));
}

TEST(Value, TellsQuotedScalarsApart) {
  Diagnostics errors;
  const Value config = parse("{a: \"5\", b: 5, c: 'x'}", errors);
  EXPECT_TRUE(config.find("a")->quoted);
  EXPECT_FALSE(config.find("b")->quoted);
  EXPECT_TRUE(config.find("c")->quoted);
}

TEST(Override, SetsMakesAndReplaces) {
  Diagnostics errors;
  Value config = parse("seed: 1\noptimizer: sgd\nmodel: [linear: 8, relu]\n", errors);
  apply_override(config, "seed=7", 1, errors);
  apply_override(config, "optimizer.sgd.lr=0.1", 2, errors);
  apply_override(config, "model[0].linear=16", 3, errors);
  apply_override(config, "train.name=a=b", 4, errors);
  apply_override(config, "data={path: x.h5}", 5, errors);
  ASSERT_THAT(errors.lines(), IsEmpty());
  EXPECT_EQ(config.find("seed")->text, "7");
  EXPECT_EQ(config.find("seed")->at.text(), "--set #1");
  EXPECT_EQ(config.find("optimizer")->find("sgd")->find("lr")->text, "0.1");
  EXPECT_EQ(config.find("model")->items[0].find("linear")->text, "16");
  EXPECT_EQ(config.find("train")->find("name")->text, "a=b");
  EXPECT_EQ(config.find("data")->find("path")->text, "x.h5");
}

TEST(Override, SaysWhatIsWrong) {
  Diagnostics errors;
  Value config = parse("seed: 1\nmodel: [relu]\n", errors);
  apply_override(config, "seed", 1, errors);
  apply_override(config, "seed.x=1", 2, errors);
  apply_override(config, "model[3]=relu", 3, errors);
  apply_override(config, "a=[1", 4, errors);
  EXPECT_THAT(errors.lines(), ElementsAre("--set #1: error: expected key.path=value, got 'seed'",
                                          "--set #2: error: 'seed' is '1', not a section",
                                          "--set #3: error: 'model' has 1 items, there is no [3]",
                                          HasSubstr("--set #4: error: not valid YAML: ")));
}

TEST(Value, WritesWhatItReads) {
  const std::string text =
      "name: \"a: b\"\nseed: 0\ndata:\n  path: x.h5\n  shape: [1, -2.5]\nmodel:\n"
      "  - conv2d: {out: 8, kernel: [5, 5]}\n  - relu\nempty: {}\nquoted: \"5\"\n";
  Diagnostics errors;
  const Value config = parse(text, errors);
  EXPECT_EQ(to_yaml(config), text);
  EXPECT_EQ(to_yaml(parse(to_yaml(config), errors)), text);
  EXPECT_THAT(errors.lines(), IsEmpty());
}

TEST(Diagnostics, ThrowsAllAtOnce) {
  Diagnostics errors;
  errors.throw_if_any();
  errors.add({"c.yaml", 1, 2}, "one");
  errors.add({"--set #1"}, "two");
  errors.add({"--set #1"}, "two");
  try {
    errors.throw_if_any();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "c.yaml:1:2: error: one\n--set #1: error: two\n2 errors");
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
  }
}

TEST(Diagnostics, SuggestsTheNearestName) {
  EXPECT_EQ(closest("learning_rat", {"learning_rate", "momentum"}), "learning_rate");
  EXPECT_EQ(closest("ephocs", {"epochs", "seed"}), "epochs");  // neighbours swapped
  EXPECT_EQ(closest("xyz", {"epochs"}), "");
  EXPECT_EQ(closest("a", {"b"}), "");  // everything is one edit from a single letter
  EXPECT_EQ(suggestion("xyz", {"lr", "momentum"}), " (known: lr, momentum)");
}

}  // namespace
}  // namespace mica::trainers
