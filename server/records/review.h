// Events that a person is to look at: kept, listed, never in the way of what is behind them.
//
// An item is named by its event ID and the digest of its bytes, since two may have one event ID. While a carer has an
// item on a visit that waits, later events of that carer on that visit follow it.
#ifndef CARESYNC_SERVER_RECORDS_REVIEW_H_
#define CARESYNC_SERVER_RECORDS_REVIEW_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

struct ReviewName {
  std::string event_id;
  // SHA-256 of the event's bytes.
  std::string digest;
  auto operator<=>(const ReviewName&) const = default;
};

// The text that people's calls name an item by, and back; nullopt where it is none.
std::string TextOf(const ReviewName& name);
std::optional<ReviewName> ParseReviewName(std::string_view text);

// Whether one that is for review for this reason may be taken without a person, when what it names has come or what it
// follows is resolved.
bool MayGoByItself(v1::ReviewReason reason);

// Keeps `item` under (event ID, digest of its bytes). `item.waits_on` names the visit or service user that it was
// recorded on; empty: none that it could ever be taken for by itself. Harmless to repeat.
void KeepForReview(commit::Transaction& transaction, const store::ReviewItem& item, std::string_view digest);

absl::StatusOr<std::optional<store::ReviewItem>> GetReview(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const ReviewName& name);

// Writes an item that is there with another reason: it waits on.
void PutReview(commit::Transaction& transaction, const ReviewName& name, const store::ReviewItem& item);

// Writes an item that only a person can take, and that nothing is to follow.
void LeaveToPerson(commit::Transaction& transaction, const ReviewName& name, store::ReviewItem item);

// Writes the item with its resolution, which it has now: it waits no more, and nothing follows it any more.
void CloseReview(commit::Transaction& transaction, const ReviewName& name, const store::ReviewItem& item);

// Whether an event of this carer on this visit or service user waits.
absl::StatusOr<bool> HasReview(const storage::Reader& reader, const base::TenantId& tenant,
                               const base::RecordKey& carer, const base::RecordKey& parent);

// Whether any event of this carer waits.
absl::StatusOr<bool> HasAnyReview(const storage::Reader& reader, const base::TenantId& tenant,
                                  const base::RecordKey& carer);

// Those that wait, in the order in which they were recorded; at most `most`.
absl::StatusOr<std::vector<ReviewName>> WaitingReviews(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const base::RecordKey& carer, const base::RecordKey& parent,
                                                       size_t most);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_REVIEW_H_
