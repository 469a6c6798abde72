#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <string_view>
#include <type_traits>

#include "core/io/hdf5_handle.h"
#include "core/io/hdf5_source.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MICA_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MICA_SANITIZED 1
#endif
#endif
#ifndef MICA_SANITIZED
#define MICA_SANITIZED 0
#endif

namespace mica {
namespace {

constexpr int kMostSilence = 120'000;  // milliseconds until a child that says nothing is lost
constexpr rlim_t kSeconds = 1;  // of computing for an answer, and a second more for so many bytes
constexpr rlim_t kBytesPerSecond = 10 << 20;  // of the file and of the answer
[[maybe_unused]] constexpr rlim_t kSpareMemory = rlim_t{2} << 30;
constexpr int64_t kBlock = int64_t{64} << 20;  // bytes that go through the socket at a time
constexpr uint64_t kMostMessage = uint64_t{1} << 32;

enum class Kind : uint8_t { kQuestion, kRead };

/// Numbers, texts and lists in a row of bytes.
class Message {
 public:
  Message() = default;
  explicit Message(std::string bytes) : bytes_(std::move(bytes)) {}
  const std::string& bytes() const { return bytes_; }

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void put(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T)); }
  void put_text(std::string_view text) {
    put(static_cast<uint64_t>(text.size()));
    bytes_ += text;
  }
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, part(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view take_text() { return part(take<uint64_t>()); }

 private:
  // A child that went wrong may send anything.
  std::string_view part(uint64_t count) {
    if (count > bytes_.size() - at_) fail(ErrorKind::kData, "an answer that is cut off");
    at_ += count;
    return std::string_view(bytes_).substr(at_ - count, count);
  }
  std::string bytes_;
  size_t at_ = 0;
};

void put_shape(Message& message, const Shape& shape) {
  message.put(static_cast<uint64_t>(shape.size()));
  for (const int64_t length : shape) message.put(length);
}
Shape take_shape(Message& message) {
  Shape shape;
  for (auto left = message.take<uint64_t>(); left > 0; --left) {
    shape.push_back(message.take<int64_t>());
  }
  return shape;
}

bool send_all(int socket, const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t sent = ::send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}

/// Waits at most `patience` milliseconds for each piece; -1 waits for ever.
bool receive_all(int socket, void* data, size_t bytes, int patience) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    pollfd waiting = {socket, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::recv(socket, at, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool send_message(int socket, const Message& message) {
  const uint64_t size = message.bytes().size();
  return send_all(socket, &size, sizeof(size)) &&
         send_all(socket, message.bytes().data(), message.bytes().size());
}
bool receive_message(int socket, Message& message, int patience) {
  uint64_t size = 0;
  if (!receive_all(socket, &size, sizeof(size), patience) || size > kMostMessage) return false;
  std::string bytes(size, '\0');
  if (!receive_all(socket, bytes.data(), size, patience)) return false;
  message = Message(std::move(bytes));
  return true;
}

// The child.

uint64_t file_size(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

/// The library must not take what the parent has open with it, write where the parent writes, or
/// end in the parent's handlers.
void leave_parent(int socket) {
  const rlimit no_dump = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_dump);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::signal(SIGINT, SIG_IGN);  // meant for the parent, whose end this process sees
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (int standard = 0; standard < 3; ++standard) ::dup2(nowhere, standard);
  ::close_range(3, static_cast<unsigned>(socket) - 1, 0);
  ::close_range(static_cast<unsigned>(socket) + 1, ~0u, 0);
}

void limit_memory(uint64_t file_bytes) {
#if !MICA_SANITIZED
  // Sanitizers reserve terabytes of addresses.
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const auto used = static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
  rlimit limit = {};
  ::getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, used + kSpareMemory + 2 * file_bytes);
  if (pages > 0) ::setrlimit(RLIMIT_AS, &limit);
#else
  static_cast<void>(file_bytes);
#endif
}

/// From now on; beyond it the system sends SIGXCPU.
void limit_time(uint64_t bytes) {
  rusage used = {};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1);
  rlimit limit = {};
  ::getrlimit(RLIMIT_CPU, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, seconds + kSeconds + bytes / kBytesPerSecond);
  ::setrlimit(RLIMIT_CPU, &limit);
}

/// Runs `work`, which fills the answer; what it throws is the answer otherwise.
template <class Work>
Message answer_of(const Work& work) {
  Message answer;
  answer.put(uint8_t{1});
  try {
    work(answer);
    return answer;
  } catch (const std::bad_alloc&) {
    answer = Message();
    answer.put(uint8_t{0});
    answer.put_text("wants more memory than its size explains: damaged file");
  } catch (const std::exception& error) {
    answer = Message();
    answer.put(uint8_t{0});
    answer.put_text(error.what());
  }
  return answer;
}

void answer_question(Hdf5Source& source, Message& question, Message& out) {
  const auto query = question.take<Hdf5Query>();
  const std::string object(question.take_text()), name(question.take_text());
  const Hdf5Answer answer = source.ask({query, object, name});
  out.put(answer.number);
  out.put(answer.dtype);
  put_shape(out, answer.shape);
  out.put(static_cast<uint64_t>(answer.texts.size()));
  for (const std::string& text : answer.texts) out.put_text(text);
  out.put_text({reinterpret_cast<const char*>(answer.bytes.data()), answer.bytes.size()});
}

void answer_read(Hdf5Source& source, Message& question, uint64_t file_bytes,
                 std::vector<std::byte>& values) {
  const std::string name(question.take_text());
  Spec spec;
  spec.dtype = question.take<Dtype>();
  spec.shape = take_shape(question);
  const auto begin = question.take<int64_t>(), count = question.take<int64_t>();
  values.resize(question.take<uint64_t>());
  limit_time(file_bytes + values.size());
  source.read(name, spec, begin, count, values.data());
}

[[noreturn]] void serve(const std::string& path, int socket) {
  leave_parent(socket);
  const uint64_t bytes = file_size(path);
  limit_memory(bytes);
  limit_time(bytes);
  std::unique_ptr<Hdf5Source> source;
  bool going = send_message(socket, answer_of([&](Message&) { source = open_hdf5_here(path); }));
  Message question;
  while (going && source != nullptr && receive_message(socket, question, -1)) {
    limit_time(bytes);
    std::vector<std::byte> values;
    const Message answer = answer_of([&](Message& out) {
      if (question.take<Kind>() == Kind::kQuestion)
        answer_question(*source, question, out);
      else
        answer_read(*source, question, bytes, values);
    });
    going = send_message(socket, answer) &&
            (answer.bytes()[0] == 0 || send_all(socket, values.data(), values.size()));
  }
  ::_exit(0);
}

// The parent.

class Apart final : public Hdf5Source {
 public:
  explicit Apart(const std::string& path) : path_(path) {
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) fail_start();
    // No other thread may be inside the library, whose locks the child would find taken.
    child_ = hdf5::fork_alone();
    if (child_ == 0) serve(path, sockets[1]);
    ::close(sockets[1]);
    socket_ = sockets[0];
    if (child_ < 0) {
      ::close(socket_);
      fail_start();
    }
    try {
      receive();
    } catch (...) {
      end();
      throw;
    }
  }
  ~Apart() override { end(); }

