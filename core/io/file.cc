#include "core/io/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/base/error.h"

namespace mica {
namespace {

constexpr std::string_view kMark = ".tmp.";

std::string reason(int error_number) { return std::generic_category().message(error_number); }

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// The rename itself is only on disk when the folder is.
void sync_folder(const std::string& path) {
  const int folder = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

struct Descriptor {
  int value;
  ~Descriptor() { ::close(value); }
};

}  // namespace

std::vector<std::byte> read_file(const std::string& path) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) fail(ErrorKind::kData, "{}: cannot open: {}", path, reason(errno));
  const Descriptor file{opened};
  struct stat status = {};
  if (::fstat(file.value, &status) != 0 || S_ISDIR(status.st_mode)) {
    fail(ErrorKind::kData, "{}: is a folder, wanted a file", path);
  }
  std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.value, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ErrorKind::kData, "{}: cannot read: {}", path, reason(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(fmt::format("{}{}{}", path_, kMark, ::getpid())) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) {
    fail(ErrorKind::kData, "{}: cannot write: it is a folder", path_);
  }
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ >= 0) return;
  const int error_number = errno;
  if (!std::filesystem::is_directory(folder_of(path_), ignored)) {
    fail(ErrorKind::kData, "{}: cannot write: there is no folder {}", path_, folder_of(path_));
  }
  fail(ErrorKind::kData, "{}: cannot write: {}", path_, reason(error_number));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail_with(const char* action, int error_number) {
  fail(ErrorKind::kData, "{}: cannot {}: {}", path_, action, reason(error_number));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with("write", errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail_with("write", errno);
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) fail_with("write", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with("write", errno);
  temporary_.clear();
  sync_folder(path_);
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file(const std::string& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span(text)));
}

void remove_stale_temporaries(const std::string& path) {
  const std::string prefix = std::filesystem::path(path).filename().string() + std::string(kMark);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(path), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    int process = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, process);
    if (parsed.ec != std::errc() || parsed.ptr != end) continue;
    // Signal 0 only asks whether the process is there.
    if (::kill(process, 0) == 0 || errno != ESRCH) continue;
    std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace mica
