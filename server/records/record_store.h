// Writes records, and with each write puts right every feed that it concerns. Nothing else writes feeds.
#ifndef CARESYNC_SERVER_RECORDS_RECORD_STORE_H_
#define CARESYNC_SERVER_RECORDS_RECORD_STORE_H_

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_writer.h"
#include "server/records/record_key.h"
#include "storage/store.h"

namespace caresync::records {

// nullopt where there is none. Errors are those of reading.
absl::StatusOr<std::optional<store::Record>> GetRecord(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const base::RecordKey& key);

// A receiver, and the record whose entry in its feed is to be settled.
using Affected = std::pair<base::ReceiverId, base::RecordKey>;

enum class PutOutcome { kCreated, kUpdated, kUnchanged };

// For one transaction and one thread.
class RecordStore {
 public:
  explicit RecordStore(commit::Transaction& transaction) : transaction_(transaction), feeds_(transaction) {}

  // Stores `record` (kind, record_id, payload, origin, published and cancelled are the caller's; fingerprint, version
  // and created_time are set here) and brings every feed concerned to what may be seen now. Unchanged where the
  // payload, `published`, `cancelled` and the origin's source and version are as stored; its changed_time alone is no
  // change.
  //
  // Errors: FAN_OUT_TOO_LARGE where this record alone moves more than limits::kFanOutEntries entries; COMMIT_TOO_LARGE
  // where the transaction as a whole does; those of reading. The caller rolls back to a Mark of before; see RollBackTo.
  absl::StatusOr<PutOutcome> Put(store::Record record);

  // Stores an accepted care event as a child of `parent` and gives it to everybody who may see the parent, and to the
  // parent's source. The caller has made sure that no such record exists. Errors as for Put.
  absl::Status PutCareEvent(store::Record event, const store::Record& parent);

  // A point to come back to, of the transaction and of what is counted here.
  struct Mark {
    size_t transaction;
    size_t moved;
  };
  Mark SetMark() const { return {transaction_.Mark(), feeds_.moved()}; }
  void RollBackTo(const Mark& mark);

  commit::Transaction& transaction() { return transaction_; }

 private:
  // Adds (receiver, `record`) for everybody who has a grant on `seen`.
  absl::Status AddReceivers(const base::RecordKey& seen, const base::RecordKey& record, std::set<Affected>& affected);
  // Puts these feeds right, within the bound on one commit.
  absl::Status Settle(const std::set<Affected>& affected);

  commit::Transaction& transaction_;
  feed::FeedWriter feeds_;
};

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_RECORD_STORE_H_
