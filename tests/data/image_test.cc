#include "data/image.h"

#include <gtest/gtest.h>

#include "tests/data/data_testing.h"

namespace mica::data {
namespace {

constexpr int64_t kHeight = 3, kWidth = 4;

std::vector<uint8_t> decode(const std::string& name, int64_t channels) {
  std::vector<uint8_t> pixels(static_cast<size_t>(kHeight * kWidth * channels));
  decode_image(fixture("data/images/" + name), channels, pixels);
  return pixels;
}

/// What tests/fixtures/data/make.py draws.
std::vector<uint8_t> grey() {
  std::vector<uint8_t> pixels;
  for (int i = 0; i < 12; ++i) pixels.push_back(static_cast<uint8_t>(20 * i));
  return pixels;
}
std::vector<uint8_t> rgb(bool with_alpha = false) {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 4; ++x) {
      pixels.insert(pixels.end(), {static_cast<uint8_t>(80 * x), static_cast<uint8_t>(100 * y), 7});
      if (with_alpha) pixels.push_back(128);
    }
  }
  return pixels;
}

TEST(Image, DecodesEveryKindOfPng) {
  EXPECT_EQ(decode("grey.png", 1), grey());
  EXPECT_EQ(decode("grey16.png", 1), grey());
  EXPECT_EQ(decode("grey_palette.png", 1), grey());
  EXPECT_EQ(decode("grey_alpha.png", 1), grey());
  EXPECT_EQ(decode("rgb.png", 3), rgb());
  EXPECT_EQ(decode("rgba.png", 3), rgb());
  EXPECT_EQ(decode("rgba.png", 4), rgb(true));
  EXPECT_EQ(decode("palette.png", 3), rgb());
  std::vector<uint8_t> bits;
  for (const uint8_t value : grey()) bits.push_back(value > 100 ? 255 : 0);
  EXPECT_EQ(decode("bits.png", 1), bits);
}

TEST(Image, ConvertsBetweenGreyAndColour) {
  const std::vector<uint8_t> colour = decode("grey.png", 3);
  for (size_t i = 0; i < colour.size(); ++i) EXPECT_EQ(colour[i], grey()[i / 3]);
  const std::vector<uint8_t> luma = decode("rgb.png", 1);
  for (size_t i = 0; i < luma.size(); ++i) {
    const double wanted = 0.299 * rgb()[3 * i] + 0.587 * rgb()[3 * i + 1] + 0.114 * 7;
    EXPECT_NEAR(luma[i], wanted, 0.51);
  }
}

TEST(Image, TellsSizeAndGreyness) {
  for (const char* name : {"grey.png", "grey16.png", "grey_palette.png", "grey_alpha.png",
                           "bits.png", "rgb.png", "rgba.png", "palette.png"}) {
    const ImageInfo info = probe_image(fixture(fmt::format("data/images/{}", name)));
    EXPECT_EQ(info.height, kHeight);
    EXPECT_EQ(info.width, kWidth);
    EXPECT_EQ(info.grey, std::string(name).find("rgb") == std::string::npos &&
                             name != std::string("palette.png"))
        << name;
  }
}

TEST(Image, DecodesJpeg) {
  EXPECT_FALSE(probe_image(fixture("data/images/rgb.jpg")).grey);
  EXPECT_TRUE(probe_image(fixture("data/images/grey.jpg")).grey);
  std::vector<uint8_t> pixels(16 * 16 * 3);
  decode_image(fixture("data/images/rgb.jpg"), 3, pixels);
  for (size_t i = 0; i < pixels.size(); i += 3) {
    EXPECT_NEAR(pixels[i], 200, 3);
    EXPECT_NEAR(pixels[i + 1], 30, 3);
    EXPECT_NEAR(pixels[i + 2], 60, 3);
  }
}

