// What a device's marks say of one entry of a carer's feed. Pure, but ReadAllMarks.
#ifndef CARESYNC_SERVER_DELIVERIES_OUTCOME_H_
#define CARESYNC_SERVER_DELIVERIES_OUTCOME_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/deliveries/delivery_rows.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::deliveries {

// Up to where the device has acknowledged the feed by this mark, as it was at the mark's revision. nullopt: it holds
// nothing, or nobody knows what.
std::optional<feed::Position> ReachOf(const Mark& mark);

struct Outcome {
  // False: a later entry of the visit had taken its place before the device acknowledged it.
  bool applied = false;
  // The first mark that is past the entry.
  const Mark* mark = nullptr;
};

// What became of a visit's entry at `revision`, by a device's marks of the carer in their order; `of_visit`: the
// revisions of all entries of the visit in that feed, rising. nullopt: the device has not acknowledged so much.
std::optional<Outcome> OutcomeOf(const std::vector<Mark>& marks, const feed::Position& entry,
                                 const std::vector<base::Revision>& of_visit);

// The mark shows that the device holds the visit as its entry at `entry` has it: no later one had taken its place when
// the mark's batch was read.
bool ShowsLast(const Mark& mark, const feed::Position& entry, const std::vector<base::Revision>& of_visit);

// All that are kept of the carer on the device, in their order; those with numbers above `after` and below `before`.
// Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<std::vector<Mark>> ReadAllMarks(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::Uuid& device, const base::Uuid& carer, uint64_t after = 0,
                                               uint64_t before = std::numeric_limits<uint64_t>::max());

// The revisions of the visit's entries in the carer's feed, rising. Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<std::vector<base::Revision>> ReadRevisions(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer, const base::RecordKey& visit);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_OUTCOME_H_
