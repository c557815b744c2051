#include "loadtest/faults.h"

#include <utility>

namespace caresync::loadtest {

void Faults::Add(std::string fault) {
  storage::MutexLock lock(mutex_);
  ++count_;
  if (told_.size() < kTold) told_.push_back(std::move(fault));
}

uint64_t Faults::count() const {
  storage::MutexLock lock(mutex_);
  return count_;
}

std::vector<std::string> Faults::told() const {
  storage::MutexLock lock(mutex_);
  return told_;
}

}  // namespace caresync::loadtest
