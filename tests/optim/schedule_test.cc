// Schedules against PyTorch's, their ends, and their rows for configs.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "optim/schedule.h"
#include "tests/fixtures/fixtures.h"

namespace mica::optim {
namespace {

using fixtures::Case;

std::map<std::string, Schedule> schedules() {
  return {{"constant", constant(0.1)},
          {"step", step_decay(0.1, 0.3, 7)},
          {"exponential", exponential(0.1, 0.9, 1)},
          {"polynomial", polynomial(0.1, 0, 30, 1.7)},
          {"cosine", cosine(0.1, 0.01, 40)},
          {"cosine_restarts", cosine_restarts(0.1, 0.01, 5, 2)},
          {"linear_warmup", linear_warmup(0.02, 0.1, 10)},
          {"joined", join({linear_warmup(0.02, 0.1, 10), exponential(0.1, 0.9, 1)}, {10})}};
}

TEST(Schedules, EqualPyTorch) {
  const std::map<std::string, Schedule> ours = schedules();
  size_t seen = 0;
  for (const Case& c : fixtures::read_cases("torch_schedules.txt")) {
    const std::vector<double> wanted = c.array("lr").to_vector<double>();
    ASSERT_FALSE(wanted.empty());
    for (size_t step = 0; step < wanted.size(); ++step) {
      EXPECT_NEAR(ours.at(c.name)(static_cast<int64_t>(step)), wanted[step], 1e-12)
          << c.name << ", step " << step;
    }
    ++seen;
  }
  EXPECT_EQ(seen, ours.size());
}

TEST(Schedules, StayAtTheirEnd) {
  EXPECT_DOUBLE_EQ(cosine(1, 0.25, 10)(1'000'000), 0.25);
  EXPECT_DOUBLE_EQ(polynomial(1, 0.25, 10)(11), 0.25);
  EXPECT_DOUBLE_EQ(linear_warmup(0, 1, 10)(99), 1);
  EXPECT_DOUBLE_EQ(cosine_restarts(1, 0, 10)(1'000'000'000'000), 1);
}

TEST(Schedules, RefuseNonsense) {
  EXPECT_THROW(cosine(1, 0, 0), Error);
  EXPECT_THROW(step_decay(1, 0.5, 0), Error);
  EXPECT_THROW(cosine_restarts(1, 0, 5, 0.5), Error);
  EXPECT_THROW(join({constant(1), constant(2)}, {}), Error);
  EXPECT_THROW(join({constant(1), constant(2), constant(3)}, {5, 4}), Error);
}

std::unique_ptr<ScheduleConfig> config(std::string_view name,
                                       const std::map<std::string, std::string>& values) {
  std::unique_ptr<ScheduleConfig> made = find_row(schedule_rows(), name)->make();
  fixtures::fill(made->settings(), values);
  return made;
}

TEST(Schedules, BuildFromSettingsInEpochs) {
  const ScheduleSpan span{.lr = 0.1, .steps = 1000, .steps_per_epoch = 100};
  const auto warmup = config("warmup", {{"epochs", "2"}, {"start", "0"}});
  const auto decay = config("cosine", {});
  const Schedule joined = build_schedule({warmup.get(), decay.get()}, span);
  EXPECT_DOUBLE_EQ(joined(0), 0);
  EXPECT_DOUBLE_EQ(joined(100), 0.05);
  EXPECT_DOUBLE_EQ(joined(200), 0.1);
  EXPECT_DOUBLE_EQ(joined(600), 0.05);
  EXPECT_NEAR(joined(1000), 0, 1e-15);
  const auto steps = config("step", {{"every", "3"}, {"factor", "0.5"}});
  EXPECT_DOUBLE_EQ(build_schedule({steps.get()}, span)(650), 0.025);
  const auto restarts = config("cosine", {{"period", "1.5"}, {"end", "0.2"}});
  EXPECT_DOUBLE_EQ(build_schedule({restarts.get()}, span)(450), 0.1);
  EXPECT_NEAR(build_schedule({restarts.get()}, span)(449), 0.02, 1e-4);
  EXPECT_DOUBLE_EQ(build_schedule({}, span)(7), 0.1);
}

TEST(Schedules, BuildRefusesLengthsThatDoNotFit) {
  const ScheduleSpan span{.lr = 0.1, .steps = 150, .steps_per_epoch = 100};
  const auto warmup = config("warmup", {{"epochs", "2"}});
  const auto open = config("cosine", {});
  EXPECT_THROW(build_schedule({open.get(), warmup.get()}, span), Error);
  EXPECT_THROW(build_schedule({warmup.get(), open.get()}, span), Error);
  EXPECT_THROW(build_schedule({config("step", {}).get()}, span), Error);  // `every` is not given
}

TEST(Schedules, EveryRowBuilds) {
  for (const ScheduleRow& row : schedule_rows()) {
    const auto made = row.make();
    if (row.name == "step") fixtures::fill(made->settings(), {{"every", "1"}});
    const Schedule schedule = build_schedule({made.get()}, {0.1, 100, 10});
    for (int64_t step = 0; step <= 100; ++step) {
      EXPECT_GE(schedule(step), 0) << row.name;
      EXPECT_LE(schedule(step), 0.1 + 1e-12) << row.name;
    }
  }
}

}  // namespace
}  // namespace mica::optim
