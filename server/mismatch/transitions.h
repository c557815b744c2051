// What people make of a mismatch: they close it, put it off, or open it again. Who did it and when is kept with it. No
// device is more current for any of it: no device's row is written here.
//
// Each runs in a change of the tenant; `person` is the subject of the caller's credential, and `syncs` is for what is
// answered of the device. Repeating one is harmless.
// Errors beside those that are named: TENANT_UNKNOWN, INVALID_FIELD, MISMATCH_UNKNOWN (also of one that was
// never open), MISMATCH_RESOLVED, those of reading.
#ifndef CARESYNC_SERVER_MISMATCH_TRANSITIONS_H_
#define CARESYNC_SERVER_MISMATCH_TRANSITIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/commit/transaction.h"
#include "server/devices/syncs_under_way.h"

namespace caresync::mismatch {

// Clears one that is open or snoozed. Errors: MISMATCH_CHANGED.
absl::StatusOr<v1::Mismatch> Close(commit::Transaction& transaction, const v1::CloseMismatchRequest& request,
                                   const std::string& person, const devices::SyncsUnderWay& syncs);

// Puts off one that is open, or sets another time. Errors: MISMATCH_CHANGED, MISMATCH_CLOSED.
absl::StatusOr<v1::Mismatch> Snooze(commit::Transaction& transaction, const v1::SnoozeMismatchRequest& request,
                                    const std::string& person, const devices::SyncsUnderWay& syncs);

// Opens one that is snoozed or closed. MISMATCH_RESOLVED also where the device has the change by now, or the
// carer started the visit.
absl::StatusOr<v1::Mismatch> Reopen(commit::Transaction& transaction, const v1::ReopenMismatchRequest& request,
                                    const std::string& person, const devices::SyncsUnderWay& syncs);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_TRANSITIONS_H_
