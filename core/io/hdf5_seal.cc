#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/io/hdf5_source.h"
#include "core/runtime/mapped_file.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

// HDF5 leaves bytes behind the end that its superblock tells of alone.
struct Seal {
  char mark[8] = {'M', 'I', 'C', 'A', '\r', '\n', '\x1a', '\n'};
  uint64_t bytes = 0;  // before the seal
  uint32_t crc = 0;    // of them
  uint32_t zero = 0;
};
static_assert(sizeof(Seal) == 24);

constexpr int64_t kChunk = int64_t{4} << 20;

uint32_t checksum(std::span<const std::byte> bytes) {
  const auto size = static_cast<int64_t>(bytes.size());
  std::vector<uLong> parts(static_cast<size_t>((size + kChunk - 1) / kChunk));
  parallel_for(size, kChunk, [&](int64_t begin, int64_t end) {
    const auto* data = reinterpret_cast<const Bytef*>(bytes.data() + begin);
    parts[static_cast<size_t>(begin / kChunk)] = crc32_z(0, data, static_cast<size_t>(end - begin));
  });
  uLong crc = crc32_z(0, nullptr, 0);
  for (size_t i = 0; i < parts.size(); ++i) {
    crc = crc32_combine(crc, parts[i], std::min(kChunk, size - static_cast<int64_t>(i) * kChunk));
  }
  return static_cast<uint32_t>(crc);
}

}  // namespace

std::string make_seal(std::span<const std::byte> image) {
  Seal seal;
  seal.bytes = image.size();
  seal.crc = checksum(image);
  return {reinterpret_cast<const char*>(&seal), sizeof(seal)};
}

bool has_good_seal(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() < sizeof(Seal)) return false;
  Seal seal;
  std::memcpy(&seal, bytes.last(sizeof(Seal)).data(), sizeof(Seal));
  if (std::memcmp(seal.mark, Seal().mark, sizeof(seal.mark)) != 0) return false;
  const std::span<const std::byte> image = bytes.first(bytes.size() - sizeof(Seal));
  const uint32_t crc = checksum(image);
  check_mapped_files();
  if (seal.bytes == image.size() && seal.crc == crc) return true;
  fail(ErrorKind::kData,
       "{}: damaged: {} bytes of CRC {:08x}, wanted {} of {:08x}. (Another program that changed it "
       "in place has the same effect; h5repack makes a file without Mica's seal.)",
       path, image.size(), crc, seal.bytes, seal.crc);
}

}  // namespace mica
