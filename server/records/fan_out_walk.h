// The pairs of receiver and record that a fan-out is about, settled one after the other. The same code does it at once,
// in the change itself, where that fits into its commit, and in a task's steps where it does not.
#ifndef CARESYNC_SERVER_RECORDS_FAN_OUT_WALK_H_
#define CARESYNC_SERVER_RECORDS_FAN_OUT_WALK_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/records/visibility.h"
#include "storage/store.h"

namespace caresync::records {

// Settles pairs of `fan_out` from where it is, as many as the commit has room for, and writes down in `fan_out` how far
// it came. True where it is through: then the rows are deleted, too, that were kept for it (grants.h). Errors are those
// of reading.
absl::StatusOr<bool> WalkFanOut(Settler& settler, Settler::Mode mode, store::FanOut& fan_out);

// Everybody who holds a grant on the record, groups included, in order, each once; at most `most`.
absl::StatusOr<std::vector<base::ReceiverId>> HoldersOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const base::RecordKey& record, size_t most);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_FAN_OUT_WALK_H_
