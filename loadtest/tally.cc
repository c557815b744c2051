#include "loadtest/tally.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace caresync::loadtest {
namespace {

std::string NameOf(v1::SyncType type) {
  const std::string name = v1::SyncType_Name(type);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "SYNC_TYPE_"));
}

}  // namespace

void Tally::Add(const SyncEnd& end) {
  storage::MutexLock lock(mutex_);
  if (end.shed.has_value()) {
    ++counts_.shed;
    ++shed_[end.type];
    return;
  }
  if (end.stalled) {
    ++counts_.stalled;
    return;
  }
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
  for (const auto& [type, histogram] : latencies_) latencies[NameOf(type)] = histogram;
  return latencies;
}

std::map<std::string, uint64_t> Tally::shed() const {
  storage::MutexLock lock(mutex_);
  std::map<std::string, uint64_t> shed;
  for (const auto& [type, count] : shed_) shed[NameOf(type)] = count;
  return shed;
}

}  // namespace caresync::loadtest
