// Configs as trees: what the text says, where it says it, and the traps of YAML.
#include "trainers/value.h"

#include <fmt/format.h>
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
                          "values out, or put them into a file of their own and name it with "
                          "'base:'"));
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
  EXPECT_THAT(broken.lines(),
              ElementsAre("c.yaml:1:4: error: the '[' opened here is never closed"));
}

TEST(Value, TellsQuotedScalarsApart) {
  Diagnostics errors;
  const Value config = parse("{a: \"5\", b: 5, c: 'x'}", errors);
  EXPECT_TRUE(config.find("a")->quoted);
  EXPECT_FALSE(config.find("b")->quoted);
  EXPECT_TRUE(config.find("c")->quoted);
}

// The one error of a text.
std::string error_of(const std::string& text) {
  Diagnostics errors;
  parse(text, errors);
  EXPECT_EQ(errors.count(), 1u) << text;
  return errors.count() ? errors.lines()[0] : "";
}

TEST(Value, SaysWhyTextIsNoYaml) {
  EXPECT_EQ(error_of("train:\n  epochs:5\n  patience: 1\n"),
            "c.yaml:2:9: error: a blank is missing after ':' in 'epochs:5'");
  EXPECT_EQ(error_of("train:\n\tepochs: 5\n"),
            "c.yaml:2:1: error: a tab in the indentation; YAML wants blanks there");
  EXPECT_EQ(error_of("seed 1\nname: a\n"), "c.yaml:1:5: error: a ':' is missing after 'seed'");
  EXPECT_EQ(error_of("name: a: b\n"),
            "c.yaml:1:8: error: a second ':' on the line; quote the value if it holds ': '");
  EXPECT_EQ(error_of("seed: 1\n  name: a\n"),
            "c.yaml:2:3: error: indented deeper than line 1, which has a value already");
  EXPECT_EQ(error_of("a:\n  b: 1\n c: 2\n"),
            "c.yaml:3:2: error: indented by 1 blanks, which fits no line above");
  EXPECT_EQ(error_of("a: {b: 1\nc: 2\n"), "c.yaml:1:4: error: the '{' opened here is never closed");
  EXPECT_EQ(error_of("a: {b: [1, 2}\n"),
            "c.yaml:1:13: error: '}' closes the '[' of line 1; ']' was wanted");
  EXPECT_EQ(error_of("a: [\"x \\\" [\", 1\nb: 2\n"),
            "c.yaml:1:4: error: the '[' opened here is never closed");
  EXPECT_EQ(error_of("match: *.bias\n"),
            "c.yaml:1:8: error: a value that starts with '*' needs quotes");
  EXPECT_EQ(error_of("name: @a\n"), "c.yaml:1:7: error: a value that starts with '@' needs quotes");
}

TEST(Value, BoundsWhatAliasesMakeOfIt) {
  EXPECT_THAT(error_of("a: &x {b: *x}\n"),
              HasSubstr("nested more than 64 deep; does an alias (*name) stand inside"));
  std::string laughs = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    laughs +=
        fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(error_of(laughs), HasSubstr("more than 200000 values; aliases"));
  EXPECT_THAT(error_of("a: " + std::string(100'000, '[')), HasSubstr("error: "));
  EXPECT_THAT(error_of("a: " + std::string(200, '[') + std::string(200, ']')),
              HasSubstr("nested more than 64 deep"));
  Diagnostics errors;
  EXPECT_EQ(to_flow(parse("a: &x [1, 2]\nb: *x\n", errors)), "{a: [1, 2], b: [1, 2]}");
  EXPECT_THAT(errors.lines(), IsEmpty());
}

TEST(Value, RefusesWhatIsNoConfigAtAll) {
  EXPECT_EQ(error_of("\x89HDF\r\n"),
            "c.yaml:1:1: error: this is no config but an HDF5 file (a data set or a checkpoint)");
  EXPECT_THAT(error_of(std::string("a: 1\0", 5)), HasSubstr("a binary file"));
  EXPECT_THAT(error_of("\xff\xfe"
                       "a"),
              HasSubstr("save it as UTF-8"));
  EXPECT_THAT(error_of(std::string(9 << 20, '#')), HasSubstr("a file of 9 MB"));
  EXPECT_THAT(error_of("a: !!str 5\n"), HasSubstr("tags ('!!str') are not supported"));
  EXPECT_THAT(error_of("? [a]\n: 1\n"), HasSubstr("a key must be a word"));
}

TEST(Value, ReadsByteOrderMarksAndOtherLineEnds) {
  Diagnostics errors;
  const Value config = parse(
      "\xef\xbb\xbf"
      "a: 1\r\nb: x\r\n",
      errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  EXPECT_EQ(to_flow(config), "{a: 1, b: x}");
  EXPECT_EQ(config.find("b")->at.text(), "c.yaml:2:4");
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

TEST(Value, WritesTextsThatReadBackAsTexts) {
  for (const std::string text : {"NULL", "Null", "~", "a\rb", "a\x01\x7f", "\r", "- a", "-", "?",
                                 "...", "=", "a\\b", "''", " a ", "é", "0x1", "---", "--5"}) {
    SCOPED_TRACE(text);
    Value list = Value::list({Value::scalar(text)});
    Diagnostics errors;
    const std::string yaml = to_yaml(Value::map({{"a", Value::scalar(text), {}}, {"b", list, {}}}));
    const Value again = parse(yaml, errors);
    ASSERT_THAT(errors.lines(), IsEmpty()) << yaml;
    EXPECT_TRUE(again.find("a")->is_scalar()) << yaml;
    EXPECT_EQ(again.find("a")->text, text) << yaml;
    EXPECT_EQ(again.find("b")->items[0].text, text) << yaml;
  }
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
  for (const char* name : {"ReLU", "RELU", "Relu"}) {
    EXPECT_EQ(suggestion(name, {"gelu", "relu"}), " (here it is 'relu')") << name;
  }
  EXPECT_EQ(suggestion("LeakyReLU", {"leaky_relu"}), " (here it is 'leaky_relu')");
  EXPECT_EQ(suggestion("BatchNorm2d", {"batch_norm"}), " (here it is 'batch_norm')");
  EXPECT_EQ(suggestion("MaxPooling2D", {"max_pool2d"}), " (here it is 'max_pool2d')");
  EXPECT_EQ(suggestion("CrossEntropyLoss", {"cross_entropy"}), " (here it is 'cross_entropy')");
}

}  // namespace
}  // namespace mica::trainers
