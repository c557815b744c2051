// The rows of the proof of delivery: what carers' feeds showed of visits, and what devices said that they hold of it.
//
// Two things are kept, and all else is worked out of them when somebody asks (docs/adr/0024). An *entry* for each time
// that a visit moved in a carer's feed: written by the rider of the commit that moved it (entries.h), so that none is
// missing, whichever way the visit changed. A *mark* for each time that a device said that it holds more, or less, of a
// carer's records: written by the device's own commit that takes the ack (marks.h), so that no mark says what was not
// acknowledged. An empty sync writes none.
//
// Errors are those of reading, and DAMAGED_ROW.
#ifndef CARESYNC_SERVER_DELIVERIES_DELIVERY_ROWS_H_
#define CARESYNC_SERVER_DELIVERIES_DELIVERY_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/delivery.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::deliveries {

// A visit's entry in a carer's feed, and where it lay.
struct Entry {
  base::Uuid carer;
  base::RecordKey visit;
  base::Revision revision = 0;
  store::VisitEntry row;

  feed::Position position() const { return {revision, visit}; }
};

struct Mark {
  uint64_t number = 0;
  store::CopyMark row;

  feed::Position position() const;
  // It holds all that the feed showed at its cursor's revision.
  bool is_whole() const;
};

// Writes an entry with its index rows, under the transaction's revision.
void PutEntry(commit::Transaction& transaction, const base::Uuid& carer, const base::RecordKey& visit,
              const store::VisitEntry& row);
void DeleteEntry(commit::Transaction& transaction, const base::Uuid& carer, const base::RecordKey& visit,
                 base::Revision revision);

// nullopt: there is none.
absl::StatusOr<std::optional<Entry>> GetEntry(const storage::Reader& reader, const base::TenantId& tenant,
                                              const base::Uuid& carer, base::Revision revision,
                                              const base::RecordKey& visit);
// `most` of a carer's, in the order of the feed, behind `after`.
absl::StatusOr<std::vector<Entry>> ReadEntries(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::Uuid& carer, const feed::Position& after, size_t most);

// `most` of a device's marks of a carer with numbers above `after`, in the order in which they were made.
absl::StatusOr<std::vector<Mark>> ReadMarks(const storage::Reader& reader, const base::TenantId& tenant,
                                            const base::Uuid& device, const base::Uuid& carer, uint64_t after,
                                            size_t most);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_DELIVERY_ROWS_H_
