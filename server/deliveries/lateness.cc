#include "server/deliveries/lateness.h"

#include <algorithm>

#include "google/protobuf/timestamp.pb.h"
#include "server/base/clock.h"
#include "server/base/proto_time.h"
#include "server/records/promise.h"

namespace caresync::deliveries {
namespace {

bool IsBehind(bool known, const google::protobuf::Timestamp& time, absl::Time promised) {
  return known && base::FromTimestamp(time) > promised;
}

// It has acknowledged the change, or is past it.
bool IsHeard(const v1::DeviceDelivery& device) {
  return device.state() == v1::DELIVERY_STATE_APPLIED || device.state() == v1::DELIVERY_STATE_SUPERSEDED;
}

bool HeardInTime(const v1::DeviceDelivery& device, absl::Time promised) {
  return IsHeard(device) && !IsBehind(device.has_applied_time(), device.applied_time(), promised);
}

// Of the one that counts, or of any.
template <typename Test>
bool Holds(const v1::Delivery& delivery, const v1::DeviceDelivery* counts, const Test& test) {
  if (counts != nullptr) return test(*counts);
  return std::any_of(delivery.devices().begin(), delivery.devices().end(), test);
}

}  // namespace

std::optional<absl::Time> PromisedBy(const store::VisitEntry& row, absl::Time start) {
  if (row.changed_us() == 0) return std::nullopt;
  const absl::Time committed = base::FromStoredTime(row.committed_us());
  const bool by_window = row.received_us() == 0;
  const absl::Time made = by_window ? committed : base::FromStoredTime(row.changed_us());
  const absl::Time received = by_window ? committed : base::FromStoredTime(row.received_us());
  return records::PromisedBy(made, received, start);
}

v1::DeliveryLateReason LateReasonOf(const v1::Delivery& delivery, absl::Time promised, const v1::DeviceDelivery* counts,
                                    absl::Time now) {
  if (IsBehind(delivery.has_received_time(), delivery.received_time(), promised)) {
    return v1::DELIVERY_LATE_REASON_SENT_LATE;
  }
  if (IsBehind(delivery.has_committed_time(), delivery.committed_time(), promised)) {
    return v1::DELIVERY_LATE_REASON_WAITED;
  }
  if (now <= promised) return v1::DELIVERY_LATE_REASON_UNSPECIFIED;
  const bool heard =
      Holds(delivery, counts, [promised](const v1::DeviceDelivery& device) { return HeardInTime(device, promised); });
  return heard ? v1::DELIVERY_LATE_REASON_UNSPECIFIED : v1::DELIVERY_LATE_REASON_DEVICE;
}

bool IsAwaited(const v1::Delivery& delivery, const v1::DeviceDelivery* counts) {
  return delivery.late_reason() == v1::DELIVERY_LATE_REASON_DEVICE && !Holds(delivery, counts, IsHeard);
}

}  // namespace caresync::deliveries
