#include "data/file_rows.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/io/hdf5_offset.h"

namespace mica::data {

bool FileRows::can_read(const std::string& path, const std::string& name) {
  return hdf5_offset(path, name).has_value();
}

FileRows::FileRows(const std::string& path, const std::string& name, int64_t count,
                   int64_t row_bytes)
    : path_(path), row_bytes_(row_bytes) {
  const std::optional<int64_t> offset = hdf5_offset(path, name);
  if (!offset) {
    fail(ErrorKind::kData,
         "{}: {} is not stored in one piece, so it cannot be read row by row; prepare the data "
         "again, or read it whole (data.cache: ram)",
         path, name);
  }
  offset_ = *offset;
  struct stat status = {};
  const bool found = ::stat(path.c_str(), &status) == 0;
  const int64_t room = found ? (static_cast<int64_t>(status.st_size) - offset_) : 0;
  if (count * row_bytes > room) {
    fail(ErrorKind::kData, "{}: {} tells of {} bytes, more than the file has", path, name,
         count * row_bytes);
  }
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail(ErrorKind::kData, "{}: cannot read: {}", path, std::strerror(errno));
}

FileRows::~FileRows() { ::close(descriptor_); }

void FileRows::read(int64_t begin, std::span<std::byte> out) const {
  int64_t at = offset_ + begin * row_bytes_;
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ErrorKind::kData, "{}: cannot read: {}", path_, std::strerror(errno));
    if (got == 0) fail(ErrorKind::kData, "{}: was cut short while it was read", path_);
    at += got;
    out = out.subspan(static_cast<size_t>(got));
  }
}

void FileRows::will_need(int64_t begin, int64_t count) const {
  // Advice: that it was not taken shows as waiting, never as wrong data.
  ::posix_fadvise(descriptor_, offset_ + begin * row_bytes_, count * row_bytes_,
                  POSIX_FADV_WILLNEED);
}

}  // namespace mica::data
