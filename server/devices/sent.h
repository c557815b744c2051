// Whether a change may have been sent to a device that has not acknowledged it.
//
// What a session sends is not written down before it leaves: what its row in the history says, and says for certain,
// can only rule out that it sent something.
#ifndef CARESYNC_SERVER_DEVICES_SENT_H_
#define CARESYNC_SERVER_DEVICES_SENT_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/syncs_under_way.h"
#include "storage/store.h"

namespace caresync::devices {

// A change that lies in the carer's feed.
struct FeedChange {
  // Where it lies there.
  base::Revision revision = 0;
  // When it was committed, or before; InfinitePast: not known.
  absl::Time time = absl::InfinitePast();
};

// A carer's syncs on one device, the last one first.
struct SyncsOnDevice {
  std::vector<store::SyncRow> syncs;
  // Nothing came before them. False: there may have been others, or one cannot be read.
  bool complete = false;
  // The last one is under way.
  bool under_way = false;
  // The last one followed, and has sent nothing behind what it says that it confirmed.
  bool ended_idle = false;
  // The last one, and all before it, were over when the store was opened at this revision. nullopt: it began since.
  std::optional<base::Revision> over_at = std::nullopt;
};

// Looks at the last 200 syncs of the carer. Errors are those of reading.
absl::StatusOr<SyncsOnDevice> ReadSyncs(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::Uuid& carer, const base::Uuid& device,
                                        const SyncsUnderWay& under_way);

// False: certainly none of them sent it. Pure.
bool MaySend(const SyncsOnDevice& all, const FeedChange& change);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_SENT_H_
