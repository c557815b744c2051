// Whether a carer may record something on a visit or a service user now.
#ifndef CARESYNC_SERVER_RECORDS_APPLICABILITY_H_
#define CARESYNC_SERVER_RECORDS_APPLICABILITY_H_

#include <optional>

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "storage/store.h"

namespace caresync::records {

struct Applicability {
  // Why not; UNSPECIFIED where it is applicable.
  v1::ReviewReason reason = v1::REVIEW_REASON_UNSPECIFIED;
  // The record, where it is there.
  std::optional<store::Record> parent;
};

// Whether the carer's event on `parent` can take effect, whatever waits before it. Errors are those of reading.
absl::StatusOr<Applicability> WhetherApplicable(const storage::Reader& reader, const base::TenantId& tenant,
                                                const base::Uuid& carer, const RecordName& parent);

// Whether one more event may hang on the record (limits::kEventsOfRecord).
absl::StatusOr<bool> HasRoomForEvent(const storage::Reader& reader, const base::TenantId& tenant,
                                     const base::RecordKey& parent);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_APPLICABILITY_H_
