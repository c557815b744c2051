// Instants between the wire (google.protobuf.Timestamp), the stored form (microseconds) and absl::Time. Pure functions.
#ifndef CARESYNC_SERVER_BASE_PROTO_TIME_H_
#define CARESYNC_SERVER_BASE_PROTO_TIME_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/clock.h"

namespace caresync::base {

// `time` lies in the years 1 to 9999.
inline google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
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

// Sets the timestamp that `mutable_field` makes to the stored time; does not make it where that is "never".
template <typename MutableField>
void SetTime(int64_t stored_us, MutableField mutable_field) {
  if (stored_us == 0) return;
  *mutable_field() = google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(stored_us);
}

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_PROTO_TIME_H_
