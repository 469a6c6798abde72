#include "trainers/draw/canvas.h"

#include <cairo.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "core/base/error.h"

namespace mica::draw {
namespace {

constexpr double kDensity = 2;  // pixels of a PNG a CSS pixel
constexpr double kMaxPixels = 32'000;
// What cairo and web pages ask for. Without it, fontconfig takes what is nearest.
constexpr const char* kFont = "DejaVu Sans";

void select_font(cairo_t* cairo, const TextStyle& style) {
  cairo_select_font_face(cairo, kFont, CAIRO_FONT_SLANT_NORMAL,
                         style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cairo, style.size);
}

void check(cairo_status_t status) {
  if (status == CAIRO_STATUS_NO_MEMORY) throw std::bad_alloc();
  if (status != CAIRO_STATUS_SUCCESS) fail("drawing: {}", cairo_status_to_string(status));
}

// cairo's own writer takes five times as long, for nothing that one would see.
std::string file_of(cairo_surface_t* surface) {
  cairo_surface_flush(surface);
  const auto width = static_cast<uint32_t>(cairo_image_surface_get_width(surface));
  const auto height = static_cast<uint32_t>(cairo_image_surface_get_height(surface));
  const auto stride = static_cast<size_t>(cairo_image_surface_get_stride(surface));
  const unsigned char* data = cairo_image_surface_get_data(surface);
  std::vector<uint8_t> rgb;
  rgb.reserve(size_t{3} * width * height);
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      uint32_t word;
      std::memcpy(&word, data + y * stride + 4 * x, 4);
      rgb.insert(rgb.end(), {static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 8),
                             static_cast<uint8_t>(word)});
    }
  }
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_RGB;
  image.flags = PNG_IMAGE_FLAG_FAST;
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  size_t size = file.size();
  if (!png_image_write_to_memory(&image, file.data(), &size, 0, rgb.data(), 0, nullptr)) {
    fail("drawing: {}", image.message);
  }
  file.resize(size);
  return file;
}

// Pixels as cairo has them, premultiplied ARGB, for as long as this lives.
class Image {
 public:
  explicit Image(const Pixels& pixels) {
    const auto channels = static_cast<size_t>(pixels.channels);
    const size_t count = static_cast<size_t>(pixels.height) * static_cast<size_t>(pixels.width);
    MICA_ASSERT(channels == 1 || channels == 3 || channels == 4);
    MICA_ASSERT(count > 0 && pixels.bytes.size() == count * channels);
    words_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const uint8_t* at = pixels.bytes.data() + i * channels;
      const uint32_t alpha = channels == 4 ? at[3] : 255;
      const auto part = [&](size_t c) -> uint32_t {
        return at[channels == 1 ? 0 : c] * alpha / 255;
      };
      words_[i] = alpha << 24 | part(0) << 16 | part(1) << 8 | part(2);
    }
    const auto width = static_cast<int>(pixels.width), height = static_cast<int>(pixels.height);
    surface_ = cairo_image_surface_create_for_data(
        reinterpret_cast<unsigned char*>(words_.data()),
        channels == 4 ? CAIRO_FORMAT_ARGB32 : CAIRO_FORMAT_RGB24, width, height, width * 4);
  }
  ~Image() { cairo_surface_destroy(surface_); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  cairo_surface_t* surface() const { return surface_; }

 private:
  std::vector<uint32_t> words_;
  cairo_surface_t* surface_;
};

