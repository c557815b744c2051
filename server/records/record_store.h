// Writes records, and with each write puts right every feed that it concerns: in the same commit where that is little
// enough, else by tasks (fan_out.h). Nothing else writes feeds.
#ifndef CARESYNC_SERVER_RECORDS_RECORD_STORE_H_
#define CARESYNC_SERVER_RECORDS_RECORD_STORE_H_

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/records/grants.h"
#include "server/records/record_key.h"
#include "server/records/visibility.h"
#include "storage/store.h"

namespace caresync::records {

// nullopt where there is none. Errors are those of reading.
absl::StatusOr<std::optional<store::Record>> GetRecord(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const base::RecordKey& key);

// One a key, in their order, by one read; nullopt where there is none. Errors are those of reading.
absl::StatusOr<std::vector<std::optional<store::Record>>> GetRecords(const storage::Reader& reader,
                                                                     const base::TenantId& tenant,
                                                                     const std::vector<base::RecordKey>& keys);

// The rows of what hangs on `parent` and is of one kind: each kind is counted and listed by itself.
storage::KeyRange ChildrenOfKind(const base::TenantId& tenant, const base::RecordKey& parent, v1::RecordKind kind);

// Care plans that hang on a service user.
struct CarePlanCount {
  size_t live = 0;
  // Those included that were deleted, and that a fan-out under way may still look for.
  size_t rows = 0;
};

enum class PutOutcome { kCreated, kUpdated, kUnchanged };

// For one transaction and one thread.
class RecordStore {
 public:
  explicit RecordStore(commit::Transaction& transaction) : transaction_(transaction), settler_(transaction) {}

  // Stores `record` (kind, record_id, payload, origin, published, cancelled, left and dissolved are the caller's;
  // fingerprint, version, changed_revision, created_time and outside_window are set here, `access` stays as it was) and
  // brings every feed concerned to what may be seen now. Unchanged where what is the caller's is as stored; the
  // origin's changed_time alone is no change. That a carer left or came back is announced to those who receive as that
  // carer, though their feed does not move.
  //
  // Errors: TOO_MANY_GROUPS; COMMIT_TOO_LARGE where the rows of the transaction as a whole pass the bound, while those
  // of this change alone do not; those of reading. The caller rolls back to a Mark of before; see RollBackTo.
  absl::StatusOr<PutOutcome> Put(store::Record record);

  // Sets who may see the service user beside the carers of its visits: carers' receivers and groups (GroupHolder). The
  // record is stored; the caller has made sure of that. Errors: COMMIT_TOO_LARGE; those of reading.
  absl::StatusOr<PutOutcome> SetAccess(const base::RecordKey& service_user, const std::set<base::ReceiverId>& holders);

  // Stores a care plan (`deleted` is the caller's too), which follows the service user that its payload names: always
  // the same one. Errors: COMMIT_TOO_LARGE; those of reading.
  absl::StatusOr<PutOutcome> PutCarePlan(store::Record plan);

  // Counts the service user's care plans, and lets go of deleted ones that no fan-out can look for any more. Errors are
  // those of reading.
  absl::StatusOr<CarePlanCount> CountCarePlans(const base::RecordKey& service_user);

  // Stores an accepted care event as a child of `parent` and gives it to everybody who may see the parent, and to the
  // parent's source. The caller has made sure that no such record exists. Errors: COMMIT_TOO_LARGE; those of reading.
  absl::Status PutCareEvent(store::Record event, const store::Record& parent);

  // Works out anew on which side of `edges` the stored visit lies, and brings every feed concerned to it. Nothing where
  // that is as it was. Errors as for Put.
  absl::Status JudgeVisit(const base::RecordKey& visit, const store::WindowEdges& edges);

  // COMMIT_TOO_LARGE where the rows of the transaction as a whole pass the bound. For whoever writes rows of its own
  // beside the records'.
  absl::Status CheckRows() const;

  // A point to come back to, of the transaction and of what is counted here.
  struct Mark {
    size_t transaction;
    size_t moved;
  };
  Mark SetMark() const { return {transaction_.Mark(), settler_.moved()}; }
  void RollBackTo(const Mark& mark);

  commit::Transaction& transaction() { return transaction_; }

 private:
  // What a change sets off.
  struct Work {
    // The record's own payload is new to those who hold it.
    std::optional<base::RecordKey> record;
    std::set<Grant> removed;
    std::set<Grant> added;
  };
  absl::StatusOr<PutOutcome> Store(const base::RecordKey& key, const std::optional<store::Record>& old,
                                   store::Record record);
  absl::Status PutMembers(const base::RecordKey& group, const store::Record* old, const store::Record& record);
  // Writes the grants' rows and settles what they concern.
  absl::Status Settle(const Work& work);
  // At once where the commit has room for all of it, else by a task. `ends`: it takes records away from somebody.
  absl::Status SettleOrSchedule(const store::FanOut& fan_out, bool ends);

  commit::Transaction& transaction_;
  Settler settler_;
};

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_RECORD_STORE_H_
