// What becomes of an event for review: stored on a visit or service user, or discarded; by a person, or by itself when
// what it waited for has come. What only followed it is then taken in its order.
#ifndef CARESYNC_SERVER_RECORDS_REVIEW_RESOLUTION_H_
#define CARESYNC_SERVER_RECORDS_REVIEW_RESOLUTION_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/care_events.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/records/review.h"

namespace caresync::records {

// What a person says of an item.
struct Ruling {
  // APPLIED, ACCEPTED_AS_UNPLANNED or DISCARDED.
  v1::Resolution resolution = v1::RESOLUTION_UNSPECIFIED;
  // The visit or service user to store it on. APPLIED: nullopt is the event's own visit. ACCEPTED_AS_UNPLANNED: nullopt
  // is the event's own service user, or its visit's.
  std::optional<RecordName> target;
  // With DISCARDED: the person's reason.
  std::string note;
  // The person's subject.
  std::string person;
};

struct Resolved {
  store::ReviewItem item;
  // How many behind it were taken with it.
  size_t followers = 0;
};

// Resolves the item. Stored on another visit or service user than its bytes name, the stored event names that one; the
// item keeps the bytes as they came. Of a visit's events, what waits behind the first goes where that went, unless it
// can be taken where it belongs; what waits behind another stays behind the first.
// The same ruling again changes nothing. Errors: REVIEW_UNKNOWN; EVENT_RESOLVED; VISIT_UNKNOWN, SERVICE_USER_UNKNOWN;
// EVENT_CANNOT_BE_STORED; those of RecordStore.
absl::StatusOr<Resolved> Resolve(RecordStore& records, const ReviewName& name, const Ruling& ruling);

// Takes the carer's events that wait on `parent`, in their order, as far as they are applicable now; at most
// limits::kFollowersPerCommit, then it schedules the rest. `target`: where a person put the one that they followed.
// Returns how many were taken.
absl::StatusOr<size_t> TakeWaiting(RecordStore& records, const base::RecordKey& carer, const base::RecordKey& parent,
                                   const std::optional<base::RecordKey>& target);

// To be called where the carer may have become able to record on `parent`: has what waits there looked at in a commit
// of its own.
absl::Status LookAtWaiting(commit::Transaction& transaction, const base::RecordKey& carer,
                           const base::RecordKey& parent);

// The task that LookAtWaiting schedules.
inline constexpr char kReviewTask[] = "records/review";
absl::Status ReviewStep(commit::Transaction& transaction, const std::string& payload);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_REVIEW_RESOLUTION_H_
