// How a mismatch stands as time goes by. Pure functions: nothing of it is stored, so that nothing of it can be late.
#ifndef CARESYNC_SERVER_MISMATCH_STAGE_H_
#define CARESYNC_SERVER_MISMATCH_STAGE_H_

#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/v1/mismatches.pb.h"

namespace caresync::mismatch {

// Of one that was opened. A visit that is gone is an unneeded journey, never a missed visit. Else, by the start that
// counts (due.h): changed; at risk from the tenant's `lead` before it on; and once it has passed, a likely missed
// visit, but where the device shows an earlier version of the visit and has not called since, `last_call`
// (InfinitePast: never): nobody knows what that carer did.
v1::MismatchState StageOf(const store::Mismatch& row, absl::Time last_call, absl::Duration lead, absl::Time now);

// When that becomes another with the time alone; InfiniteFuture: it does not.
absl::Time StageEnds(const store::Mismatch& row, absl::Duration lead, absl::Time now);

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_STAGE_H_
