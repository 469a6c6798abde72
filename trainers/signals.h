// Asking a run to stop: SIGINT and SIGTERM set a flag that the training loop reads between steps;
// SIGUSR1 asks for a checkpoint.
//
//   StopSignals signals;                  // from here on
//   while (...) { step(); if (signals.received()) save_and_stop(128 + signals.received()); }
//
// The second signal of a kind has its usual effect and ends the process at once. The destructor
// puts the handlers back that were there before. One object at a time.
#pragma once

#include <csignal>

namespace mica::trainers {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal's number, or 0.
  int received() const;
  /// True once after each SIGUSR1.
  bool take_save_request() const;

 private:
  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
  struct sigaction user_ {};
};

}  // namespace mica::trainers
