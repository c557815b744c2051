// What carers recorded, and what of it waits for a person: the lists of CareEventService.
//
// Pure functions over a reader; safe from any thread.
#ifndef CARESYNC_SERVER_CARE_EVENTS_EVENT_LISTS_H_
#define CARESYNC_SERVER_CARE_EVENTS_EVENT_LISTS_H_

#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/care_events.pb.h"
#include "server/base/ids.h"
#include "server/records/review.h"
#include "storage/store.h"

namespace caresync::care_events {

// One page of the events on a visit or service user, in the order received. Errors: INVALID_FIELD, VISIT_UNKNOWN,
// SERVICE_USER_UNKNOWN, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListCareEventsResponse> ListCareEvents(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListCareEventsRequest& request);

// One page of the items for review; looks at no more than limits::kSearchedRows items, so that a page of a filtered
// list may hold less than was asked for. Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListEventsForReviewResponse> ListEventsForReview(const storage::Reader& reader,
                                                                    const base::TenantId& tenant,
                                                                    const v1::ListEventsForReviewRequest& request);

// The item as people see it. Errors are those of reading.
absl::StatusOr<v1::EventForReview> ToProto(const storage::Reader& reader, const base::TenantId& tenant,
                                           const records::ReviewName& name, const store::ReviewItem& item);

}  // namespace caresync::care_events

#endif  // CARESYNC_SERVER_CARE_EVENTS_EVENT_LISTS_H_
