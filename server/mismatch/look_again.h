// Changes of the rota that a carer's device had acknowledged, as far as is known, and that are waited for again:
// another device comes into use, or the one that is comes back with an older token, or with nothing.
#ifndef CARESYNC_SERVER_MISMATCH_LOOK_AGAIN_H_
#define CARESYNC_SERVER_MISMATCH_LOOK_AGAIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::mismatch {

// The kind of the task that goes on where a carer has more of them than one commit looks at.
inline constexpr char kLookAgainTask[] = "mismatch/look_again";

// Before a commit by which the carer's device may hold less than was known, or in it. The changes of all of the carer's
// visits that are not over are waited for again, their grace beginning now, whatever became of them: those that the
// device holds after all are settled when they are due. What is due earlier stays so. What is open or snoozed stays as
// it is, and is looked at once more where it is resolved within the grace: that may be by what the device held before.
//
// Looks at no more than limits::kMismatchesLookedAt in one commit, at the others by a task. Harmless where it is done
// in vain; where the carer has none it writes nothing. Errors are those of reading; one that cannot be read is left,
// and logged.
absl::Status LookAgain(commit::Transaction& transaction, const base::Uuid& carer);

// Whether that would write nothing: the carer has no such change, or all are waited for already, and looked at again no
// sooner than limits::kLookedAtAnyway from now. So it need not be done before a commit that takes effect within that
// time; a change that comes in between is not due sooner either. Errors as above.
absl::StatusOr<bool> IsLookedAtAgain(const storage::Reader& reader, const base::TenantId& tenant,
                                     const base::Uuid& carer, absl::Time now);

// What the task does.
absl::Status LookAgainStep(commit::Transaction& transaction, const std::string& payload);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_LOOK_AGAIN_H_
