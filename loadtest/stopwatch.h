// Time as the load test sees it: instants that no change of the clock moves, ends of a run, and the wish to stop.
#ifndef CARESYNC_LOADTEST_STOPWATCH_H_
#define CARESYNC_LOADTEST_STOPWATCH_H_

#include <atomic>
#include <chrono>

#include "absl/time/time.h"

namespace caresync::loadtest {

using Instant = std::chrono::steady_clock::time_point;

inline Instant Now() { return std::chrono::steady_clock::now(); }
inline absl::Duration Between(Instant from, Instant to) { return absl::FromChrono(to - from); }
inline absl::Duration Since(Instant from) { return Between(from, Now()); }

// From now on SIGINT and SIGTERM end the run early instead of the process: what was begun is checked and cleaned up. A
// second one ends the process. Called once.
void StopOnSignals();
// Somebody asked to stop. Safe from any thread.
bool StopWished();

// The end of a run that lasts for a while. A value; safe from any thread.
class Deadline {
 public:
  explicit Deadline(absl::Duration duration) : end_(Now() + absl::ToChronoNanoseconds(duration)) {}
  // The time is over, or somebody asked to stop.
  bool passed() const { return StopWished() || Now() >= end_; }

 private:
  Instant end_;
};

// Lets so many through a second, evenly; what was not used is not made up for. Safe from any thread.
class Pace {
 public:
  explicit Pace(double per_second);
  // True for one that may go now.
  bool TakeOne();

 private:
  const std::chrono::nanoseconds interval_;
  std::atomic<Instant::rep> next_{0};
};

// Waits until `time`; returns early, and false, where somebody asked to stop.
bool WaitUntil(Instant time);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_STOPWATCH_H_
