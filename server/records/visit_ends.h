// When each carer's visits end: an index, so that "a visit of this carer ended since" is one short scan, however many
// visits the tenant has. Written with each visit; a visit that is not published, or cancelled, is not in it.
//
// Why an index: a carer's last visit is looked for by each row of the report, for carers who last synced an hour ago
// and for some who did months ago. A look-back over all visits of the tenant would have to be bounded and would forget
// the latter; a carer's feed knows visits by their IDs only, so each would have to be read.
#ifndef CARESYNC_SERVER_RECORDS_VISIT_ENDS_H_
#define CARESYNC_SERVER_RECORDS_VISIT_ENDS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

// Puts the index right for a record that is stored as `after` and was stored as `before`. Nothing for what is no visit.
// Errors: DAMAGED_ROW.
absl::Status IndexVisitEnds(commit::Transaction& transaction, const std::optional<store::Record>& before,
                            const store::Record& after);

// The first end, after `after_us` and not after `until_us`, of an assignment of the carer to a visit that takes place;
// nullopt: none. Errors are those of reading.
absl::StatusOr<std::optional<int64_t>> FirstVisitEnd(const storage::Reader& reader, const base::TenantId& tenant,
                                                     const base::Uuid& carer, int64_t after_us, int64_t until_us);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_VISIT_ENDS_H_
