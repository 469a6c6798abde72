#include <string_view>

#include "core/io/array_io.h"
#include "core/io/file.h"
#include "core/io/npy.h"
#include "core/io/npy_header.h"
#include "core/io/zip.h"

namespace mica {
namespace {

constexpr std::string_view kSuffix = ".npy";

/// The arrays of an archive: members of other kinds are left out.
template <class Visit>
void for_arrays(std::span<const std::byte> archive, const std::string& path, const Visit& visit) {
  bool any = false;
  for (const ZipMember& member : list_zip(archive, path)) {
    if (!member.name.ends_with(kSuffix)) continue;
    any = true;
    visit(member.name.substr(0, member.name.size() - kSuffix.size()), member,
          path + ": " + member.name);
  }
  if (!any) fail(ErrorKind::kData, "{}: no arrays in it", path);
}

/// Unpacks no more than the header, which may have any length.
StoredTensor read_header(const ZipMember& member, const std::string& where) {
  std::vector<std::byte> start = unzip_start(member, 1024, where);
  const size_t size = npy_header_size(start, where);
  if (size > start.size()) start = unzip_start(member, size, where);
  const StoredTensor stored = parse_npy_header(start, where);
  check_npy_size(stored, member.size - size, where);
  return stored;
}

Array stored_array(const std::shared_ptr<const MappedFile>& file, const ZipMember& member,
                   const std::string& where) {
  const StoredTensor stored = parse_npy_header(member.packed, where);
  return map_array(stored, file, npy_values(stored, member.packed, where));
}

Array deflated_array(const std::shared_ptr<const MappedFile>& file, const ZipMember& member,
                     const std::string& where) {
  const StoredTensor stored = read_header(member, where);
  return defer_array(stored.spec, [file, member, stored, where](std::byte* out) {
    std::vector<std::byte> content(member.size);
    unzip(member, content, where);
    check_mapped_files();
    decode(stored, npy_values(stored, content, where), out);
  });
}

}  // namespace

std::map<std::string, HostTensor> read_npz(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  std::map<std::string, HostTensor> arrays;
  for_arrays(file->bytes(), path,
             [&](const std::string& name, const ZipMember& member, const std::string& where) {
               std::vector<std::byte> content(member.size);
               unzip(member, content, where);
               arrays[name] = parse_npy(content, where);
             });
  check_mapped_files();
  return arrays;
}

std::map<std::string, Array> load_npz(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  std::map<std::string, Array> arrays;
  for_arrays(file->bytes(), path,
             [&](const std::string& name, const ZipMember& member, const std::string& where) {
               arrays[name] = member.deflated ? deflated_array(file, member, where)
                                              : stored_array(file, member, where);
             });
  check_mapped_files();
  return arrays;
}

void write_npz(const std::string& path, const std::map<std::string, HostTensor>& arrays,
               bool compress) {
  AtomicFile file(path);
  ZipWriter zip(file);
  for (const auto& [name, tensor] : arrays) {
    zip.add(name + std::string(kSuffix), npy_header({tensor.shape, tensor.dtype}), tensor.bytes,
            compress);
  }
  zip.finish();
  file.commit();
}

void save_npz(const std::string& path, const std::map<std::string, Array>& arrays, bool compress) {
  AtomicFile file(path);
  ZipWriter zip(file);
  for (const auto& [name, array] : arrays) {
    zip.add(name + std::string(kSuffix), npy_header({array.shape(), array.dtype()}),
            array.to_bytes(), compress);
  }
  zip.finish();
  file.commit();
}

}  // namespace mica
