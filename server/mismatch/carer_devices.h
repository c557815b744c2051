// What is stored of a carer's devices that tells people why a change of the rota has not been taken: the one in use,
// and the others that hold something of the carer.
#ifndef CARESYNC_SERVER_MISMATCH_CARER_DEVICES_H_
#define CARESYNC_SERVER_MISMATCH_CARER_DEVICES_H_

#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "server/devices/syncs_under_way.h"
#include "storage/store.h"

namespace caresync::mismatch {

// A value; of one carer.
struct CarerDevices {
  // The rostering system says that the carer works there no more.
  bool carer_left = false;
  // Which device is in use cannot be read, or what is stored of it, or of the carer.
  bool damaged = false;
  // The device in use. nullopt: there is none.
  std::optional<v1::MismatchDevice> in_use;
  // Its rows, as they are to be shown: a call that was under way and is over has failed.
  devices::DeviceRows rows;
  // Others that hold something of the carer, the one that began a sync of the carer's last first.
  std::vector<v1::MismatchDevice> others;
};

// Reads for one request and one thread, each carer once; what is given to the constructor must outlive it. A row that
// cannot be read is logged, and its device left out, or marked where it is the one in use: none keeps another from
// being told. Other errors are those of reading.
class CarerDevicesReader {
 public:
  CarerDevicesReader(const storage::Reader& reader, const base::TenantId& tenant, const devices::SyncsUnderWay& syncs)
      : reader_(reader), tenant_(tenant), syncs_(syncs) {}

  // Of others, those of the last limits::kMismatchSyncsSearched syncs of the carer, at most limits::kMismatchDevices.
  // Valid as long as the reader of devices is.
  absl::StatusOr<const CarerDevices*> Of(const base::Uuid& carer);
  // The same, but that nothing is to be made of `others`: some rows for each carer, for whoever asks for very many.
  absl::StatusOr<const CarerDevices*> WithoutOthers(const base::Uuid& carer);

 private:
  struct Known {
    CarerDevices all;
    std::optional<base::Uuid> in_use;
    bool has_others = false;
  };
  absl::StatusOr<Known*> Find(const base::Uuid& carer);
  // Without others.
  absl::StatusOr<Known> Read(const base::Uuid& carer) const;
  absl::Status ReadLeft(const base::Uuid& carer, CarerDevices& all) const;
  absl::Status ReadInUse(const base::Uuid& carer, const base::Uuid& device, CarerDevices& all) const;
  absl::Status ReadOthers(const base::Uuid& carer, const std::optional<base::Uuid>& in_use, CarerDevices& all) const;
  // nullopt where they are damaged.
  absl::StatusOr<std::optional<devices::DeviceRows>> ReadRows(const base::Uuid& carer, const base::Uuid& device) const;
  // Each once, the last one first.
  absl::StatusOr<std::vector<base::Uuid>> DevicesOfLastSyncs(const base::Uuid& carer) const;

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const devices::SyncsUnderWay& syncs_;
  std::map<base::Uuid, Known> known_;
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_CARER_DEVICES_H_
