#include "data/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

#include "core/base/error.h"
#include "data/sha256.h"

namespace mica::data {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kShownOfAnError = 100;  // bytes of an error page
// However far each gets: a server that breaks off after every few bytes is none.
constexpr int64_t kMostAttempts = 1000;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// PATH.part, held by one process at a time.
class Part {
 public:
  explicit Part(const std::string& path) : path_(path + ".part") {
    // Whoever held the lock may have renamed the file in the meantime: then it is no longer ours.
    do {
      if (descriptor_ >= 0) ::close(descriptor_);
      descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (descriptor_ < 0) fail_with("write", errno);
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        ::close(descriptor_);
        fail(ErrorKind::kData, "{}: another process is downloading it", path_);
      }
    } while (!is_the_file());
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() {
    if (!done_ && size() == 0) ::unlink(path_.c_str());
    ::close(descriptor_);
  }

  const std::string& path() const { return path_; }
  int64_t size() const {
    struct stat status = {};
    return ::fstat(descriptor_, &status) == 0 ? status.st_size : 0;
  }
  void clear() {
    if (::ftruncate(descriptor_, 0) != 0) fail_with("write", errno);
  }
  /// 0, or the system's error.
  int append(const char* bytes, size_t count) {
    if (::lseek(descriptor_, 0, SEEK_END) < 0) return errno;
    while (count > 0) {
      const ssize_t written = ::write(descriptor_, bytes, count);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      bytes += written;
      count -= static_cast<size_t>(written);
    }
    return 0;
  }
  /// On disk under its own name when this returns.
  void rename_to(const std::string& path) {
    if (::fsync(descriptor_) != 0) fail_with("write", errno);
    if (::rename(path_.c_str(), path.c_str()) != 0) fail_with("rename", errno);
    done_ = true;
    const std::string folder = std::filesystem::path(path).parent_path().string();
    const int handle = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (handle < 0) return;
    ::fsync(handle);
    ::close(handle);
  }
  [[noreturn]] void fail_with(const char* action, int number) const {
    fail(ErrorKind::kData, "{}: cannot {}: {}", path_, action, std::strerror(number));
  }

 private:
  bool is_the_file() const {
    struct stat here = {}, there = {};
    return ::fstat(descriptor_, &here) == 0 && ::stat(path_.c_str(), &there) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
  }

  std::string path_;
  int descriptor_ = -1;
  bool done_ = false;
};

/// What is said of an answer: bytes of anyone, fit for a terminal.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) >= 127) c = ' ';
  }
  const auto both_blank = [](char a, char b) { return a == ' ' && b == ' '; };
  text.erase(std::unique(text.begin(), text.end(), both_blank), text.end());
  return text;
}

/// The number that the text begins with; -1 if there is none.
int64_t number_in(std::string_view text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? value : -1;
}

/// What follows the first of these characters; "" without one.
std::string_view after(std::string_view text, char mark) {
  const size_t at = text.find(mark);
  return at == text.npos ? std::string_view() : text.substr(at + 1);
}

/// One request and what came back.
struct Transfer {
  const Download& file;
  Part& part;
  const std::function<void()>& progress;
  int64_t from = 0;  // first byte asked for

  // Of the last answer's header.
  int64_t status = 0;
  std::string reason{};
  std::string type{};
  std::string range{};
  int64_t length = -1;

  bool begun = false;    // a byte of the body has come
  bool refused = false;  // the answer is not what was asked for; `problem` says why
  std::string problem{};
  int disk_error = 0;
  std::string page{};  // the beginning of an error page

  bool is_error() const { return status != 200 && status != 206; }

  /// Whether the body may be kept.
  bool accept() {
    begun = true;
    if (is_error()) return true;  // to be shown
    if (status == 206) {
      // "bytes 100-199/200", or * for a total that is not known.
      if (number_in(after(range, ' ')) != from) {
        return refuse(fmt::format("sent another range ({})", printable(range)));
      }
      const int64_t total = number_in(after(range, '/'));
      return total < 0 || total == file.bytes || refuse_size(total);
    }
    if (length >= 0 && length != file.bytes) return refuse_size(length);
    part.clear();  // the server sends all of it, asked for a range or not
    from = 0;
    return true;
  }

  bool refuse(std::string why) {
    refused = true;
    problem = std::move(why);
    return false;
  }
  bool refuse_size(int64_t size) {
    return refuse(fmt::format("has {} bytes{}, wanted {}", size,
                              type.empty() ? "" : " (" + printable(type) + ")", file.bytes));
  }

  bool take(const char* bytes, size_t count) {
    if (!begun && !accept()) return false;
    if (is_error()) {
      page.append(bytes, std::min(count, kShownOfAnError - std::min(page.size(), kShownOfAnError)));
      return page.size() < kShownOfAnError;
    }
    if (part.size() + static_cast<int64_t>(count) > file.bytes) {
      part.clear();
      return refuse(fmt::format("sends more than the {} bytes wanted", file.bytes));
    }
    disk_error = part.append(bytes, count);
    if (disk_error != 0) return false;
    progress();
    return true;
  }

