// Charts: curves, points, bars, matrices, calibration, as PNG files and as SVG for web pages.
//
//   Plot plot{.title = "Loss", .x = {.label = "epoch"}, .y = {.logarithmic = true}};
//   plot.series = {{.name = "training", .x = epochs, .y = losses}};
//   write_png("loss.png", plot);
//   page += to_svg(plot);
//
// Charts choose ranges and ticks themselves and never draw one text over another: a legend stands
// above the plot, long names are cut, labels too many for their axis are thinned out. Numbers that
// are not finite (or not positive, on a logarithmic axis) leave a gap. Charts are values; one
// without numbers says so instead. The same chart gives the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/io/file.h"
#include "trainers/draw/canvas.h"

namespace mica::draw {

struct Axis {
  std::string label{};
  bool logarithmic = false;
  /// Where the numbers don't say: a share goes from 0 to 1.
  std::optional<double> from{};
  std::optional<double> to{};
};

enum class Style { kLine, kFaintLine, kDots };

struct Series {
  /// Without a name it is not in the legend.
  std::string name{};
  std::vector<double> x{};
  std::vector<double> y{};
  Style style = Style::kLine;
  /// By default its position among the others; what belongs together may share a colour.
  std::optional<size_t> color{};
  bool dashed = false;
};

/// A place on the x axis: "best".
struct Mark {
  double x = 0;
  std::string text{};
};

/// Curves and points over two axes.
struct Plot {
  std::string title{};
  Axis x{};
  Axis y{};
  std::vector<Series> series{};
  std::vector<Mark> marks{};
  /// Dashed lines to compare with: where y is x, and where y is 0.
  bool diagonal = false;
  bool zero_line = false;
  Size size = {540, 300};
};

/// A bar for each label, stacked of parts.
struct BarChart {
  struct Part {
    std::string name{};
    std::vector<double> values{};
  };
  std::string title{};
  std::string label{};
  Axis y{};
  std::vector<std::string> labels{};
  std::vector<Part> parts{};
  Size size = {540, 300};
};

/// A matrix of numbers of at least 0. Cells are shaded by their share of the row; numbers are left
/// out where they would be too small to read, and zeros stay empty.
struct HeatMap {
  std::string title{};
  std::string row_title{};
  std::string column_title{};
  std::vector<std::string> rows{};
  std::vector<std::string> columns{};
  std::vector<double> values{};  // row by row
  int decimals = 0;
  /// The diagonal is what is right; all else gets the colour of mistakes.
  bool confusion = false;
};

/// How often predictions are right, against how sure they are.
struct CalibrationChart {
  struct Bin {
    double confidence = 0;  // mean
    double accuracy = 0;
    int64_t count = 0;
  };
  std::string title{};
  std::string note{};
  /// Of equal width, from 0 to 1.
  std::vector<Bin> bins{};
};

Size size_of(const Plot& chart);
Size size_of(const BarChart& chart);
Size size_of(const HeatMap& chart);
Size size_of(const CalibrationChart& chart);
void draw(Canvas& canvas, const Plot& chart);
void draw(Canvas& canvas, const BarChart& chart);
void draw(Canvas& canvas, const HeatMap& chart);
void draw(Canvas& canvas, const CalibrationChart& chart);

template <typename Chart>
std::string to_png(const Chart& chart) {
  const std::unique_ptr<Canvas> canvas = png_canvas(size_of(chart));
  draw(*canvas, chart);
  return canvas->finish();
}

template <typename Chart>
std::string to_svg(const Chart& chart) {
  const std::unique_ptr<Canvas> canvas = svg_canvas(size_of(chart), chart.title);
  draw(*canvas, chart);
  return canvas->finish();
}

/// In one step, so that whoever looks at the file during a run never sees half of it.
template <typename Chart>
void write_png(const std::filesystem::path& path, const Chart& chart) {
  write_file(path.string(), to_png(chart));
}

}  // namespace mica::draw
