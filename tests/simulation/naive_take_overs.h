// Which streams of a device took each other over, and whether that shows two phones with one UUID.
#ifndef CARESYNC_TESTS_SIMULATION_NAIVE_TAKE_OVERS_H_
#define CARESYNC_TESTS_SIMULATION_NAIVE_TAKE_OVERS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace caresync::simulation {

// The take-overs within an hour past which a device counts as cloned here: a seed has no time for the server's own
// bound.
inline constexpr size_t kMostTakeOvers = 2;

// Of one device. A value: a copy goes with a copy of the store. Used by one thread.
class NaiveTakeOvers {
 public:
  // One more at `now_us`. Returns whether it is one too many; those up to `cleared_us`, when the office last said that
  // all is well, do not count.
  bool Add(int64_t now_us, int64_t cleared_us);

 private:
  std::vector<int64_t> times_us_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_NAIVE_TAKE_OVERS_H_
