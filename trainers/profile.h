// Where the time of evaluations goes, step by step.
//
//   Profile profile;
//   profile.start();            // every step of every plan, from now on
//   train();
//   profile.stop();
//   for (const Profile::Row& row : profile.rows(rates)) ...     // by op and shapes, longest first
//   write_file("trace.json", profile.chrome_trace());           // for chrome://tracing or Perfetto
//
// One Profile watches at a time. Watching costs two readings of the clock and a lock for each step.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/plan/plan.h"
#include "trainers/machine.h"

namespace mica::trainers {

class Profile {
 public:
  using Clock = std::chrono::steady_clock;
  struct Row {
    std::string op;
    std::string shapes;  // "128x28x28x1, 20x5x5x1 -> 128x28x28x20"
    int64_t calls = 0;
    double seconds = 0;
    double floor_seconds = 0;  // the arithmetic at the peak or the traffic at the bandwidth
  };

  Profile() = default;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  ~Profile() { stop(); }

  void start();
  void stop();
  /// Adds a span of another kind, such as waiting for data, to the trace.
  void add_span(const std::string& name, Clock::time_point begin, Clock::time_point end);

  std::vector<Row> rows(const MachineRates& rates) const;
  /// Steps and spans as "complete" events of the Trace Event Format, a track for each thread.
  std::string chrome_trace() const;

 private:
  struct Total {
    int64_t calls = 0;
    double seconds = 0, flops = 0, bytes = 0;
  };
  struct Event {
    std::string name;
    std::string shapes;
    std::thread::id thread;
    Clock::time_point begin, end;
  };
  void add(const StepTiming& step);

  mutable std::mutex mutex_;
  bool running_ = false;
  std::map<std::array<std::string, 2>, Total> totals_;  // by op and shapes
  std::vector<Event> events_;
};

/// Floating-point operations of a step's products and convolutions, done directly; 0 for others.
double flops_of(const Op& op, Inputs in, Outputs out);

}  // namespace mica::trainers
