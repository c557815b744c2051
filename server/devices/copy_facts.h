// What the tenant's records say of a carer's copy on a device: what waits for it, and what it is late for.
#ifndef CARESYNC_SERVER_DEVICES_COPY_FACTS_H_
#define CARESYNC_SERVER_DEVICES_COPY_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/timeline.h"
#include "server/devices/device_rows.h"
#include "storage/store.h"

namespace caresync::devices {

// When the first visit of the carer ended that no successful sync which the carer started on the device has followed;
// nullopt: none did, or the device holds no copy of the carer's. One row read of the index of visit ends
// (records/visit_ends.h). A sync counts from its start, since what the carer recorded later is not in it, and only
// visits count that ended while the device was known. Errors are those of reading.
absl::StatusOr<std::optional<absl::Time>> ManualSyncDueSince(const storage::Reader& reader,
                                                             const base::TenantId& tenant, const DeviceRows& rows,
                                                             const base::Uuid& carer, absl::Time now);

// When the first visit of the carer ended after `counts_from`; nullopt: none has. The same one row read.
absl::StatusOr<std::optional<absl::Time>> FirstVisitEnded(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer, absl::Time counts_from,
                                                          absl::Time now);

struct CopyFacts {
  // Changes that wait for the copy: counted up to a bound that the caller gives.
  uint64_t behind_by = 0;
  // As ManualSyncDueSince.
  std::optional<absl::Time> manual_due_since;
  // The carer is known to work there no more.
  bool left = false;
};

// Reads facts for one request and one thread; `reader` and `tenant` must outlive it. It keeps what it has read of the
// tenant's timelines, since many copies stand at few revisions.
class CopyFactsReader {
 public:
  CopyFactsReader(const storage::Reader& reader, const base::TenantId& tenant) : reader_(reader), tenant_(tenant) {}

  // Of the carer's copy on this device; all of a carer who holds none waits for it. At most `most_counted` changes are
  // counted: reading costs as much. Errors are those of reading.
  absl::StatusOr<CopyFacts> Read(const DeviceRows& rows, const base::Uuid& carer, absl::Time now,
                                 uint64_t most_counted);

 private:
  absl::StatusOr<uint64_t> CountBehind(const store::DeviceCopy* copy, const base::Uuid& carer, uint64_t most_counted);
  absl::StatusOr<commit::CursorStanding> StandingOf(const base::CommitPoint& cursor);

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  std::map<std::pair<std::string, base::Revision>, commit::CursorStanding> standings_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_COPY_FACTS_H_
