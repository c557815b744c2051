// What a process has used so far, as Linux tells it.
#ifndef CARESYNC_LOADTEST_PROCESS_USAGE_H_
#define CARESYNC_LOADTEST_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace caresync::loadtest {

struct ProcessUsage {
  // Of all its threads, in user and system mode; as fine as the kernel counts.
  absl::Duration cpu;
  // Resident now, and at most so far.
  uint64_t rss_bytes = 0;
  uint64_t peak_rss_bytes = 0;
};

// Errors: kNotFound where there is no such process. Safe from any thread.
absl::StatusOr<ProcessUsage> ReadUsage(pid_t process);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_PROCESS_USAGE_H_
