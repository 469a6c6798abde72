#include "core/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/io/file.h"
#include "core/io/safetensors_header.h"
#include "core/io/stored_array.h"

namespace mica {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kMostHeader = 100'000'000;  // as the format's own library
constexpr size_t kAlignment = 8;             // of the values

/// The order of the values: by falling element size, so that each tensor is aligned, then by name.
std::vector<std::pair<std::string, Array>> in_file_order(
    const std::map<std::string, Array>& arrays) {
  std::vector<std::pair<std::string, Array>> sorted(arrays.begin(), arrays.end());
  std::ranges::stable_sort(sorted, std::greater<>(),
                           [](const auto& entry) { return size_of(entry.second.dtype()); });
  return sorted;
}

std::string format_header(const std::vector<std::pair<std::string, Array>>& arrays,
                          const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kSafetensorsMetadata] = metadata;
  uint64_t at = 0;
  for (const auto& [name, array] : arrays) {
    if (name == kSafetensorsMetadata) {
      fail("[save_safetensors] no array may be named {}, which holds the metadata", name);
    }
    const Shape& shape = array.shape();
    const uint64_t end = at + byte_count(shape, array.dtype()).value();
    header[name] = {{"dtype", safetensors_name(array.dtype())},
                    {"shape", std::vector<int64_t>(shape.begin(), shape.end())},
                    {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  return text;
}

}  // namespace

SafetensorsFile load_safetensors(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() < kLengthBytes) {
    fail(ErrorKind::kData, "{}: is no .safetensors file: {} bytes, wanted at least 8", path,
         bytes.size());
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMostHeader) {
    fail(ErrorKind::kData,
         "{}: is no .safetensors file, or damaged: a header of {} bytes, at most {} are read", path,
         length, kMostHeader);
  }
  if (length > bytes.size() - kLengthBytes) {
    fail(ErrorKind::kData, "{}: cut off in the header: {} bytes, wanted {}", path, bytes.size(),
         kLengthBytes + length);
  }
  const std::span<const std::byte> values = bytes.subspan(kLengthBytes + length);
  const SafetensorsHeader header = parse_safetensors_header(
      {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length}, values.size(), path);
  check_mapped_files();
  SafetensorsFile result;
  result.metadata = header.metadata;
  for (const SafetensorsEntry& entry : header.entries) {
    StoredTensor stored;
    stored.spec = entry.spec;
    result.arrays[entry.name] =
        map_array(stored, file, values.subspan(entry.begin, entry.end - entry.begin));
  }
  return result;
}

void save_safetensors(const std::string& path, const std::map<std::string, Array>& arrays,
                      const std::map<std::string, std::string>& metadata) {
  const auto sorted = in_file_order(arrays);
  std::string header;
  try {
    header = format_header(sorted, metadata);
  } catch (const nlohmann::json::exception&) {
    fail("[save_safetensors] {}: names and metadata must be UTF-8", path);
  }
  if (header.size() > kMostHeader) {
    fail("[save_safetensors] {}: a header of {} bytes, at most {} can be read back", path,
         header.size(), kMostHeader);
  }
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const auto& [name, array] : sorted) file.write(array.to_bytes());
  file.commit();
}

}  // namespace mica
