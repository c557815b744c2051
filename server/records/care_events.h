// Care events take effect exactly once and are never lost.
#ifndef CARESYNC_SERVER_RECORDS_CARE_EVENTS_H_
#define CARESYNC_SERVER_RECORDS_CARE_EVENTS_H_

#include <string>

#include "absl/status/statusor.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/uuid.h"
#include "server/records/record_store.h"

namespace caresync::records {

// Who sends an event.
struct EventSender {
  base::Uuid device;
  base::Uuid carer;
};

// Takes one event (docs/protocol.md, "Care events"):
//   new and applicable                stored as a record that hangs on its visit, or on its service user: ACCEPTED
//   new, not applicable               kept for review, with the reason: FOR_REVIEW
//   new, an earlier event of the same carer and visit is for review: FOR_REVIEW, in order behind it
//   known with the same bytes         nothing happens: KNOWN
//   known with other bytes            kept for review beside the first: FOR_REVIEW, EVENT_ID_REUSED
// An event on a visit is judged by the visit's assignments, published and cancelled, never by whether devices hold the
// visit still. Its running number is no part of the bytes. The reason that the device is told gives away no record that
// its carer never could see: such a visit is VISIT_UNKNOWN to it, and the item for review holds the true reason.
//
// Errors are those of reading and of RecordStore; an event that is merely wrong is no error.
absl::StatusOr<v1::EventResult> TakeEvent(RecordStore& records, const EventSender& sender,
                                          const v1::UploadedEvent& event);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_CARE_EVENTS_H_
