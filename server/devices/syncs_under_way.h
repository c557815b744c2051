// Tells the syncs that are under way from those whose end nobody was left to write down.
#ifndef CARESYNC_SERVER_DEVICES_SYNCS_UNDER_WAY_H_
#define CARESYNC_SERVER_DEVICES_SYNCS_UNDER_WAY_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"

namespace caresync::devices {

// A row that says UNDER_WAY is believed where `opening` wrote it and the session has not ended since. Else the sync was
// interrupted and its call has failed, for a reason that is not known any more: STREAM_CUT.
struct SyncsUnderWay {
  // The present opening of the store (its timeline): with an earlier one its sessions have gone.
  std::string opening;
  // Whether a session of this opening is over and the store did not take its last row. Asked of sessions that a
  // snapshot shows as under way; one that ended after the snapshot, and recorded it, is none. Empty: there are none.
  // Errors are those of reading.
  std::function<absl::StatusOr<bool>(const base::TenantId& tenant, const base::Uuid& device,
                                     const std::string& session_id)>
      ended_unrecorded = {};
  // Whether the session of `sync`, a row of this opening, is over and has certainly sent nothing that the row does not
  // tell of. Asked of followers that a snapshot shows as caught up: what ends such a one between two rounds is not
  // written down. Empty: it cannot be told. Errors are those of reading.
  std::function<absl::StatusOr<bool>(const base::TenantId& tenant, const base::Uuid& device,
                                     const store::SyncRow& sync)>
      ended_idle = {};
  // Whether a session of the device is open, be it one that has written nothing yet: it may have read what it is to
  // send. Empty: none is.
  std::function<bool(const base::TenantId& tenant, const base::Uuid& device)> is_open = {};

  // Whether the sync is over, which `session_id` began in `written_in` and a snapshot shows as under way.
  absl::StatusOr<bool> IsOver(const base::TenantId& tenant, const base::Uuid& device, std::string_view written_in,
                              const std::string& session_id) const {
    if (written_in != opening) return true;
    return ended_unrecorded ? ended_unrecorded(tenant, device, session_id) : false;
  }
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_SYNCS_UNDER_WAY_H_
