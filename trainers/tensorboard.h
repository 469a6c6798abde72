// Event files of TensorBoard, version 2.
//
//   EventFile events("runs/mnist/tb/train", /*first_step=*/1);
//   events.scalar("epoch/loss", 500, 0.12);
//   events.histogram("weights/0.weight", 500, values);
//   events.image("confusion", 500, {.png = png, .height = 330, .width = 640});
//   events.flush();
//
// Each EventFile is a new file of its own; several in one folder are one run, read in the order of
// their names. The first says from which step on it counts, and TensorBoard forgets what earlier
// files have from there on: a run that went on from a checkpoint leaves no zigzag. One writer a
// folder at a time.
//
// The format: records (tensorflow/core/lib/io/record_writer.cc) of the messages Event and Summary
// (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace mica::trainers {

struct EventImage {
  std::string_view png;
  int64_t height = 0;
  int64_t width = 0;
};

class EventFile {
 public:
  /// Makes folder and file. Throws Error (data) where they can't be written.
  EventFile(const std::filesystem::path& folder, int64_t first_step);

  void scalar(std::string_view tag, int64_t step, double value);
  /// Counts in 64 ranges of equal width. Values that are not finite are left out; without any other
  /// nothing is written.
  void histogram(std::string_view tag, int64_t step, std::span<const float> values);
  void image(std::string_view tag, int64_t step, const EventImage& image);
  /// Everything so far is in the file when this returns. Throws Error (data) where it is not.
  void flush();

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

/// Removes the event files of a folder, of a run that starts over.
void remove_event_files(const std::filesystem::path& folder);

/// A record: length, its checksum, the bytes, their checksum.
std::string event_record(std::string_view bytes);
/// CRC-32C (Castagnoli), and as records have it.
uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);
/// The message of one scalar at a time in seconds since 1970.
std::string scalar_event(double wall_time, int64_t step, std::string_view tag, double value);
/// The first message of every file.
std::string version_event(double wall_time);

}  // namespace mica::trainers