  void header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      // The next answer of a chain of redirections.
      reason.clear(), type.clear(), range.clear(), length = -1;
      const std::string_view answer = after(line.substr(0, line.find_first_of("\r\n")), ' ');
      status = number_in(answer);
      reason = after(answer, ' ');
      return;
    }
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    value = value.substr(0, value.find_first_of("\r\n"));
    if (name == "content-type") type = value;
    if (name == "content-range") range = value;
    if (name == "content-length") length = number_in(value);
  }

  std::string error_text() const {
    std::string text =
        fmt::format("answered {}{}{}", status, reason.empty() ? "" : " ", printable(reason));
    if (!type.empty()) text += ", " + printable(type);
    if (!page.empty()) text += fmt::format(": '{}'", printable(page));
    return text;
  }
};

size_t on_header(char* bytes, size_t size, size_t count, void* transfer) {
  static_cast<Transfer*>(transfer)->header(std::string_view(bytes, size * count));
  return size * count;
}

size_t on_body(char* bytes, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->take(bytes, size * count) ? size * count : 0;
}

CURL* new_handle() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL* curl = started == CURLE_OK ? curl_easy_init() : nullptr;
  if (curl == nullptr) fail(ErrorKind::kRuntime, "cannot start libcurl");
  return curl;
}

enum class Verdict { kWhole, kTryAgain, kNextMirror };

struct Outcome {
  Verdict verdict;
  std::string problem;
};

/// `connected`: the server was reached, through the proxy if there is one.
Outcome judge(const Transfer& transfer, CURLcode code, const char* message, bool connected) {
  if (transfer.disk_error != 0) transfer.part.fail_with("write", transfer.disk_error);
  if (transfer.refused) return {Verdict::kNextMirror, transfer.problem};
  const bool answered = transfer.status > 0;
  if (answered && transfer.is_error()) {
    const bool busy = transfer.status >= 500 || transfer.status == 429 || transfer.status == 408;
    const bool bad_range = transfer.status == 416;
    if (bad_range) transfer.part.clear();
    return {busy || bad_range ? Verdict::kTryAgain : Verdict::kNextMirror, transfer.error_text()};
  }
  const int64_t have = transfer.part.size();
  if (have == transfer.file.bytes) return {Verdict::kWhole, ""};
  const std::string why = *message != '\0' ? message : curl_easy_strerror(code);
  if (answered) {
    const std::string ended =
        fmt::format("broke off after {} of {} bytes", have, transfer.file.bytes);
    return {Verdict::kTryAgain, code == CURLE_OK ? ended : fmt::format("{}: {}", ended, why)};
  }
  return {connected ? Verdict::kTryAgain : Verdict::kNextMirror, printable(why)};
}

/// Asks one server once for what is missing.
Outcome request(const std::string& url, const Download& file, Part& part,
                const std::function<void()>& progress, const DownloadLimits& limits) {
  Transfer transfer{.file = file, .part = part, .progress = progress, .from = part.size()};
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(new_handle(), curl_easy_cleanup);
  CURL* curl = handle.get();
  char message[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "mica");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, std::lround(1e3 * limits.connect_seconds));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, std::max(1L, std::lround(limits.stall_seconds)));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  const std::string range = fmt::format("{}-", transfer.from);
  if (transfer.from > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  const CURLcode code = curl_easy_perform(curl);
  curl_off_t connected = 0;  // microseconds
  curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected);
  return judge(transfer, code, message, connected > 0);
}

/// Tries one mirror until the file is whole and right; else says what is wrong with it.
std::string try_mirror(const std::string& url, const Download& file, Part& part,
                       const std::function<void()>& progress, const DownloadLimits& limits) {
  int64_t furthest = part.size(), idle = 0;
  bool own = furthest == 0;  // all bytes are of this mirror
  for (int64_t attempt = 0; attempt < kMostAttempts; ++attempt) {
    const int64_t before = part.size();
    Outcome outcome = {Verdict::kWhole, ""};
    if (before < file.bytes) outcome = request(url, file, part, progress, limits);
    if (outcome.verdict == Verdict::kNextMirror) return outcome.problem;
    if (outcome.verdict == Verdict::kWhole) {
      const std::string digest = sha256_of_file(part.path());
      if (digest == file.sha256) return "";
      part.clear();
      if (own) return fmt::format("has sha256 {}, wanted {}", digest, file.sha256);
      // What an earlier process or another mirror left may be at fault.
      own = true;
      furthest = 0;
      continue;
    }
    if (part.size() > furthest) {
      furthest = part.size();
      idle = 0;
    }
    if (++idle >= limits.attempts) return outcome.problem;
    const double pause = limits.pause_seconds * static_cast<double>(int64_t{1} << (idle - 1));
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
  }
  return "breaks off again and again";
}

}  // namespace

void download(const Download& file, const DownloadProgressFunction& progress,
              const DownloadLimits& limits) {
  Part part(file.path);
  if (part.size() > file.bytes) part.clear();
  const Clock::time_point start = Clock::now();
  const int64_t before = part.size();
  const std::function<void()> report = [&] {
    const int64_t size = part.size();
    const double seconds = seconds_since(start);
    const bool known = seconds > 0.2 && size > before;
    if (progress) {
      progress({size, file.bytes, known ? static_cast<double>(size - before) / seconds : 0});
    }
  };
  report();
  std::string problems;
  for (const std::string& url : file.urls) {
    const std::string problem = try_mirror(url, file, part, report, limits);
    if (problem.empty()) {
      part.rename_to(file.path);
      return;
    }
    problems += fmt::format("\n  {}: {}", url, problem);
  }
  fail(ErrorKind::kData, "{}: cannot be downloaded:{}", file.path,
       problems.empty() ? "\n  no URL is known" : problems);
}

}  // namespace mica::data
