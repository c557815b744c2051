// Moves a record's entry to the end of a receiver's feed, and keeps the feed's head row.
#ifndef CARESYNC_SERVER_FEED_FEED_WRITER_H_
#define CARESYNC_SERVER_FEED_FEED_WRITER_H_

#include <cstddef>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"
#include "server/feed/feed_rows.h"

namespace caresync::feed {

enum class Moved {
  kNot,          // The entry was right already, and stays where it is.
  kAgain,        // The receiver had the record; the entry is now at the end.
  kAppeared,     // The receiver did not have the record, and does now.
  kDisappeared,  // The receiver had the record, and does no more.
};

// The name of the task that compacts a feed; its payload is the receiver's bytes. Scheduled by the writer when a feed
// keeps more removals than limits::kFeedRemovals beyond its records, and again whenever they grow by as many more: the
// task before was lost then.
inline constexpr char kCompactionTask[] = "feed/compact";

// For one transaction and one thread. Announces every receiver whose feed it moves. Errors are those of reading, and
// DAMAGED_ROW where the head row and the entries disagree; a call that fails writes nothing.
//
// Every row is in the transaction when a call returns: others may read it there, write it, and roll the transaction
// back, in any order. What the writer keeps at hand beside it, head rows above all, since a large fan-out moves many
// entries of one feed, it uses only while the rows stand as it wrote them.
class FeedWriter {
 public:
  explicit FeedWriter(commit::Transaction& transaction) : transaction_(transaction) {}

  // The receiver may see this version of the record.
  absl::StatusOr<Moved> Upsert(const base::ReceiverId& receiver, const RecordVersion& version);
  // The receiver may not see the record. Nothing where it never had it; nothing is left where only this change gave it.
  absl::StatusOr<Moved> Remove(const base::ReceiverId& receiver, const base::RecordKey& record);

  // Reads at once what moving each of these records in each of these feeds reads. Changes nothing but what it costs.
  absl::Status ReadAhead(absl::Span<const base::ReceiverId> receivers, absl::Span<const base::RecordKey> records);

  commit::Transaction& transaction() { return transaction_; }

  // Entries moved in this transaction, for the bound on one commit. A caller that rolls the transaction back sets it
  // back.
  size_t moved() const { return moved_; }
  void set_moved(size_t moved) { moved_ = moved; }

 private:
  // A feed's head row: as it is stored, or as this writer put it.
  struct Head {
    FeedSummary summary;
    commit::Transaction::PutRow row;
    // Since it was read.
    bool announced = false;
  };

  // The one at hand, if it is as it is stored.
  Head* HeadAtHand(const base::ReceiverId& receiver);
  // What this points to stays until it is called again.
  absl::StatusOr<Head*> HeadOf(const base::ReceiverId& receiver);
  void PutHead(const base::ReceiverId& receiver, FeedSummary summary, Head& head);
  // Puts `entry` in the place of `before`, at the end of the feed.
  absl::Status Move(const base::ReceiverId& receiver, const std::optional<Entry>& before, const Entry& entry);
  // The receiver never had what this revision alone showed it: no removal tells of it, and an older one (`first`) stays
  // where it was.
  absl::Status PutBack(const base::ReceiverId& receiver, const Entry& entry, const std::optional<Entry>& first);
  // The forms of an entry of this transaction's revision.
  const EntryForms& FormsAtHand(const Entry& entry);

  commit::Transaction& transaction_;
  size_t moved_ = 0;
  std::map<base::ReceiverId, Head> heads_;
  // The last ones that were made, and of what: a record that many receive has the same in each feed.
  std::optional<Entry> formed_;
  EntryForms forms_;
};

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_WRITER_H_
