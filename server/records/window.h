// The download window and the retention: which visits devices hold as time goes by.
//
// A tenant's two lengths say where its edges (window_edges.h) belong: the opening one a download window ahead of now,
// the closing one a retention behind it. One task a tenant moves them there in steps of one commit, and sleeps until
// the next visit crosses. Visibility follows the edges as they are stored, never a clock: a wrong one moves the opening
// edge too far at worst, and the closing one by little (closing_edge_allowance.h).
//
// A length that a person changes may move an edge back: it jumps there in one commit, and the visits between are worked
// out anew in steps, while everybody waits (WindowLags). A clock that was set back moves no edge.
#ifndef CARESYNC_SERVER_RECORDS_WINDOW_H_
#define CARESYNC_SERVER_RECORDS_WINDOW_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/commit/tasks.h"
#include "server/commit/transaction.h"
#include "server/records/closing_edge_allowance.h"
#include "server/records/window_edges.h"
#include "storage/store.h"

namespace caresync::records {

// In whole seconds; zero bounds nothing.
struct WindowLengths {
  absl::Duration download_window;
  absl::Duration retention;
};

// Takes a tenant's lengths over, inside a change of the tenant. Nothing where they are as before. Errors are those of
// reading.
absl::Status SetWindow(commit::Transaction& transaction, const WindowLengths& lengths);

// Whether no copy can be called caught up now: a visit should have come inside more than limits::kOpeningEdgeLag ago,
// or an edge was moved back and not all that it crossed is worked out anew. Errors are those of reading.
absl::StatusOr<bool> WindowLags(const storage::Reader& reader, const base::TenantId& tenant, absl::Time now);

// What the task kWindowTask does: one step, of at most limits::kFanOutEntries moved entries. A step that ends a lag
// announces FanOutTopic(). `allowance` must outlive the step.
commit::TaskStep WindowStep(ClosingEdgeAllowance& allowance);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_WINDOW_H_