class PngCanvas final : public Canvas {
 public:
  explicit PngCanvas(Size size) {
    const double width = std::ceil(size.width * kDensity);
    const double height = std::ceil(size.height * kDensity);
    if (!(width >= 1 && height >= 1 && width <= kMaxPixels && height <= kMaxPixels)) {
      fail("a picture of {:.0f} x {:.0f} pixels is beyond {:.0f} a side", width, height,
           kMaxPixels);
    }
    surface_ = cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width),
                                          static_cast<int>(height));
    cairo_ = cairo_create(surface_);
    check(cairo_status(cairo_));
    cairo_scale(cairo_, kDensity, kDensity);
    // Hints would make the width of a text depend on where it stands.
    cairo_font_options_t* options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(cairo_, options);
    cairo_font_options_destroy(options);
    rectangle({0, 0, size.width, size.height}, kPaper);
  }
  ~PngCanvas() override {
    cairo_destroy(cairo_);
    cairo_surface_destroy(surface_);
  }

  void rectangle(const Box& box, Color fill) override {
    set(fill);
    cairo_rectangle(cairo_, box.x, box.y, box.width, box.height);
    cairo_fill(cairo_);
  }
  void frame(const Box& box, Color color, double width) override {
    set(color);
    cairo_set_line_width(cairo_, width);
    cairo_rectangle(cairo_, box.x, box.y, box.width, box.height);
    cairo_stroke(cairo_);
  }
  void lines(std::span<const Point> points, const Stroke& stroke) override {
    if (points.empty()) return;
    path(points);
    set(stroke.color);
    cairo_set_line_width(cairo_, stroke.width);
    cairo_set_line_join(cairo_, CAIRO_LINE_JOIN_ROUND);
    const double dashes[] = {4, 3};
    cairo_set_dash(cairo_, dashes, stroke.dashed ? 2 : 0, 0);
    cairo_stroke(cairo_);
    cairo_set_dash(cairo_, nullptr, 0, 0);
  }
  void polygon(std::span<const Point> points, Color fill) override {
    if (points.empty()) return;
    path(points);
    set(fill);
    cairo_fill(cairo_);
  }
  void dots(std::span<const Point> points, double radius, Color fill) override {
    set(fill);
    for (const Point& point : points) {
      cairo_arc(cairo_, point.x, point.y, radius, 0, 2 * std::numbers::pi);
      cairo_fill(cairo_);
    }
  }
  void text(Point at, std::string_view text, const TextStyle& style) override {
    const std::string clean = clean_text(text);
    if (clean.empty()) return;
    select_font(cairo_, style);
    cairo_text_extents_t extents;
    cairo_text_extents(cairo_, clean.c_str(), &extents);
    const double share = style.align == Align::kLeft ? 0 : style.align == Align::kRight ? 1 : 0.5;
    cairo_save(cairo_);
    set(style.color);
    cairo_translate(cairo_, at.x, at.y);
    if (style.upwards) cairo_rotate(cairo_, -std::numbers::pi / 2);
    // The middle of the capitals.
    cairo_move_to(cairo_, -share * extents.x_advance, 0.36 * style.size);
    cairo_show_text(cairo_, clean.c_str());
    cairo_restore(cairo_);
  }
  void picture(const Box& box, const Pixels& pixels) override {
    const Image image(pixels);
    cairo_save(cairo_);
    cairo_translate(cairo_, box.x, box.y);
    cairo_scale(cairo_, box.width / static_cast<double>(pixels.width),
                box.height / static_cast<double>(pixels.height));
    cairo_set_source_surface(cairo_, image.surface(), 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cairo_), CAIRO_FILTER_NEAREST);
    cairo_paint(cairo_);
    cairo_restore(cairo_);
  }
  void clip(const Box& box) override {
    cairo_save(cairo_);
    cairo_rectangle(cairo_, box.x, box.y, box.width, box.height);
    cairo_clip(cairo_);
  }
  void unclip() override { cairo_restore(cairo_); }
  std::string finish() override {
    check(cairo_status(cairo_));  // cairo ignores every call after one that failed
    return file_of(surface_);
  }

 private:
  void set(Color color) {
    cairo_set_source_rgba(cairo_, color.red / 255.0, color.green / 255.0, color.blue / 255.0,
                          color.alpha);
  }
  void path(std::span<const Point> points) {
    cairo_new_path(cairo_);
    for (const Point& point : points) cairo_line_to(cairo_, point.x, point.y);
  }

  cairo_surface_t* surface_ = nullptr;
  cairo_t* cairo_ = nullptr;
};

