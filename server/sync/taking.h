// What a device uploads, taken by changes of its tenant.
#ifndef CARESYNC_SERVER_SYNC_TAKING_H_
#define CARESYNC_SERVER_SYNC_TAKING_H_

#include "absl/status/status.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/commit/transaction.h"
#include "server/records/care_events.h"

namespace caresync::sync {

// Takes the upload's events from `first` on, as many as one commit can carry: the first one always, or it is an error.
// `result` keeps the results of those before `first`, and gets one for each that is taken.
//
// One that shows that the carer came to a visit, and is new, resolves a live mismatch of that, though it be for review.
// Where the carer recorded any of them, and they are new, the device is in use from then on (devices/device_in_use.h),
// if the carer may hold a copy on it. Errors are those of records::TakeEvent and of reading.
absl::Status TakeEvents(commit::Transaction& transaction, const records::EventSender& sender, const v1::Upload& upload,
                        int first, v1::UploadResult& result);

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_TAKING_H_
