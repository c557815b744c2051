// What the syncs of one phase came to.
#ifndef CARESYNC_LOADTEST_TALLY_H_
#define CARESYNC_LOADTEST_TALLY_H_

#include <cstdint>
#include <map>
#include <string>

#include "loadtest/histogram.h"
#include "loadtest/sync_call.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// Sums over syncs.
struct SyncCounts {
  uint64_t recorded = 0;
  uint64_t cut = 0;
  uint64_t failed = 0;
  // Refused for want of room; whoever comes again counts again. Such a one counts as nothing else.
  uint64_t shed = 0;
  // Ended by the server because the device stalled, as it was to. Such a one counts as nothing else.
  uint64_t stalled = 0;
  // Recorded with the first message of the server.
  uint64_t in_one_message = 0;
  uint64_t upserts = 0;
  uint64_t removals = 0;
  uint64_t event_results = 0;
  uint64_t rebuilds = 0;
  // Of the messages received.
  uint64_t bytes = 0;
};

// Safe from any thread.
class Tally {
 public:
  void Add(const SyncEnd& end);

  SyncCounts counts() const;
  // Of the recorded syncs, by the name of their type: "standard", "clean", "auto". The time that one was shed for
  // counts.
  std::map<std::string, Histogram> latencies() const;
  // Those that were shed, by the name of their type.
  std::map<std::string, uint64_t> shed() const;

 private:
  mutable storage::Mutex mutex_;
  SyncCounts counts_ ABSL_GUARDED_BY(mutex_);
  std::map<v1::SyncType, Histogram> latencies_ ABSL_GUARDED_BY(mutex_);
  std::map<v1::SyncType, uint64_t> shed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_TALLY_H_
