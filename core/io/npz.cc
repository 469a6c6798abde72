#include <zip.h>

#include <memory>
#include <string_view>

#include "core/io/file.h"
#include "core/io/npy.h"

namespace mica {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr time_t kDate = 315532800;  // 1980-01-01, the first date a zip file can hold

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

HostTensor read_member(zip_t* archive, zip_uint64_t index, const std::string& path) {
  zip_stat_t status = {};
  if (zip_stat_index(archive, index, 0, &status) != 0) {
    fail(ErrorKind::kData, "{}: damaged zip archive: {}", path, zip_strerror(archive));
  }
  const std::string where = fmt::format("{}: {}", path, status.name);
  const std::unique_ptr<zip_file_t, Discard> file(zip_fopen_index(archive, index, 0));
  if (!file) fail(ErrorKind::kData, "{}: {}", where, zip_strerror(archive));
  std::vector<std::byte> bytes(status.size);
  zip_uint64_t done = 0;
  while (done < status.size) {
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + done, status.size - done);
    if (got <= 0) {
      fail(ErrorKind::kData, "{}: damaged or cut off: {}", where, zip_file_strerror(file.get()));
    }
    done += static_cast<zip_uint64_t>(got);
  }
  // The checksum is compared when the end is reached.
  std::byte more{};
  const zip_int64_t beyond = zip_fread(file.get(), &more, 1);
  if (beyond > 0) fail(ErrorKind::kData, "{}: damaged: longer than it says", where);
  if (beyond < 0) {
    fail(ErrorKind::kData, "{}: damaged: {}", where, zip_file_strerror(file.get()));
  }
  return parse_npy(bytes, where);
}

void add_member(zip_t* archive, const std::string& name, const std::vector<std::byte>& bytes,
                bool compress, const std::string& path) {
  zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
  const zip_int64_t index =
      source == nullptr ? -1 : zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail(ErrorKind::kRuntime, "{}: {}: {}", path, name, zip_strerror(archive));
  }
  const auto added = static_cast<zip_uint64_t>(index);
  zip_set_file_compression(archive, added, compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  zip_file_set_mtime(archive, added, kDate, 0);
}

std::vector<std::byte> bytes_of(zip_source_t* source, const std::string& path) {
  zip_stat_t status = {};
  if (zip_source_stat(source, &status) != 0 || zip_source_open(source) != 0) {
    fail(ErrorKind::kRuntime, "{}: cannot read the archive back", path);
  }
  std::vector<std::byte> bytes(status.size);
  const zip_int64_t got = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (got != static_cast<zip_int64_t>(bytes.size())) {
    fail(ErrorKind::kRuntime, "{}: cannot read the archive back", path);
  }
  return bytes;
}

}  // namespace

std::map<std::string, HostTensor> read_npz(const std::string& path) {
  const std::vector<std::byte> content = read_file(path);
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(content.data(), content.size(), 0, &error);
  const Archive archive(source == nullptr
                            ? nullptr
                            : zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (!archive) {
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    zip_source_free(source);
    fail(ErrorKind::kData, "{}: is no .npz file, or damaged or cut off: {}", path, reason);
  }
  std::map<std::string, HostTensor> arrays;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    std::string name = zip_get_name(archive.get(), i, 0);
    if (!name.ends_with(kSuffix)) continue;
    name.resize(name.size() - kSuffix.size());
    arrays[name] = read_member(archive.get(), i, path);
  }
  if (arrays.empty()) fail(ErrorKind::kData, "{}: no arrays in it", path);
  return arrays;
}

void write_npz(const std::string& path, const std::map<std::string, HostTensor>& arrays,
               bool compress) {
  zip_error_t error;
  zip_error_init(&error);
  const std::unique_ptr<zip_source_t, Discard> source(
      zip_source_buffer_create(nullptr, 0, 0, &error));
  MICA_ASSERT(source != nullptr);
  zip_source_keep(source.get());  // one reference goes to the archive, one stays here
  Archive archive(zip_open_from_source(source.get(), ZIP_TRUNCATE, &error));
  MICA_ASSERT(archive != nullptr);
  std::vector<std::vector<std::byte>> members;  // must live until the archive is closed
  members.reserve(arrays.size());
  for (const auto& [name, tensor] : arrays) {
    members.push_back(format_npy(tensor));
    add_member(archive.get(), name + std::string(kSuffix), members.back(), compress, path);
  }
  if (zip_close(archive.get()) != 0) {
    fail(ErrorKind::kRuntime, "{}: {}", path, zip_strerror(archive.get()));
  }
  static_cast<void>(archive.release());
  write_file(path, bytes_of(source.get(), path));
}

}  // namespace mica
