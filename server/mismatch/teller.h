// What people are told of mismatches.
#ifndef CARESYNC_SERVER_MISMATCH_TELLER_H_
#define CARESYNC_SERVER_MISMATCH_TELLER_H_

#include <cstdint>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/names.h"
#include "server/devices/report_row.h"
#include "server/mismatch/carer_devices.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::mismatch {

// For one request and one thread: it keeps what it has read. What it was made with must outlive it.
class Teller {
 public:
  Teller(const storage::Reader& reader, const base::TenantId& tenant, const devices::AsOf& as_of);

  // Errors are those of reading.
  absl::StatusOr<v1::Mismatch> Tell(const CarerVisit& of, const store::Mismatch& row);

  // When the carer's device synced last, where its cause is SILENT or FAILING; nullopt: it is another. It is live, and
  // its first change was committed at `first_change`. Reads some rows for each carer once, and no others: for very
  // many.
  absl::StatusOr<std::optional<absl::Time>> LastSyncOfSilent(const base::Uuid& carer, absl::Time first_change);

  // The tenant's; UTC where it is not known any more.
  absl::StatusOr<absl::TimeZone> Zone();

  // How many of the carers have signed in on no device; what is known of one already is not read again. One of whom
  // that cannot be read is logged, and not among them. Other errors are those of reading.
  absl::StatusOr<uint32_t> CountWithoutDevice(const std::set<base::Uuid>& carers);

 private:
  absl::Status Show(const store::VisitPart& part, v1::VisitShown& shown);
  // What there is to say of the carer's devices, `row` being due to one of them.
  absl::Status TellOfDevices(const CarerVisit& of, const store::Mismatch& row, v1::Mismatch& mismatch);
  // Read once, where there is something to tell.
  absl::StatusOr<const store::Tenant*> Preferences();

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const absl::Time now_;
  devices::Names names_;
  CarerDevicesReader devices_;
  std::optional<store::Tenant> preferences_;
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_TELLER_H_
