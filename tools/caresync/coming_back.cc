#include "tools/caresync/coming_back.h"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <set>
#include <string>

#include "server/base/errors.h"
#include "tools/caresync/error_output.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(2);
constexpr absl::Duration kLongestPause = absl::Minutes(1);
// The bound is reached before.
constexpr int kDoublings = 10;

// Ends after which docs/protocol.md has a client start again after a pause.
bool PassesByItself(const absl::Status& end) {
  static const auto* const reasons =
      new std::set<std::string>{"SERVER_UNREACHABLE", "STORE_UNAVAILABLE", "DEVICE_SILENT",  "DEVICE_NOT_READING",
                                "LEFT_UNFINISHED",    "STREAM_CUT",        "START_TOO_LATE", "STREAM_NOT_READ"};
  const std::string reason = ErrorReason(end);
  if (reasons->contains(reason)) return true;
  // Without a reason it is not the server's own.
  const bool of_the_network = absl::IsInternal(end) || absl::IsUnknown(end) || absl::IsCancelled(end);
  return of_the_network && reason == absl::StatusCodeToString(end.code());
}

// From half of `pause` to all of it.
absl::Duration Spread(absl::Duration pause, base::RandomSource& random) {
  const auto byte = static_cast<uint8_t>(random.Bytes(1).front());
  return pause / 2 + pause / 2 * byte / 255;
}

}  // namespace

void ComingBack::Heard() {
  ever_heard_ = true;
  told_ = false;
  failures_ = 0;
}

std::optional<absl::Duration> ComingBack::PauseAfter(const absl::Status& end) {
  const std::optional<absl::Duration> delay = base::RetryDelay(end);
  const bool expired = new_credential_ && ErrorReason(end) == "CREDENTIAL_EXPIRED";
  if (end.ok() || !(delay.has_value() || expired || PassesByItself(end))) return std::nullopt;
  if (!ever_heard_ && ErrorReason(end) == "SERVER_UNREACHABLE") return std::nullopt;
  // That a credential is renewed is nobody's trouble.
  if (!told_ && !expired) {
    PrintError(end);
    std::cerr << "It goes on where it was as soon as it can; Ctrl-C ends it.\n";
    told_ = true;
  }
  const absl::Duration grown = kFirstPause * (1 << std::min(failures_, kDoublings));
  ++failures_;
  return std::max(delay.value_or(absl::ZeroDuration()), Spread(std::min(grown, kLongestPause), random_));
}

}  // namespace caresync::cli
