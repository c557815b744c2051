// What a device says that it holds, noted in the commits of its session.
#ifndef CARESYNC_SERVER_DELIVERIES_MARKS_H_
#define CARESYNC_SERVER_DELIVERIES_MARKS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/sequencer.h"
#include "server/deliveries/delivery_rows.h"
#include "storage/store.h"

namespace caresync::deliveries {

// Adds the mark to a commit of the device's own rows, and that it is still to be told.
void AddMark(storage::Commit& commit, const base::TenantId& tenant, const base::Uuid& device, const base::Uuid& carer,
             const Mark& mark);

// No feed: its subscribers hear that there is more to be told of deliveries.
base::ReceiverId DeliveryTopic();

// Tells up to limits::kMarksTold marks that are still to be told: moves them into the order of commits, in which
// StreamDeliveries reads them. Announces DeliveryTopic(). Returns whether more are left.
absl::StatusOr<bool> TellMarks(commit::Transaction& transaction);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_MARKS_H_
