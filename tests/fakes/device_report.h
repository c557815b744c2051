// What the office sees of a device, on the engine that a test runs.
#ifndef CARESYNC_TESTS_FAKES_DEVICE_REPORT_H_
#define CARESYNC_TESTS_FAKES_DEVICE_REPORT_H_

#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "tests/fakes/sync_peer.h"

namespace caresync::fakes {

// The device's row of the report as it is now; an empty one where there is no such device.
v1::Device ReportOf(SyncServer& server, const base::TenantId& tenant, const base::Uuid& device);
// The newest sync of its history; an empty one where there is none.
v1::SyncSummary LastSyncOf(SyncServer& server, const base::TenantId& tenant, const base::Uuid& device);

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_DEVICE_REPORT_H_
