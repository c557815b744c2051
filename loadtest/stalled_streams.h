// Streams of devices that do not do their part: which of them are open, and how the server ended the others.
#ifndef CARESYNC_LOADTEST_STALLED_STREAMS_H_
#define CARESYNC_LOADTEST_STALLED_STREAMS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "loadtest/faults.h"
#include "loadtest/stopwatch.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// How a device stalls.
enum class StallKind {
  // It opens a stream, says what it wants, and reads nothing of the answer.
  kNeverReads,
  // It reads all that comes, and acknowledges none of it.
  kNeverAcks,
  // At some message its path is gone, without a word to either end.
  kHalfOpen,
};

// Devices are named by their places in the fleet; each has one stream at a time. Safe from any thread.
class StalledStreams {
 public:
  // Faults are added there.
  explicit StalledStreams(Faults& faults) : faults_(faults) {}

  // The device's stream stalls from `when` on.
  void Begin(size_t device, StallKind kind, Instant when);
  // The server has ended it; `status` as errors::FromCall of tools/caresync. That it ended well is a fault: nobody has
  // confirmed a copy.
  void End(size_t device, const absl::Status& status);
  // Nobody waits for its end any more, which is a fault.
  void GiveUp(size_t device, absl::Duration waited);

  // Its stream has stalled once, and is not waited for any more.
  bool IsOver(size_t device) const;
  // The devices whose streams have been open since `when`, or for longer.
  std::vector<size_t> OpenSince(Instant when) const;
  size_t open() const;
  // How many were open at once, at most.
  size_t most_open() const;
  // How many streams the server ended, by kind and reason: "streams never read, ended with DEVICE_SILENT".
  std::map<std::string, uint64_t> ends() const;

 private:
  struct Stream {
    StallKind kind;
    Instant since;
  };

  Faults& faults_;
  mutable storage::Mutex mutex_;
  std::map<size_t, Stream> open_ ABSL_GUARDED_BY(mutex_);
  std::set<size_t> over_ ABSL_GUARDED_BY(mutex_);
  size_t most_open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, uint64_t> ends_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_STALLED_STREAMS_H_
