// A folder of pictures: one subfolder a class (cats/1.png, dogs/2.jpg), or the same once more under
// train, val and test.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>

#include "core/base/error.h"
#include "core/runtime/parallel.h"
#include "data/image.h"
#include "data/sha256.h"
#include "data/source.h"

namespace mica::data {
namespace {

namespace fs = std::filesystem;

struct Picture {
  std::string path;  // from the source folder
  int32_t label;
};

bool has_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::vector<std::string> subfolders(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.starts_with('.')) names.push_back(name);
  }
  sort_names(names);
  return names;
}

std::string split_named(const std::string& folder) {
  if (folder == "train" || folder == "training") return "train";
  if (folder == "val" || folder == "valid" || folder == "validation") return "val";
  if (folder == "test" || folder == "testing") return "test";
  return "";
}

/// Where the classes' folders lie, from the source folder: "" alone, or one folder a split.
std::map<std::string, std::string> split_folders(const std::string& root) {
  std::map<std::string, std::string> splits;
  for (const std::string& name : subfolders(root)) {
    const std::string split = split_named(name);
    if (split.empty()) return {{kUnsplit, ""}};
    if (!splits.emplace(split, name + "/").second) {
      fail(ErrorKind::kData, "{}: {} and {} mean the same split", root, splits[split], name);
    }
  }
  if (splits.empty()) fail(ErrorKind::kData, "{}: no subfolders here (wanted one a class)", root);
  return splits;
}

/// The pictures of one class, in order of their names.
void list_class(const std::string& root, const std::string& folder, int32_t label,
                std::vector<Picture>& pictures, int64_t& skipped) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root + "/" + folder)) {
    if (!entry.is_regular_file()) continue;
    if (has_image_name(entry.path()))
      names.push_back(fs::relative(entry.path(), root).string());
    else
      ++skipped;
  }
  std::sort(names.begin(), names.end());
  for (std::string& name : names) pictures.push_back({std::move(name), label});
}

/// Runs visit(i) for every picture on all threads, and throws the first picture's error if several
/// fail, so that the message does not depend on the threads.
template <class Visit>
void for_each_picture(size_t count, const ProgressFunction& progress, const char* stage,
                      const Visit& visit) {
  std::vector<std::optional<Error>> errors(count);
  std::atomic<int64_t> done = 0;
  parallel_for(static_cast<int64_t>(count), 16, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      try {
        visit(i);
      } catch (const Error& error) {
        errors[i] = error;
      }
    }
    done += end - begin;
    progress({stage, done, static_cast<int64_t>(count)});
  });
  for (const std::optional<Error>& error : errors) {
    if (error) throw *error;
  }
}

/// The size and number of channels that all pictures have.
ImageInfo common_info(const std::string& root, const std::vector<Picture>& pictures,
                      const ProgressFunction& progress) {
  std::vector<ImageInfo> infos(pictures.size());
  for_each_picture(pictures.size(), progress, "checking",
                   [&](size_t i) { infos[i] = probe_image(root + "/" + pictures[i].path); });
  ImageInfo common = infos[0];
  for (size_t i = 0; i < infos.size(); ++i) {
    common.grey = common.grey && infos[i].grey;
    if (infos[i].height == common.height && infos[i].width == common.width) continue;
    fail(ErrorKind::kData, "{}/{}: {} x {} pixels, but {} has {} x {} (all must be of one size)",
         root, pictures[i].path, infos[i].width, infos[i].height, pictures[0].path, common.width,
         common.height);
  }
  return common;
}

Split decode(const std::string& root, std::span<const Picture> pictures, const ImageInfo& info,
             int64_t channels, const ProgressFunction& progress) {
  const auto rows = static_cast<int64_t>(pictures.size());
  Split split;
  split.x = HostTensor(Dtype::kUint8, {rows, info.height, info.width, channels});
  split.y = HostTensor(Dtype::kInt32, {rows});
  const size_t bytes = split.x.row_bytes();
  for_each_picture(pictures.size(), progress, "reading", [&](size_t i) {
    decode_image(root + "/" + pictures[i].path, channels,
                 split.x.as<uint8_t>().subspan(i * bytes, bytes));
    split.y.as<int32_t>()[i] = pictures[i].label;
  });
  return split;
}

}  // namespace

SourceData read_image_folder_source(const PrepareOptions& options,
                                    const ProgressFunction& progress) {
  const std::string& root = options.path;
  if (!fs::is_directory(root)) {
    fail(ErrorKind::kData, "{}: is no folder (wanted one with a subfolder a class)", root);
  }
  SourceData data;
  const auto folders = split_folders(root);
  for (const auto& [split, folder] : folders) {
    for (const std::string& name : subfolders(root + "/" + folder)) {
      const bool known = std::find(data.class_names.begin(), data.class_names.end(), name) !=
                         data.class_names.end();
      if (!known) data.class_names.push_back(name);
    }
  }
  sort_names(data.class_names);

  std::vector<Picture> pictures;
  std::map<std::string, std::pair<size_t, size_t>> ranges;
  int64_t skipped = 0;
  for (const auto& [split, folder] : folders) {
    const size_t begin = pictures.size();
    for (size_t label = 0; label < data.class_names.size(); ++label) {
      const std::string class_folder = folder + data.class_names[label];
      if (!fs::is_directory(root + "/" + class_folder)) continue;
      const size_t before = pictures.size();
      list_class(root, class_folder, static_cast<int32_t>(label), pictures, skipped);
      if (pictures.size() == before) {
        fail(ErrorKind::kData, "{}/{}: no PNG or JPEG files in this class", root, class_folder);
      }
    }
    ranges[split] = {begin, pictures.size() - begin};
  }
  if (pictures.empty()) fail(ErrorKind::kData, "{}: no PNG or JPEG files here", root);
  if (skipped > 0)
    data.notes.push_back(fmt::format("{} files skipped that are no images", skipped));

  const ImageInfo info = common_info(root, pictures, progress);
  const int64_t channels = options.channels > 0 ? options.channels : info.grey ? 1 : 3;
  std::vector<std::string> names;
  for (const Picture& picture : pictures) names.push_back(picture.path);
  for (const auto& [split, range] : ranges) {
    data.splits[split] = decode(root, std::span(pictures).subspan(range.first, range.second), info,
                                channels, progress);
  }
  data.sha256 = sha256_of_files(root, names);
  return data;
}

}  // namespace mica::data
