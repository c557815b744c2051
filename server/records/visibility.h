// Brings receivers' feeds to what the grants say. It works visibility out anew from the stored rows each time, never
// from what an earlier step saw.
#ifndef CARESYNC_SERVER_RECORDS_VISIBILITY_H_
#define CARESYNC_SERVER_RECORDS_VISIBILITY_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_writer.h"

namespace caresync::records {

// For one transaction and one thread. Counts what it does, so that a commit stays within its room (CommitRoom):
// entries moved, entries looked at, rows. Errors are those of reading.
class Settler {
 public:
  enum class Mode {
    kInline,  // In the change itself: what does not fit becomes a task.
    kTask,    // In a task's step: the first pair is settled in any case, so that each step gets on.
  };

  explicit Settler(commit::Transaction& transaction) : feeds_(transaction) {}

  // Before pairs are settled, and again after rows were written otherwise: forgets what it read.
  absl::Status Begin(Mode mode);

  // Settles the record in the receiver's feed: visible, an upsert of the current version, unless the entry is right
  // already; not visible, a removal where the receiver had it. What hangs on the record is settled with it where the
  // record appeared or disappeared, and always where a fan-out is under way that concerns the receiver: a record that
  // is right by then says nothing of them. False, and nothing done, where the commit has no room for it.
  absl::StatusOr<bool> Settle(const base::ReceiverId& receiver, const base::RecordKey& record);
  // Settles `child` alone, which hangs on `record`.
  absl::StatusOr<bool> SettleChild(const base::ReceiverId& receiver, const base::RecordKey& record,
                                   const base::RecordKey& child);
  // Reads at once what settling these records (or children, which SettleChild settles) for these receivers looks at in
  // their feeds, as far as the commit has room for it. Returns how many of the records that was for, one at least: the
  // others are the next call's. Changes nothing but what settling costs.
  absl::StatusOr<size_t> ReadAhead(absl::Span<const base::ReceiverId> receivers,
                                   absl::Span<const base::RecordKey> records);
  // Until the next Begin everybody sees everything: a planted bug, which replays what the change of a task saw.
  void ReplayGrants() { replays_grants_ = true; }
  // Counts a look at something that moves nothing. False where there is no room for it.
  bool Look();

  // Entries moved. What was looked at in vain is not taken back: it has cost its time.
  size_t moved() const { return feeds_.moved(); }
  void set_moved(size_t moved) { feeds_.set_moved(moved); }
  commit::Transaction& transaction() { return feeds_.transaction(); }

 private:
  // What a feed's entry of the record is to be.
  struct Facts {
    feed::RecordVersion version;
    // Nobody is to see it: there is no such record, or it was deleted.
    bool gone = false;
  };
  struct Viewer {
    // Its record; absent where the receiver is no carer.
    std::optional<base::RecordKey> carer;
    std::vector<base::RecordKey> groups;
    // Each absent where that was not asked yet: something under way concerns the carer; something that the carer
    // recorded waits for a person, or for what it names.
    std::optional<bool> concerned;
    std::optional<bool> awaited;
  };

  // Who holds a grant on a record, where that was read, and the rows that say so are not too many.
  struct Holders {
    bool read = false;
    std::optional<std::set<base::ReceiverId>> all;
  };

  // The commit's, or a step's where it is one.
  commit::CommitRoom Room();
  bool HasRoomFor(size_t entries);
  // Entries that can still be moved, all of them looked at.
  size_t RoomLeft();
  // What the receiver recorded on the record before it might see it can be taken now.
  absl::Status LookAtWaitingOn(const base::ReceiverId& receiver, const base::RecordKey& record);
  absl::StatusOr<feed::Moved> Apply(const base::ReceiverId& receiver, const Facts& facts, bool visible);
  absl::Status SettleChildren(const base::ReceiverId& receiver, const std::vector<base::RecordKey>& children,
                              bool visible);
  // Whether something under way concerns the receiver.
  absl::StatusOr<bool> Concerns(const base::ReceiverId& receiver);
  // What these point to stays until the same is called again.
  absl::StatusOr<Viewer*> ViewerOf(const base::ReceiverId& receiver);
  absl::StatusOr<const Facts*> FactsOf(const base::RecordKey& record);
  absl::StatusOr<const std::vector<base::RecordKey>*> ChildrenOf(const base::RecordKey& record);
  absl::StatusOr<bool> Sees(const base::ReceiverId& receiver, const base::RecordKey& record);
  // Whether a grant on the record names the receiver itself.
  absl::StatusOr<bool> Holds(const base::ReceiverId& receiver, const base::RecordKey& record);
  absl::StatusOr<bool> GroupSees(const base::RecordKey& group, const base::RecordKey& record);

  feed::FeedWriter feeds_;
  size_t looked_ = 0;
  Mode mode_ = Mode::kInline;
  bool settled_any_ = false;
  bool replays_grants_ = false;
  // Whether anything is under way in the tenant.
  bool has_scopes_ = false;
  // What was read since Begin, which nothing changes meanwhile.
  std::map<base::ReceiverId, Viewer> viewers_;
  // By record, then by group.
  std::map<base::RecordKey, std::map<base::RecordKey, bool>> group_sees_;
  size_t group_sees_kept_ = 0;
  std::map<base::RecordKey, Holders> holders_;
  size_t holders_kept_ = 0;
  std::map<base::RecordKey, Facts> facts_;
  std::map<base::RecordKey, std::vector<base::RecordKey>> children_;
  size_t children_kept_ = 0;
};

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_VISIBILITY_H_
