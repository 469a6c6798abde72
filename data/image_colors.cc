// Colours and tones of data/image_ops.h.
#include <algorithm>
#include <array>
#include <cmath>

#include "data/image_ops.h"

namespace mica::data {
namespace {

constexpr float kWhite = 255;
// ITU-R BT.601, as Pillow has it.
constexpr float kRed = 0.299f, kGreen = 0.587f, kBlue = 0.114f;

float clipped(float value) { return std::clamp(value, 0.f, kWhite); }

bool has_colour(const FloatImage& image) { return image.channels == 3 || image.channels == 4; }
/// Without transparency.
int64_t shown_channels(const FloatImage& image) { return image.channels == 4 ? 3 : image.channels; }

/// visit(pixel) for all.
template <class Visit>
void for_pixels(FloatImage& image, const Visit& visit) {
  float* end = image.values.data() + image.values.size();
  for (float* pixel = image.values.data(); pixel != end; pixel += image.channels) visit(pixel);
}

/// change(value, channel) for all values that are shown.
template <class Change>
void for_values(FloatImage& image, const Change& change) {
  const int64_t shown = shown_channels(image);
  for_pixels(image, [&](float* pixel) {
    for (int64_t c = 0; c < shown; ++c) pixel[c] = change(pixel[c], static_cast<size_t>(c));
  });
}

float grey_of(const float* pixel, const FloatImage& image) {
  if (has_colour(image)) return kRed * pixel[0] + kGreen * pixel[1] + kBlue * pixel[2];
  float sum = 0;
  for (int64_t c = 0; c < image.channels; ++c) sum += pixel[c];
  return sum / static_cast<float>(image.channels);
}

float away_from(float middle, float value, float factor) {
  return clipped(middle + (value - middle) * factor);
}

using Counts = std::array<int64_t, 256>;

/// What each value becomes so that the values up to it are as many as its share of the range.
std::array<float, 256> equalizing(const Counts& counts) {
  std::array<float, 256> table;
  int64_t total = 0, last = 0;
  for (const int64_t count : counts) {
    total += count;
    if (count > 0) last = count;
  }
  const int64_t step = (total - last) / 255;
  int64_t sum = step / 2;
  for (size_t value = 0; value < 256; ++value) {
    table[value] = static_cast<float>(step == 0 ? static_cast<int64_t>(value)
                                                : std::min<int64_t>(sum / step, 255));
    sum += counts[value];
  }
  return table;
}

size_t byte_of(float value) { return static_cast<size_t>(std::lround(clipped(value))); }

}  // namespace

void change_brightness(FloatImage& image, float factor) {
  if (factor == 1) return;
  for_values(image, [&](float value, size_t) { return clipped(value * factor); });
}

void change_contrast(FloatImage& image, float factor) {
  if (factor == 1 || image.values.empty()) return;
  double sum = 0;
  for_pixels(image, [&](const float* pixel) { sum += grey_of(pixel, image); });
  const auto mean = static_cast<float>(sum / static_cast<double>(image.height * image.width));
  for_values(image, [&](float value, size_t) { return away_from(mean, value, factor); });
}

void change_saturation(FloatImage& image, float factor) {
  if (factor == 1 || !has_colour(image)) return;
  for_pixels(image, [&](float* pixel) {
    const float grey = grey_of(pixel, image);
    for (int c = 0; c < 3; ++c) pixel[c] = away_from(grey, pixel[c], factor);
  });
}

// To hue, saturation and value, and back with another hue. Saturation and value stay, so that all
// that changes is where in between the least and the largest the channels lie.
void change_hue(FloatImage& image, float turn) {
  if (turn == 0 || !has_colour(image)) return;
  for_pixels(image, [&](float* pixel) {
    const float r = pixel[0], g = pixel[1], b = pixel[2];
    const float most = std::max({r, g, b}), least = std::min({r, g, b}), range = most - least;
    if (range == 0) return;
    float sixths = 0;  // from red, in sixths of the circle
    if (most == r)
      sixths = (g - b) / range;
    else if (most == g)
      sixths = 2 + (b - r) / range;
    else
      sixths = 4 + (r - g) / range;
    sixths += 6 * turn;
    for (int c = 0; c < 3; ++c) {
      // Distance from the channel's own colour (red 0, green 2, blue 4) on the circle.
      const float distance = std::abs(std::remainder(sixths - 2 * static_cast<float>(c), 6.f));
      pixel[c] = least + range * std::clamp(2 - distance, 0.f, 1.f);
    }
  });
}

void change_sharpness(FloatImage& image, FloatImage& spare, float factor) {
  if (factor == 1 || image.height < 3 || image.width < 3) return;
  const int64_t line = image.line(), channels = image.channels, shown = shown_channels(image);
  spare = image;
  for (int64_t y = 1; y + 1 < image.height; ++y) {
    for (int64_t x = 1; x + 1 < image.width; ++x) {
      const float* from = spare.pixel(y, x);
      float* to = image.pixel(y, x);
      for (int64_t c = 0; c < shown; ++c) {
        float sum = 4 * from[c];
        for (int64_t dy = -line; dy <= line; dy += line) {
          for (int64_t dx = -channels; dx <= channels; dx += channels) sum += from[dy + dx + c];
        }
        to[c] = away_from(sum / 13, from[c], factor);
      }
    }
  }
}

void solarize(FloatImage& image, float threshold) {
  for_values(image,
             [&](float value, size_t) { return value >= threshold ? kWhite - value : value; });
}

void posterize(FloatImage& image, int64_t bits) {
  const auto step = static_cast<float>(1 << (8 - bits));
  for_values(image, [&](float value, size_t) { return std::floor(value / step) * step; });
}

void autocontrast(FloatImage& image) {
  const auto shown = static_cast<size_t>(shown_channels(image));
  std::vector<float> low(shown, kWhite), high(shown, 0);
  for_values(image, [&](float value, size_t c) {
    low[c] = std::min(low[c], value);
    high[c] = std::max(high[c], value);
    return value;
  });
  for_values(image, [&](float value, size_t c) {
    return high[c] > low[c] ? (value - low[c]) * (kWhite / (high[c] - low[c])) : value;
  });
}

void equalize(FloatImage& image) {
  std::vector<Counts> counts(static_cast<size_t>(shown_channels(image)), Counts{});
  for_values(image, [&](float value, size_t c) {
    ++counts[c][byte_of(value)];
    return value;
  });
  std::vector<std::array<float, 256>> tables;
  for (const Counts& each : counts) tables.push_back(equalizing(each));
  for_values(image, [&](float value, size_t c) { return tables[c][byte_of(value)]; });
}

}  // namespace mica::data
