// The binary version of CIFAR-10 and CIFAR-100: https://www.cs.toronto.edu/~kriz/cifar.html
//
// A record is one label (CIFAR-100: the coarse, then the fine one) and 32 x 32 bytes of red, green
// and blue.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/io/file.h"
#include "data/sha256.h"
#include "data/source.h"

namespace mica::data {
namespace {

constexpr size_t kSide = 32;
constexpr size_t kPlane = kSide * kSide;
constexpr size_t kChannels = 3;

struct Layout {
  size_t label_bytes;  // the last of them is the label that is kept
  int64_t classes;
  const char* inner_folder;  // what the archive unpacks to
  const char* names_file;
};
constexpr Layout kCifar10 = {1, 10, "cifar-10-batches-bin", "batches.meta.txt"};
constexpr Layout kCifar100 = {2, 100, "cifar-100-binary", "fine_label_names.txt"};

using Files = std::map<std::string, std::vector<std::string>>;  // names by split

/// Appends the records of one file.
void append(const std::string& path, const Layout& layout, Split& split) {
  const std::vector<std::byte> bytes = read_file(path);
  const size_t record = layout.label_bytes + kChannels * kPlane;
  if (bytes.empty()) fail(ErrorKind::kData, "{}: is empty", path);
  if (bytes.size() % record != 0) {
    fail(
        ErrorKind::kData,
        "{}: {} bytes are no whole number of records of {} bytes (label and 32 x 32 x 3); cut off?",
        path, bytes.size(), record);
  }
  const size_t count = bytes.size() / record;
  const size_t before = split.x.bytes.size();
  split.x.bytes.resize(before + count * kChannels * kPlane);
  std::byte* out = split.x.bytes.data() + before;
  for (size_t i = 0; i < count; ++i) {
    const std::byte* at = bytes.data() + i * record;
    const auto label = static_cast<int32_t>(at[layout.label_bytes - 1]);
    if (label >= layout.classes) {
      fail(ErrorKind::kData, "{}: label {} in record {} is not in 0 ... {}", path, label, i,
           layout.classes - 1);
    }
    const auto* as_bytes = reinterpret_cast<const std::byte*>(&label);
    split.y.bytes.insert(split.y.bytes.end(), as_bytes, as_bytes + sizeof(label));
    at += layout.label_bytes;
    for (size_t pixel = 0; pixel < kPlane; ++pixel) {
      for (size_t c = 0; c < kChannels; ++c) *out++ = at[c * kPlane + pixel];
    }
  }
}

std::vector<std::string> class_names(const std::string& path, int64_t classes) {
  std::vector<std::string> names;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  if (names.empty()) return numbered_names(classes);
  if (static_cast<int64_t>(names.size()) != classes) {
    fail(ErrorKind::kData, "{}: {} class names, wanted {}", path, names.size(), classes);
  }
  return names;
}

SourceData read_cifar(const std::string& folder, const Files& files, const Layout& layout,
                      const ProgressFunction& progress) {
  SourceData data;
  std::vector<std::string> used;
  int64_t total = 0, done = 0;
  for (const auto& [split, names] : files) total += static_cast<int64_t>(names.size());
  for (const auto& [name, names] : files) {
    if (names.empty()) continue;
    Split& split = data.splits[name];
    split.x.dtype = Dtype::kUint8;
    split.y.dtype = Dtype::kInt32;
    for (const std::string& file : names) {
      progress({"reading", done++, total});
      append(folder + "/" + file, layout, split);
      used.push_back(file);
    }
    const auto rows = static_cast<int64_t>(split.y.bytes.size() / sizeof(int32_t));
    split.x.shape = {rows, static_cast<int64_t>(kSide), static_cast<int64_t>(kSide),
                     static_cast<int64_t>(kChannels)};
    split.y.shape = {rows};
  }
  data.class_names = class_names(folder + "/" + layout.names_file, layout.classes);
  data.sha256 = sha256_of_files(folder, used);
  return data;
}

std::string folder_of(const std::string& path, const Layout& layout) {
  if (!std::filesystem::is_directory(path)) {
    fail(ErrorKind::kData, "{}: is no folder (unpack the archive first, then give its folder)",
         path);
  }
  const std::string inner = path + "/" + layout.inner_folder;
  return std::filesystem::is_directory(inner) ? inner : path;
}

}  // namespace

SourceData read_cifar10_source(const PrepareOptions& options, const ProgressFunction& progress) {
  const std::string folder = folder_of(options.path, kCifar10);
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) files["train"].push_back(name);
    if (name == "test_batch.bin") files["test"].push_back(name);
  }
  if (files.empty()) {
    fail(ErrorKind::kData, "{}: no data_batch_1.bin or test_batch.bin here", folder);
  }
  std::sort(files["train"].begin(), files["train"].end());
  SourceData data = read_cifar(folder, files, kCifar10, progress);
  if (files["train"].size() != 5 || files["test"].empty()) {
    data.notes.push_back(fmt::format("{} of 5 training batches and {} test batch",
                                     files["train"].size(), files["test"].empty() ? "no" : "the"));
  }
  return data;
}

SourceData read_cifar100_source(const PrepareOptions& options, const ProgressFunction& progress) {
  const std::string folder = folder_of(options.path, kCifar100);
  Files files;
  for (const char* split : {"train", "test"}) {
    const std::string name = fmt::format("{}.bin", split);
    if (std::filesystem::exists(folder + "/" + name)) files[split] = {name};
  }
  if (files.empty()) fail(ErrorKind::kData, "{}: no train.bin or test.bin here", folder);
  return read_cifar(folder, files, kCifar100, progress);
}

}  // namespace mica::data
