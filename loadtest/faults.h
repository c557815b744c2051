// What went wrong in a run: all counted, the first few told.
#ifndef CARESYNC_LOADTEST_FAULTS_H_
#define CARESYNC_LOADTEST_FAULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/mutex.h"

namespace caresync::loadtest {

// Safe from any thread.
class Faults {
 public:
  void Add(std::string fault);
  uint64_t count() const;
  // At most kTold of them, in the order in which they came.
  std::vector<std::string> told() const;

 private:
  static constexpr size_t kTold = 20;

  mutable storage::Mutex mutex_;
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_FAULTS_H_
