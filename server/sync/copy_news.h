// What a session has learnt of the copies that its device holds, on its way into the store: gathered until the session
// writes next, taken along by that commit, and followed up when it is known what became of the commit.
//
// A session writes one commit at a time. What is learnt while one is under way is gathered for the next.
#ifndef CARESYNC_SERVER_SYNC_COPY_NEWS_H_
#define CARESYNC_SERVER_SYNC_COPY_NEWS_H_

#include <set>
#include <string>
#include <vector>

#include "caresync/store/delivery.pb.h"
#include "server/base/uuid.h"
#include "server/mismatch/integration_lag.h"
#include "server/sync/session_events.h"

namespace caresync::sync {

// A mark of what the device holds of a carer's records (deliveries/marks.h), to be written.
struct NewMark {
  base::Uuid carer;
  store::CopyMark row;
};

// For one session; not thread-safe.
class CopyNews {
 public:
  // The device holds something new of the carer, or nothing any more: there may be something to settle in the carer's
  // mismatches.
  void AddCarer(const base::Uuid& carer);
  // Changes of the rota that the device has applied, of the session's own carer.
  void AddApplied(const std::vector<mismatch::RotaChange>& changes);
  // Where it shows that all of a copy is held, it takes the place of the step on the way there that was gathered right
  // before it, and keeps when that was sent.
  void AddMark(NewMark mark);
  // What was gathered does not count: the sync is judged anew.
  void Forget();

  // A commit is made that takes all along that was gathered. Its marks, in the order in which they were added.
  std::vector<NewMark> TakeAlong();
  // The commit that is under way takes marks along.
  bool marks_on_their_way() const { return marks_to_tell_; }
  // It is known what became of the commit. What is to be done now, in this order, unless it took no effect.
  std::vector<SessionAction> TakeFollowUps();

 private:
  std::set<std::string> carers_;
  std::vector<mismatch::RotaChange> applied_;
  std::vector<NewMark> marks_;
  // Of the commit that is under way.
  LookAtMismatchesAction to_look_at_;
  bool marks_to_tell_ = false;
};

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_COPY_NEWS_H_
