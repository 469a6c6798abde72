#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/base/error.h"
#include "trainers/predict/examples.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

using Reader = void (*)(const std::string&, const ExampleSpec&, const ExampleSink&);

void read_picture_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  read_pictures({path}, spec, sink);
}

struct Format {
  std::string_view mark;  // how files begin
  std::vector<std::string_view> ends;
  Reader read;
};

const std::vector<Format>& formats() {
  static const std::vector<Format> all = {{"\x89PNG", {".png"}, read_picture_file},
                                          {"\xff\xd8\xff", {".jpg", ".jpeg"}, read_picture_file},
                                          {"\x93NUMPY", {".npy"}, read_npy_file},
                                          {"PK\x03\x04", {".npz"}, read_npz_file},
                                          {"\x89HDF", {".h5", ".hdf5"}, read_hdf5_file}};
  return all;
}

// By how the file begins, then by how its name ends; everything else is a table.
Reader reader_of(const std::string& path) {
  char head[8] = {};
  size_t count = 0;
  if (std::FILE* file = std::fopen(path.c_str(), "rb")) {
    count = std::fread(head, 1, sizeof(head), file);
    std::fclose(file);
  }
  for (const Format& format : formats()) {
    if (std::string_view(head, count).starts_with(format.mark)) return format.read;
  }
  std::string end = fs::path(path).extension().string();
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Format& format : formats()) {
    if (std::find(format.ends.begin(), format.ends.end(), end) != format.ends.end()) {
      return format.read;
    }
  }
  return read_table;
}

void read_path(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  if (!fs::exists(path)) fail(ErrorKind::kData, "{}: no such file or folder", path);
  if (fs::is_directory(path)) return read_picture_folder(path, spec, sink);
  reader_of(path)(path, spec, sink);
}

}  // namespace

bool ExampleSpec::takes_pictures() const {
  return bytes && shape.size() == 3 && (shape[2] == 1 || shape[2] == 3 || shape[2] == 4);
}

ExampleSpec spec_of(const TrainedModel& model) {
  const Checkpoint& checkpoint = model.checkpoint;
  ExampleSpec spec;
  spec.shape = checkpoint.example_shape;
  // Checkpoints of before the type was kept: data of that shape was pictures, most likely.
  spec.bytes = checkpoint.example_dtype == "uint8" ||
               (checkpoint.example_dtype.empty() && spec.shape.size() == 3);
  spec.features = checkpoint.feature_names;
  spec.fill = checkpoint.fill;
  return spec;
}

std::string describe(const ExampleSpec& spec) {
  if (spec.takes_pictures()) {
    return fmt::format("{} x {} pixels, {} channel{}", spec.shape[1], spec.shape[0], spec.shape[2],
                       spec.shape[2] == 1 ? "" : "s");
  }
  if (spec.shape.size() == 1) return fmt::format("{} features", spec.shape[0]);
  return fmt::format("shape {}", to_string(spec.shape));
}

void read_input(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  try {
    if (path == "-") return read_lines(spec, sink);
    read_path(path, spec, sink);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kUsage) throw;
    sink.refuse(error.what());
  } catch (const fs::filesystem_error& error) {
    sink.refuse(fmt::format("{}: {}", path, error.code().message()));
  }
}

}  // namespace mica::trainers
