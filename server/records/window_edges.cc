#include "server/records/window_edges.h"

#include <algorithm>
#include <string>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/tasks.h"

namespace caresync::records {
namespace {

using base::RecordKey;
using storage::Space;

constexpr int64_t kSecond = 1'000'000;

static_assert(base::limits::kWindowSleep < commit::kTaskAheadMost);

// The earliest start and the latest end.
struct VisitTimes {
  int64_t start_us;
  int64_t end_us;
  bool operator==(const VisitTimes&) const = default;
};

// nullopt where nobody is assigned.
absl::StatusOr<std::optional<VisitTimes>> TimesOf(const store::Record& record) {
  ASSIGN_OR_RETURN(const v1::Visit visit, base::ParseStored<v1::Visit>(record.payload()));
  std::optional<VisitTimes> times;
  for (const v1::Assignment& part : visit.assignments()) {
    const std::optional<absl::Time> start = base::FromTimestamp(part.start_time());
    const std::optional<absl::Time> end = base::FromTimestamp(part.end_time());
    if (!start.has_value() || !end.has_value()) return base::errors::DamagedRow("a visit's assignment");
    const VisitTimes of_part{absl::ToUnixMicros(*start), absl::ToUnixMicros(*end)};
    if (!times.has_value()) times = of_part;
    times->start_us = std::min(times->start_us, of_part.start_us);
    times->end_us = std::max(times->end_us, of_part.end_us);
  }
  return times;
}

bool IsOutsideAt(const store::WindowEdges& edges, const RecordKey& key, const VisitTimes& times) {
  if (edges.has_opening() && Place{times.start_us, key} >= PlaceOf(edges.opening())) return true;
  return edges.has_closing() && Place{times.end_us, key} < PlaceOf(edges.closing());
}

// The edges of a planted bug, which asks the clock where the opening one stands.
store::WindowEdges ByClock(store::WindowEdges edges, absl::Time now) {
  if (edges.download_window_s() == 0) return edges;
  SetEdge({absl::ToUnixMicros(now) + edges.download_window_s() * kSecond + 1, {}}, *edges.mutable_opening());
  return edges;
}

void PutIndexRows(commit::Transaction& transaction, const RecordKey& key, const std::optional<VisitTimes>& before,
                  const std::optional<VisitTimes>& now) {
  if (before == now) return;
  const base::TenantId& tenant = transaction.tenant();
  if (before.has_value()) {
    transaction.Delete(Space::kRecords, base::keys::VisitByStart(tenant, before->start_us, key));
    transaction.Delete(Space::kRecords, base::keys::VisitByEnd(tenant, before->end_us, key));
  }
  if (!now.has_value()) return;
  transaction.Put(Space::kRecords, base::keys::VisitByStart(tenant, now->start_us, key), std::string());
  transaction.Put(Space::kRecords, base::keys::VisitByEnd(tenant, now->end_us, key), std::string());
}

// When the visit crosses the next edge that is still to pass it; nullopt where none is.
std::optional<int64_t> CrossingOf(const store::WindowEdges& edges, const RecordKey& key, const VisitTimes& times) {
  std::optional<int64_t> due;
  if (edges.has_opening() && Place{times.start_us, key} >= PlaceOf(edges.opening())) {
    due = times.start_us - edges.download_window_s() * kSecond;
  }
  const bool closing_to_pass =
      edges.retention_s() > 0 && (!edges.has_closing() || Place{times.end_us, key} >= PlaceOf(edges.closing()));
  if (closing_to_pass) {
    const int64_t leaves = times.end_us + edges.retention_s() * kSecond + 1;
    due = std::min(due.value_or(leaves), leaves);
  }
  return due;
}

}  // namespace

Place PlaceOf(const store::WindowEdges::Edge& edge) { return {edge.time_us(), {edge.record()}}; }

void SetEdge(const Place& place, store::WindowEdges::Edge& edge) {
  edge.set_time_us(place.time_us);
  edge.set_record(place.record.bytes);
}

Place After(const Place& place) { return {place.time_us, {place.record.bytes + '\0'}}; }

absl::StatusOr<std::vector<Place>> ReadPlaces(const storage::Reader& reader, const base::TenantId& tenant,
                                              VisitIndex index, const Place& from, const std::optional<Place>& to,
                                              size_t most) {
  const bool by_start = index == VisitIndex::kByStart;
  const storage::KeyRange range = by_start ? base::keys::VisitsByStart(tenant, from.time_us, from.record)
                                           : base::keys::VisitsByEnd(tenant, from.time_us, from.record);
  std::vector<Place> places;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, range, most, [&](std::string_view key, std::string_view) {
    Place place;
    damaged = by_start ? !base::keys::ParseVisitByStart(key, &place.time_us, &place.record)
                       : !base::keys::ParseVisitByEnd(key, &place.time_us, &place.record);
    // Lengths are added to it, and taken away.
    damaged = damaged || !base::IsInstant(place.time_us);
    if (damaged || (to.has_value() && place >= *to)) return false;
    places.push_back(std::move(place));
    return true;
  }));
  if (damaged) return base::errors::DamagedRow("a visit's index row");
  return places;
}

