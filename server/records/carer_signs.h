// What shows that a carer came to a visit, or looked at it.
#ifndef CARESYNC_SERVER_RECORDS_CARER_SIGNS_H_
#define CARESYNC_SERVER_RECORDS_CARER_SIGNS_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/records.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::records {

// What an event of the carer's tells.
struct CarerSign {
  // By the device's clock.
  absl::Time occurred;
  // When it came.
  absl::Time received;
};

// Whether the event shows that its carer is, or was, at the visit that it names: the visit was begun or finished, or
// something came of one of its activities. A note or a form may be written anywhere, and that a carer has seen a change
// is no journey. Pure.
bool IsSign(const v1::CareEvent& event);

// One of the carer's on the visit that occurred at `earliest` or later, whether the event took effect or waits for
// review; nullopt where there is none among as many events of the visit as it may have (limits::kEventsOfRecord), nor
// among the first limits::kEventsLookedThrough of the carer's that wait. Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<std::optional<CarerSign>> FindSign(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& carer, const base::RecordKey& visit,
                                                  absl::Time earliest);

// That the carer looked at this version of the visit, as the app says; nullopt where none of the events looked through
// says so, which shows nothing. Errors are those of reading, and DAMAGED_ROW.
absl::StatusOr<std::optional<CarerSign>> FindSeen(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& carer, const base::RecordKey& visit,
                                                  base::Revision version);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_CARER_SIGNS_H_
