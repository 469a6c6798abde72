// Something to draw on: a picture (PNG) or text for a web page (SVG), with the same calls.
//
//   std::unique_ptr<Canvas> canvas = png_canvas({400, 300});
//   canvas->rectangle({10, 10, 80, 40}, kSeriesColors[0]);
//   canvas->text({50, 30}, "0.993", {.size = 12, .align = Align::kCenter});
//   write_file("picture.png", canvas->finish());
//
// Lengths are in CSS pixels from the top left corner; a PNG has two of its own for each of them,
// which screens of today and printed pages need. The same calls give the same bytes wherever the
// same fonts are installed; there are no dates in them. Text may be anything: what is no UTF-8 is
// replaced, and without any font cairo draws with strokes of its own. One thread a canvas.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mica::draw {

struct Color {
  uint8_t red = 0, green = 0, blue = 0;
  double alpha = 1;
};
struct Point {
  double x = 0, y = 0;
};
struct Size {
  double width = 0, height = 0;
};
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

inline constexpr Color kPaper = {255, 255, 255};
inline constexpr Color kInk = {36, 41, 47};
inline constexpr Color kSoftInk = {101, 109, 118};
inline constexpr Color kGrid = {230, 233, 237};
inline constexpr Color kAxis = {168, 176, 185};
inline constexpr Color kAlert = {213, 94, 0};
/// Told apart with every kind of colour vision, and by their lightness (after Okabe and Ito).
inline constexpr Color kSeriesColors[] = {{31, 105, 170}, {224, 122, 31}, {0, 140, 105},
                                          {180, 90, 150}, {200, 160, 0},  {86, 170, 220},
                                          {150, 60, 30},  {110, 115, 125}};
/// The color of series number `index`; they repeat.
Color series_color(size_t index);
/// `amount` 0 gives `from`, 1 gives `to`.
Color blend(Color from, Color to, double amount);

enum class Align { kLeft, kCenter, kRight };
/// Text stands on its middle line, so that rows and ticks align with what they name.
struct TextStyle {
  double size = 12;
  Color color = kInk;
  Align align = Align::kLeft;
  bool bold = false;
  bool upwards = false;  // turned by 90 degrees, to be read from below
};
struct Stroke {
  Color color = kInk;
  double width = 1.5;
  bool dashed = false;
};

/// Rows of pixels: 1 (grey), 3 (RGB) or 4 (RGBA) bytes each.
struct Pixels {
  int64_t height = 0, width = 0, channels = 0;
  std::span<const uint8_t> bytes;
};

class Canvas {
 public:
  virtual ~Canvas() = default;

  virtual void rectangle(const Box& box, Color fill) = 0;
  virtual void frame(const Box& box, Color color, double width) = 0;
  /// Lines from point to point.
  virtual void lines(std::span<const Point> points, const Stroke& stroke) = 0;
  virtual void polygon(std::span<const Point> points, Color fill) = 0;
  virtual void dots(std::span<const Point> points, double radius, Color fill) = 0;
  virtual void text(Point at, std::string_view text, const TextStyle& style) = 0;
  /// Stretched over the box, each pixel a rectangle.
  virtual void picture(const Box& box, const Pixels& pixels) = 0;
  /// Until unclip(), nothing is drawn outside of the box.
  virtual void clip(const Box& box) = 0;
  virtual void unclip() = 0;
  /// The file. Nothing may be drawn afterwards.
  virtual std::string finish() = 0;

  void line(Point from, Point to, const Stroke& stroke) {
    const Point points[] = {from, to};
    lines(points, stroke);
  }
};

/// On white paper. Throws Error for a size of more than 32,000 pixels.
std::unique_ptr<Canvas> png_canvas(Size size);
/// An <svg> element that can stand in a page beside others and shrinks with its column. `title` is
/// for those who cannot see it.
std::unique_ptr<Canvas> svg_canvas(Size size, std::string_view title = "");

/// How wide the text is drawn.
double text_width(std::string_view text, const TextStyle& style);
/// The text, or its beginning and an ellipsis, not wider than `width`.
std::string shortened(std::string_view text, double width, const TextStyle& style);
/// UTF-8 without control characters; every byte that is no part of it becomes U+FFFD.
std::string clean_text(std::string_view text);
/// For text between the tags of a web page, or in an attribute.
std::string html_text(std::string_view text);
/// The pixels as a PNG file of as many, without transparency.
std::string encode_png(const Pixels& pixels);
/// "data:image/png;base64,...": a picture inside a page.
std::string png_uri(std::string_view png);

}  // namespace mica::draw
