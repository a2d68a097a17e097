// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/interrupt.h"

#include <signal.h>

#include <atomic>

namespace tcproctor::cli {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set in a signal handler");

void note(int) {
  interrupted = true;
}

}  // namespace

Interrupt::Interrupt() {
  interrupted = false;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Interrupt::~Interrupt() {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  interrupted = false;
}

bool Interrupt::noted() {
  return interrupted;
}

}  // namespace tcproctor::cli
