#include "trainers/draw/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mica::draw {
namespace {

constexpr TextStyle kTitleStyle = {.size = 13.5, .bold = true};
constexpr TextStyle kLegendStyle = {.size = 11};
constexpr TextStyle kLabelStyle = {.size = 11, .color = kSoftInk, .align = Align::kCenter};

// 1, 2 or 5 times a power of ten.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string with_commas(std::string digits) {
  const size_t start = digits.starts_with('-') ? 1 : 0;
  for (size_t i = std::min(digits.find('.'), digits.size()); i > start + 3;) {
    i -= 3;
    digits.insert(i, 1, ',');
  }
  return digits;
}

}  // namespace

void Extent::add(double value) {
  if (!std::isfinite(value) || (axis_.logarithmic && !(value > 0))) return;
  from_ = std::min(from_, value);
  to_ = std::max(to_, value);
}

Range Extent::range(double room) const {
  Range range = {from_, to_};
  if (is_empty()) range = {axis_.logarithmic ? 1.0 : 0.0, axis_.logarithmic ? 10.0 : 1.0};
  if (axis_.logarithmic) {
    const double factor = range.from == range.to ? 2 : std::pow(range.to / range.from, room);
    range = {range.from / factor, range.to * factor};
  } else {
    const bool from_zero = range.from >= 0 && range.from < 0.3 * range.to;
    const double same = range.to == 0 ? 1 : 0.1 * std::abs(range.to);
    const double more = range.from == range.to ? same : room * (range.to - range.from);
    range = {from_zero && room > 0 ? 0 : range.from - more, range.to + more};
  }
  if (axis_.from) range.from = *axis_.from;
  if (axis_.to) range.to = *axis_.to;
  return range.from < range.to ? range : Range{range.from, range.from + 1};
}

Scale::Scale(Range range, bool logarithmic, double from, double to)
    : range_(range), logarithmic_(logarithmic), from_(from), to_(to) {}

double Scale::operator()(double value) const {
  const double share = logarithmic_
                           ? std::log(value / range_.from) / std::log(range_.to / range_.from)
                           : (value - range_.from) / (range_.to - range_.from);
  return from_ + share * (to_ - from_);
}

bool Scale::shows(double value) const {
  return std::isfinite(value) && (!logarithmic_ || value > 0);
}

std::vector<Tick> Scale::ticks(int wanted, bool whole) const {
  if (logarithmic_ && range_.to / range_.from >= 10) return decades(wanted);
  // A little more than wanted rather than less than half.
  double step = round_step((range_.to - range_.from) / (1.4 * std::max(wanted, 1)));
  if (whole) step = std::max(step, 1.0);
  std::vector<Tick> ticks;
  const double first = std::ceil(range_.from / step - 1e-6);
  for (int i = 0; i < 100; ++i) {
    const double value = (first + i) * step;
    if (value > range_.to + 1e-6 * step) break;
    ticks.push_back({value, tick_text(value, step)});
  }
  return ticks;
}

// Powers of ten; what lies between where there are few of them.
std::vector<Tick> Scale::decades(int wanted) const {
  const double low = std::log10(range_.from), high = std::log10(range_.to);
  const int every = std::max(1, static_cast<int>(std::ceil((high - low) / std::max(wanted, 1))));
  const bool few = high - low < 2.5;
  std::vector<Tick> ticks;
  for (int power = static_cast<int>(std::floor(low)); power <= high; ++power) {
    if (power % every != 0) continue;
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && !few) continue;
      const double value = factor * std::pow(10.0, power);
      if (value < range_.from * (1 - 1e-9) || value > range_.to * (1 + 1e-9)) continue;
      ticks.push_back({value, tick_text(value, value)});
    }
  }
  return ticks;
}

std::string tick_text(double value, double step) {
  if (std::abs(value) < 1e-9 * step) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e7 || step < 0.99e-4) {
    const int power = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
    return fmt::format("{:.4g}e{}", value / std::pow(10.0, power), power);
  }
  const int places = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return with_commas(fmt::format("{:.{}f}", value, places));
}

