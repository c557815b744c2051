#include "server/records/review.h"

#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::records {

using storage::Space;

void KeepForReview(commit::Transaction& transaction, const store::ReviewItem& item, std::string_view digest,
                   const base::RecordKey& carer, const base::RecordKey& parent) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Put(Space::kRecords, base::keys::ReviewItem(tenant, item.event_id(), digest), item.SerializeAsString());
  if (parent.bytes.empty()) return;
  transaction.Put(Space::kRecords, base::keys::ReviewOf(tenant, carer, parent, item.event_id()), std::string());
}

absl::StatusOr<bool> HasReview(const storage::Reader& reader, const base::TenantId& tenant,
                               const base::RecordKey& carer, const base::RecordKey& parent) {
  bool found = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::ReviewsOf(tenant, carer, parent), 1,
                              [&found](std::string_view, std::string_view) {
                                found = true;
                                return false;
                              }));
  return found;
}

absl::StatusOr<std::vector<store::ReviewItem>> ListReview(const storage::Reader& reader, const base::TenantId& tenant,
                                                          size_t most) {
  std::vector<store::ReviewItem> items;
  absl::Status damage;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::AllReviewItems(tenant), most,
                              [&](std::string_view, std::string_view value) {
                                absl::StatusOr<store::ReviewItem> item = base::ParseStored<store::ReviewItem>(value);
                                damage = item.status();
                                if (item.ok()) items.push_back(*std::move(item));
                                return damage.ok();
                              }));
  RETURN_IF_ERROR(damage);
  return items;
}

}  // namespace caresync::records
