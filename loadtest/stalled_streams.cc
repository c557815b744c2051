#include "loadtest/stalled_streams.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

const char* WordsOf(StallKind kind) {
  switch (kind) {
    case StallKind::kNeverReads:
      return "never read";
    case StallKind::kNeverAcks:
      return "never acknowledged";
    case StallKind::kHalfOpen:
      return "half open";
  }
  return "stalled";
}

}  // namespace

void StalledStreams::Begin(size_t device, StallKind kind, Instant when) {
  storage::MutexLock lock(mutex_);
  open_[device] = {kind, when};
  most_open_ = std::max(most_open_, open_.size());
}

void StalledStreams::End(size_t device, const absl::Status& status) {
  storage::MutexLock lock(mutex_);
  const auto stream = open_.find(device);
  if (stream == open_.end()) return;
  const std::string words = WordsOf(stream->second.kind);
  if (status.ok()) faults_.Add(absl::StrCat("device ", device, ": a stream ", words, " ended well"));
  ++ends_[absl::StrCat("streams ", words, ", ended with ", cli::ErrorReason(status))];
  open_.erase(stream);
  over_.insert(device);
}

void StalledStreams::GiveUp(size_t device, absl::Duration waited) {
  storage::MutexLock lock(mutex_);
  const auto stream = open_.find(device);
  if (stream == open_.end()) return;
  faults_.Add(absl::StrCat("device ", device, ": a stream ", WordsOf(stream->second.kind), " is still open after ",
                           absl::FormatDuration(waited)));
  open_.erase(stream);
  over_.insert(device);
}

bool StalledStreams::IsOver(size_t device) const {
  storage::MutexLock lock(mutex_);
  return over_.contains(device);
}

std::vector<size_t> StalledStreams::OpenSince(Instant when) const {
  storage::MutexLock lock(mutex_);
  std::vector<size_t> devices;
  for (const auto& [device, stream] : open_) {
    if (stream.since <= when) devices.push_back(device);
  }
  return devices;
}

size_t StalledStreams::open() const {
  storage::MutexLock lock(mutex_);
  return open_.size();
}

size_t StalledStreams::most_open() const {
  storage::MutexLock lock(mutex_);
  return most_open_;
}

std::map<std::string, uint64_t> StalledStreams::ends() const {
  storage::MutexLock lock(mutex_);
  return ends_;
}

}  // namespace caresync::loadtest
