// The rows that configs, help and docs are made of: names, docs, ranges, and what building refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/ops/random.h"
#include "nn/registry.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

int64_t count_named(const std::vector<Setting>& settings, std::string_view name) {
  return std::count_if(settings.begin(), settings.end(),
                       [&](const Setting& setting) { return setting.name == name; });
}

template <class Interface>
void check_rows(std::span<const Row<Interface>> rows) {
  std::set<std::string_view> names;
  for (const Row<Interface>& row : rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.doc.empty()) << row.name;
    EXPECT_EQ(find_row(rows, row.name), &row);
    const std::unique_ptr<Interface> made = row.make();
    for (const Setting& setting : made->settings()) {
      EXPECT_FALSE(setting.name.empty()) << row.name;
      EXPECT_FALSE(setting.type_name().empty()) << row.name << "." << setting.name;
      EXPECT_EQ(count_named(made->settings(), setting.name), 1) << setting.name;
    }
  }
  EXPECT_EQ(find_row(rows, "no_such_name"), nullptr);
}

TEST(Registry, RowsAreWellFormed) {
  check_rows(module_rows());
  check_rows(loss_rows());
}

std::string build_error(std::string_view name, const std::map<std::string, std::string>& values,
                        const Shape& input) {
  const std::unique_ptr<ModuleConfig> config = find_row(module_rows(), name)->make();
  fixtures::fill(config->settings(), values);
  try {
    config->build(input, random::key(0));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(Registry, BuildRefusesWhatDoesNotFit) {
  EXPECT_EQ(build_error("linear", {}, {1, 3}), "[linear] out must be at least 1, got 0");
  EXPECT_EQ(build_error("linear", {{"out", "4"}}, {3}),
            "[linear] input must have shape (batch, ..., features), got (3,)");
  EXPECT_EQ(build_error("conv2d", {{"out", "4"}}, {1, 8, 8}),
            "[conv2d] got input of shape (1, 8, 8), want (batch, height, width, channels)");
  EXPECT_EQ(build_error("conv2d", {{"out", "4"}, {"kernel", "9"}}, {1, 8, 8, 1}),
            "[conv2d] got input of shape (1, 8, 8, 1), want a height of at least 9 for kernel 9");
  EXPECT_EQ(build_error("conv2d", {{"out", "4"}, {"stride", "0"}}, {1, 8, 8, 1}),
            "[conv2d] stride must be at least 1, got [0, 0]");
  EXPECT_EQ(build_error("conv2d", {{"out", "4"}, {"groups", "3"}}, {1, 8, 8, 3}),
            "[conv2d] 3 channels in and 4 out do not divide into 3 groups");
  EXPECT_EQ(build_error("max_pool2d", {{"padding", "2"}}, {1, 8, 8, 3}),
            "[max_pool2d] padding 2 is more than half of kernel 2");
  EXPECT_EQ(build_error("dropout", {{"p", "1.5"}}, {1, 8}),
            "[dropout] p must lie in [0, 1], got 1.5");
  EXPECT_EQ(build_error("layer_norm", {}, {8}),
            "[layer_norm] got input of shape (8,), want (batch, ..., features)");
}

TEST(Registry, SettingsWithoutDefaultSayWhatTheyWant) {
  const std::unique_ptr<ModuleConfig> config = find_row(module_rows(), "conv2d")->make();
  const std::vector<Setting> settings = config->settings();
  EXPECT_EQ(settings[0].name, "out");
  EXPECT_EQ(settings[0].type_name(), "integer");
  EXPECT_EQ(settings[0].problem(), "must be at least 1, got 0");
  EXPECT_EQ(settings[1].name, "kernel");
  EXPECT_EQ(settings[1].type_name(), "integer or pair of integers");
  EXPECT_EQ(settings[1].print(), "[3, 3]");
  EXPECT_EQ(settings[1].problem(), "");
}

TEST(Registry, EqualKeysGiveEqualWeights) {
  const std::unique_ptr<ModuleConfig> config = find_row(module_rows(), "linear")->make();
  fixtures::fill(config->settings(), {{"out", "4"}});
  const auto bytes = [&](uint64_t seed) {
    return config->build({1, 6}, random::key(seed))->state().at("weight").to_bytes();
  };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
}

}  // namespace
}  // namespace mica::nn
