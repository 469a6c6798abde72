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
  std::vector<std::function<void()>> then;
  {
    std::lock_guard lock(mutex_);
    done_ = true;
    error_ = std::move(error);
    then.swap(then_);
    changed_.notify_all();
  }
  for (const auto& f : then) f();
}

void Event::then(std::function<void()> f) {
  {
    std::lock_guard lock(mutex_);
    if (!done_ && !deferred_) {
      then_.push_back(std::move(f));
      return;
    }
  }
  f();
}

Stream::~Stream() { synchronize(); }

EventPtr Stream::enqueue(std::function<void()> work, std::vector<EventPtr> after) {
  auto done = std::make_shared<Event>();
  enqueue(std::move(work), std::move(after), done);
  return done;
}

void Stream::enqueue(std::function<void()> work, std::vector<EventPtr> after, EventPtr done) {
  const size_t events = after.size() + 1;
  auto item = std::make_shared<Item>(Item{std::move(work), std::move(done), events});
  const auto one_less = [this, item] {
    std::unique_lock lock(mutex_);
    if (--item->waits_for == 0) start_if_ready(lock);
  };
  {
    std::lock_guard lock(mutex_);
    items_.push_back(item);
  }
  for (const EventPtr& other : after) other->then(one_less);
  one_less();
}

void Stream::start_if_ready(std::unique_lock<std::mutex>& lock) {
  if (running_ || items_.empty() || items_.front()->waits_for > 0) return;
  running_ = true;
  lock.unlock();
  arena_.enqueue([this] { drain(); });
}

void Stream::drain() {
  std::unique_lock lock(mutex_);
  while (!items_.empty() && items_.front()->waits_for == 0) {
    const auto item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    std::exception_ptr error;
    try {
      item->work();
    } catch (...) {
      error = std::current_exception();
    }
    item->work = nullptr;  // what the work held goes before anybody is told
    item->event->finish(error);
    lock.lock();
  }
  running_ = false;
  idle_.notify_all();
}

void Stream::synchronize() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return !running_ && items_.empty(); });
}

namespace {

struct Registry {
  std::mutex mutex;
  std::deque<Stream> streams;
};

Registry& registry() {
  static Registry all;
  return all;
}

thread_local Stream* current = nullptr;

}  // namespace

Stream& default_stream() {
  static Stream stream;
  return stream;
}

Stream& new_stream() {
  std::lock_guard lock(registry().mutex);
  return registry().streams.emplace_back();
}

Stream& current_stream() { return current != nullptr ? *current : default_stream(); }

void synchronize() {
  default_stream().synchronize();
  std::lock_guard lock(registry().mutex);
  for (Stream& stream : registry().streams) stream.synchronize();
}

StreamScope::StreamScope(Stream& stream) : before_(std::exchange(current, &stream)) {}
StreamScope::~StreamScope() { current = before_; }

}  // namespace mica
