#include "server/devices/copy_facts.h"

#include <algorithm>

#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/devices/drops.h"
#include "server/feed/feed_count.h"
#include "server/records/record_key.h"
#include "server/records/visit_ends.h"

namespace caresync::devices {

absl::StatusOr<std::optional<absl::Time>> ManualSyncDueSince(const storage::Reader& reader,
                                                             const base::TenantId& tenant, const DeviceRows& rows,
                                                             const base::Uuid& carer, absl::Time now) {
  const store::DeviceCopy* copy = rows.report.has_value() ? FindCopy(*rows.report, carer) : nullptr;
  if (copy == nullptr) return std::nullopt;
  const int64_t enrolled_us = rows.device.has_value() ? rows.device->enrolled_time_us() : 0;
  const int64_t from_us = std::max(copy->last_manual_success_us(), enrolled_us);
  return FirstVisitEnded(reader, tenant, carer, base::FromStoredTime(from_us), now);
}

absl::StatusOr<std::optional<absl::Time>> FirstVisitEnded(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer, absl::Time counts_from,
                                                          absl::Time now) {
  ASSIGN_OR_RETURN(
      const std::optional<int64_t> end_us,
      records::FirstVisitEnd(reader, tenant, carer, base::ToStoredTime(counts_from), base::ToStoredTime(now)));
  if (!end_us.has_value()) return std::nullopt;
  return base::FromStoredTime(*end_us);
}

absl::StatusOr<CopyFacts> CopyFactsReader::Read(const DeviceRows& rows, const base::Uuid& carer, absl::Time now,
                                                uint64_t most_counted) {
  const store::DeviceCopy* copy = rows.report.has_value() ? FindCopy(*rows.report, carer) : nullptr;
  CopyFacts facts;
  ASSIGN_OR_RETURN(facts.left, IsKnownToHaveLeft(reader_, tenant_, carer));
  ASSIGN_OR_RETURN(facts.behind_by, CountBehind(copy, carer, most_counted));
  ASSIGN_OR_RETURN(facts.manual_due_since, ManualSyncDueSince(reader_, tenant_, rows, carer, now));
  return facts;
}

absl::StatusOr<uint64_t> CopyFactsReader::CountBehind(const store::DeviceCopy* copy, const base::Uuid& carer,
                                                      uint64_t most_counted) {
  feed::Position after;
  uint32_t level = 0;
  if (copy != nullptr) {
    ASSIGN_OR_RETURN(const commit::CursorStanding standing, StandingOf({copy->timeline(), copy->revision()}));
    // What a store says that this one does not know counts for nothing: a new copy is made.
    if (standing == commit::CursorStanding::kKnown) after = PositionOf(*copy);
    level = copy->data_level();
  }
  return feed::CountAfter(reader_, tenant_, records::CarerReceiver(carer), after, level, most_counted);
}

absl::StatusOr<commit::CursorStanding> CopyFactsReader::StandingOf(const base::CommitPoint& cursor) {
  const std::pair<std::string, base::Revision> key(cursor.timeline, cursor.revision);
  const auto found = standings_.find(key);
  if (found != standings_.end()) return found->second;
  ASSIGN_OR_RETURN(const commit::CursorStanding standing, commit::Standing(reader_, tenant_, cursor));
  if (standings_.size() >= base::limits::kReportNames) standings_.clear();
  standings_.emplace(key, standing);
  return standing;
}

}  // namespace caresync::devices
