// The steps of a visit's way to a carer's phone, and which of them fails first. Pure.
#ifndef CARESYNC_SERVER_DELIVERIES_VISIT_WAY_H_
#define CARESYNC_SERVER_DELIVERIES_VISIT_WAY_H_

#include <vector>

#include "caresync/v1/deliveries.pb.h"
#include "caresync/v1/mismatches.pb.h"

namespace caresync::deliveries {

// What is known of one carer's part in a visit, and of the device that is to show it. A value. What is behind the first
// thing that is wrong need not be set.
struct WayFacts {
  enum class Window { kInside, kTooFarAhead, kTooLongAgo, kMoving };

  // ---- The visit

  bool cancelled = false;
  bool published = false;
  bool assigned = false;
  Window window = Window::kInside;

  // ---- The device

  // Why the one in use would not take it, as of a mismatch; with NO_DEVICE the next two count.
  v1::MismatchCause cause = v1::MISMATCH_CAUSE_UNSPECIFIED;
  // The carer is a user of devices; of one at least that is not blocked.
  bool has_device = false;
  bool has_usable_device = false;
  // Its last call failed, for its credential was not taken.
  bool credential_refused = false;
  // Its last calls failed.
  bool failing = false;

  // ---- The way there

  // What the carer's devices get is as the visit is.
  bool in_feed = false;
  // A sync of the carer's on it may have sent that.
  bool may_have_been_sent = false;
  bool sync_under_way = false;
  bool copy_unfinished = false;
  bool acknowledged = false;
  // The carer looked at it, as the app says.
  bool seen = false;
};

// The carer's devices are to hold the visit: no step before DEVICE fails. Pure.
bool IsToBeHeld(const WayFacts& facts);

// All steps in their order, without words.
std::vector<v1::DeliveryStepTold> WayOf(const WayFacts& facts);

}  // namespace caresync::deliveries

#endif  // CARESYNC_SERVER_DELIVERIES_VISIT_WAY_H_
