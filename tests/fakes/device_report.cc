#include "tests/fakes/device_report.h"

#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/fakes/engine.h"

namespace caresync::fakes {

v1::Device ReportOf(SyncServer& server, const base::TenantId& tenant, const base::Uuid& device) {
  v1::GetDeviceRequest request;
  request.set_device_uuid(device.ToString());
  return devices::GetDevice(*server.engine().Snapshot(), tenant, request,
                            {.syncs = sync::SyncsOf(server.parts()), .now = server.engine().clock().Now()})
      .value_or(v1::Device());
}

v1::SyncSummary LastSyncOf(SyncServer& server, const base::TenantId& tenant, const base::Uuid& device) {
  v1::ListSyncsRequest request;
  request.set_device_uuid(device.ToString());
  const auto syncs = devices::ListSyncs(*server.engine().Snapshot(), tenant, request, sync::SyncsOf(server.parts()));
  return syncs.ok() && syncs->syncs_size() > 0 ? syncs->syncs(0) : v1::SyncSummary();
}

}  // namespace caresync::fakes
