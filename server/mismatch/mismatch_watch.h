// Mismatches as they change, as a resumable stream for people.
#ifndef CARESYNC_SERVER_MISMATCH_MISMATCH_WATCH_H_
#define CARESYNC_SERVER_MISMATCH_MISMATCH_WATCH_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/ids.h"
#include "server/base/sealed_token.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::mismatch {

// Reads the next message after `resume_token` (empty: it begins with those that are open or snoozed), all from one
// snapshot; MismatchTopic() (mismatch_rows.h) tells when there is more. A token of a store that this one does not know
// begins anew and says `restarted`. One that cannot be read is logged and left out. It looks at no more than
// limits::kWatchedMismatches, so that a message may be empty and yet not the last.
//
// Errors: TOKEN_NOT_VALID for a token that was not made here for this tenant; those of reading.
absl::StatusOr<v1::WatchMismatchesResponse> WatchMismatches(const storage::Reader& reader, const base::TenantId& tenant,
                                                            std::string_view resume_token,
                                                            const base::TokenSealer& sealer,
                                                            const devices::AsOf& as_of);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_MISMATCH_WATCH_H_
