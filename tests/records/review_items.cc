#include "tests/records/review_items.h"

#include <cstdint>
#include <string_view>

#include "absl/base/internal/raw_logging.h"
#include "server/base/keys.h"

namespace caresync::records {

std::vector<KeptReview> ReviewsIn(const storage::Reader& reader, const base::TenantId& tenant, bool resolved) {
  std::vector<KeptReview> kept;
  const absl::Status scanned = reader.Scan(
      storage::Space::kRecords, base::keys::ReviewsByRevision(tenant, ""), SIZE_MAX,
      [&](std::string_view key, std::string_view) {
        ReviewName name;
        bool is_resolved = false;
        base::Revision revision = 0;
        ABSL_RAW_CHECK(base::keys::ParseReviewByRevision(key, &is_resolved, &revision, &name.event_id, &name.digest),
                       "a damaged row");
        if (is_resolved != resolved) return true;
        const auto item = GetReview(reader, tenant, name);
        ABSL_RAW_CHECK(item.ok() && item->has_value(), "a listed item is not there");
        kept.push_back({name, **item});
        return true;
      });
  ABSL_RAW_CHECK(scanned.ok(), "cannot read");
  return kept;
}

}  // namespace caresync::records
