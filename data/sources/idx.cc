// The IDX files of MNIST, Fashion-MNIST, KMNIST, EMNIST: http://yann.lecun.com/exdb/mnist
//
// Two zero bytes, one for the element type, one for the number of axes, then the length of each
// axis as a big-endian 32-bit number, then the values.
#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "data/gzip.h"
#include "data/sha256.h"
#include "data/source.h"

namespace mica::data {
namespace {

constexpr int kUnsignedByte = 0x08;
constexpr int64_t kDigits = 10;
// https://github.com/zalandoresearch/fashion-mnist#labels
constexpr const char* kClothes[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

struct Idx {
  Shape shape;
  std::vector<std::byte> bytes;
  size_t values_at = 0;
};

Idx read_idx(const std::string& path, size_t axes, const char* what) {
  Idx idx;
  idx.bytes = read_maybe_gzip(path);
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(idx.bytes[i]); };
  idx.values_at = 4 + 4 * axes;
  const uint32_t wanted = (kUnsignedByte << 8) | static_cast<uint32_t>(axes);
  if (idx.bytes.size() < 4) fail(ErrorKind::kData, "{}: is empty, wanted {}", path, what);
  const uint32_t magic = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
  if (magic != wanted) {
    fail(ErrorKind::kData, "{}: magic number 0x{:08x}, wanted 0x{:08x} ({})", path, magic, wanted,
         what);
  }
  if (idx.bytes.size() < idx.values_at) fail(ErrorKind::kData, "{}: cut off in its header", path);
  int64_t elements = 1;
  bool overflow = false;
  for (size_t axis = 0; axis < axes; ++axis) {
    const size_t at = 4 + 4 * axis;
    const uint32_t length = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    idx.shape.push_back(length);
    overflow |= __builtin_mul_overflow(elements, static_cast<int64_t>(length), &elements);
  }
  const auto found = static_cast<int64_t>(idx.bytes.size() - idx.values_at);
  if (overflow || found != elements) {
    fail(ErrorKind::kData, "{}: the header says {} = {} bytes, but {} follow", path,
         fmt::join(idx.shape, " x "), overflow ? std::string("too many") : std::to_string(elements),
         found);
  }
  return idx;
}

Split read_pair(const std::string& images_path, const std::string& labels_path, int64_t classes) {
  Idx images = read_idx(images_path, 3, "unsigned bytes with 3 axes: images");
  const Idx labels = read_idx(labels_path, 1, "unsigned bytes with 1 axis: labels");
  if (images.shape[0] != labels.shape[0]) {
    fail(ErrorKind::kData, "{}: {} images, but {} labels in {}", images_path, images.shape[0],
         labels.shape[0], labels_path);
  }
  if (images.shape[0] == 0) fail(ErrorKind::kData, "{}: no images in it", images_path);
  Split split;
  split.x.dtype = Dtype::kUint8;
  split.x.shape = {images.shape[0], images.shape[1], images.shape[2], 1};
  images.bytes.erase(images.bytes.begin(),
                     images.bytes.begin() + static_cast<ptrdiff_t>(images.values_at));
  split.x.bytes = std::move(images.bytes);
  split.y = HostTensor(Dtype::kInt32, {labels.shape[0]});
  for (size_t row = 0; row < static_cast<size_t>(labels.shape[0]); ++row) {
    const auto label = static_cast<int32_t>(labels.bytes[labels.values_at + row]);
    if (label >= classes) {
      fail(ErrorKind::kData, "{}: label {} at position {} is not in 0 ... {} (see --classes)",
           labels_path, label, row, classes - 1);
    }
    split.y.as<int32_t>()[row] = label;
  }
  return split;
}

std::string split_of(const std::string& name) {
  if (name.find("t10k") != std::string::npos) return "test";
  for (const char* split : {"train", "test", "val"}) {
    if (name.find(split) != std::string::npos) return split;
  }
  return kUnsplit;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.rfind(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// The label file that belongs to an image file: the same name, compressed or not.
std::string labels_for(const std::string& folder, const std::string& images) {
  std::string name = replaced(replaced(images, "images", "labels"), "idx3", "idx1");
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const std::string& candidate : {name, name + ".gz"}) {
    if (std::filesystem::exists(folder + "/" + candidate)) return candidate;
  }
  fail(ErrorKind::kData, "{}/{}: its labels, {}[.gz], are missing", folder, images, name);
}

/// Image files by split; a plain file goes before its compressed twin.
std::map<std::string, std::string> image_files(const std::string& folder) {
  std::map<std::string, std::string> files;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.find("images") == std::string::npos || name.find("idx3") == std::string::npos)
      continue;
    const auto [found, added] = files.emplace(split_of(name), name);
    if (added || name == found->second + ".gz") continue;
    fail(ErrorKind::kData, "{}: {} and {} are both images of split '{}'", folder, found->second,
         name, found->first);
  }
  if (files.empty()) {
    fail(ErrorKind::kData, "{}: no IDX images here (train-images-idx3-ubyte[.gz] and its kin)",
         folder);
  }
  return files;
}

}  // namespace

SourceData read_idx_source(const PrepareOptions& options, const ProgressFunction& progress) {
  const std::string& folder = options.path;
  if (!std::filesystem::is_directory(folder)) {
    fail(ErrorKind::kData, "{}: is no folder (wanted one with train-images-idx3-ubyte[.gz])",
         folder);
  }
  const int64_t classes = options.classes > 0 ? options.classes : kDigits;
  const auto files = image_files(folder);
  SourceData data;
  std::vector<std::string> used;
  for (const auto& [split, images] : files) {
    progress(
        {"reading", static_cast<int64_t>(used.size()), 2 * static_cast<int64_t>(files.size())});
    const std::string labels = labels_for(folder, images);
    data.splits[split] = read_pair(folder + "/" + images, folder + "/" + labels, classes);
    used.insert(used.end(), {images, labels});
  }
  data.class_names = numbered_names(classes);
  data.sha256 = sha256_of_files(folder, used);
  return data;
}

SourceData read_fashion_mnist_source(const PrepareOptions& options,
                                     const ProgressFunction& progress) {
  SourceData data = read_idx_source(options, progress);
  if (data.class_names.size() == std::size(kClothes)) {
    data.class_names.assign(std::begin(kClothes), std::end(kClothes));
  }
  return data;
}

}  // namespace mica::data
