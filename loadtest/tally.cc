#include "loadtest/tally.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace caresync::loadtest {

void Tally::Add(const SyncEnd& end) {
  storage::MutexLock lock(mutex_);
  if (end.recorded) {
    ++counts_.recorded;
    if (end.messages == 1) ++counts_.in_one_message;
    latencies_[end.type].Add(end.latency);
  } else if (end.cut) {
    ++counts_.cut;
  } else {
    ++counts_.failed;
  }
  counts_.upserts += end.upserts;
  counts_.removals += end.removals;
  counts_.event_results += end.event_results;
  counts_.rebuilds += end.rebuilds;
  counts_.bytes += end.bytes;
}

SyncCounts Tally::counts() const {
  storage::MutexLock lock(mutex_);
  return counts_;
}

std::map<std::string, Histogram> Tally::latencies() const {
  storage::MutexLock lock(mutex_);
  std::map<std::string, Histogram> latencies;
  for (const auto& [type, histogram] : latencies_) {
    const std::string name = v1::SyncType_Name(type);
    latencies[absl::AsciiStrToLower(absl::StripPrefix(name, "SYNC_TYPE_"))] = histogram;
  }
  return latencies;
}

}  // namespace caresync::loadtest
