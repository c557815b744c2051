#include "server/deliveries/visit_way.h"

#include <array>

namespace caresync::deliveries {
namespace {

// What is known of one step.
struct Finding {
  v1::DeliveryStepState state = v1::DELIVERY_STEP_STATE_DONE;
  v1::DeliveryFault fault = v1::DELIVERY_FAULT_UNSPECIFIED;
};

constexpr Finding kDone;
constexpr Finding kUnknown = {v1::DELIVERY_STEP_STATE_UNKNOWN};

Finding Fails(v1::DeliveryFault fault) { return {v1::DELIVERY_STEP_STATE_FAILED, fault}; }

// What is stored of the device cannot be read: nothing of it is known.
bool IsDamaged(const WayFacts& facts) { return facts.cause == v1::MISMATCH_CAUSE_UNSPECIFIED; }

Finding Published(const WayFacts& facts) {
  if (facts.cancelled) return Fails(v1::DELIVERY_FAULT_CANCELLED);
  return facts.published ? kDone : Fails(v1::DELIVERY_FAULT_NOT_PUBLISHED);
}

Finding Assigned(const WayFacts& facts) { return facts.assigned ? kDone : Fails(v1::DELIVERY_FAULT_NOT_ASSIGNED); }

Finding InWindow(const WayFacts& facts) {
  switch (facts.window) {
    case WayFacts::Window::kInside:
      return kDone;
    case WayFacts::Window::kTooFarAhead:
      return Fails(v1::DELIVERY_FAULT_TOO_FAR_AHEAD);
    case WayFacts::Window::kTooLongAgo:
      return Fails(v1::DELIVERY_FAULT_TOO_LONG_AGO);
    case WayFacts::Window::kMoving:
      return Fails(v1::DELIVERY_FAULT_WINDOW_MOVING);
  }
  return kUnknown;
}

Finding HasDevice(const WayFacts& facts) {
  switch (facts.cause) {
    case v1::MISMATCH_CAUSE_UNSPECIFIED:
      return {v1::DELIVERY_STEP_STATE_UNKNOWN, v1::DELIVERY_FAULT_NOT_READABLE};
    case v1::MISMATCH_CAUSE_CARER_LEFT:
      return Fails(v1::DELIVERY_FAULT_CARER_LEFT);
    case v1::MISMATCH_CAUSE_NO_DEVICE:
      if (facts.has_usable_device) return kDone;
      return Fails(facts.has_device ? v1::DELIVERY_FAULT_DEVICE_BLOCKED : v1::DELIVERY_FAULT_NO_DEVICE);
    case v1::MISMATCH_CAUSE_DEVICE_BLOCKED:
      return Fails(v1::DELIVERY_FAULT_DEVICE_BLOCKED);
    case v1::MISMATCH_CAUSE_DEVICE_CLONED:
      return Fails(v1::DELIVERY_FAULT_DEVICE_CLONED);
    case v1::MISMATCH_CAUSE_NOT_A_USER:
      return Fails(v1::DELIVERY_FAULT_NOT_A_USER);
    default:
      return kDone;
  }
}

Finding SignedIn(const WayFacts& facts) {
  if (IsDamaged(facts)) return kUnknown;
  if (facts.cause == v1::MISMATCH_CAUSE_NO_DEVICE) return Fails(v1::DELIVERY_FAULT_NEVER_SIGNED_IN);
  // What a device holds already needs no credential.
  const bool refused = facts.credential_refused && !facts.acknowledged;
  return refused ? Fails(v1::DELIVERY_FAULT_CREDENTIAL_REFUSED) : kDone;
}

Finding Sent(const WayFacts& facts) {
  if (facts.acknowledged) return kDone;
  if (IsDamaged(facts)) return kUnknown;
  if (!facts.in_feed) return Fails(v1::DELIVERY_FAULT_BEING_PREPARED);
  if (facts.cause == v1::MISMATCH_CAUSE_APP_TOO_OLD) return Fails(v1::DELIVERY_FAULT_APP_TOO_OLD);
  if (facts.cause == v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE) {
    return Fails(v1::DELIVERY_FAULT_WAITING_AFTER_RESTORE);
  }
  if (facts.may_have_been_sent) return kUnknown;
  return Fails(facts.failing ? v1::DELIVERY_FAULT_CALLS_FAIL : v1::DELIVERY_FAULT_NO_SYNC_SINCE);
}

Finding Applied(const WayFacts& facts) {
  if (facts.acknowledged) return kDone;
  if (IsDamaged(facts)) return kUnknown;
  if (facts.sync_under_way) return Fails(v1::DELIVERY_FAULT_SYNC_UNDER_WAY);
  return Fails(facts.copy_unfinished ? v1::DELIVERY_FAULT_COPY_UNFINISHED : v1::DELIVERY_FAULT_NOT_ACKNOWLEDGED);
}

struct Step {
  v1::DeliveryStep step;
  Finding (*find)(const WayFacts& facts);
};

constexpr std::array kWay = {Step{v1::DELIVERY_STEP_PUBLISHED, Published}, Step{v1::DELIVERY_STEP_ASSIGNED, Assigned},
                             Step{v1::DELIVERY_STEP_IN_WINDOW, InWindow},  Step{v1::DELIVERY_STEP_DEVICE, HasDevice},
                             Step{v1::DELIVERY_STEP_SIGNED_IN, SignedIn},  Step{v1::DELIVERY_STEP_SENT, Sent},
                             Step{v1::DELIVERY_STEP_APPLIED, Applied}};

void Add(v1::DeliveryStep step, const Finding& finding, std::vector<v1::DeliveryStepTold>& steps) {
  v1::DeliveryStepTold& told = steps.emplace_back();
  told.set_step(step);
  told.set_state(finding.state);
  told.set_fault(finding.fault);
}

}  // namespace

bool IsToBeHeld(const WayFacts& facts) {
  return !facts.cancelled && facts.published && facts.assigned && facts.window == WayFacts::Window::kInside;
}

std::vector<v1::DeliveryStepTold> WayOf(const WayFacts& facts) {
  std::vector<v1::DeliveryStepTold> steps;
  bool failed = false;
  for (const Step& step : kWay) {
    const Finding finding = failed ? Finding{v1::DELIVERY_STEP_STATE_UNSPECIFIED} : step.find(facts);
    failed |= finding.state == v1::DELIVERY_STEP_STATE_FAILED;
    Add(step.step, finding, steps);
  }
  // That the carer saw it needs no ack: that may have been lost.
  Add(v1::DELIVERY_STEP_SEEN, facts.seen ? kDone : kUnknown, steps);
  return steps;
}

}  // namespace caresync::deliveries
