// Pictures are read back by the decoder of data/, which reads other people's PNG files.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "data/image.h"
#include "trainers/draw/canvas.h"
#include "trainers/draw/sheet.h"

namespace mica::draw {
namespace {

data::Pixels decode(const std::string& png) {
  return data::decode_png(std::as_bytes(std::span(png)), "test.png");
}

// The color of a pixel, as 0xRRGGBB.
int color_at(const data::Pixels& picture, int64_t x, int64_t y) {
  const uint8_t* at = picture.bytes.data() + (y * picture.width + x) * picture.channels;
  return at[0] << 16 | at[1] << 8 | at[2];
}

int64_t count_color(const data::Pixels& picture, int color) {
  int64_t count = 0;
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x) count += color_at(picture, x, y) == color;
  }
  return count;
}

TEST(Canvas, DrawsWhereItIsToldTwoPixelsForOne) {
  const auto canvas = png_canvas({20, 10});
  canvas->rectangle({5, 5, 10, 5}, {255, 0, 0});
  canvas->clip({0, 0, 2, 2});
  canvas->rectangle({0, 0, 20, 10}, {0, 0, 255});
  canvas->unclip();
  const data::Pixels picture = decode(canvas->finish());
  EXPECT_EQ(picture.width, 40);
  EXPECT_EQ(picture.height, 20);
  EXPECT_EQ(count_color(picture, 0xff0000), 20 * 10);
  EXPECT_EQ(count_color(picture, 0x0000ff), 4 * 4);
  EXPECT_EQ(color_at(picture, 10, 10), 0xff0000);
  EXPECT_EQ(color_at(picture, 9, 10), 0xffffff);
}

TEST(Canvas, DrawsTextThatIsNoText) {
  for (const std::string text : {"", "\xff\xfe", "a\0b", "\xe2\x82", "\x1b[31m", "Größe 日本"}) {
    const auto canvas = png_canvas({100, 20});
    canvas->text({0, 10}, text, {});
    canvas->rectangle({99, 0, 1, 20}, {0, 0, 255});  // cairo draws nothing after an error
    EXPECT_EQ(count_color(decode(canvas->finish()), 0x0000ff), 2 * 40) << text;
  }
  EXPECT_EQ(clean_text("a\xff"
                       "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(clean_text("\xc0\x80"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(clean_text("line\nline\x07"), "line line");
  EXPECT_EQ(clean_text("ä€😀"), "ä€😀");
}

TEST(Canvas, ShortensTextByWholeCharacters) {
  const TextStyle style;
  EXPECT_EQ(shortened("short", 1000, style), "short");
  const std::string text = "aß日日日日日日日日日日";
  for (double width = 0; width < 120; width += 7) {
    const std::string cut = shortened(text, width, style);
    EXPECT_EQ(clean_text(cut), cut);
    if (cut == text) break;
    EXPECT_TRUE(cut.ends_with("…") && text.starts_with(cut.substr(0, cut.size() - 3))) << cut;
    if (cut != "…") {
      EXPECT_LE(text_width(cut, style), width);
    }
  }
}

TEST(Canvas, WritesTextForPages) {
  const auto canvas = svg_canvas({100, 50}, "a < b");
  canvas->line({0, 0}, {10.04, 10}, {});
  canvas->text({5, 5}, "<b> & \"c\"", {});
  const std::string text = canvas->finish();
  EXPECT_NE(text.find("<title>a &lt; b</title>"), std::string::npos);
  EXPECT_NE(text.find(">&lt;b&gt; &amp; &quot;c&quot;</text>"), std::string::npos);
  EXPECT_NE(text.find("points=\"0,0 10,10\""), std::string::npos);
}

TEST(Canvas, EncodesPicturesForPages) {
  EXPECT_EQ(png_uri(""), "data:image/png;base64,");
  EXPECT_EQ(png_uri("M"), "data:image/png;base64,TQ==");
  EXPECT_EQ(png_uri("Ma"), "data:image/png;base64,TWE=");
  EXPECT_EQ(png_uri("Man\xff"), "data:image/png;base64,TWFu/w==");
  const std::vector<uint8_t> bytes = {1, 2, 3, 200, 100, 50};
  EXPECT_EQ(decode(encode_png({1, 2, 3, bytes})).bytes, bytes);
}

TEST(Canvas, RefusesSizesThatNobodyCanSee) {
  EXPECT_THROW(png_canvas({40'000, 10}), Error);
  EXPECT_THROW(png_canvas({0, 10}), Error);
}

TEST(Sheet, EnlargesByWholePixelsAndFramesWhatIsMarked) {
  Picture picture{28, 28, 3, {}, "7 as 1", false};
  for (int i = 0; i < 28 * 28; ++i) {
    const bool corner = i == 27;
    picture.pixels.insert(picture.pixels.end(), {0, uint8_t(corner ? 255 : 0), 200});
  }
  const std::vector<Picture> plain(3, picture);
  const data::Pixels sheet = decode(draw_sheet(plain, {.columns = 2}));
  // 3 times, and twice more on a PNG.
  EXPECT_EQ(count_color(sheet, 0x00ffc8), 3 * 6 * 6);
  EXPECT_EQ(count_color(sheet, 0x0000c8), 3 * (28 * 28 - 1) * 6 * 6);
  EXPECT_EQ(count_color(sheet, 0xd55e00), 0);
  std::vector<Picture> marked = plain;
  marked[1].marked = true;
  EXPECT_GT(count_color(decode(draw_sheet(marked, {.columns = 2})), 0xd55e00), 500);
  EXPECT_EQ(draw_sheet(marked, {}), draw_sheet(marked, {}));
}

TEST(Sheet, ReducesLargePicturesToTheirMean) {
  Picture large{840, 420, 1, std::vector<uint8_t>(840 * 420), "", false};
  for (size_t i = 0; i < large.pixels.size(); ++i) large.pixels[i] = i % 2 == 0 ? 0 : 200;
  const data::Pixels sheet = decode(draw_sheet({&large, 1}, {}));
  EXPECT_LT(sheet.height, 400);
  EXPECT_EQ(count_color(sheet, 0x646464), 140 * 70 * 4);
}

TEST(Sheet, SaysWhatIsWrongWithAPicture) {
  const Picture wrong{2, 2, 3, {1, 2, 3}, "", false};
  try {
    draw_sheet({&wrong, 1}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "picture 0 of a sheet: 2 x 2 x 3 pixels wanted, got 3 bytes");
  }
  EXPECT_FALSE(draw_sheet({}, {.title = "Misclassified"}).empty());
}

}  // namespace
}  // namespace mica::draw
