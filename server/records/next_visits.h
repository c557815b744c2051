// A carer's next visits and what belongs to them: what a phone that holds nothing is to show before its copy is whole.
#ifndef CARESYNC_SERVER_RECORDS_NEXT_VISITS_H_
#define CARESYNC_SERVER_RECORDS_NEXT_VISITS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::records {

// Entries of the carer's own feed, up to `level`, each once: the visits in which the carer's own part starts first from
// kNextVisitsSince before `now` on (at most kNextVisits), by that start, each after its service user and its carers;
// then the care plans of those service users and the care events of those visits, visit by visit. Whatever is left off
// the end, no visit lacks what it refers to. At most kBatchRecords entries; empty where there is no such visit.
//
// Nothing is in it that the feed does not hold, so what keeps the feed from being read (a fan-out under way, a carer
// who is not permitted) must keep this from being read as well. The visits are found by the index of visit ends
// (visit_ends.h): its cost is that of some days of one carer, not of what the feed holds. Errors are those of reading.
absl::StatusOr<std::vector<feed::Entry>> NextVisits(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, feed::Level level, absl::Time now);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_NEXT_VISITS_H_
