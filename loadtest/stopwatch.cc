#include "loadtest/stopwatch.h"

#include <signal.h>

#include <algorithm>
#include <thread>

namespace caresync::loadtest {
namespace {

// How late a wish to stop may be noticed.
constexpr std::chrono::milliseconds kLookEvery{50};

std::atomic<bool> stop_wished = false;
static_assert(std::atomic<bool>::is_always_lock_free, "it is set in a signal handler");

void WishStop(int) { stop_wished = true; }

}  // namespace

void StopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = WishStop;
  // The second one is not caught.
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool StopWished() { return stop_wished; }

Pace::Pace(double per_second) : interval_(absl::ToChronoNanoseconds(absl::Seconds(1 / per_second))) {}

bool Pace::TakeOne() {
  const Instant::rep now = Now().time_since_epoch().count();
  Instant::rep next = next_;
  return now >= next && next_.compare_exchange_strong(next, now + interval_.count());
}

bool WaitUntil(Instant time) {
  while (!StopWished()) {
    const Instant now = Now();
    if (now >= time) return true;
    std::this_thread::sleep_until(std::min(time, now + kLookEvery));
  }
  return false;
}

}  // namespace caresync::loadtest