double draw_head(Canvas& canvas, double width, const std::string& title,
                 std::span<const LegendEntry> legend) {
  const double room = width - 2 * kChartMargin;
  double y = kChartMargin;
  if (!title.empty()) {
    canvas.text({kChartMargin, y + 7}, shortened(title, room, kTitleStyle), kTitleStyle);
    y += 20;
  }
  if (legend.empty()) return y + 4;
  constexpr double kKey = 18, kRow = 17, kApart = 16;
  double x = kChartMargin;
  y += 3;
  for (const LegendEntry& entry : legend) {
    const std::string name = shortened(entry.name, room - kKey - 6, kLegendStyle);
    const double wide = kKey + 5 + text_width(name, kLegendStyle);
    if (x > kChartMargin && x + wide > width - kChartMargin) {
      x = kChartMargin;
      y += kRow;
    }
    const Point middle = {x + kKey / 2, y + 7};
    if (entry.filled) {
      canvas.rectangle({x + 3, y + 1, 12, 12}, entry.color);
    } else if (entry.style == Style::kDots) {
      canvas.dots({&middle, 1}, 3.5, entry.color);
    } else {
      canvas.line({x, y + 7}, {x + kKey, y + 7},
                  {entry.color, entry.style == Style::kLine ? 2.5 : 1.2, entry.dashed});
    }
    canvas.text({x + kKey + 5, y + 7}, name, kLegendStyle);
    x += wide + kApart;
  }
  return y + kRow + 5;
}

void draw_nothing(Canvas& canvas, Size size) {
  canvas.text({size.width / 2, size.height / 2}, "nothing to show yet", kLabelStyle);
}

double axis_width(const Axis& axis, const Scale& scale, int ticks) {
  double widest = 0;
  for (const Tick& tick : scale.ticks(ticks)) {
    widest = std::max(widest, text_width(tick.text, kTickStyle));
  }
  return widest + 8 + (axis.label.empty() ? 0 : 18);
}

void draw_y_axis(Canvas& canvas, const Box& area, const Axis& axis, const Scale& scale, int ticks) {
  TextStyle style = kTickStyle;
  style.align = Align::kRight;
  for (const Tick& tick : scale.ticks(ticks)) {
    const double y = scale(tick.value);
    canvas.line({area.x, y}, {area.right(), y}, {kGrid, 1});
    canvas.text({area.x - 7, y}, tick.text, style);
  }
  if (axis.label.empty()) return;
  TextStyle turned = kLabelStyle;
  turned.upwards = true;
  canvas.text({kChartMargin + 6, area.y + area.height / 2},
              shortened(axis.label, area.height, turned), turned);
}

Frame draw_frame(Canvas& canvas, const Box& outer, const Axis& x_axis, Range x_range, bool whole_x,
                 const Axis& y_axis, Range y_range) {
  Box area = outer;
  area.height -= 20 + (x_axis.label.empty() ? 0 : 18);
  const int y_ticks = std::max(2, static_cast<int>(area.height / 42));
  const Scale y(y_range, y_axis.logarithmic, area.bottom(), area.y);
  const double left = axis_width(y_axis, y, y_ticks);
  area.x += left;
  area.width -= left + 10;
  // As many ticks as their texts leave room for.
  int x_ticks = std::max(2, static_cast<int>(area.width / 70));
  const Scale x(x_range, x_axis.logarithmic, area.x, area.right());
  const auto fits = [&] {
    double last = -INFINITY;
    for (const Tick& tick : x.ticks(x_ticks, whole_x)) {
      const double half = text_width(tick.text, kTickStyle) / 2;
      if (x(tick.value) - half < last + 8) return false;
      last = x(tick.value) + half;
    }
    return true;
  };
  while (x_ticks > 1 && !fits()) --x_ticks;
  draw_y_axis(canvas, area, y_axis, y, y_ticks);
  canvas.line({area.x, area.bottom()}, {area.right(), area.bottom()}, {kAxis, 1});
  TextStyle style = kTickStyle;
  style.align = Align::kCenter;
  for (const Tick& tick : x.ticks(x_ticks, whole_x)) {
    const double at = x(tick.value);
    canvas.line({at, area.bottom()}, {at, area.bottom() + 4}, {kAxis, 1});
    const double half = text_width(tick.text, kTickStyle) / 2;
    canvas.text({std::min(at, outer.right() + kChartMargin - half), area.bottom() + 13}, tick.text,
                style);
  }
  if (!x_axis.label.empty()) {
    canvas.text({area.x + area.width / 2, area.bottom() + 31},
                shortened(x_axis.label, area.width, kLabelStyle), kLabelStyle);
  }
  return {area, x, y};
}

}  // namespace mica::draw
