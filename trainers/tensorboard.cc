#include "trainers/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <protozero/pbf_writer.hpp>
#include <vector>

#include "core/base/error.h"
#include "trainers/run_folder.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr size_t kBuckets = 64;

// Numbers of fields, as in the .proto files.
namespace event {
constexpr uint32_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session_log {
constexpr uint32_t kStatus = 1;
constexpr int kStart = 1;
}  // namespace session_log
namespace summary {
constexpr uint32_t kValue = 1;
}
namespace value {
constexpr uint32_t kTag = 1, kSimpleValue = 2, kImage = 4, kHistogram = 5;
}
namespace image {
constexpr uint32_t kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4;
constexpr int kRgb = 3;
}  // namespace image
namespace histogram {
constexpr uint32_t kMin = 1, kMax = 2, kCount = 3, kSum = 4, kSumOfSquares = 5, kLimits = 6,
                   kCounts = 7;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Calls `fill` with the writer of the event's only summary value.
template <typename Fill>
std::string summary_event(double wall_time, int64_t step, std::string_view tag, const Fill& fill) {
  std::string message;
  protozero::pbf_writer writer(message);
  writer.add_double(event::kWallTime, wall_time);
  writer.add_int64(event::kStep, step);
  protozero::pbf_writer of_summary(writer, event::kSummary);
  protozero::pbf_writer of_value(of_summary, summary::kValue);
  of_value.add_string(value::kTag, tag.data(), tag.size());
  fill(of_value);
  return message;
}

// "events.out.tfevents.1795300000.host.123.0": the time of a file, 0 for other names.
int64_t time_of(const fs::path& path) {
  const std::string name = path.filename().string();
  int64_t time = 0;
  if (name.starts_with(kPrefix)) {
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), time);
  }
  return time;
}

// A name behind those of all files that are there.
fs::path next_name(const fs::path& folder) {
  auto seconds = static_cast<int64_t>(now());
  for (const auto& entry : fs::directory_iterator(folder)) {
    seconds = std::max(seconds, time_of(entry.path()) + 1);
  }
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return folder / fmt::format("{}{:010}.{}.{}.0", kPrefix, seconds, host, getpid());
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t word = i;
      for (int bit = 0; bit < 8; ++bit) word = word >> 1 ^ ((word & 1) != 0 ? 0x82f63b78 : 0);
      table[i] = word;
    }
    return table;
  }();
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

std::string event_record(std::string_view bytes) {
  std::string record;
  const auto append = [&](uint64_t word, int count) {  // little-endian
    for (int i = 0; i < count; ++i) record += static_cast<char>(word >> 8 * i & 0xff);
  };
  append(bytes.size(), 8);
  append(masked_crc32c(record), 4);
  record += bytes;
  append(masked_crc32c(bytes), 4);
  return record;
}

std::string scalar_event(double wall_time, int64_t step, std::string_view tag, double value) {
  return summary_event(wall_time, step, tag, [&](protozero::pbf_writer& writer) {
    writer.add_float(value::kSimpleValue, static_cast<float>(value));
  });
}

std::string version_event(double wall_time) {
  std::string message;
  protozero::pbf_writer writer(message);
  writer.add_double(event::kWallTime, wall_time);
  writer.add_string(event::kFileVersion, "brain.Event:2");
  return message;
}

EventFile::EventFile(const fs::path& folder, int64_t first_step) {
  make_folder(folder);
  path_ = next_name(folder);
  file_.open(path_, std::ios::binary | std::ios::app);
  file_ << event_record(version_event(now()));
  std::string message;
  protozero::pbf_writer writer(message);
  writer.add_double(event::kWallTime, now());
  writer.add_int64(event::kStep, first_step);
  {
    protozero::pbf_writer log(writer, event::kSessionLog);
    log.add_enum(session_log::kStatus, session_log::kStart);
  }
  file_ << event_record(message);
  flush();
}

void EventFile::scalar(std::string_view tag, int64_t step, double value) {
  file_ << event_record(scalar_event(now(), step, tag, value));
}

void EventFile::histogram(std::string_view tag, int64_t step, std::span<const float> values) {
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;
  double count = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min<double>(low, value);
    high = std::max<double>(high, value);
    sum += value;
    squares += static_cast<double>(value) * value;
    ++count;
  }
  if (count == 0) return;
  const double width = (high - low) / kBuckets;
  std::vector<double> limits, counts(width > 0 ? kBuckets : 1);
  for (size_t i = 1; i < counts.size(); ++i) limits.push_back(low + static_cast<double>(i) * width);
  limits.push_back(high);
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double place = width > 0 ? std::floor((value - low) / width) : 0;
    ++counts[std::min(static_cast<size_t>(place), counts.size() - 1)];
  }
  file_ << event_record(summary_event(now(), step, tag, [&](protozero::pbf_writer& writer) {
    protozero::pbf_writer message(writer, value::kHistogram);
    message.add_double(histogram::kMin, low);
    message.add_double(histogram::kMax, high);
    message.add_double(histogram::kCount, count);
    message.add_double(histogram::kSum, sum);
    message.add_double(histogram::kSumOfSquares, squares);
    message.add_packed_double(histogram::kLimits, limits.begin(), limits.end());
    message.add_packed_double(histogram::kCounts, counts.begin(), counts.end());
  }));
}

void EventFile::image(std::string_view tag, int64_t step, const EventImage& image) {
  file_ << event_record(summary_event(now(), step, tag, [&](protozero::pbf_writer& writer) {
    protozero::pbf_writer message(writer, value::kImage);
    message.add_int32(image::kHeight, static_cast<int32_t>(image.height));
    message.add_int32(image::kWidth, static_cast<int32_t>(image.width));
    message.add_int32(image::kColorspace, image::kRgb);
    message.add_bytes(image::kEncoded, image.png.data(), image.png.size());
  }));
}

void EventFile::flush() {
  errno = 0;
  if (file_.flush()) return;
  fail(ErrorKind::kData, "{}: cannot write: {}", path_.string(),
       errno != 0 ? std::strerror(errno) : "the file is not open");
}

void remove_event_files(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) return;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (time_of(entry.path()) > 0) files.push_back(entry.path());
  }
  for (const fs::path& file : files) fs::remove(file, ignored);
}

}  // namespace mica::trainers
