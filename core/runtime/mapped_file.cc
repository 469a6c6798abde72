#include "core/runtime/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>

#include "core/base/error.h"

namespace mica {

/// Where a file lies, for the signal handler: part of a list that only grows, whose free entries
/// (begin == 0) are taken again.
struct MappedRange {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> lost{false};
  std::string path;  // for those who hold the mutex
  MappedRange* next = nullptr;
};

namespace detail {
std::atomic<int> lost_files{0};
}

namespace {

std::atomic<MappedRange*> ranges{nullptr};
std::mutex ranges_mutex;
struct sigaction earlier_action;

/// Puts zeros in place of everything from the page of `address` on. Calls only what a signal
/// handler may.
bool replace_lost_pages(uintptr_t address) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGE_SIZE));
  for (MappedRange* range = ranges.load(); range != nullptr; range = range->next) {
    const uintptr_t begin = range->begin.load();
    const uintptr_t end = range->end.load();
    if (begin == 0 || address < begin || address >= end) continue;
    const uintptr_t from = address / page * page;
    void* zeros = ::mmap(reinterpret_cast<void*>(from), end - from, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) return false;
    if (!range->lost.exchange(true)) detail::lost_files.fetch_add(1);
    return true;
  }
  return false;
}

void on_bus_error(int, siginfo_t* info, void*) {
  const int error_number = errno;
  // Not ours: with the earlier action back in place, the same fault comes again and finds it.
  if (!replace_lost_pages(reinterpret_cast<uintptr_t>(info->si_addr))) {
    ::sigaction(SIGBUS, &earlier_action, nullptr);
  }
  errno = error_number;
}

void install_handler() {
  static const bool once = [] {
    struct sigaction action = {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    return ::sigaction(SIGBUS, &action, &earlier_action) == 0;
  }();
  static_cast<void>(once);
}

MappedRange* take_range(const std::string& path, uintptr_t begin, uintptr_t end) {
  const std::lock_guard lock(ranges_mutex);
  MappedRange* range = ranges.load();
  while (range != nullptr && range->begin.load() != 0) range = range->next;
  if (range == nullptr) {
    range = std::make_unique<MappedRange>().release();  // stays, as handlers may look at it
    range->next = ranges.load();
    ranges.store(range);
  }
  range->path = path;
  range->lost.store(false);
  range->end.store(end);
  range->begin.store(begin);
  return range;
}

void give_range(MappedRange* range) {
  const std::lock_guard lock(ranges_mutex);
  range->begin.store(0);
  if (range->lost.load()) detail::lost_files.fetch_sub(1);
}

std::string reason(int error_number) { return std::generic_category().message(error_number); }

}  // namespace

namespace detail {

void throw_lost_file() {
  std::string path = "a file";
  {
    const std::lock_guard lock(ranges_mutex);
    for (MappedRange* range = ranges.load(); range != nullptr; range = range->next) {
      if (range->begin.load() != 0 && range->lost.load()) path = range->path;
    }
  }
  fail(ErrorKind::kData,
       "{}: cut short or unreadable since it was loaded: values of its arrays are lost. Drop them "
       "and load the file again",
       path);
}

}  // namespace detail

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) fail(ErrorKind::kData, "{}: cannot open: {}", path, reason(errno));
  struct stat status = {};
  const bool regular = ::fstat(opened, &status) == 0 && S_ISREG(status.st_mode);
  const auto bytes = static_cast<size_t>(regular ? status.st_size : 0);
  void* data = nullptr;
  int error_number = 0;
  if (bytes > 0) {
    data = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, opened, 0);
    error_number = errno;
  }
  ::close(opened);
  if (!regular) fail(ErrorKind::kData, "{}: is a folder or no regular file, wanted a file", path);
  if (data == MAP_FAILED) fail(ErrorKind::kData, "{}: cannot map: {}", path, reason(error_number));

  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  if (data == nullptr) return file;
  install_handler();
  const auto begin = reinterpret_cast<uintptr_t>(data);
  file->bytes_ = {static_cast<const std::byte*>(data), bytes};
  file->range_ = take_range(path, begin, begin + bytes);
  return file;
}

MappedFile::~MappedFile() {
  if (range_ == nullptr) return;
  give_range(range_);
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace mica
