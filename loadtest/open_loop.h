// Arrivals at a fixed rate, whatever becomes of those before: the load does not wait for the server.
#ifndef CARESYNC_LOADTEST_OPEN_LOOP_H_
#define CARESYNC_LOADTEST_OPEN_LOOP_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "loadtest/stopwatch.h"

namespace caresync::loadtest {

// Whoever is free takes the next arrival, and waits for its time. There must be more who can take one than are busy at
// once, else arrivals pass that nobody was free for: those are counted, and not made up for. Safe from any thread.
class OpenLoop {
 public:
  struct Arrival {
    uint64_t number = 0;
    // From now until its time.
    absl::Duration pause;
  };

  // Arrivals begin now, so many a second (more than 0), evenly, for so long.
  OpenLoop(double per_second, absl::Duration duration);

  // nullopt: no more come, or somebody asked to stop.
  std::optional<Arrival> Take();

  uint64_t taken() const { return taken_; }
  // Those that nobody was free for.
  uint64_t missed() const { return missed_; }

 private:
  const Instant began_ = Now();
  const absl::Duration apart_;
  const uint64_t count_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<uint64_t> taken_ = 0;
  std::atomic<uint64_t> missed_ = 0;
};

// For one who takes every arrival alone, one after the other: what it is late for waits, and stays due when it was. Not
// thread-safe.
class Schedule {
 public:
  // The first is due now, then so many a second (more than 0), evenly.
  explicit Schedule(double per_second);

  // Waits until the next one is due, where it is not yet. When it was due; nullopt: somebody asked to stop.
  std::optional<Instant> WaitForNext();
  // Nothing is to be waited for.
  bool IsDue() const { return Now() >= next_; }

 private:
  const std::chrono::nanoseconds apart_;
  Instant next_ = Now();
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_OPEN_LOOP_H_
