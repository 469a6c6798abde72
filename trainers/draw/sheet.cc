#include "trainers/draw/sheet.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/base/error.h"
#include "core/io/file.h"
#include "trainers/draw/canvas.h"

namespace mica::draw {
namespace {

constexpr double kMargin = 20, kGap = 12, kCaptionGap = 5, kLineHeight = 14;
constexpr int64_t kSide = 84;           // what small pictures are enlarged to, about
constexpr int64_t kLargest = 144;       // what large ones are reduced to, at most
constexpr double kWidestCaption = 132;  // captions beyond are cut
constexpr TextStyle kTitle = {.size = 15, .bold = true};
constexpr TextStyle kCaption = {.size = 10.5, .color = kSoftInk, .align = Align::kCenter};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// One or three channels, reduced by a whole factor to the largest side: means of squares of pixels.
Picture reduced(const Picture& picture, int64_t factor) {
  const int64_t channels = picture.channels >= 3 ? 3 : 1;
  Picture small{std::max<int64_t>(picture.height / factor, 1),
                std::max<int64_t>(picture.width / factor, 1),
                channels,
                {},
                {},
                false};
  small.pixels.reserve(static_cast<size_t>(small.height * small.width * channels));
  for (int64_t y = 0; y < small.height; ++y) {
    for (int64_t x = 0; x < small.width; ++x) {
      const int64_t bottom = std::min((y + 1) * factor, picture.height);
      const int64_t right = std::min((x + 1) * factor, picture.width);
      for (int64_t c = 0; c < channels; ++c) {
        int64_t sum = 0, count = 0;
        for (int64_t i = y * factor; i < bottom; ++i) {
          for (int64_t j = x * factor; j < right; ++j, ++count) {
            sum +=
                picture.pixels[static_cast<size_t>((i * picture.width + j) * picture.channels + c)];
          }
        }
        small.pixels.push_back(static_cast<uint8_t>((sum + count / 2) / count));
      }
    }
  }
  return small;
}

// Where everything stands: all cells have the size of the largest picture and caption.
struct Layout {
  int64_t columns = 1, rows = 1;
  double width = 0, picture_height = 0, height = 0;  // of a cell
  double top = kMargin;                              // of the grid
  Size size;
};

// How often a pixel of the picture is repeated; negative: how many become one.
int64_t factor_of(const Picture& picture) {
  const int64_t side = std::max({picture.height, picture.width, int64_t{1}});
  return side > kLargest ? -((side + kLargest - 1) / kLargest)
                         : std::max<int64_t>((kSide + side / 2) / side, 1);
}

double shown(int64_t side, int64_t factor) {
  return static_cast<double>(factor > 0 ? side * factor : std::max<int64_t>(side / -factor, 1));
}

Layout lay_out(std::span<const Picture> pictures, const SheetOptions& options) {
  Layout layout;
  const auto count = static_cast<int64_t>(pictures.size());
  layout.columns = std::clamp<int64_t>(options.columns, 1, std::max<int64_t>(count, 1));
  layout.rows = (count + layout.columns - 1) / layout.columns;
  size_t lines = 0;
  for (const Picture& picture : pictures) {
    const int64_t factor = factor_of(picture);
    layout.picture_height = std::max(layout.picture_height, shown(picture.height, factor));
    layout.width = std::max(layout.width, shown(picture.width, factor));
    const std::vector<std::string_view> captions = lines_of(picture.caption);
    lines = std::max(lines, captions.size());
    for (const std::string_view line : captions) {
      layout.width = std::max(layout.width, std::min(text_width(line, kCaption), kWidestCaption));
    }
  }
  layout.width = std::ceil(layout.width);
  layout.height = layout.picture_height;
  if (lines > 0) layout.height += kCaptionGap + kLineHeight * static_cast<double>(lines);
  double width = 2 * kMargin + static_cast<double>(layout.columns) * (layout.width + kGap) - kGap;
  if (!options.title.empty()) {
    layout.top += 32;
    width = std::max(width, 2 * kMargin + std::min(text_width(options.title, kTitle), 600.0));
  }
  layout.size = {std::ceil(width), layout.top + kMargin - kGap +
                                       static_cast<double>(layout.rows) * (layout.height + kGap)};
  return layout;
}

void draw_picture(Canvas& canvas, const Picture& picture, const Box& cell, double picture_height) {
  const int64_t factor = factor_of(picture);
  const Picture shrunk = reduced(picture, std::max<int64_t>(-factor, 1));
  const double width = shown(picture.width, factor), height = shown(picture.height, factor);
  // On whole pixels, or their edges would be of uneven width.
  const Box box = {cell.x + std::floor((cell.width - width) / 2),
                   cell.y + std::floor((picture_height - height) / 2), width, height};
  canvas.picture(box, {shrunk.height, shrunk.width, shrunk.channels, shrunk.pixels});
  const double thick = picture.marked ? 2.5 : 1;
  canvas.frame({box.x - thick / 2, box.y - thick / 2, box.width + thick, box.height + thick},
               picture.marked ? kAlert : kGrid, thick);
  double y = cell.y + picture_height + kCaptionGap + kLineHeight / 2;
  for (const std::string_view line : lines_of(picture.caption)) {
    TextStyle style = kCaption;
    if (picture.marked) style.color = kInk;
    canvas.text({cell.x + cell.width / 2, y}, shortened(line, cell.width + kGap / 2, style), style);
    y += kLineHeight;
  }
}

void check(const Picture& picture, size_t index) {
  const int64_t wanted = picture.height * picture.width * picture.channels;
  if (picture.channels >= 1 && wanted > 0 &&
      static_cast<int64_t>(picture.pixels.size()) == wanted) {
    return;
  }
  fail("picture {} of a sheet: {} x {} x {} pixels wanted, got {} bytes", index, picture.height,
       picture.width, picture.channels, picture.pixels.size());
}

}  // namespace

std::string draw_sheet(std::span<const Picture> pictures, const SheetOptions& options) {
  for (size_t i = 0; i < pictures.size(); ++i) check(pictures[i], i);
  if (pictures.empty()) {
    const std::unique_ptr<Canvas> canvas = png_canvas({320, 96});
    canvas->text({kMargin, 30}, shortened(options.title, 280, kTitle), kTitle);
    canvas->text({kMargin, 62}, "No pictures.", {.color = kSoftInk});
    return canvas->finish();
  }
  const Layout layout = lay_out(pictures, options);
  const std::unique_ptr<Canvas> canvas = png_canvas(layout.size);
  const double room = layout.size.width - 2 * kMargin;
  canvas->text({kMargin, kMargin + 8}, shortened(options.title, room, kTitle), kTitle);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    const Box cell = {
        kMargin + static_cast<double>(index % layout.columns) * (layout.width + kGap),
        layout.top + static_cast<double>(index / layout.columns) * (layout.height + kGap),
        layout.width, layout.height};
    draw_picture(*canvas, pictures[i], cell, layout.picture_height);
  }
  return canvas->finish();
}

void write_sheet(const std::filesystem::path& png, std::span<const Picture> pictures,
                 const SheetOptions& options) {
  write_file(png.string(), draw_sheet(pictures, options));
}

}  // namespace mica::draw