/// A color of each quarter of the picture that make.py turns: 8 rows and 16 columns each.
void expect_quarters(const std::string& name) {
  const ImageInfo info = probe_image(fixture("data/images/" + name));
  EXPECT_EQ(info.height, 16) << name;
  EXPECT_EQ(info.width, 32) << name;
  EXPECT_FALSE(info.grey);
  std::vector<uint8_t> pixels(16 * 32 * 3);
  decode_image(fixture("data/images/" + name), 3, pixels);
  for (size_t y = 0; y < 16; ++y) {
    for (size_t x = 0; x < 32; ++x) {
      const uint8_t* pixel = pixels.data() + 3 * (32 * y + x);
      const int bright = y < 8 ? 120 : 240;
      EXPECT_NEAR(pixel[0], x < 16 ? bright : 0, 12) << name << " " << y << " " << x;
      EXPECT_NEAR(pixel[1], 0, 12) << name << " " << y << " " << x;
      EXPECT_NEAR(pixel[2], x < 16 ? 0 : bright, 12) << name << " " << y << " " << x;
    }
  }
}

TEST(Image, TurnsJpegAsItsExifDataSays) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    expect_quarters(fmt::format("turned{}.jpg", orientation));
  }
}

TEST(Image, TurnsInksToLight) { expect_quarters("cmyk.jpg"); }

TEST(Image, OverlooksExifDataThatMakesNoSense) {
  TemporaryFolder folder;
  const std::vector<std::byte> whole = read_file(fixture("data/images/turned6.jpg"));
  // Its data lies in the first 200 bytes: no byte of it, whatever it is turned to, does harm.
  for (size_t at = 20; at < 60; ++at) {
    std::vector<std::byte> odd = whole;
    odd[at] = std::byte{0xfe};
    write_file(folder / "odd.jpg", odd);
    try {
      const ImageInfo info = probe_image(folder / "odd.jpg");
      std::vector<uint8_t> pixels(static_cast<size_t>(info.height * info.width * 3));
      decode_image(folder / "odd.jpg", 3, pixels);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
    }
  }
}

TEST(Image, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const auto cut = [&](const std::string& name, const std::string& as, size_t bytes) {
    const std::vector<std::byte> whole = read_file(fixture("data/images/" + name));
    write_file(folder / as, std::span(whole).first(bytes));
    std::vector<uint8_t> pixels(static_cast<size_t>(kHeight * kWidth * 3));
    decode_image(folder / as, 3, pixels);
  };
  const size_t size = read_file(fixture("data/images/rgb.png")).size();
  const size_t jpeg_size = read_file(fixture("data/images/rgb.jpg")).size();
  expect_error(ErrorKind::kData, {"half.png", "damaged PNG", "ends early"},
               [&] { cut("rgb.png", "half.png", size / 2); });
  expect_error(ErrorKind::kData, {"head.png", "damaged PNG"},
               [&] { cut("rgb.png", "head.png", 12); });
  expect_error(ErrorKind::kData, {"empty.png", "is empty"},
               [&] { cut("rgb.png", "empty.png", 0); });
  expect_error(ErrorKind::kData, {"half.jpg", "damaged JPEG"},
               [&] { cut("rgb.jpg", "half.jpg", jpeg_size - 40); });
  write_file(folder / "text.png", "no picture at all");
  expect_error(ErrorKind::kData, {"text.png", "no PNG or JPEG"},
               [&] { probe_image(folder / "text.png"); });
  std::vector<std::byte> changed = read_file(fixture("data/images/rgb.png"));
  changed[45] ^= std::byte{0xff};  // in the compressed pixels
  write_file(folder / "changed.png", changed);
  std::vector<uint8_t> pixels(static_cast<size_t>(kHeight * kWidth * 3));
  expect_error(ErrorKind::kData, {"changed.png", "damaged PNG"},
               [&] { decode_image(folder / "changed.png", 3, pixels); });
  expect_error(ErrorKind::kData, {"rgb.jpg", "16 x 16", "12"},
               [&] { decode_image(fixture("data/images/rgb.jpg"), 3, pixels); });
}

}  // namespace
}  // namespace mica::data
