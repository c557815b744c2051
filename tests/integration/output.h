// What a process under test writes to a pipe, kept as it comes.
#ifndef CARESYNC_TESTS_INTEGRATION_OUTPUT_H_
#define CARESYNC_TESTS_INTEGRATION_OUTPUT_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace caresync::integration {

// Thread-safe. Reads on a thread of its own until whoever writes has ended.
class Output {
 public:
  // Takes the reading end of a pipe over. What comes is shown on the test's own standard error stream too.
  explicit Output(int pipe);
  // Waits for the end of the output.
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // The first line that holds each of `parts`; waits until it comes. Empty where the output ends without it, or half a
  // minute passes.
  std::string FindLine(const std::vector<std::string>& parts) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void ReadAll() ABSL_LOCKS_EXCLUDED(mutex_);

  const int pipe_;
  mutable storage::Mutex mutex_;
  mutable storage::CondVar more_;
  // Whole ones, without their ends.
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
};

}  // namespace caresync::integration

#endif  // CARESYNC_TESTS_INTEGRATION_OUTPUT_H_
