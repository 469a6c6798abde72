#include "core/runtime/stream.h"

#include <utility>

namespace mica {

void Event::wait() {
  std::unique_lock lock(mutex_);
  if (deferred_) {
    const std::function<void()> work = std::exchange(deferred_, nullptr);
    lock.unlock();
    std::exception_ptr error;
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    finish(error);
    lock.lock();
  }
  changed_.wait(lock, [&] { return done_; });
  if (error_) std::rethrow_exception(error_);
}

bool Event::is_done() const {
  std::lock_guard lock(mutex_);
  return done_;
}

void Event::finish(std::exception_ptr error) {
  std::lock_guard lock(mutex_);
  done_ = true;
  error_ = std::move(error);
  changed_.notify_all();
}

Stream::~Stream() { synchronize(); }

EventPtr Stream::enqueue(std::function<void()> work) {
  auto event = std::make_shared<Event>();
  bool start = false;
  {
    std::lock_guard lock(mutex_);
    items_.push_back({std::move(work), event});
    start = !std::exchange(running_, true);
  }
  if (start) arena_.enqueue([this] { drain(); });
  return event;
}

void Stream::drain() {
  std::unique_lock lock(mutex_);
  while (!items_.empty()) {
    Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    std::exception_ptr error;
    try {
      item.work();
    } catch (...) {
      error = std::current_exception();
    }
    item.work = nullptr;  // what the work held goes before anybody is told
    item.event->finish(error);
    lock.lock();
  }
  running_ = false;
  idle_.notify_all();
}

void Stream::synchronize() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return !running_; });
}

Stream& default_stream() {
  static Stream stream;
  return stream;
}

}  // namespace mica