absl::StatusOr<store::WindowEdges> ReadEdges(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(std::optional<store::WindowEdges> edges,
                   base::GetStored<store::WindowEdges>(reader, Space::kRecords, base::keys::WindowEdges(tenant)));
  return std::move(edges).value_or(store::WindowEdges());
}

void PutEdges(commit::Transaction& transaction, const store::WindowEdges& edges) {
  std::string key = base::keys::WindowEdges(transaction.tenant());
  const bool says_nothing = !edges.has_opening() && !edges.has_closing() && !edges.has_anew_by_start() &&
                            !edges.has_anew_by_end() && edges.next_due_us() == 0;
  if (says_nothing) return transaction.Delete(Space::kRecords, std::move(key));
  transaction.Put(Space::kRecords, std::move(key), edges.SerializeAsString());
}

void ScheduleEdges(commit::Transaction& transaction, int64_t due_us, store::WindowEdges& edges) {
  edges.set_next_due_us(commit::MoveTask(transaction, kWindowTask, edges.next_due_us(), absl::FromUnixMicros(due_us)));
}

absl::StatusOr<bool> IsOutside(const store::WindowEdges& edges, const RecordKey& key, const store::Record& visit) {
  if (!edges.has_opening() && !edges.has_closing()) return false;
  ASSIGN_OR_RETURN(const std::optional<VisitTimes> times, TimesOf(visit));
  return times.has_value() && IsOutsideAt(edges, key, *times);
}

absl::Status PlaceVisit(commit::Transaction& transaction, const RecordKey& key, const std::optional<store::Record>& old,
                        store::Record& visit) {
  ASSIGN_OR_RETURN(const std::optional<VisitTimes> times, TimesOf(visit));
  std::optional<VisitTimes> before;
  if (old.has_value()) {
    ASSIGN_OR_RETURN(before, TimesOf(*old));
  }
  PutIndexRows(transaction, key, before, times);
  visit.set_outside_window(false);
  ASSIGN_OR_RETURN(store::WindowEdges edges, ReadEdges(transaction, transaction.tenant()));
  const bool bounded = edges.download_window_s() > 0 || edges.retention_s() > 0 || edges.has_opening();
  if (!bounded || !times.has_value()) return absl::OkStatus();
  visit.set_outside_window(IsOutsideAt(edges, key, *times));
  if (base::HasPlantedBug(base::PlantedBug::kWindowByClock)) {
    visit.set_outside_window(IsOutsideAt(ByClock(edges, transaction.now()), key, *times));
  }

  const std::optional<int64_t> crossing = CrossingOf(edges, key, *times);
  const int64_t now_us = absl::ToUnixMicros(transaction.now());
  const int64_t latest = now_us + absl::ToInt64Microseconds(base::limits::kWindowSleep);
  // A task further away than it ever sleeps was put there by a clock that has been set back since.
  const int64_t due = std::clamp(crossing.value_or(latest), now_us, latest);
  if (edges.next_due_us() != 0 && edges.next_due_us() <= due) return absl::OkStatus();
  ScheduleEdges(transaction, due, edges);
  PutEdges(transaction, edges);
  return absl::OkStatus();
}

}  // namespace caresync::records
