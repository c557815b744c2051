// The stored rows of one receiver's feed: entries in order, the place of each record's entry, and the head row. For
// feed/ alone.
//
// Pure functions over a reader or a transaction. Errors are those of reading, and DAMAGED_ROW.
#ifndef CARESYNC_SERVER_FEED_FEED_ROWS_H_
#define CARESYNC_SERVER_FEED_FEED_ROWS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::feed {

// The entry in an entry's row.
absl::StatusOr<Entry> ParseEntryRow(std::string_view key, std::string_view value);

// The record's entry in the feed, if it has one.
absl::StatusOr<std::optional<Entry>> ReadEntryOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const base::ReceiverId& receiver, const base::RecordKey& record);

// The same of several, in their order.
absl::StatusOr<std::vector<std::optional<Entry>>> ReadEntriesOf(const storage::Reader& reader,
                                                                const base::TenantId& tenant,
                                                                const base::ReceiverId& receiver,
                                                                const std::vector<base::RecordKey>& records);

// The stored forms of an entry and of its place. They say nothing of receiver and record: what the keys name.
struct EntryForms {
  std::string entry;
  std::string place;
};
EntryForms FormsOf(const Entry& entry);

// Writes the entry and its place. An entry of the same record elsewhere must be deleted by the caller.
void PutEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Entry& entry);
// The same with the forms of the entry that lies at `position`.
void PutEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position,
              EntryForms forms);

// Deletes the entry at `position`; its place stays, for the next one.
void DeleteEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position);

// Deletes the entry at `position` and its place: the feed knows nothing of the record any more.
void ForgetEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position);

// Says where, for who puts it again.
commit::Transaction::PutRow PutSummary(commit::Transaction& transaction, const base::ReceiverId& receiver,
                                       const FeedSummary& summary);
// `row` is the receiver's head row, which stands.
void PutSummaryAgain(commit::Transaction& transaction, commit::Transaction::PutRow& row, const FeedSummary& summary);

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_ROWS_H_
