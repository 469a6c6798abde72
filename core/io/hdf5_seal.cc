#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "core/io/hdf5_source.h"
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

/// CRC of `size` bytes, of which part(begin, end, crc) gives that of a piece.
template <class Part>
uint32_t checksum(int64_t size, const Part& part) {
  std::vector<uLong> parts(static_cast<size_t>((size + kChunk - 1) / kChunk));
  parallel_for(size, kChunk, [&](int64_t begin, int64_t end) {
    parts[static_cast<size_t>(begin / kChunk)] = part(begin, end);
  });
  uLong crc = crc32_z(0, nullptr, 0);
  for (size_t i = 0; i < parts.size(); ++i) {
    crc = crc32_combine(crc, parts[i], std::min(kChunk, size - static_cast<int64_t>(i) * kChunk));
  }
  return static_cast<uint32_t>(crc);
}

uLong crc_of(const std::byte* bytes, size_t size) {
  return crc32_z(0, reinterpret_cast<const Bytef*>(bytes), size);
}

/// Reads without mapping, so that a large file does not count as memory of this process.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0 || ::fstat(descriptor_, &status_) != 0) fail_read();
  }
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  const struct stat& status() const { return status_; }
  int64_t size() const { return status_.st_size; }
  void read(int64_t begin, void* out, size_t size) const {
    auto* to = static_cast<std::byte*>(out);
    while (size > 0) {
      const ssize_t got = ::pread(descriptor_, to, size, begin);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_read();
      if (got == 0) fail(ErrorKind::kData, "{}: was cut short while it was read", path_);
      to += got;
      begin += got;
      size -= static_cast<size_t>(got);
    }
  }

 private:
  [[noreturn]] void fail_read() const {
    fail(ErrorKind::kData, "{}: cannot read: {}", path_, std::strerror(errno));
  }

  std::string path_;
  int descriptor_ = -1;
  struct stat status_ = {};
};

/// What tells one state of a file from the next.
using FileState = std::array<int64_t, 5>;

FileState state_of(const struct stat& status) {
  return {static_cast<int64_t>(status.st_dev), static_cast<int64_t>(status.st_ino),
          static_cast<int64_t>(status.st_size),
          status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

/// Large files whose seal held, so that opening one again does not read it again.
class Checked {
 public:
  bool has(const FileState& state) {
    const std::scoped_lock lock(mutex_);
    return std::find(states_.begin(), states_.end(), state) != states_.end();
  }
  void add(const FileState& state) {
    const std::scoped_lock lock(mutex_);
    states_.push_back(state);
  }

 private:
  std::mutex mutex_;
  std::vector<FileState> states_;
};
constexpr int64_t kLarge = int64_t{256} << 20;

Checked& checked() {
  static Checked files;
  return files;
}

}  // namespace

std::string make_seal(std::span<const std::byte> image) {
  Seal seal;
  seal.bytes = image.size();
  seal.crc = checksum(static_cast<int64_t>(image.size()), [&](int64_t begin, int64_t end) {
    return crc_of(image.data() + begin, static_cast<size_t>(end - begin));
  });
  return {reinterpret_cast<const char*>(&seal), sizeof(seal)};
}

bool has_good_seal(const std::string& path) {
  const OpenFile file(path);
  const int64_t before = file.size() - static_cast<int64_t>(sizeof(Seal));
  if (before < 0) return false;
  Seal seal;
  file.read(before, &seal, sizeof(Seal));
  if (std::memcmp(seal.mark, Seal().mark, sizeof(seal.mark)) != 0) return false;
  const FileState state = state_of(file.status());
  if (before >= kLarge && checked().has(state)) return true;
  const uint32_t crc = checksum(before, [&](int64_t begin, int64_t end) {
    std::vector<std::byte> bytes(static_cast<size_t>(end - begin));
    file.read(begin, bytes.data(), bytes.size());
    return crc_of(bytes.data(), bytes.size());
  });
  if (seal.bytes == static_cast<uint64_t>(before) && seal.crc == crc) {
    if (before >= kLarge) checked().add(state);
    return true;
  }
  fail(ErrorKind::kData,
       "{}: damaged: {} bytes of CRC {:08x}, wanted {} of {:08x}. (Another program that changed it "
       "in place has the same effect; h5repack makes a file without Mica's seal.)",
       path, before, crc, seal.bytes, seal.crc);
}

}  // namespace mica
