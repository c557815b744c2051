// Whether a change of the rota was seen on the carer's phone as soon as is promised (server/records/promise.h), and
// where on its way it took too long. Pure functions.
#ifndef CARESYNC_SERVER_DELIVERIES_LATENESS_H_
#define CARESYNC_SERVER_DELIVERIES_LATENESS_H_

#include <optional>

#include "absl/time/time.h"
#include "caresync/store/delivery.pb.h"
#include "caresync/v1/deliveries.pb.h"

namespace caresync::deliveries {

// By when the change that left this entry is to be seen, of a visit that starts, or started before it was taken away,
// at `start`. It counts from when it was made, or, where the visit was too far ahead for devices then, from its commit.
// nullopt: nothing is promised of it.
std::optional<absl::Time> PromisedBy(const store::VisitEntry& row, absl::Time start);

// The part of the way that took too long, as of `now`. `delivery`: all of it but what this tells. `counts`: the device
// whose acknowledgement counts; null: that of any. UNSPECIFIED: it was in time, or its time is not up; also where the
// device acknowledged it before what is kept of that device.
v1::DeliveryLateReason LateReasonOf(const v1::Delivery& delivery, absl::Time promised, const v1::DeviceDelivery* counts,
                                    absl::Time now);

// It is late for want of a device's acknowledgement, which has not come to this day.
bool IsAwaited(const v1::Delivery& delivery, const v1::DeviceDelivery* counts);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_LATENESS_H_
