// How long it is kept what devices showed: as long as the tenant says (tenants::DeliveriesKept), and then as much of it
// as tells of what they show since.
//
// Of a carer's entries of a visit those stay that were not superseded by then; of a device's marks of a copy the last
// one that stands alone, and what followed it; told marks go with their time.
#ifndef CARESYNC_SERVER_DELIVERIES_KEEPING_H_
#define CARESYNC_SERVER_DELIVERIES_KEEPING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::deliveries {

// The kind of the task, and its ID: a tenant has one at a time, from its first entry on. Its payload is the due time,
// in microseconds, in decimals.
inline constexpr char kKeepTask[] = "deliveries/keep";

// Sees to it that the task runs. One row read; one that cannot be read is put anew, and of what was before nothing is
// claimed to be kept. Errors are those of reading.
absl::Status KeepForAWhile(commit::Transaction& transaction);

// What the task does: once a day it walks over all that is kept, limits::kDeliveriesLetGo rows a step, and deletes what
// is no longer. A row that cannot be read holds no other up, which the log says.
absl::Status KeepStep(commit::Transaction& transaction, const std::string& payload);

// What feeds showed at this revision and later is kept in full; of what they showed before, some entries were let go: a
// mark whose cursor lies before it says no longer what the device held. Errors are those of reading.
absl::StatusOr<base::Revision> ReadHorizon(const storage::Reader& reader, const base::TenantId& tenant);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_KEEPING_H_