  Hdf5Answer ask(const Hdf5Question& question) override {
    Message message;
    message.put(Kind::kQuestion);
    message.put(question.query);
    message.put_text(question.object);
    message.put_text(question.name);
    Message reply = exchange(message);
    try {
      Hdf5Answer answer;
      answer.number = reply.take<int64_t>();
      answer.dtype = reply.take<Dtype>();
      answer.shape = take_shape(reply);
      for (auto left = reply.take<uint64_t>(); left > 0; --left) {
        answer.texts.emplace_back(reply.take_text());
      }
      const std::string_view bytes = reply.take_text();
      const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
      answer.bytes.assign(begin, begin + bytes.size());
      return answer;
    } catch (const Error& error) {
      fail(ErrorKind::kData, "{}: damaged HDF5 file: {}", path_, error.what());
    }
  }

  void read(const std::string& name, const Spec& spec, int64_t begin, int64_t count,
            std::byte* out) override {
    const int64_t rows = spec.shape.empty() ? 1 : spec.shape[0];
    const int64_t row_bytes =
        size_of(spec.shape) / rows * static_cast<int64_t>(size_of(spec.dtype));
    const int64_t step = std::max<int64_t>(1, kBlock / row_bytes);
    for (int64_t done = 0; done < count; done += step) {
      const int64_t part = std::min(step, count - done);
      const auto bytes = static_cast<size_t>(part * row_bytes);
      Message message;
      message.put(Kind::kRead);
      message.put_text(name);
      message.put(spec.dtype);
      put_shape(message, spec.shape);
      message.put(begin + done);
      message.put(part);
      message.put(static_cast<uint64_t>(bytes));
      exchange(message);
      if (!receive_all(socket_, out, bytes, kMostSilence)) fail_lost();
      out += bytes;
    }
  }

 private:
  [[noreturn]] void fail_start() const {
    fail(ErrorKind::kRuntime, "{}: cannot start a process to read it: {}", path_,
         std::strerror(errno));
  }

  Message exchange(const Message& message) {
    if (child_ < 0) {
      fail(ErrorKind::kData, "{}: damaged HDF5 file, given up before", path_);
    }
    if (!send_message(socket_, message)) fail_lost();
    return receive();
  }

  /// An answer without its first byte. Throws what the child reports.
  Message receive() {
    Message reply;
    if (!receive_message(socket_, reply, kMostSilence) || reply.bytes().empty()) fail_lost();
    if (reply.take<uint8_t>() != 0) return reply;
    const std::string text(reply.take_text());
    if (text.starts_with(path_)) throw Error(ErrorKind::kData, text);
    fail(ErrorKind::kData, "{}: {}", path_, text);
  }

  [[noreturn]] void fail_lost() {
    const int status = end();
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
      fail(ErrorKind::kData, "{}: damaged HDF5 file: the HDF5 library does not come to an end",
           path_);
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
      fail(ErrorKind::kData, "{}: damaged HDF5 file: the HDF5 library crashed on it ({})", path_,
           ::strsignal(WTERMSIG(status)));
    }
    fail(ErrorKind::kData, "{}: damaged HDF5 file: the HDF5 library gave no answer", path_);
  }

  /// Ends the child and returns how it ended.
  int end() {
    if (child_ < 0) return 0;
    // A crash shows first; a child that waits for questions ends by the closed socket.
    int status = 0;
    const pid_t child = std::exchange(child_, -1);
    ::shutdown(socket_, SHUT_RDWR);
    ::close(socket_);
    for (int tries = 0; tries < 200; ++tries) {
      const pid_t ended = ::waitpid(child, &status, WNOHANG);
      if (ended == child || (ended < 0 && errno != EINTR)) return status;
      ::usleep(tries < 20 ? 100 : 5000);
    }
    ::kill(child, SIGKILL);
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  std::string path_;
  pid_t child_ = -1;
  int socket_ = -1;
};

}  // namespace

std::unique_ptr<Hdf5Source> open_hdf5_apart(const std::string& path) {
  return std::make_unique<Apart>(path);
}

}  // namespace mica
