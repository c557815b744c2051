// Events that a person is to look at: kept, listed, never in the way of what is behind them.
#ifndef CARESYNC_SERVER_RECORDS_REVIEW_H_
#define CARESYNC_SERVER_RECORDS_REVIEW_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

// Keeps `item` under (event ID, digest of its bytes). `carer` and `parent` name what later events of the same carer and
// visit wait behind; an empty parent: nothing does. Harmless to repeat.
void KeepForReview(commit::Transaction& transaction, const store::ReviewItem& item, std::string_view digest,
                   const base::RecordKey& carer, const base::RecordKey& parent);

// Whether an event of this carer on this visit or service user is for review.
absl::StatusOr<bool> HasReview(const storage::Reader& reader, const base::TenantId& tenant,
                               const base::RecordKey& carer, const base::RecordKey& parent);

// Up to `most` items, in the order of their event IDs.
absl::StatusOr<std::vector<store::ReviewItem>> ListReview(const storage::Reader& reader, const base::TenantId& tenant,
                                                          size_t most);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_REVIEW_H_
