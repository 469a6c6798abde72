#include "trainers/draw/canvas.h"

#include <fmt/format.h>

namespace mica::draw {
namespace {

// Tenths of a pixel are enough to see, and short.
std::string number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string hex(Color color) {
  return fmt::format("#{:02x}{:02x}{:02x}", color.red, color.green, color.blue);
}

// ` fill="#..."` or ` stroke="#..."`, with its opacity.
std::string paint(std::string_view what, Color color) {
  std::string text = fmt::format(" {}=\"{}\"", what, hex(color));
  if (color.alpha < 1) text += fmt::format(" {}-opacity=\"{:.3g}\"", what, color.alpha);
  return text;
}

std::string place(const Box& box) {
  return fmt::format(" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", number(box.x), number(box.y),
                     number(box.width), number(box.height));
}

std::string joined(std::span<const Point> points) {
  std::string text;
  for (const Point& point : points) {
    text += fmt::format("{}{},{}", text.empty() ? "" : " ", number(point.x), number(point.y));
  }
  return text;
}

class SvgCanvas final : public Canvas {
 public:
  SvgCanvas(Size size, std::string_view title) {
    // No width in pixels: the page's column decides, up to the size that was drawn for.
    text_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" style=\"max-width:100%;height:auto\" role=\"img\" "
        "font-family=\"'DejaVu Sans',Verdana,sans-serif\">\n",
        number(size.width), number(size.height));
    if (!title.empty()) text_ += fmt::format("<title>{}</title>\n", html_text(clean_text(title)));
  }

  void rectangle(const Box& box, Color fill) override {
    text_ += fmt::format("<rect{}{}/>\n", place(box), paint("fill", fill));
  }
  void frame(const Box& box, Color color, double width) override {
    text_ += fmt::format("<rect{} fill=\"none\"{} stroke-width=\"{}\"/>\n", place(box),
                         paint("stroke", color), number(width));
  }
  void lines(std::span<const Point> points, const Stroke& stroke) override {
    if (points.empty()) return;
    text_ += fmt::format(
        "<polyline points=\"{}\" fill=\"none\"{} stroke-width=\"{}\" "
        "stroke-linejoin=\"round\"{}/>\n",
        joined(points), paint("stroke", stroke.color), number(stroke.width),
        stroke.dashed ? " stroke-dasharray=\"4 3\"" : "");
  }
  void polygon(std::span<const Point> points, Color fill) override {
    if (points.empty()) return;
    text_ += fmt::format("<polygon points=\"{}\"{}/>\n", joined(points), paint("fill", fill));
  }
  void dots(std::span<const Point> points, double radius, Color fill) override {
    text_ += fmt::format("<g{}>\n", paint("fill", fill));
    for (const Point& point : points) {
      text_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"/>\n", number(point.x),
                           number(point.y), number(radius));
    }
    text_ += "</g>\n";
  }
  void text(Point at, std::string_view text, const TextStyle& style) override {
    const char* anchor = style.align == Align::kLeft    ? "start"
                         : style.align == Align::kRight ? "end"
                                                        : "middle";
    // dominant-baseline is drawn differently by different programs; a shift is not.
    const double shift = 0.36 * style.size;
    const std::string where =
        style.upwards ? fmt::format("transform=\"translate({} {}) rotate(-90)\"",
                                    number(at.x + shift), number(at.y))
                      : fmt::format("x=\"{}\" y=\"{}\"", number(at.x), number(at.y + shift));
    text_ += fmt::format("<text {} font-size=\"{}\" text-anchor=\"{}\"{}{}>{}</text>\n", where,
                         number(style.size), anchor, paint("fill", style.color),
                         style.bold ? " font-weight=\"bold\"" : "", html_text(clean_text(text)));
  }
  void picture(const Box& box, const Pixels& pixels) override {
    text_ += fmt::format(
        "<image{} preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" "
        "href=\"{}\"/>\n",
        place(box), png_uri(encode_png(pixels)));
  }
  // An inner <svg> clips without a name that would have to differ from all others of the page.
  void clip(const Box& box) override {
    text_ += fmt::format("<svg{} viewBox=\"{} {} {} {}\">\n", place(box), number(box.x),
                         number(box.y), number(box.width), number(box.height));
  }
  void unclip() override { text_ += "</svg>\n"; }
  std::string finish() override { return std::move(text_) + "</svg>\n"; }

 private:
  std::string text_;
};

}  // namespace

std::unique_ptr<Canvas> svg_canvas(Size size, std::string_view title) {
  return std::make_unique<SvgCanvas>(size, title);
}

}  // namespace mica::draw