// The length of the UTF-8 sequence that `text` starts with; 0 for none.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Sequences longer than needed, halves of UTF-16 pairs, numbers beyond Unicode.
  const uint8_t second = byte(1);
  if (lead == 0xe0 && second < 0xa0) return 0;
  if (lead == 0xed && second >= 0xa0) return 0;
  if (lead == 0xf0 && second < 0x90) return 0;
  if (lead == 0xf4 && second >= 0x90) return 0;
  return length;
}

}  // namespace

std::unique_ptr<Canvas> png_canvas(Size size) { return std::make_unique<PngCanvas>(size); }

Color series_color(size_t index) { return kSeriesColors[index % std::size(kSeriesColors)]; }

Color blend(Color from, Color to, double amount) {
  const double share = std::clamp(amount, 0.0, 1.0);
  const auto mix = [&](uint8_t a, uint8_t b) {
    return static_cast<uint8_t>(std::lround(a + share * (b - a)));
  };
  return {mix(from.red, to.red), mix(from.green, to.green), mix(from.blue, to.blue),
          from.alpha + share * (to.alpha - from.alpha)};
}

double text_width(std::string_view text, const TextStyle& style) {
  // cairo measures text only for something it could draw on.
  thread_local const auto measuring = [] {
    cairo_surface_t* surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    std::unique_ptr<cairo_t, void (*)(cairo_t*)> cairo(cairo_create(surface), cairo_destroy);
    cairo_surface_destroy(surface);
    cairo_font_options_t* options = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo.get(), options);
    cairo_font_options_destroy(options);
    return cairo;
  }();
  select_font(measuring.get(), style);
  cairo_text_extents_t extents;
  cairo_text_extents(measuring.get(), clean_text(text).c_str(), &extents);
  return extents.x_advance;
}

std::string shortened(std::string_view text, double width, const TextStyle& style) {
  std::string clean = clean_text(text);
  if (text_width(clean, style) <= width) return clean;
  while (!clean.empty()) {
    size_t last = clean.size() - 1;  // where the last character begins
    while (last > 0 && (static_cast<uint8_t>(clean[last]) & 0xc0) == 0x80) --last;
    clean.resize(last);
    if (text_width(clean + "…", style) <= width) break;
  }
  return clean + "…";
}

std::string clean_text(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const auto first = static_cast<uint8_t>(text[0]);
    if (length == 0) {
      clean += "\xef\xbf\xbd";
    } else if (first >= 0x20 && first != 0x7f) {
      clean += text.substr(0, length);
    } else if (first == '\t' || first == '\n') {
      clean += ' ';
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return clean;
}

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else if (c == '\'')
      escaped += "&#39;";
    else
      escaped += c;
  }
  return escaped;
}

std::string encode_png(const Pixels& pixels) {
  const Image image(pixels);
  return file_of(image.surface());
}

std::string png_uri(std::string_view png) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:image/png;base64,";
  uri.reserve(uri.size() + (png.size() + 2) / 3 * 4);
  for (size_t i = 0; i < png.size(); i += 3) {
    const auto byte = [&](size_t j) -> uint32_t {
      return i + j < png.size() ? static_cast<uint8_t>(png[i + j]) : 0;
    };
    const uint32_t word = byte(0) << 16 | byte(1) << 8 | byte(2);
    uri += kDigits[word >> 18 & 63];
    uri += kDigits[word >> 12 & 63];
    uri += i + 1 < png.size() ? kDigits[word >> 6 & 63] : '=';
    uri += i + 2 < png.size() ? kDigits[word & 63] : '=';
  }
  return uri;
}

}  // namespace mica::draw
