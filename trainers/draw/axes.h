// What charts share: scales with round ticks, and the head with title and legend.
//
//   Scale y(range_of(values, axis), axis, area.bottom(), area.y);
//   for (const Tick& tick : y.ticks(5)) canvas.text({left, y(tick.value)}, tick.text, style);
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "trainers/draw/chart.h"

namespace mica::draw {

struct Range {
  double from = 0, to = 1;
};
struct Tick {
  double value = 0;
  std::string text;
};

/// Grows to hold what an axis can show of the values.
class Extent {
 public:
  explicit Extent(const Axis& axis) : axis_(axis) {}
  void add(double value);
  bool is_empty() const { return !(from_ <= to_); }
  /// With `room` (a share) to spare on both sides, from 0 where that is near, and with the axis's
  /// own ends.
  Range range(double room) const;

 private:
  const Axis& axis_;
  double from_ = INFINITY, to_ = -INFINITY;
};

class Scale {
 public:
  /// `from` and `to` are where the ends of the range stand, in pixels.
  Scale(Range range, bool logarithmic, double from, double to);
  /// Where a value stands.
  double operator()(double value) const;
  bool shows(double value) const;
  /// Round values inside of the range, about `wanted` of them; `whole`: no fractions.
  std::vector<Tick> ticks(int wanted, bool whole = false) const;

 private:
  std::vector<Tick> decades(int wanted) const;

  Range range_;
  bool logarithmic_;
  double from_, to_;
};

/// "0.05", "12,000", "1e-5": with as many places as a step of this size needs.
std::string tick_text(double value, double step);

struct LegendEntry {
  std::string name;
  Color color;
  Style style = Style::kLine;
  bool dashed = false;
  bool filled = false;  // a square, as bars have it
};

inline constexpr double kChartMargin = 14;
inline constexpr TextStyle kTickStyle = {.size = 10.5, .color = kSoftInk};
/// Draws title and legend and returns where they end.
double draw_head(Canvas& canvas, double width, const std::string& title,
                 std::span<const LegendEntry> legend);
/// For a chart without numbers.
void draw_nothing(Canvas& canvas, Size size);

/// The frame of two axes: grid, ticks and labels. `area` is what is left for the numbers.
struct Frame {
  Box area;
  Scale x, y;
};
Frame draw_frame(Canvas& canvas, const Box& outer, const Axis& x_axis, Range x_range, bool whole_x,
                 const Axis& y_axis, Range y_range);
/// The y axis alone: the width that its ticks and label take, and drawing it.
double axis_width(const Axis& axis, const Scale& scale, int ticks);
void draw_y_axis(Canvas& canvas, const Box& area, const Axis& axis, const Scale& scale, int ticks);

}  // namespace mica::draw
