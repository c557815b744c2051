#include "server/commit/timeline.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::commit {
namespace {

struct Beginning {
  base::Revision first = 0;
  std::string timeline;
};

// The oldest timelines, in order of their first revisions.
absl::StatusOr<std::vector<Beginning>> ReadBeginnings(const storage::Reader& reader, const base::TenantId& tenant,
                                                      size_t limit) {
  std::vector<Beginning> beginnings;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords, base::keys::Timelines(tenant), limit,
                              [&](std::string_view key, std::string_view value) {
                                Beginning beginning{.timeline = std::string(value)};
                                damaged = !base::keys::ParseTimeline(key, &beginning.first);
                                beginnings.push_back(std::move(beginning));
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("a timeline's key");
  return beginnings;
}

// A tenant's timelines, oldest first, and its head.
struct History {
  std::vector<Beginning> beginnings;
  store::TenantHead head;

  base::Revision LastOf(size_t place) const {
    return place + 1 < beginnings.size() ? beginnings[place + 1].first - 1 : head.revision();
  }
  PastCommit EndOf(size_t place) const {
    PastCommit end{{beginnings[place].timeline, LastOf(place)}};
    // Only the last two ends' times are kept.
    if (place + 1 == beginnings.size()) end.time = base::FromStoredTime(head.commit_time_us());
    if (place + 2 == beginnings.size()) end.time = base::FromStoredTime(head.opened_commit_time_us());
    return end;
  }
};

absl::StatusOr<History> ReadHistory(const storage::Reader& reader, const base::TenantId& tenant) {
  History history;
  ASSIGN_OR_RETURN(
      std::optional<store::TenantHead> head,
      base::GetStored<store::TenantHead>(reader, storage::Space::kRecords, base::keys::TenantHead(tenant)));
  if (!head.has_value()) return history;
  history.head = *std::move(head);
  ASSIGN_OR_RETURN(history.beginnings, ReadBeginnings(reader, tenant, std::numeric_limits<size_t>::max()));
  return history;
}

}  // namespace

std::string NewTimeline(base::RandomSource& random) {
  if (base::HasPlantedBug(base::PlantedBug::kTimelineKept)) return std::string(32, '0');
  return absl::BytesToHexString(random.Bytes(16));
}

absl::StatusOr<base::CommitPoint> ReadHead(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(
      std::optional<store::TenantHead> head,
      base::GetStored<store::TenantHead>(reader, storage::Space::kRecords, base::keys::TenantHead(tenant)));
  if (!head.has_value()) return base::CommitPoint{};
  return base::CommitPoint{.timeline = head->timeline(), .revision = head->revision()};
}

absl::StatusOr<CursorStanding> Standing(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::CommitPoint& cursor) {
  // What was read before a tenant's first commit is every store's past.
  if (cursor == base::CommitPoint{}) return CursorStanding::kKnown;
  ASSIGN_OR_RETURN(
      std::optional<store::TenantHead> head,
      base::GetStored<store::TenantHead>(reader, storage::Space::kRecords, base::keys::TenantHead(tenant)));
  if (!head.has_value()) return CursorStanding::kForeign;
  ASSIGN_OR_RETURN(const std::vector<Beginning> beginnings,
                   ReadBeginnings(reader, tenant, std::numeric_limits<size_t>::max()));
  // Two processes that take turns on one store each begin their timeline more than once.
  bool listed = false;
  for (size_t i = 0; i < beginnings.size(); ++i) {
    if (beginnings[i].timeline != cursor.timeline) continue;
    listed = true;
    const base::Revision last = i + 1 < beginnings.size() ? beginnings[i + 1].first - 1 : head->revision();
    if (beginnings[i].first <= cursor.revision && cursor.revision <= last) return CursorStanding::kKnown;
  }
  if (!listed && cursor.revision < head->timeline_horizon()) return CursorStanding::kExpired;
  return CursorStanding::kForeign;
}

absl::StatusOr<PastCommit> HeadAtOpening(const storage::Reader& reader, const base::TenantId& tenant,
                                         const std::string& timeline) {
  ASSIGN_OR_RETURN(const History history, ReadHistory(reader, tenant));
  for (size_t i = 0; i < history.beginnings.size(); ++i) {
    if (history.beginnings[i].timeline != timeline) continue;
    return i == 0 ? PastCommit{} : history.EndOf(i - 1);
  }
  return history.beginnings.empty() ? PastCommit{} : history.EndOf(history.beginnings.size() - 1);
}

absl::StatusOr<std::optional<PastCommit>> LastOn(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const std::string& timeline, base::Revision before) {
  ASSIGN_OR_RETURN(const History history, ReadHistory(reader, tenant));
  std::optional<PastCommit> last;
  for (size_t i = 0; i < history.beginnings.size(); ++i) {
    if (history.beginnings[i].timeline == timeline && history.LastOf(i) < before) last = history.EndOf(i);
  }
  return last;
}

absl::StatusOr<base::Revision> BeginTimeline(Transaction& transaction, const std::string& timeline,
                                             base::Revision timeline_horizon) {
  const base::TenantId& tenant = transaction.tenant();
  transaction.Put(storage::Space::kRecords, base::keys::Timeline(tenant, transaction.revision()), timeline);
  ASSIGN_OR_RETURN(const std::vector<Beginning> beginnings,
                   ReadBeginnings(transaction, tenant, base::limits::kTimelines + 1));
  if (beginnings.size() <= base::limits::kTimelines) return timeline_horizon;
  transaction.Delete(storage::Space::kRecords, base::keys::Timeline(tenant, beginnings[0].first));
  return beginnings[1].first;
}

}  // namespace caresync::commit
