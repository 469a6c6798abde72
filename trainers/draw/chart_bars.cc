#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "trainers/draw/axes.h"

namespace mica::draw {
namespace {

constexpr TextStyle kLabelStyle = {.size = 11, .color = kSoftInk, .align = Align::kCenter};

// How the labels stand under the bars: upwards where words are wider than the bars; of numbers only
// every 2nd, 5th, 10th ..., the round ones.
struct Labels {
  bool upwards = false;
  size_t every = 1;
  double width = 0, height = 20;
};

Labels lay_out(const std::vector<std::string>& labels, double width) {
  Labels layout;
  const double step = width / static_cast<double>(labels.size());
  bool numbers = true;
  for (const std::string& label : labels) {
    layout.width = std::max(layout.width, std::min(text_width(label, kTickStyle), 90.0));
    numbers = numbers && label.find_first_not_of("0123456789.,-") == std::string::npos;
  }
  layout.upwards = !numbers && step < layout.width + 6;
  if (layout.upwards) layout.height = layout.width + 12;
  const double room = layout.upwards ? 13 : layout.width + 6;
  for (size_t power = 1;; power *= 10) {
    for (const size_t factor : {1, 2, 5}) {
      layout.every = factor * power;
      if (step * static_cast<double>(layout.every) >= room) return layout;
    }
  }
}

void draw_labels(Canvas& canvas, const Box& area, const std::vector<std::string>& labels,
                 const Labels& layout) {
  TextStyle style = kTickStyle;
  style.align = layout.upwards ? Align::kRight : Align::kCenter;
  style.upwards = layout.upwards;
  const double step = area.width / static_cast<double>(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    if ((i + 1) % layout.every != 0) continue;
    canvas.text(
        {area.x + (static_cast<double>(i) + 0.5) * step, area.bottom() + (layout.upwards ? 7 : 13)},
        shortened(labels[i], layout.width, style), style);
  }
}

}  // namespace

Size size_of(const BarChart& chart) { return chart.size; }

void draw(Canvas& canvas, const BarChart& chart) {
  std::vector<LegendEntry> legend;
  std::vector<double> sums(chart.labels.size());
  Extent extent(chart.y);
  extent.add(0);
  for (size_t p = 0; p < chart.parts.size(); ++p) {
    const BarChart::Part& part = chart.parts[p];
    if (!part.name.empty())
      legend.push_back({.name = part.name, .color = series_color(p), .filled = true});
    for (size_t i = 0; i < std::min(sums.size(), part.values.size()); ++i) {
      if (std::isfinite(part.values[i])) sums[i] += std::max(part.values[i], 0.0);
    }
  }
  for (const double sum : sums) extent.add(sum);
  const double top = draw_head(canvas, chart.size.width, chart.title, legend);
  if (chart.labels.empty()) return draw_nothing(canvas, chart.size);
  const Labels labels = lay_out(chart.labels, chart.size.width - 100);
  Box area = {
      kChartMargin, top, chart.size.width - 2 * kChartMargin,
      chart.size.height - kChartMargin - top - labels.height - (chart.label.empty() ? 0 : 18)};
  const int ticks = std::max(2, static_cast<int>(area.height / 42));
  const Scale y(extent.range(0.05), chart.y.logarithmic, area.bottom(), area.y);
  const double left = axis_width(chart.y, y, ticks);
  area.x += left;
  area.width -= left;
  draw_y_axis(canvas, area, chart.y, y, ticks);
  const double step = area.width / static_cast<double>(sums.size());
  const double width = std::min(step * (step > 6 ? 0.72 : 0.9), 60.0);
  for (size_t i = 0; i < sums.size(); ++i) {
    double below = 0;
    for (size_t p = 0; p < chart.parts.size(); ++p) {
      const std::vector<double>& values = chart.parts[p].values;
      if (i >= values.size() || !(values[i] > 0) || !std::isfinite(values[i])) continue;
      const double from = y(below), to = y(below + values[i]);
      canvas.rectangle(
          {area.x + (static_cast<double>(i) + 0.5) * step - width / 2, to, width, from - to},
          series_color(p));
      below += values[i];
    }
  }
  canvas.line({area.x, area.bottom()}, {area.right(), area.bottom()}, {kAxis, 1});
  draw_labels(canvas, area, chart.labels, labels);
  if (!chart.label.empty()) {
    canvas.text({area.x + area.width / 2, area.bottom() + labels.height + 11}, chart.label,
                kLabelStyle);
  }
}

Size size_of(const CalibrationChart&) { return {440, 480}; }

void draw(Canvas& canvas, const CalibrationChart& chart) {
  const Size size = size_of(chart);
  const Color gap = blend(kPaper, kAlert, 0.45);
  const LegendEntry legend[] = {{.name = "accuracy", .color = series_color(0), .filled = true},
                                {.name = "gap to confidence", .color = gap, .filled = true}};
  double top = draw_head(canvas, size.width, chart.title, legend);
  int64_t most = 0;
  for (const CalibrationChart::Bin& bin : chart.bins) most = std::max(most, bin.count);
  if (most == 0) return draw_nothing(canvas, size);
  if (!chart.note.empty()) {
    canvas.text({kChartMargin, top + 5}, chart.note, {.size = 11, .color = kSoftInk});
    top += 22;
  }
  const Axis accuracy{.label = "accuracy", .from = 0, .to = 1};
  const Frame frame = draw_frame(canvas, {kChartMargin, top, size.width - 2 * kChartMargin, 300},
                                 {}, {0, 1}, false, accuracy, {0, 1});
  const double step = frame.area.width / static_cast<double>(chart.bins.size());
  const Box counts = {frame.area.x, frame.area.bottom() + 44, frame.area.width,
                      size.height - kChartMargin - 20 - frame.area.bottom() - 44};
  for (size_t i = 0; i < chart.bins.size(); ++i) {
    const CalibrationChart::Bin& bin = chart.bins[i];
    if (bin.count == 0) continue;
    const double x = frame.area.x + static_cast<double>(i) * step + 1;
    const double right = frame.y(bin.accuracy), sure = frame.y(bin.confidence);
    canvas.rectangle({x, right, step - 2, frame.area.bottom() - right}, series_color(0));
    canvas.rectangle({x, std::min(right, sure), step - 2, std::abs(right - sure)}, gap);
    const double tall = counts.height * static_cast<double>(bin.count) / static_cast<double>(most);
    canvas.rectangle({x, counts.bottom() - tall, step - 2, tall}, kAxis);
  }
  canvas.line({frame.x(0), frame.y(0)}, {frame.x(1), frame.y(1)}, {kInk, 1, true});
  canvas.line({counts.x, counts.bottom()}, {counts.right(), counts.bottom()}, {kAxis, 1});
  const std::string most_text = tick_text(static_cast<double>(most), 1);
  canvas.text({counts.x + counts.width / 2, counts.y - 10},
              fmt::format("examples in each bin, at most {}", most_text), kLabelStyle);
  canvas.text({counts.x + counts.width / 2, counts.bottom() + 17}, "confidence", kLabelStyle);
}

}  // namespace mica::draw
