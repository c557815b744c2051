// The task that tells of raised mismatches: it puts notices in the outbox, in the commit that forgets the raise.
#ifndef CARESYNC_SERVER_NOTIFICATIONS_TELLING_H_
#define CARESYNC_SERVER_NOTIFICATIONS_TELLING_H_

#include "server/base/random.h"
#include "server/commit/tasks.h"
#include "server/devices/syncs_under_way.h"

namespace caresync::notifications {

// What the task kTellTask does, branch by branch: where its hours are now, each of its mismatches that is still open is
// told to whoever its settings name; more than limits::kMismatchesToldAlone of them that one step looks at are told as
// one. Of a branch that was told much what is not near is held back, and told as one when an hour is over, or the
// branch's hours end (gathering.h). What is no longer open goes untold, and so does all of a branch of which nobody is
// to be told any more. Outside the hours nothing is done until they begin. Hours are judged as of limits::kToldTogether
// ago, when the first of those that are told together was raised.
//
// Where the outbox is full nothing of the step is done, and it comes again. `random` and `syncs` must outlive it.
commit::TaskStep TellStep(base::RandomSource& random, const devices::SyncsUnderWay& syncs);

}  // namespace caresync::notifications

#endif  // CARESYNC_SERVER_NOTIFICATIONS_TELLING_H_
