// How many changes a copy has not had yet.
#ifndef CARESYNC_SERVER_FEED_FEED_COUNT_H_
#define CARESYNC_SERVER_FEED_FEED_COUNT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "server/feed/feed_entry.h"
#include "storage/store.h"

namespace caresync::feed {

// Entries after `after`, at most `most` of them (then there are as many or more), that an app of data level `level`
// (0: any) can keep. Where a new copy has to be made, which is from the feed's beginning or past its horizon, these are
// its upserts. Reads the head row, and no entry where nothing is after it. Errors are those of reading, DAMAGED_ROW.
absl::StatusOr<uint64_t> CountAfter(const storage::Reader& reader, const base::TenantId& tenant,
                                    const base::ReceiverId& receiver, const Position& after, uint32_t level,
                                    uint64_t most);

}  // namespace caresync::feed

#endif  // CARESYNC_SERVER_FEED_FEED_COUNT_H_
