#include "trainers/signals.h"

namespace mica::trainers {
namespace {

// A handler may touch nothing else.
volatile std::sig_atomic_t received_signal = 0;

void remember(int number) { received_signal = number; }

}  // namespace

StopSignals::StopSignals() {
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  // SA_RESETHAND: the next one is for real.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
}

int StopSignals::received() const { return received_signal; }

}  // namespace mica::trainers
