#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "trainers/draw/axes.h"

namespace mica::draw {
namespace {

constexpr Color kDeepBlue = {16, 72, 130};
constexpr Color kDeepOrange = {190, 75, 0};
constexpr double kLongestLabel = 110;

std::string cell_text(const HeatMap& chart, double value) {
  if (value == 0) return "";
  std::string text = fmt::format("{:.{}f}", value, chart.decimals);
  // A small share is not nothing, and shares line up without their zero.
  if (std::stod(text) == 0)
    return fmt::format("<{:.{}f}", std::pow(10, -chart.decimals), chart.decimals);
  return text;
}

// Everything that follows from the numbers and labels alone.
struct Layout {
  double cell = 0;
  double font = 0;  // of the numbers; 0: none
  double label_width = 0, label_height = 0;
  bool turned = false;  // labels of columns
  double left = 0, top = 0;
  size_t label_step = 1;
};

Layout lay_out(const HeatMap& chart) {
  Layout layout;
  const double most = static_cast<double>(std::max(chart.rows.size(), chart.columns.size()));
  layout.cell = std::clamp(520.0 / std::max(most, 1.0), 5.0, 48.0);
  // Numbers of readable size decide how large cells are, as long as the whole stays on a page.
  double widest = 0;
  for (const double value : chart.values) {
    widest = std::max(widest, text_width(cell_text(chart, value), {.size = 10}));
  }
  if (most <= 32) layout.cell = std::clamp(std::max(layout.cell, widest + 7), 14.0, 60.0);
  layout.cell = std::round(layout.cell);
  const double fitting = widest > 0 ? 10 * (layout.cell - 5) / widest : 0;
  layout.font = std::min({11.0, fitting, layout.cell * 0.5});
  if (layout.font < 7 || most > 32) layout.font = 0;
  while (layout.cell * static_cast<double>(layout.label_step) < 13) ++layout.label_step;
  double widest_column = 0;
  for (const std::string& name : chart.columns) {
    widest_column = std::max(widest_column, std::min(text_width(name, kTickStyle), kLongestLabel));
  }
  for (const std::string& name : chart.rows) {
    layout.label_width =
        std::max(layout.label_width, std::min(text_width(name, kTickStyle), kLongestLabel));
  }
  layout.turned = widest_column > layout.cell - 4;
  layout.label_height = layout.turned ? widest_column : 14;
  layout.left = kChartMargin + layout.label_width + 8 + (chart.row_title.empty() ? 0 : 20);
  layout.top = kChartMargin + (chart.title.empty() ? 0 : 28);
  return layout;
}

// Shades by the share of the row, its root, so that rare mistakes still show.
std::vector<Color> cell_colors(const HeatMap& chart) {
  const size_t columns = chart.columns.size();
  std::vector<Color> colors;
  for (size_t row = 0; row < chart.rows.size(); ++row) {
    double sum = 0;
    for (size_t c = 0; c < columns; ++c) sum += chart.values[row * columns + c];
    for (size_t c = 0; c < columns; ++c) {
      const double share = sum > 0 ? chart.values[row * columns + c] / sum : 0;
      const bool mistake = chart.confusion && row != c;
      colors.push_back(blend(kPaper, mistake ? kDeepOrange : kDeepBlue, std::sqrt(share)));
    }
  }
  return colors;
}

bool is_dark(Color color) { return 0.3 * color.red + 0.59 * color.green + 0.11 * color.blue < 140; }

void draw_cells(Canvas& canvas, const HeatMap& chart, const Layout& layout, const Box& area) {
  const size_t columns = chart.columns.size();
  const std::vector<Color> colors = cell_colors(chart);
  if (layout.font == 0) {
    std::vector<uint8_t> bytes;
    for (const Color& color : colors) {
      bytes.insert(bytes.end(), {color.red, color.green, color.blue});
    }
    canvas.picture(
        area, {static_cast<int64_t>(chart.rows.size()), static_cast<int64_t>(columns), 3, bytes});
  }
  for (size_t i = 0; i < colors.size() && layout.font > 0; ++i) {
    const double x = area.x + static_cast<double>(i % columns) * layout.cell;
    const double y = area.y + static_cast<double>(i / columns) * layout.cell;
    canvas.rectangle({x, y, layout.cell, layout.cell}, colors[i]);
    canvas.frame({x, y, layout.cell, layout.cell}, kGrid, 0.6);
    const Color ink = is_dark(colors[i]) ? kPaper : kInk;
    canvas.text({x + layout.cell / 2, y + layout.cell / 2}, cell_text(chart, chart.values[i]),
                {.size = layout.font, .color = ink, .align = Align::kCenter});
  }
  canvas.frame(area, kAxis, 1);
}

void draw_labels(Canvas& canvas, const HeatMap& chart, const Layout& layout, const Box& area) {
  TextStyle style = kTickStyle;
  style.align = Align::kRight;
  for (size_t i = 0; i < chart.rows.size(); i += layout.label_step) {
    canvas.text({area.x - 7, area.y + (static_cast<double>(i) + 0.5) * layout.cell},
                shortened(chart.rows[i], kLongestLabel, style), style);
  }
  style.upwards = layout.turned;
  style.align = layout.turned ? Align::kRight : Align::kCenter;
  for (size_t i = 0; i < chart.columns.size(); i += layout.label_step) {
    canvas.text({area.x + (static_cast<double>(i) + 0.5) * layout.cell,
                 area.bottom() + (layout.turned ? 7 : 13)},
                shortened(chart.columns[i], kLongestLabel, style), style);
  }
  TextStyle title = {.size = 11, .color = kSoftInk, .align = Align::kCenter};
  canvas.text({area.x + area.width / 2, area.bottom() + layout.label_height + 21},
              chart.column_title, title);
  title.upwards = true;
  canvas.text({kChartMargin + 6, area.y + area.height / 2}, chart.row_title, title);
}

}  // namespace

Size size_of(const HeatMap& chart) {
  const Layout layout = lay_out(chart);
  const double width = layout.left + layout.cell * static_cast<double>(chart.columns.size());
  const double height = layout.top + layout.cell * static_cast<double>(chart.rows.size());
  return {std::max(width + kChartMargin + 4, 260.0),
          std::max(height + layout.label_height + 10 + (chart.column_title.empty() ? 0 : 20) +
                       kChartMargin,
                   120.0)};
}

void draw(Canvas& canvas, const HeatMap& chart) {
  if (chart.values.size() != chart.rows.size() * chart.columns.size()) {
    fail("a heat map of {} rows and {} columns got {} numbers", chart.rows.size(),
         chart.columns.size(), chart.values.size());
  }
  const Size size = size_of(chart);
  draw_head(canvas, size.width, chart.title, {});
  if (chart.values.empty()) return draw_nothing(canvas, size);
  const Layout layout = lay_out(chart);
  const Box area = {layout.left, layout.top,
                    layout.cell * static_cast<double>(chart.columns.size()),
                    layout.cell * static_cast<double>(chart.rows.size())};
  draw_cells(canvas, chart, layout, area);
  draw_labels(canvas, chart, layout, area);
}

}  // namespace mica::draw
