#include <algorithm>
#include <cmath>

#include "trainers/draw/axes.h"

namespace mica::draw {
namespace {

constexpr size_t kMaxDots = 4000;    // more hide each other and make pages slow
constexpr size_t kDotsOnLines = 30;  // a curve of few points shows where they are

Color color_of(const Plot& chart, size_t index) {
  return series_color(chart.series[index].color.value_or(index));
}

bool is_whole(const Plot& chart) {
  for (const Series& series : chart.series) {
    if (!std::all_of(series.x.begin(), series.x.end(),
                     [](double x) { return x == std::floor(x); })) {
      return false;
    }
  }
  return true;
}

// A curve of more points than pixels: of each column of pixels its first, lowest, highest and last
// point, which look the same.
std::vector<Point> thinned(const std::vector<Point>& points) {
  if (points.size() < 1500) return points;
  std::vector<Point> kept;
  for (size_t begin = 0; begin < points.size();) {
    size_t end = begin, low = begin, high = begin;
    const double column = std::floor(2 * points[begin].x);
    for (; end < points.size() && std::floor(2 * points[end].x) == column; ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    size_t picks[] = {begin, low, high, end - 1};
    std::sort(std::begin(picks), std::end(picks));
    for (size_t i = 0; i < std::size(picks); ++i) {
      if (i == 0 || picks[i] != picks[i - 1]) kept.push_back(points[picks[i]]);
    }
    begin = end;
  }
  return kept;
}

void draw_line(Canvas& canvas, const Frame& frame, const Series& series, Color color) {
  const bool faint = series.style == Style::kFaintLine;
  if (faint) color.alpha = 0.35;
  const Stroke stroke = {color, faint ? 1.0 : 1.8, series.dashed};
  const size_t count = std::min(series.x.size(), series.y.size());
  std::vector<Point> run, all;
  const auto finish = [&] {
    if (run.size() > 1) canvas.lines(thinned(run), stroke);
    if (run.size() == 1 && count > kDotsOnLines) all.push_back(run[0]);  // between two gaps
    run.clear();
  };
  for (size_t i = 0; i < count; ++i) {
    if (!frame.x.shows(series.x[i]) || !frame.y.shows(series.y[i])) {
      finish();
      continue;
    }
    run.push_back({frame.x(series.x[i]), frame.y(series.y[i])});
    if (count <= kDotsOnLines && !faint) all.push_back(run.back());
  }
  finish();
  if (!all.empty()) canvas.dots(all, 2.4, color);
}

void draw_dots(Canvas& canvas, const Frame& frame, const Series& series, Color color) {
  const size_t count = std::min(series.x.size(), series.y.size());
  const size_t every = (count + kMaxDots - 1) / kMaxDots;
  std::vector<Point> points;
  for (size_t i = 0; i < count; i += std::max<size_t>(every, 1)) {
    if (!frame.x.shows(series.x[i]) || !frame.y.shows(series.y[i])) continue;
    points.push_back({frame.x(series.x[i]), frame.y(series.y[i])});
  }
  color.alpha = points.size() > 300 ? 0.35 : 0.7;
  canvas.dots(points, points.size() > 1000 ? 2 : 3, color);
}

void draw_marks(Canvas& canvas, const Frame& frame, const std::vector<Mark>& marks) {
  double last = -INFINITY;
  for (const Mark& mark : marks) {
    const double x = frame.x(mark.x);
    if (!(x >= frame.area.x - 1 && x <= frame.area.right() + 1)) continue;
    canvas.line({x, frame.area.y}, {x, frame.area.bottom()}, {kAxis, 1, true});
    TextStyle style = kTickStyle;
    style.align = Align::kCenter;
    const double half = text_width(mark.text, style) / 2;
    const double at = std::clamp(x, frame.area.x + half,
                                 std::max(frame.area.x + half, frame.area.right() - half));
    if (at - half < last + 6) continue;
    canvas.text({at, frame.area.y - 7}, mark.text, style);
    last = at + half;
  }
}

}  // namespace

Size size_of(const Plot& chart) { return chart.size; }

void draw(Canvas& canvas, const Plot& chart) {
  std::vector<LegendEntry> legend;
  Extent x_extent(chart.x), y_extent(chart.y);
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    for (size_t j = 0; j < std::min(series.x.size(), series.y.size()); ++j) {
      if (!std::isfinite(series.y[j])) continue;
      x_extent.add(series.x[j]);
      y_extent.add(series.y[j]);
    }
    if (series.name.empty()) continue;
    legend.push_back({series.name, color_of(chart, i), series.style, series.dashed});
  }
  double top = draw_head(canvas, chart.size.width, chart.title, legend);
  if (x_extent.is_empty() || y_extent.is_empty()) return draw_nothing(canvas, chart.size);
  if (!chart.marks.empty()) top += 12;
  if (chart.zero_line) y_extent.add(0);
  bool dots = false;
  for (const Series& series : chart.series) dots = dots || series.style == Style::kDots;
  const Box outer = {kChartMargin, top, chart.size.width - 2 * kChartMargin,
                     chart.size.height - kChartMargin - top};
  const Frame frame = draw_frame(canvas, outer, chart.x, x_extent.range(dots ? 0.04 : 0),
                                 is_whole(chart), chart.y, y_extent.range(0.05));
  draw_marks(canvas, frame, chart.marks);
  const Box& area = frame.area;
  canvas.clip({area.x - 3, area.y - 3, area.width + 6, area.height + 6});
  if (chart.zero_line) {
    canvas.line({area.x, frame.y(0)}, {area.right(), frame.y(0)}, {kSoftInk, 1, true});
  }
  // Dots hide lines that say what they should be, so these come last then.
  const auto draw_all = [&](bool faint) {
    for (size_t i = 0; i < chart.series.size(); ++i) {
      const Series& series = chart.series[i];
      if ((series.style == Style::kFaintLine) != faint) continue;
      if (series.style == Style::kDots)
        draw_dots(canvas, frame, series, color_of(chart, i));
      else
        draw_line(canvas, frame, series, color_of(chart, i));
    }
  };
  draw_all(true);
  draw_all(false);
  if (chart.diagonal) {
    const Range x = x_extent.range(0.04), y = y_extent.range(0.05);
    const double from = std::max(x.from, y.from), to = std::min(x.to, y.to);
    if (from < to) {
      canvas.line({frame.x(from), frame.y(from)}, {frame.x(to), frame.y(to)}, {kSoftInk, 1, true});
    }
  }
  canvas.unclip();
}

}  // namespace mica::draw
