#include "server/records/review.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"

namespace caresync::records {
namespace {

using base::RecordKey;
using storage::Space;

constexpr size_t kDigestBytes = 32;

// The row by which later events of the same carer and visit know of it; nullopt where there is none.
std::optional<std::string> RowOfWaiting(const base::TenantId& tenant, const store::ReviewItem& item,
                                        std::string_view digest) {
  const std::optional<base::Uuid> carer = base::Uuid::Parse(item.carer_id());
  if (item.waits_on().empty() || !carer.has_value()) return std::nullopt;
  return base::keys::ReviewOf(tenant, KeyOf({v1::RECORD_KIND_CARER, *carer}), {item.waits_on()}, item.revision(),
                              item.event_sequence(), item.event_id(), digest);
}

}  // namespace

std::string TextOf(const ReviewName& name) {
  return absl::WebSafeBase64Escape(absl::StrCat(name.digest, name.event_id));
}

std::optional<ReviewName> ParseReviewName(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(std::string(text), &bytes) || bytes.size() <= kDigestBytes) return std::nullopt;
  return ReviewName{bytes.substr(kDigestBytes), bytes.substr(0, kDigestBytes)};
}

bool MayGoByItself(v1::ReviewReason reason) {
  switch (reason) {
    case v1::REVIEW_REASON_VISIT_UNKNOWN:
    case v1::REVIEW_REASON_VISIT_CANCELLED:
    case v1::REVIEW_REASON_CARER_NOT_ASSIGNED:
    case v1::REVIEW_REASON_SERVICE_USER_NOT_VISIBLE:
    case v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW:
      return true;
    default:
      return false;
  }
}

void KeepForReview(commit::Transaction& transaction, const store::ReviewItem& item, std::string_view digest) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Put(Space::kRecords, base::keys::ReviewItem(tenant, item.event_id(), digest), item.SerializeAsString());
  transaction.Put(Space::kRecords,
                  base::keys::ReviewByRevision(tenant, false, item.revision(), item.event_id(), digest), std::string());
  if (std::optional<std::string> row = RowOfWaiting(tenant, item, digest); row.has_value()) {
    transaction.Put(Space::kRecords, *std::move(row), std::string());
  }
}

absl::StatusOr<std::optional<store::ReviewItem>> GetReview(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const ReviewName& name) {
  return base::GetStored<store::ReviewItem>(reader, Space::kRecords,
                                            base::keys::ReviewItem(tenant, name.event_id, name.digest));
}

void PutReview(commit::Transaction& transaction, const ReviewName& name, const store::ReviewItem& item) {
  transaction.Put(Space::kRecords, base::keys::ReviewItem(transaction.tenant(), name.event_id, name.digest),
                  item.SerializeAsString());
}

void LeaveToPerson(commit::Transaction& transaction, const ReviewName& name, store::ReviewItem item) {
  if (std::optional<std::string> row = RowOfWaiting(transaction.tenant(), item, name.digest); row.has_value()) {
    transaction.Delete(Space::kRecords, *std::move(row));
  }
  item.clear_waits_on();
  PutReview(transaction, name, item);
}

void CloseReview(commit::Transaction& transaction, const ReviewName& name, const store::ReviewItem& item) {
  const base::TenantId& tenant = transaction.tenant();
  PutReview(transaction, name, item);
  transaction.Delete(Space::kRecords,
                     base::keys::ReviewByRevision(tenant, false, item.revision(), name.event_id, name.digest));
  transaction.Put(Space::kRecords,
                  base::keys::ReviewByRevision(tenant, true, item.revision(), name.event_id, name.digest),
                  std::string());
  if (std::optional<std::string> row = RowOfWaiting(tenant, item, name.digest); row.has_value()) {
    transaction.Delete(Space::kRecords, *std::move(row));
  }
}

absl::StatusOr<bool> HasReview(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& carer,
                               const RecordKey& parent) {
  ASSIGN_OR_RETURN(const std::vector<ReviewName> first, WaitingReviews(reader, tenant, carer, parent, 1));
  return !first.empty();
}

absl::StatusOr<bool> HasAnyReview(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& carer) {
  bool any = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::AllReviewsOf(tenant, carer), 1,
                              [&any](std::string_view, std::string_view) {
                                any = true;
                                return false;
                              }));
  return any;
}

absl::StatusOr<std::vector<ReviewName>> WaitingReviews(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const RecordKey& carer, const RecordKey& parent, size_t most) {
  std::vector<ReviewName> names;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::ReviewsOf(tenant, carer, parent), most,
                              [&](std::string_view key, std::string_view) {
                                ReviewName name;
                                damaged = !base::keys::ParseReviewOf(key, &name.event_id, &name.digest);
                                names.push_back(std::move(name));
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("review by carer and visit");
  return names;
}

}  // namespace caresync::records
