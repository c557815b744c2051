// Changes of the rota that were taken back before the carer's device was sent any of them: it shows what is planned,
// and there is nothing to tell it.
#ifndef CARESYNC_SERVER_MISMATCH_TAKEN_BACK_H_
#define CARESYNC_SERVER_MISMATCH_TAKEN_BACK_H_

#include <map>

#include "absl/status/statusor.h"
#include "caresync/store/mismatch.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/devices/sent.h"
#include "server/devices/syncs_under_way.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::mismatch {

// What is planned now is what the device in use last acknowledged. What it may have applied since, without a word, is
// another question (TakenBack). Pure.
bool NothingRemains(const store::Mismatch& row);

// For one transaction and one thread; what it was made with must outlive it, and `delivery` reads the same as `reader`.
class TakenBack {
 public:
  TakenBack(const storage::Reader& reader, const base::TenantId& tenant, const devices::SyncsUnderWay& syncs,
            Delivery& delivery)
      : reader_(reader), tenant_(tenant), syncs_(syncs), delivery_(delivery) {}

  // Whether nothing remains of the changes and certainly none of them was sent to the device in use: it still shows
  // what it had acknowledged. False where that cannot be told: a sync or a session of it is open; its last sync since
  // the server started was cut off; its history cannot be read, or does not reach back; the first of the changes came
  // before the server started, as what was sent then may be forgotten.
  //
  // Other devices of the carer are not asked, as nothing else is settled by them either: one that comes into use is
  // judged then, by what it has acknowledged itself (look_again.h).
  //
  // It holds of what is committed on condition that the device's cursor has not moved (Delivery::RequireUnmoved), and
  // then for good: whoever reads the feed from now on reads it as it is now. Whoever read it before and has not sent
  // it yet is a session that was listed before it read, and that sends nothing before it has written the device's
  // report. Either it is still listed when this asks, or it has left: then what it wrote is in `reader`, or has moved
  // the report since, and the condition fails.
  //
  // Errors are those of reading; what is damaged is logged.
  absl::StatusOr<bool> IsUnseen(const CarerVisit& of, const store::Mismatch& row);

 private:
  absl::StatusOr<bool> Judge(const CarerVisit& of, const store::Mismatch& row);
  absl::StatusOr<bool> MaySend(const base::Uuid& carer, const base::Uuid& device, base::Revision first_change);
  absl::StatusOr<const devices::SyncsOnDevice*> SyncsOf(const base::Uuid& carer, const base::Uuid& device);

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const devices::SyncsUnderWay& syncs_;
  Delivery& delivery_;
  // By carer, on the device in use.
  std::map<base::Uuid, devices::SyncsOnDevice> read_;
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_TAKEN_BACK_H_
