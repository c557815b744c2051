// Whose turn it is, where of many devices a few sync at once.
#ifndef CARESYNC_LOADTEST_TURNS_H_
#define CARESYNC_LOADTEST_TURNS_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// Up to so many sync at once; who is done makes room for the one that has waited longest. So all of a fleet take part,
// and its syncs cost a server what they cost when devices come one by one: a few devices that synced again and again
// would find their rows and their connections at hand. Safe from any thread.
class Turns {
 public:
  // Of devices 0 to `devices` - 1; `at_once` is more than 0.
  Turns(size_t devices, size_t at_once);

  // Called when a device may begin a sync: at first, when its last one is over, and when it was given a turn. Who
  // begins one now: the device itself; another, which is to be asked; or nobody.
  std::optional<size_t> Next(size_t device);

 private:
  enum class State { kNew, kSyncs, kWaits, kHasTurn };

  storage::Mutex mutex_;
  std::vector<State> states_ ABSL_GUARDED_BY(mutex_);
  // In the order in which they began to wait.
  std::deque<size_t> waiting_ ABSL_GUARDED_BY(mutex_);
  // That nobody has taken yet.
  size_t free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_TURNS_H_
