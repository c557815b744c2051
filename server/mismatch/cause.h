// Why the device in use has not taken a change of the rota. Nothing of it is stored: what holds now is worked out from
// what is stored of the device.
#ifndef CARESYNC_SERVER_MISMATCH_CAUSE_H_
#define CARESYNC_SERVER_MISMATCH_CAUSE_H_

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/uuid.h"
#include "server/mismatch/carer_devices.h"

namespace caresync::mismatch {

// The first one that holds, in the order of v1::MismatchCause: what keeps every sync from bringing the change comes
// before what the next one may put right. `change` is when the first change was committed that the device has not
// acknowledged. A pure function.
v1::MismatchCause CauseOf(const CarerDevices& all, const base::Uuid& carer, const store::Tenant& tenant,
                          absl::Time change);

// Its last calls failed, as far as it says. Pure.
bool IsFailing(const v1::MismatchDevice& device);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_CAUSE_H_
