// Examples from PNG and JPEG files.
#include <algorithm>
#include <filesystem>
#include <optional>

#include "core/base/error.h"
#include "core/runtime/parallel.h"
#include "data/image.h"
#include "trainers/predict/examples.h"
#include "trainers/predict/resize.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr size_t kAtOnce = 64;

bool has_picture_name(const fs::path& path) {
  std::string end = path.extension().string();
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

void check_spec(const ExampleSpec& spec, const std::string& path) {
  if (spec.takes_pictures()) return;
  if (spec.shape.size() == 3 && !spec.bytes) {
    fail(ErrorKind::kData,
         "{}: the model was trained on float numbers of shape {}, not on the bytes of pictures; "
         "give it .npy files with numbers of the same scale",
         path, to_string(spec.shape));
  }
  fail(ErrorKind::kData, "{}: a picture, but the model takes {}", path, describe(spec));
}

Example read_picture(const std::string& path, const ExampleSpec& spec) {
  check_spec(spec, path);
  const int64_t height = spec.shape[0], width = spec.shape[1], channels = spec.shape[2];
  const data::ImageInfo info = data::probe_image(path);
  const bool fits = info.height == height && info.width == width;
  if (!fits && !spec.resize) {
    fail(ErrorKind::kData, "{}: {} x {} pixels, but the model takes {} x {} (--resize scales it)",
         path, info.width, info.height, width, height);
  }
  std::vector<uint8_t> pixels(static_cast<size_t>(info.height * info.width * channels));
  data::decode_image(path, channels, pixels);
  if (!fits) pixels = resized(pixels, {info.height, info.width, channels}, height, width);
  return {path, -1, std::vector<float>(pixels.begin(), pixels.end())};
}

}  // namespace

void read_pictures(const std::vector<std::string>& paths, const ExampleSpec& spec,
                   const ExampleSink& sink) {
  for (size_t begin = 0; begin < paths.size(); begin += kAtOnce) {
    const size_t count = std::min(kAtOnce, paths.size() - begin);
    std::vector<Example> examples(count);
    std::vector<std::string> errors(count);
    parallel_for(static_cast<int64_t>(count), 1, [&](int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
        try {
          examples[i] = read_picture(paths[begin + i], spec);
        } catch (const std::exception& error) {
          errors[i] = error.what();
        }
      }
    });
    for (size_t i = 0; i < count; ++i) {
      if (errors[i].empty())
        sink.take(std::move(examples[i]));
      else
        sink.refuse(errors[i]);
    }
  }
}

void read_picture_folder(const std::string& folder, const ExampleSpec& spec,
                         const ExampleSink& sink) {
  std::vector<std::string> paths;
  int64_t others = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    if (has_picture_name(entry.path()))
      paths.push_back(entry.path().string());
    else
      ++others;
  }
  if (paths.empty()) fail(ErrorKind::kData, "{}: no PNG or JPEG files in this folder", folder);
  if (others > 0) sink.note(fmt::format("{}: {} other files left out", folder, others));
  std::sort(paths.begin(), paths.end());
  read_pictures(paths, spec, sink);
}

}  // namespace mica::trainers
