// Streams: work that runs in order, on TBB's threads. Work of different streams runs at once.
//
//   Stream& light = new_stream();
//   Array y = on(light, [&] { return exp(b); });   // ops built in here belong to the stream
//   {
//     const StreamScope scope(light);              // the same for a block of code
//     y = exp(y);
//   }
//   Array x = matmul(a, a);                        // of the default stream
//   eval(x, y);                                    // computes both at once
//
// An op waits for its operands wherever they are computed, so that no event has to be spelled out.
// What its work throws is thrown where a result is waited for. Derivatives of an op run on its
// stream; a compiled function is one piece of work.
#pragma once

#include <oneapi/tbb/task_arena.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mica {

/// Set once, when a piece of work has ended; carries its exception.
class Event {
 public:
  Event() = default;
  /// For work that nobody has begun: whoever waits first does it.
  explicit Event(std::function<void()> deferred) : deferred_(std::move(deferred)) {}

  /// Rethrows what the work threw. Not for work of a stream, which names what it comes after.
  void wait();
  bool is_done() const;
  void finish(std::exception_ptr error = nullptr);
  /// Calls f once, when the work has ended: now, if it has, or if whoever waits has to do it.
  void then(std::function<void()> f);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> deferred_;
  std::vector<std::function<void()>> then_;
  bool done_ = false;
  std::exception_ptr error_;
};
using EventPtr = std::shared_ptr<Event>;

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Waits for the work that is left.
  ~Stream();

  /// Runs `work` in the background after all that was enqueued before and when the events in
  /// `after` have come, however they ended; then `done` comes.
  void enqueue(std::function<void()> work, std::vector<EventPtr> after, EventPtr done);
  EventPtr enqueue(std::function<void()> work, std::vector<EventPtr> after = {});
  /// Returns when everything enqueued so far has ended. Errors stay in their events.
  void synchronize();

 private:
  struct Item {
    std::function<void()> work;
    EventPtr event;
    size_t waits_for;  // events that have not come
  };
  using Items = std::deque<std::shared_ptr<Item>>;
  void start_if_ready(std::unique_lock<std::mutex>& lock);
  void drain();

  std::mutex mutex_;
  std::condition_variable idle_;
  Items items_;
  bool running_ = false;
  tbb::task_arena arena_;
};

/// The stream of ops that nobody gave another.
Stream& default_stream();
/// One more stream. It lives as long as the program, and so do few.
Stream& new_stream();
/// The stream of ops built now on this thread.
Stream& current_stream();
/// Returns when the work of all streams has ended.
void synchronize();

/// While it exists, ops built on this thread belong to a stream.
class StreamScope {
 public:
  explicit StreamScope(Stream& stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  Stream* before_;
};

/// f(), whose ops belong to the stream.
template <class F>
auto on(Stream& stream, F&& f) {
  const StreamScope scope(stream);
  return std::forward<F>(f)();
}

}  // namespace mica
