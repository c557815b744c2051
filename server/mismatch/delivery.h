// What carers' devices have acknowledged.
//
// A change is *settled* for a carer while the device in use has acknowledged a position at or past the visit's entry in
// the carer's feed, by a token that is not of an unfinished rebuild, of a copy that is not known to have diverged. That
// is worked out from the feed and from the device's own row each time, and stored nowhere: the entry of a change whose
// fan-out is a task is not known in the change's commit, and a rebuild that ends or a cursor that falls back changes
// the answer without a word here.
#ifndef CARESYNC_SERVER_MISMATCH_DELIVERY_H_
#define CARESYNC_SERVER_MISMATCH_DELIVERY_H_

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"
#include "server/mismatch/mismatch_rows.h"
#include "storage/store.h"

namespace caresync::mismatch {

// For one snapshot or transaction and one thread; `reader` must outlive it. It keeps what it has read of carers: of a
// row that cannot be read it says that nothing is known to be delivered, and logs that, since neither rotas nor other
// carers may wait for its repair. Other errors are those of reading.
class Delivery {
 public:
  Delivery(const storage::Reader& reader, base::TenantId tenant) : reader_(reader), tenant_(std::move(tenant)) {}

  // Whether the visit is settled for the carer as it is in the reader.
  absl::StatusOr<bool> IsSettled(const CarerVisit& of);
  // The same of a visit that was read there already: the device is to hold `record`, or not to hold it.
  absl::StatusOr<bool> IsSettled(const CarerVisit& of, const std::optional<store::Record>& record, bool held);
  // Whether a device has a copy of the carer's records, whatever is in it.
  absl::StatusOr<bool> HasCopy(const base::Uuid& carer);
  // The device in use; nullopt: there is none, or nobody knows which one it is.
  absl::StatusOr<std::optional<base::Uuid>> DeviceInUse(const base::Uuid& carer);
  // How far it has acknowledged the carer's feed; nullopt: not at all, or nobody knows.
  absl::StatusOr<std::optional<feed::Position>> PositionOf(const base::Uuid& carer);
  // The transaction commits only while the device in use has acknowledged nothing since. For one transaction, of which
  // nothing is rolled back after it.
  absl::Status RequireUnmoved(const base::Uuid& carer, commit::Transaction& transaction);

 private:
  // What the device in use has acknowledged of the carer's feed.
  struct Acknowledged {
    std::optional<base::Uuid> device;
    // It has a copy of the carer's records; else it holds nothing.
    bool has_copy = false;
    // nullopt: nothing, or nothing that can be relied on: of a store whose past this is not, or of a copy that
    // diverged.
    std::optional<feed::Position> position;
    // The rows that say so, as they were read.
    std::vector<storage::Precondition> rows;
    bool required = false;
  };
  absl::StatusOr<bool> Judge(const CarerVisit& of);
  absl::StatusOr<bool> Judge(const CarerVisit& of, const std::optional<store::Record>& record, bool held);
  absl::StatusOr<bool> UnlessNotKnown(const base::Uuid& carer, absl::StatusOr<bool> settled) const;
  absl::StatusOr<Acknowledged*> Of(const base::Uuid& carer);
  absl::StatusOr<Acknowledged> Read(const base::Uuid& carer) const;

  const storage::Reader& reader_;
  const base::TenantId tenant_;
  std::map<base::Uuid, Acknowledged> known_;
};

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_DELIVERY_H_
