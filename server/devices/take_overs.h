// Two phones with one UUID, seen by their streams taking each other over: a bad network makes a few take-overs an hour,
// two phones that both want to sync make one with every call. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_DEVICES_TAKE_OVERS_H_
#define CARESYNC_SERVER_DEVICES_TAKE_OVERS_H_

#include <cstddef>

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/devices/device_rows.h"

namespace caresync::devices {

// `most` is the take-overs within an hour past which a device is cloned: limits::kTakeOversInAnHour but in tests.

// Adds a take-over at `now` to the report's times, and forgets what says nothing any more.
void NoteTakeOver(store::DeviceReport& report, absl::Time now, size_t most);

// Whether the device is to be refused as cloned: it is known to be, or this is (`displaced`: a session of the device
// was open and is being ended by this one) one take-over more than `most` within an hour. Once true it stays so by
// Device.cloned, which the first commit of that session writes (SessionRows::Begin), until the office clears it;
// take-overs before that speak for nothing.
bool IsCloned(const DeviceRows& rows, bool displaced, absl::Time now, size_t most);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_TAKE_OVERS_H_
