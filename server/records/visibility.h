// Brings one receiver's feed to what the grants say about one record. It works visibility out anew from the stored
// grants each time, never from what an earlier step saw.
#ifndef CARESYNC_SERVER_RECORDS_VISIBILITY_H_
#define CARESYNC_SERVER_RECORDS_VISIBILITY_H_

#include "absl/status/status.h"
#include "server/base/ids.h"
#include "server/feed/feed_writer.h"

namespace caresync::records {

// Visible: an upsert of the record's current version, unless the entry is right already. Not visible: a removal where
// the receiver had it. Where the record appeared or disappeared, what hangs on it does too. Errors are those of
// reading.
absl::Status SettleFeed(feed::FeedWriter& feeds, const base::ReceiverId& receiver, const base::RecordKey& record);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_VISIBILITY_H_
