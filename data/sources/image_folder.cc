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
#include "data/split.h"

namespace mica::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShown = 10;  // damaged files in an error

struct Picture {
  std::string path;  // from the source folder
  std::string split;
  int32_t label;
  std::string problem{};  // why it cannot be read
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

/// Where the classes' folders lie, from the source folder: "" alone, or one folder a split.
std::map<std::string, std::string> split_folders(const std::string& root) {
  std::map<std::string, std::string> splits;
  for (const std::string& name : subfolders(root)) {
    const std::string split = split_called(name);
    if (split.empty()) return {{kUnsplit, ""}};
    if (!splits.emplace(split, name + "/").second) {
      fail(ErrorKind::kData, "{}: {} and {} mean the same split", root, splits[split], name);
    }
  }
  if (splits.empty()) fail(ErrorKind::kData, "{}: no subfolders here (wanted one a class)", root);
  return splits;
}

/// The pictures of one class, in order of their names.
void list_class(const std::string& root, const std::string& folder, const std::string& split,
                int32_t label, std::vector<Picture>& pictures, int64_t& skipped) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root + "/" + folder)) {
    if (!entry.is_regular_file()) continue;
    if (has_image_name(entry.path()))
      names.push_back(fs::relative(entry.path(), root).string());
    else
      ++skipped;
  }
  std::sort(names.begin(), names.end());
  for (std::string& name : names) pictures.push_back({std::move(name), split, label});
}

/// Runs visit(i) for every picture without a problem on all threads, and keeps what is wrong with
/// those that turn out to be damaged.
template <class Visit>
void for_each_picture(std::vector<Picture>& pictures, const ProgressFunction& progress,
                      const char* stage, const Visit& visit) {
  std::atomic<int64_t> done = 0;
  const auto count = static_cast<int64_t>(pictures.size());
  parallel_for(count, 16, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      if (!pictures[i].problem.empty()) continue;
      try {
        visit(i);
      } catch (const Error& error) {
        pictures[i].problem = error.what();
      }
    }
    done += end - begin;
    progress({stage, done, count});
  });
}

/// The size that all pictures have, but those with a problem.
ImageInfo common_info(const std::string& root, std::vector<Picture>& pictures,
                      const ProgressFunction& progress) {
  std::vector<ImageInfo> infos(pictures.size());
  for_each_picture(pictures, progress, "checking",
                   [&](size_t i) { infos[i] = probe_image(root + "/" + pictures[i].path); });
  std::optional<size_t> first;
  ImageInfo common;
  for (size_t i = 0; i < infos.size(); ++i) {
    if (!pictures[i].problem.empty()) continue;
    if (!first) {
      first = i;
      common = infos[i];
    }
    common.grey = common.grey && infos[i].grey;
    if (infos[i].height == common.height && infos[i].width == common.width) continue;
    fail(ErrorKind::kData, "{}/{}: {} x {} pixels, but {} has {} x {} (all must be of one size)",
         root, pictures[i].path, infos[i].width, infos[i].height, pictures[*first].path,
         common.width, common.height);
  }
  return common;
}

/// What is wrong with damaged pictures, if there are any that the options do not allow to skip.
void check_pictures(const std::string& root, const std::vector<Picture>& pictures,
                    const PrepareOptions& options, SourceData& data) {
  for (const Picture& picture : pictures) {
    if (picture.problem.empty()) continue;
    const std::string place = root + "/" + picture.path + ": ";
    const bool placed = picture.problem.starts_with(place);
    data.corrupt.push_back(
        {picture.path, placed ? picture.problem.substr(place.size()) : picture.problem});
  }
  if (data.corrupt.empty()) return;
  const bool all = data.corrupt.size() == pictures.size();
  if (options.skip_corrupt && !all) {
    data.notes.push_back(fmt::format("{} damaged files skipped", data.corrupt.size()));
    return;
  }
  std::string list;
  for (size_t i = 0; i < std::min(data.corrupt.size(), kShown); ++i) {
    list += fmt::format("\n  {}: {}", data.corrupt[i].path, data.corrupt[i].reason);
  }
  if (data.corrupt.size() > kShown) {
    list += fmt::format("\n  and {} more", data.corrupt.size() - kShown);
  }
  fail(ErrorKind::kData, "{}: {} of {} pictures {} damaged{}:{}", root, data.corrupt.size(),
       pictures.size(), data.corrupt.size() == 1 ? "is" : "are",
       all ? "" : " (--skip-corrupt goes on without)", list);
}

HostTensor decode(const std::string& root, std::vector<Picture>& pictures, const ImageInfo& info,
                  int64_t channels, const ProgressFunction& progress) {
  const auto rows = static_cast<int64_t>(pictures.size());
  HostTensor x(Dtype::kUint8, {rows, info.height, info.width, channels});
  const size_t bytes = x.row_bytes();
  for_each_picture(pictures, progress, "reading", [&](size_t i) {
    decode_image(root + "/" + pictures[i].path, channels,
                 x.as<uint8_t>().subspan(i * bytes, bytes));
  });
  return x;
}

/// The pictures that are whole, by split.
void collect(const std::string& root, const std::vector<Picture>& pictures, HostTensor x,
             SourceData& data) {
  std::map<std::string, std::vector<int64_t>> rows;
  std::vector<std::string> names;
  HostTensor y(Dtype::kInt32, {x.rows()});
  for (size_t i = 0; i < pictures.size(); ++i) {
    y.as<int32_t>()[i] = pictures[i].label;
    if (!pictures[i].problem.empty()) continue;
    rows[pictures[i].split].push_back(static_cast<int64_t>(i));
    names.push_back(pictures[i].path);
  }
  Split all = {std::move(x), std::move(y)};
  if (rows.size() == 1 && data.corrupt.empty()) {
    data.splits[rows.begin()->first] = std::move(all);
  } else {
    for (const auto& [split, numbers] : rows) data.splits[split] = gather(all, numbers);
  }
  data.sha256 = sha256_of_files(root, names);
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
  int64_t skipped = 0;
  for (const auto& [split, folder] : folders) {
    for (size_t label = 0; label < data.class_names.size(); ++label) {
      const std::string class_folder = folder + data.class_names[label];
      if (!fs::is_directory(root + "/" + class_folder)) continue;
      const size_t before = pictures.size();
      list_class(root, class_folder, split, static_cast<int32_t>(label), pictures, skipped);
      if (pictures.size() == before) {
        fail(ErrorKind::kData, "{}/{}: no PNG or JPEG files in this class", root, class_folder);
      }
    }
  }
  if (pictures.empty()) fail(ErrorKind::kData, "{}: no PNG or JPEG files here", root);
  if (skipped > 0)
    data.notes.push_back(fmt::format("{} files skipped that are no images", skipped));

  const ImageInfo info = common_info(root, pictures, progress);
  const int64_t channels = options.channels > 0 ? options.channels : info.grey ? 1 : 3;
  HostTensor x = decode(root, pictures, info, channels, progress);
  check_pictures(root, pictures, options, data);
  collect(root, pictures, std::move(x), data);
  return data;
}

}  // namespace mica::data
