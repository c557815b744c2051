// The stored rows of one receiver's feed: entries in order, the place of each record's entry, and the head row. For
// feed/ alone.
//
// Pure functions over a reader or a transaction. Errors are those of reading, and DAMAGED_ROW.
#ifndef CARESYNC_SERVER_FEED_FEED_ROWS_H_
#define CARESYNC_SERVER_FEED_FEED_ROWS_H_

#include <optional>
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

// Writes the entry and its place. An entry of the same record elsewhere must be deleted by the caller.
void PutEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Entry& entry);

// Deletes the entry at `position`; its place stays, for the next one.
void DeleteEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position);

// Deletes the entry at `position` and its place: the feed knows nothing of the record any more.
void ForgetEntry(commit::Transaction& transaction, const base::ReceiverId& receiver, const Position& position);

void PutSummary(commit::Transaction& transaction, const base::ReceiverId& receiver, const FeedSummary& summary);

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_ROWS_H_
