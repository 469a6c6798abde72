#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "trainers/draw/axes.h"

namespace mica::draw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> tick_texts(Range range, bool logarithmic, int wanted, bool whole = false) {
  std::vector<std::string> texts;
  for (const Tick& tick : Scale(range, logarithmic, 0, 100).ticks(wanted, whole)) {
    texts.push_back(tick.text);
  }
  return texts;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Axes, PutTicksAtRoundNumbers) {
  EXPECT_THAT(tick_texts({0, 1}, false, 4), ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(tick_texts({-25'000, 31'000}, false, 3), ElementsAre("-20,000", "0", "20,000"));
  EXPECT_THAT(tick_texts({1, 3}, false, 10, /*whole=*/true), ElementsAre("1", "2", "3"));
  EXPECT_THAT(tick_texts({0, 3e-6}, false, 3), ElementsAre("0", "1e-6", "2e-6", "3e-6"));
  EXPECT_THAT(tick_texts({0.009, 2000}, true, 6),
              ElementsAre("0.01", "0.1", "1", "10", "100", "1,000"));
  EXPECT_THAT(tick_texts({0.09, 3}, true, 6), ElementsAre("0.1", "0.2", "0.5", "1", "2"));
  EXPECT_THAT(tick_texts({1e-12, 1}, true, 4), ElementsAre("1e-12", "1e-9", "1e-6", "0.001", "1"));
}

TEST(Axes, ScaleLinearlyAndByLogarithms) {
  const Scale linear({10, 20}, false, 200, 100);
  EXPECT_DOUBLE_EQ(linear(10), 200);
  EXPECT_DOUBLE_EQ(linear(12.5), 175);
  const Scale logarithmic({1, 100}, true, 0, 100);
  EXPECT_DOUBLE_EQ(logarithmic(10), 50);
  EXPECT_FALSE(logarithmic.shows(0));
  EXPECT_FALSE(linear.shows(NAN));
}

TEST(Axes, FindRangesForAnyNumbers) {
  const auto range = [](std::vector<double> values, const Axis& axis) {
    Extent extent(axis);
    for (const double value : values) extent.add(value);
    const Range found = extent.range(0.05);
    EXPECT_LT(found.from, found.to);
    return std::pair(found.from, found.to);
  };
  EXPECT_EQ(range({0.1, 2}, {}).first, 0);
  EXPECT_GT(range({1.9, 2}, {}).first, 1.8);
  range({}, {});
  EXPECT_GT(range({NAN, INFINITY}, {.logarithmic = true}).first, 0);
  EXPECT_GT(range({-1, 0, 5}, {.logarithmic = true}).first, 0);
  EXPECT_EQ(range({0.5, 0.7}, {.from = 0, .to = 1}), std::pair(0.0, 1.0));
  range({3, 3}, {});
  range({0}, {});
  range({5}, {.to = 2});
}

Plot curve(size_t points) {
  Plot plot{.title = "Loss <all>", .x = {.label = "step"}, .y = {.label = "loss"}};
  plot.series = {{.name = "training"}};
  for (size_t i = 0; i < points; ++i) {
    plot.series[0].x.push_back(static_cast<double>(i));
    plot.series[0].y.push_back(std::sin(0.1 * static_cast<double>(i)));
  }
  return plot;
}

TEST(Plot, DrawsTheSameBytesEachTime) {
  const Plot plot = curve(100);
  EXPECT_EQ(to_png(plot), to_png(plot));
  EXPECT_EQ(to_svg(plot), to_svg(plot));
  EXPECT_THAT(to_svg(plot), HasSubstr("<title>Loss &lt;all&gt;</title>"));
}

TEST(Plot, StaysSmallForManyPoints) {
  EXPECT_LT(to_svg(curve(200'000)).size(), 100'000u);
  Plot dots = curve(200'000);
  dots.series[0].style = Style::kDots;
  EXPECT_LE(count(to_svg(dots), "<circle"), 4000u + 1);
}

TEST(Plot, LeavesGapsWhereThereIsNothing) {
  Plot plot = curve(7);
  plot.series[0].y[3] = NAN;
  // Two pieces, and the key of the legend beside ticks and grid.
  EXPECT_EQ(count(to_svg(plot), "<polyline"), count(to_svg(curve(7)), "<polyline") + 1);
  EXPECT_EQ(count(to_svg(plot), "<circle"), 6u);
  EXPECT_THAT(to_svg(Plot{.title = "Loss"}), HasSubstr("nothing to show yet"));
  plot.series[0].y.assign(7, NAN);
  EXPECT_THAT(to_svg(plot), HasSubstr("nothing to show yet"));
}

TEST(BarChart, StacksPartsAndThinsLabels) {
  BarChart chart{.title = "Time"};
  chart.parts = {{"step", {}}, {"wait", {}}};
  for (int i = 1; i <= 200; ++i) {
    chart.labels.push_back(std::to_string(i));
    chart.parts[0].values.push_back(2);
    chart.parts[1].values.push_back(i % 2 == 0 ? 1 : NAN);
  }
  const std::string svg = to_svg(chart);
  EXPECT_EQ(count(svg, "<rect"), 2 + 200 + 100u);  // two keys
  EXPECT_EQ(count(svg, ">100</text>"), 1u);
  EXPECT_EQ(count(svg, ">101</text>"), 0u);
  chart = {.labels = {"airplane", "automobile of the year"},
           .parts = {{"", {1, 2}}},
           .size = {200, 200}};
  EXPECT_EQ(count(to_svg(chart), "rotate(-90)"), 2u);
}

TEST(HeatMap, ShowsNumbersWhileTheyCanBeRead) {
  HeatMap map{
      .rows = {"a", "b"}, .columns = {"a", "b"}, .values = {12, 0, 3, 4}, .confusion = true};
  const std::string svg = to_svg(map);
  for (const char* text : {">12<", ">3<", ">4<"}) EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_EQ(count(svg, ">0<"), 0u);
  map.rows = map.columns = std::vector<std::string>(100, "class");
  map.values.assign(10'000, 1);
  EXPECT_LT(to_svg(map).size(), 30'000u);
  map.values.pop_back();
  EXPECT_THROW(to_svg(map), Error);
  EXPECT_THAT(to_svg(HeatMap{.title = "None"}), HasSubstr("nothing to show yet"));
}

TEST(CalibrationChart, DrawsBinsThatHoldExamples) {
  CalibrationChart chart{.title = "Calibration", .bins = {{0.25, 0.1, 10}, {}, {0.8, 0.9, 30}}};
  // Accuracy, gap and count of two bins, and two keys.
  EXPECT_EQ(count(to_svg(chart), "<rect"), 2 + 3 * 2u);
  chart.bins.assign(10, {});
  EXPECT_THAT(to_svg(chart), HasSubstr("nothing to show yet"));
}

}  // namespace
}  // namespace mica::draw
