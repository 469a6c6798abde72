// Typed settings: exact messages for every kind of mistake.
#include "trainers/reader.h"

#include <gmock/gmock.h>

namespace mica::trainers {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Example {
  int64_t count = 3;
  double rate = 0.5;
  bool on = false;
  std::string mode = "mean";
  Pair kernel = {3, 3};
  std::vector<int64_t> sizes;
  FIELDS(Example, count, rate, on, mode, kernel, sizes)
  static constexpr FieldInfo kFieldInfo[] = {
      {"how many", 1}, {"how fast", 0, 1}, {}, {.choices = "none|mean"}, {"", 1}, {}};
};

std::vector<std::string> read(const std::string& text, Example& example) {
  Diagnostics errors;
  const Value value = parse_yaml(text, "c.yaml", errors);
  Section section(value, "example", errors);
  section.read(settings_of(example));
  section.finish();
  return errors.lines();
}

TEST(Reader, ReadsEveryType) {
  Example example;
  EXPECT_THAT(
      read("{count: 1e3, rate: 1, on: true, mode: none, kernel: 5, sizes: [1, -2]}", example),
      IsEmpty());
  EXPECT_EQ(example.count, 1000);
  EXPECT_EQ(example.rate, 1.0);
  EXPECT_TRUE(example.on);
  EXPECT_EQ(example.mode, "none");
  EXPECT_EQ(example.kernel, (Pair{5, 5}));
  EXPECT_EQ(example.sizes, (std::vector<int64_t>{1, -2}));
}

TEST(Reader, LeavesAbsentKeysAlone) {
  Example example;
  EXPECT_THAT(read("{kernel: [2, 4]}", example), IsEmpty());
  EXPECT_EQ(example.count, 3);
  EXPECT_EQ(example.kernel, (Pair{2, 4}));
}

TEST(Reader, ReportsEveryMistakeAtOnce) {
  Example example;
  EXPECT_THAT(
      read("count: 0\nrate: fast\non: yes\nmode: sum\nkernel: [1, 2, 3]\nsizes: 4\ncuont: 1\n",
           example),
      ElementsAre("c.yaml:1:8: error: 'example.count' must be at least 1, got 0",
                  "c.yaml:2:7: error: 'example.rate' must be a number, got 'fast'",
                  "c.yaml:3:5: error: 'example.on' must be true or false, got 'yes' (write true)",
                  "c.yaml:4:7: error: 'example.mode' must be one of none|mean, got 'sum'",
                  "c.yaml:5:9: error: 'example.kernel' must be an integer or pair of integers, "
                  "got a list of 3",
                  "c.yaml:6:8: error: 'example.sizes' must be a list of integers, got '4'",
                  "c.yaml:7:1: error: unknown key 'cuont' in 'example' (did you mean 'count'?)"));
}

TEST(Reader, IsStrictAboutNumbers) {
  Example example;
  EXPECT_THAT(read("{count: 010}", example),
              ElementsAre("c.yaml:1:9: error: 'example.count' must be an integer, got '010' (no "
                          "leading zeros, please)"));
  EXPECT_THAT(read("{count: \"5\"}", example),
              ElementsAre("c.yaml:1:9: error: 'example.count' must be an integer, got \"5\" (leave "
                          "the quotes away)"));
  EXPECT_THAT(read("{count: 1_000}", example),
              ElementsAre("c.yaml:1:9: error: 'example.count' must be an integer, got '1_000' "
                          "(write it without '_')"));
  for (const char* bad : {"0x10", "1.5", ".inf", ".nan", "nan", "1e99", "[1]", "{a: 1}", "~"}) {
    EXPECT_EQ(read(fmt::format("{{count: {}}}", bad), example).size(), 1u) << bad;
  }
  for (const char* bad : {".inf", ".nan", "inf", "0x1", "1e999", "1,5"}) {
    EXPECT_EQ(read(fmt::format("rate: {}", bad), example).size(), 1u) << bad;
  }
  EXPECT_THAT(read("{count: 9007199254740993}", example), IsEmpty());
  EXPECT_EQ(example.count, 9007199254740993);  // 2^53 + 1 is no double
}

TEST(Reader, RefusesWhatIsNoSection) {
  Example example;
  EXPECT_THAT(read("5", example),
              ElementsAre("c.yaml:1:1: error: 'example' must be a section, got '5'"));
}

struct Needed {
  int64_t out = 0;
  FIELDS(Needed, out)
  static constexpr FieldInfo kFieldInfo[] = {{"outputs", 1}};
};

std::vector<std::string> read_needed(const std::string& text, Needed& needed) {
  Diagnostics errors;
  const Typed typed = read_typed(parse_yaml(text, "c.yaml", errors), "a layer", errors);
  read_typed_settings(typed, settings_of(needed), errors);
  return errors.lines();
}

TEST(Reader, TakesAScalarForTheFirstSetting) {
  Needed needed;
  EXPECT_THAT(read_needed("linear: 450", needed), IsEmpty());
  EXPECT_EQ(needed.out, 450);
  EXPECT_THAT(read_needed("linear: {out: 7}", needed), IsEmpty());
  EXPECT_EQ(needed.out, 7);
}

TEST(Reader, AsksForWhatHasNoDefault) {
  Needed needed;
  EXPECT_THAT(read_needed("linear", needed),
              ElementsAre("c.yaml:1:1: error: 'linear.out' must be given"));
  EXPECT_THAT(read_needed("linear: -1", needed),
              ElementsAre("c.yaml:1:9: error: 'linear.out' must be at least 1, got -1"));
}

TEST(Reader, WritesSettingsThatReadBackExactly) {
  Example example{.count = 7, .rate = 0.1, .mode = "none", .kernel = {1, 2}, .sizes = {3}};
  const std::string text = to_yaml(settings_value(settings_of(example)));
  EXPECT_EQ(text,
            "count: 7\nrate: 0.1\non: false\nmode: none\nkernel:\n  - 1\n  - 2\nsizes:\n  - 3\n");
  Example again;
  EXPECT_THAT(read(text, again), IsEmpty());
  EXPECT_TRUE(equal_fields(example, again));
}

}  // namespace
}  // namespace mica::trainers
