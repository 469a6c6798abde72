// Contact sheets: small pictures in a grid, each with a caption. Samples of a data set, what
// augmentation makes of one, what a network got wrong.
//
//   std::vector<Picture> pictures = {{28, 28, 1, pixels, "7 as 1\n0.98", /*marked=*/true}};
//   write_sheet("wrong.png", pictures, {.title = "Misclassified", .columns = 8});
//
// Pictures keep their pixels: small ones are enlarged by whole factors, large ones reduced by whole
// factors. A picture may have any number of channels: with 1 or 2 the first is shown as grey, with
// 3 or more the first three as red, green and blue.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace mica::draw {

struct Picture {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 1;
  std::vector<uint8_t> pixels;  // height x width x channels
  std::string caption;          // may have several lines; each is cut to the column's width
  bool marked = false;          // has a frame in a colour that stands out
};

struct SheetOptions {
  std::string title{};
  int64_t columns = 10;
};

/// The sheet as a PNG file. Throws Error for a picture whose pixels are not as many as its sizes
/// say. No pictures make a sheet that says so.
std::string draw_sheet(std::span<const Picture> pictures, const SheetOptions& options);
/// Writes it in one step.
void write_sheet(const std::filesystem::path& png, std::span<const Picture> pictures,
                 const SheetOptions& options);

}  // namespace mica::draw
