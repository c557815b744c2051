// Instants between the wire (google.protobuf.Timestamp), the stored form (microseconds) and absl::Time. Pure functions.
#ifndef CARESYNC_SERVER_BASE_PROTO_TIME_H_
#define CARESYNC_SERVER_BASE_PROTO_TIME_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/clock.h"

namespace caresync::base {

// The instants that a Timestamp can be, in microseconds: the years 1 to 9999. Protobuf ends the process over another.
inline constexpr int64_t kFirstInstantUs = -62'135'596'800'000'000;
inline constexpr int64_t kLastInstantUs = 253'402'300'799'999'999;
inline constexpr bool IsInstant(int64_t microseconds) {
  return microseconds >= kFirstInstantUs && microseconds <= kLastInstantUs;
}

// A time before the year 1 or after 9999 becomes the first or the last instant.
inline google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
      std::clamp(absl::ToUnixMicros(time), kFirstInstantUs, kLastInstantUs));
}

// nullopt where the timestamp is none: outside the years 1 to 9999, or its nanoseconds outside a second.
inline std::optional<absl::Time> FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  using google::protobuf::util::TimeUtil;
  if (timestamp.seconds() < TimeUtil::kTimestampMinSeconds || timestamp.seconds() > TimeUtil::kTimestampMaxSeconds ||
      timestamp.nanos() < 0 || timestamp.nanos() > 999'999'999) {
    return std::nullopt;
  }
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// Sets the timestamp that `mutable_field` makes to the stored time, an instant as of every row that ParseStored
// (stored.h) read; does not make it where that is "never".
template <typename MutableField>
void SetTime(int64_t stored_us, MutableField mutable_field) {
  if (stored_us == 0) return;
  *mutable_field() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(stored_us);
}

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_PROTO_TIME_H_
