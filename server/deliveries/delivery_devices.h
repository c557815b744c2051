// The devices on which it is told what became of a carer's changes, and what they said.
#ifndef CARESYNC_SERVER_DELIVERIES_DELIVERY_DEVICES_H_
#define CARESYNC_SERVER_DELIVERIES_DELIVERY_DEVICES_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/deliveries/delivery_rows.h"
#include "server/devices/sent.h"
#include "server/devices/syncs_under_way.h"
#include "storage/store.h"

namespace caresync::deliveries {

// A device, and what it said of one carer's records.
struct CarerOnDevice {
  base::Uuid uuid;
  // As its last start said.
  std::string name;
  // All that are kept.
  std::vector<Mark> marks;
  // It made none before them. False: such may have been let go.
  bool begins_with_first = true;
  devices::SyncsOnDevice syncs;
};

// The carers of whom the device has said something, or who are its users. Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<std::set<base::Uuid>> ReadCarersOn(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& device);

// Marks kept at hand for one request, of whole carers, and those of one carer besides: some 30 MB.
inline constexpr size_t kMarksAtHand = 100'000;

// For one request and one thread: it keeps what it has read, up to kMarksAtHand. What it was made with must outlive it.
class DeliveryDevices {
 public:
  // `only`: of this device alone. `most_marks`: other than the server's own for tests only.
  DeliveryDevices(const storage::Reader& reader, const base::TenantId& tenant, const std::optional<base::Uuid>& only,
                  const devices::SyncsUnderWay& under_way, size_t most_marks = kMarksAtHand)
      : reader_(reader), tenant_(tenant), only_(only), under_way_(under_way), most_marks_(most_marks) {}

  // Those of which the carer is a user, and those that have said something of the carer, by their UUIDs. The first call
  // looks at all devices of the tenant, unless it is of one alone. What it points to stays until the next call. Errors
  // are those of reading, and DAMAGED_ROW.
  absl::StatusOr<const std::vector<CarerOnDevice>*> Of(const base::Uuid& carer);

 private:
  absl::StatusOr<std::set<base::Uuid>> UuidsOf(const base::Uuid& carer);
  absl::StatusOr<CarerOnDevice> Read(const base::Uuid& device, const base::Uuid& carer);

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const std::optional<base::Uuid> only_;
  const devices::SyncsUnderWay& under_way_;
  const size_t most_marks_;
  // Of each carer; read once, where it is needed.
  std::optional<std::map<base::Uuid, std::set<base::Uuid>>> by_carer_;
  std::map<base::Uuid, std::vector<CarerOnDevice>> read_;
  // In `read_`.
  size_t marks_ = 0;
};

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_DELIVERY_DEVICES_H_
