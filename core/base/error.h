// Errors that users can act on, and assertions about ourselves.
//
//   if (axis >= rank) fail("[softmax] axis {} is out of range for rank {}", axis, rank);
//   if (!file) fail(ErrorKind::kData, "{}: cannot open: {}", path, reason);
//
// A user's mistake throws Error when the graph is built or the input is read, and its text names
// what was got and what was wanted. A broken invariant of ours throws through MICA_ASSERT. The
// library never prints, exits or aborts; the program maps ErrorKind to its exit code.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace mica {

/// What went wrong, as seen by the caller. The values are the program's exit codes.
enum class ErrorKind { kRuntime = 1, kUsage = 2, kData = 3, kDiverged = 4, kCheck = 5 };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

/// A mistake in the use of the library: wrong shapes, types or arguments.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::kUsage, fmt::format(format, std::forward<Args>(args)...));
}

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace mica

/// An invariant of this library. Failing is a bug in Mica, never the user's fault.
#define MICA_ASSERT(condition) \
  ((condition) ? void() : ::mica::assertion_failed(#condition, __FILE__, __LINE__))
