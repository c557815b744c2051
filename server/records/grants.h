// The one relation that says who may see what: (holder, record, reason). A holder is a receiver or an employee group. A
// record is visible to a carer while a row is left that names the carer or a group of the carer's.
//
// Reasons are opaque bytes: the key of the visit whose assignment gives the grant, "self", or "access" where a person
// gave it. What hangs on a record (its care events, its care plans) has no rows of its own for carers: it follows the
// record.
//
// A row that ends a group's grant or a carer's membership at once would hide from the fan-out of that very ending, and
// from all others meanwhile, whom it concerned. So such rows stay as `Leaving` until that fan-out is through: nobody
// sees anything by them, and fan-outs still walk over them. A carer's own grants need none: their fan-out lists its
// pairs.
#ifndef CARESYNC_SERVER_RECORDS_GRANTS_H_
#define CARESYNC_SERVER_RECORDS_GRANTS_H_

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

struct Grant {
  base::RecordKey record;
  base::ReceiverId holder;
  std::string reason;
  auto operator<=>(const Grant&) const = default;
};

// The grants that `record`, as it is, gives:
//   a carer           its own record to itself
//   a service user    itself to those whom people gave access
//   a visit           published, not cancelled and inside the tenant's window: to each assigned carer the visit, its
//                     service user, and the records of all its carers, each for the reason of this visit
//   a care event      itself to the source of the record it hangs on (`parent_source`; empty: none, a hand-made
//                     record's events go to no source)
// Anything else gives none. Errors: DAMAGED_ROW where the record holds what no record may.
absl::StatusOr<std::set<Grant>> GrantsGivenBy(const store::Record& record, const std::string& parent_source);

// The record that a care event or a care plan hangs on. Errors: DAMAGED_ROW.
absl::StatusOr<base::RecordKey> ParentOf(const store::Record& child);

// For every kind of record; what hangs on a record follows it.
absl::StatusOr<bool> IsVisible(const storage::Reader& reader, const base::TenantId& tenant,
                               const base::RecordKey& record, const base::ReceiverId& receiver);

// Of a record that hangs on none: whether a row is left that names the receiver, and whether one that names the group
// is left and not leaving. The receiver sees it by either, the group being one of the carer's.
absl::StatusOr<bool> HasOwnGrant(const storage::Reader& reader, const base::TenantId& tenant,
                                 const base::RecordKey& record, const base::ReceiverId& receiver);
absl::StatusOr<bool> IsGrantedTo(const storage::Reader& reader, const base::TenantId& tenant,
                                 const base::RecordKey& record, const base::RecordKey& group);

// Everybody who holds a grant on the record, leaving groups too; nullopt where more rows than `most_rows` say so, which
// are not all read then.
absl::StatusOr<std::optional<std::set<base::ReceiverId>>> ReadHolders(const storage::Reader& reader,
                                                                      const base::TenantId& tenant,
                                                                      const base::RecordKey& record, size_t most_rows);

void AddGrant(commit::Transaction& transaction, const Grant& grant);
// A group's grant stays as leaving; see above.
void RemoveGrant(commit::Transaction& transaction, const Grant& grant);
// Deletes what RemoveGrant left of the group's grant, where it left it at this revision.
absl::Status ForgetGroupGrant(commit::Transaction& transaction, const base::RecordKey& group,
                              const base::RecordKey& record, base::Revision since);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_GRANTS_H_
