// Streams: queues of work that runs in order, in the background, on TBB's threads.
//
//   Stream& stream = default_stream();
//   EventPtr done = stream.enqueue([] { ... });
//   done->wait();                    // rethrows what the work threw
//
// Work in one stream never overlaps; different streams run at once. enqueue() and wait() may be
// called from any thread, wait() not from work of the same stream.
#pragma once

#include <oneapi/tbb/task_arena.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace mica {

/// Set once, when a piece of work has ended; carries its exception.
class Event {
 public:
  Event() = default;
  /// For work that nobody has begun: whoever waits first does it.
  explicit Event(std::function<void()> deferred) : deferred_(std::move(deferred)) {}

  void wait();
  bool is_done() const;
  void finish(std::exception_ptr error = nullptr);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> deferred_;
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

  EventPtr enqueue(std::function<void()> work);
  /// Returns when everything enqueued so far has ended. Errors stay in their events.
  void synchronize();

 private:
  struct Item {
    std::function<void()> work;
    EventPtr event;
  };
  void drain();

  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<Item> items_;
  bool running_ = false;
  tbb::task_arena arena_;
};

/// The stream that async_eval uses.
Stream& default_stream();

}  // namespace mica
