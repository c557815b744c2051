// Where a tenant's two window edges stand, and on which side of them a visit lies.
//
// All visits lie in two indexes, by earliest start and by latest end. An edge is a place in one of them: (time, record
// key). A visit is inside while it starts before the opening edge and ends at or after the closing one; an absent edge
// bounds nothing. Visibility follows these stored edges, never a clock; window.h moves them.
//
// For one transaction and one thread.
#ifndef CARESYNC_SERVER_RECORDS_WINDOW_EDGES_H_
#define CARESYNC_SERVER_RECORDS_WINDOW_EDGES_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

// The kind of the task that moves the edges, and its ID: a tenant has one at a time. Its payload is the due time, in
// microseconds, in decimals.
inline constexpr char kWindowTask[] = "records/window";

// A place in an index of visits by time.
struct Place {
  int64_t time_us = std::numeric_limits<int64_t>::min();
  // Empty: before all visits of the time.
  base::RecordKey record;
  auto operator<=>(const Place&) const = default;
};

Place PlaceOf(const store::WindowEdges::Edge& edge);
void SetEdge(const Place& place, store::WindowEdges::Edge& edge);
// The first place after `place`.
Place After(const Place& place);

enum class VisitIndex { kByStart, kByEnd };

// Up to `most` visits' places from `from` on, before `to` (nullopt: to the last). Errors are those of reading.
absl::StatusOr<std::vector<Place>> ReadPlaces(const storage::Reader& reader, const base::TenantId& tenant,
                                              VisitIndex index, const Place& from, const std::optional<Place>& to,
                                              size_t most);

// No edges where none are stored. Errors are those of reading.
absl::StatusOr<store::WindowEdges> ReadEdges(const storage::Reader& reader, const base::TenantId& tenant);
// Deletes the row of edges that say nothing.
void PutEdges(commit::Transaction& transaction, const store::WindowEdges& edges);

// Due whatever the clock says, now or after it is set back: for a step that somebody may be waiting for.
inline constexpr int64_t kAtOnce = 1;

// Schedules the task of the edges for `due`, in place of the one that there is. The caller puts the edges.
void ScheduleEdges(commit::Transaction& transaction, int64_t due_us, store::WindowEdges& edges);

// Whether the visit lies outside; one that nobody is assigned to does not.
absl::StatusOr<bool> IsOutside(const store::WindowEdges& edges, const base::RecordKey& key, const store::Record& visit);

// For a visit that is about to be stored: sets its `outside_window`, puts its index rows right, and sees to it that the
// edges' task runs when the visit crosses one. `old`: as it is stored. Errors are those of reading.
absl::Status PlaceVisit(commit::Transaction& transaction, const base::RecordKey& key,
                        const std::optional<store::Record>& old, store::Record& visit);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_WINDOW_EDGES_H_
