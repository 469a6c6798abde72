// The binary version of CIFAR-10 and CIFAR-100: https://www.cs.toronto.edu/~kriz/cifar.html
//
// A record is one label (CIFAR-100: the coarse, then the fine one) and 32 x 32 bytes of red, green
// and blue.
#include "data/sources/cifar.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace mica::data {
namespace {

constexpr size_t kSide = 32;
constexpr size_t kPlane = kSide * kSide;
constexpr size_t kChannels = 3;

/// Appends the records of one file.
void append(const std::string& path, const std::vector<std::byte>& bytes, const CifarLayout& layout,
            Split& split) {
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
    const auto label = static_cast<int32_t>(at[layout.label_at]);
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

std::vector<std::string> class_names(const Folder& folder, const CifarLayout& layout) {
  std::vector<std::string> names;
  if (folder.has(layout.names_file)) {
    const std::vector<std::byte> bytes = folder.read(layout.names_file);
    std::string name;
    for (const std::byte byte : bytes) {
      const char c = static_cast<char>(byte);
      if (c != '\n' && c != '\r') name += c;
      if (c == '\n' && !name.empty()) names.push_back(std::exchange(name, ""));
    }
    if (!name.empty()) names.push_back(name);
  }
  if (names.empty()) return numbered_names(layout.classes);
  if (static_cast<int64_t>(names.size()) != layout.classes) {
    fail(ErrorKind::kData, "{}: {} class names, wanted {}", folder.place_of(layout.names_file),
         names.size(), layout.classes);
  }
  return names;
}

}  // namespace

SourceData read_cifar(const Folder& folder, const CifarFiles& files, const CifarLayout& layout,
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
      append(folder.place_of(file), folder.read(file), layout, split);
      used.push_back(file);
    }
    const auto rows = static_cast<int64_t>(split.y.bytes.size() / sizeof(int32_t));
    split.x.shape = {rows, static_cast<int64_t>(kSide), static_cast<int64_t>(kSide),
                     static_cast<int64_t>(kChannels)};
    split.y.shape = {rows};
  }
  data.class_names = class_names(folder, layout);
  data.sha256 = folder.sha256(used);
  return data;
}

SourceData read_cifar10_source(const PrepareOptions& options, const ProgressFunction& progress) {
  constexpr CifarLayout kLayout = {1, 0, 10, "batches.meta.txt"};
  const Folder folder(options.path, "cifar-10-batches-bin");
  CifarFiles files;
  for (const std::string& name : folder.names()) {
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) files["train"].push_back(name);
    if (name == "test_batch.bin") files["test"].push_back(name);
  }
  if (files.empty()) {
    fail(ErrorKind::kData, "{}: no data_batch_1.bin or test_batch.bin here", folder.path());
  }
  SourceData data = read_cifar(folder, files, kLayout, progress);
  if (files["train"].size() != 5 || files["test"].empty()) {
    data.notes.push_back(fmt::format("{} of 5 training batches and {} test batch",
                                     files["train"].size(), files["test"].empty() ? "no" : "the"));
  }
  return data;
}

}  // namespace mica::data
