#include "trainers/signals.h"

namespace mica::trainers {
namespace {

// A handler may touch nothing else.
volatile std::sig_atomic_t received_signal = 0;
volatile std::sig_atomic_t save_requested = 0;

void remember(int number) { received_signal = number; }
void request_save(int) { save_requested = 1; }

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
  action.sa_handler = request_save;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, &user_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGUSR1, &user_, nullptr);
}

int StopSignals::received() const { return received_signal; }

bool StopSignals::take_save_request() const {
  const bool requested = save_requested != 0;
  save_requested = 0;
  return requested;
}

}  // namespace mica::trainers
