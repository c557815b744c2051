// The one relation that says who may see what: (receiver, record, reason). A record is visible to a receiver while a
// row is left.
//
// Reasons are opaque bytes: the key of the visit whose assignment gives the grant, or "self". What hangs on a record
// (its care events) has no rows of its own for carers: it follows the record.
#ifndef CARESYNC_SERVER_RECORDS_GRANTS_H_
#define CARESYNC_SERVER_RECORDS_GRANTS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

struct Grant {
  base::RecordKey record;
  base::ReceiverId receiver;
  std::string reason;
  auto operator<=>(const Grant&) const = default;
};

// The grants that `record`, as it is, gives:
//   a carer           its own record to itself
//   a visit           published and not cancelled: to each assigned carer the visit, its service user, and the records
//   of all its
//                     carers, each for the reason of this visit
//   a care event      itself to the source of the record it hangs on (`parent_source`; empty: none, a hand-made
//   record's events go
//                     to no source)
// Anything else gives none.
std::set<Grant> GrantsGivenBy(const store::Record& record, const std::string& parent_source);

// For every kind of record; a care event follows the record that it hangs on.
absl::StatusOr<bool> IsVisible(const storage::Reader& reader, const base::TenantId& tenant,
                               const base::RecordKey& record, const base::ReceiverId& receiver);

// Everybody who has a grant on the record, in order, each once: who may see it, and with it what hangs on it. At most
// `most` + 1 are returned: more than `most` means "too many".
absl::StatusOr<std::vector<base::ReceiverId>> ReceiversOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::RecordKey& record, size_t most);

void AddGrant(commit::Transaction& transaction, const Grant& grant);
void RemoveGrant(commit::Transaction& transaction, const Grant& grant);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_GRANTS_H_
