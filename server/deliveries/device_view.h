// What a device showed of a carer's visits at a moment, by what it had acknowledged until then.
#ifndef CARESYNC_SERVER_DELIVERIES_DEVICE_VIEW_H_
#define CARESYNC_SERVER_DELIVERIES_DEVICE_VIEW_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/deliveries/delivery_rows.h"
#include "storage/store.h"

namespace caresync::deliveries {

struct HeldVisit {
  // As the device got it. nullopt, where `certain` is false alone: it may not have the visit at all.
  std::optional<std::string> payload;
  // The revision of the carer's feed at which it lay there.
  base::Revision revision = 0;
  // When that was committed.
  absl::Time committed = absl::InfinitePast();
  // False: the device may have had another version of it, or none: an ack of several batches got lost, and the visit
  // changed between them.
  bool certain = true;
};

struct DeviceView {
  enum class Known {
    // All that the device showed.
    kAll,
    // It held no whole copy of the carer's records. While its first one was on its way it may have shown the next
    // visits, of which no mark is made.
    kNoCopy,
    // What is kept does not reach back that far, or the device held what this store does not know.
    kNotKnown,
  };
  Known known = Known::kNoCopy;
  // The mark that says so; nullopt: there is none.
  std::optional<Mark> mark;
  std::map<base::RecordKey, HeldVisit> visits;
};

// At `time`, by the server's clock. A mark counts from when the server heard of it: what the device applied on its way
// to that is not known before. Reads all of the carer's entries up to the mark. Errors are those of reading, and
// DAMAGED_ROW.
absl::StatusOr<DeviceView> ReadDeviceView(const storage::Reader& reader, const base::TenantId& tenant,
                                          const base::Uuid& device, const base::Uuid& carer, absl::Time time);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_DEVICE_VIEW_H_
