#include "server/deliveries/way_wording.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/proto_time.h"
#include "server/devices/call_advice.h"
#include "server/mismatch/cause.h"
#include "server/mismatch/wording.h"

namespace caresync::deliveries {
namespace {

using absl::StrCat;
using mismatch::AppText;
using mismatch::FailureText;
using mismatch::ReasonText;

// What they say of which answer.
struct Words {
  const v1::ExplainVisitResponse& response;
  absl::TimeZone zone;
  // Devices need not have a name.
  std::string carer;
  std::string device;
};

Words WordsOf(absl::TimeZone zone, const v1::ExplainVisitResponse& response) {
  const v1::MismatchDevice& device = response.device();
  const std::string uuid = device.device_uuid().empty() ? "the device" : StrCat("device ", device.device_uuid());
  return {response, zone, mismatch::CarerText(response.carer_name(), response.carer_id()),
          device.device_name().empty() ? uuid : device.device_name()};
}

std::string TimeText(const Words& words, const google::protobuf::Timestamp& time) {
  const absl::Time instant = base::FromTimestamp(time).value_or(absl::InfinitePast());
  return absl::FormatTime("%d %B %Y, %H:%M", instant, words.zone);
}

// " since the last change of 02 March 2026, 09:00", where that is known.
std::string SinceText(const Words& words) {
  if (!words.response.has_last_change_time()) return "";
  return StrCat(" since the last change of ", TimeText(words, words.response.last_change_time()));
}

std::string LastCallText(const Words& words) {
  const v1::MismatchDevice& device = words.response.device();
  if (!device.has_last_api_call_time()) return "it has never called";
  return StrCat("it called last on ", TimeText(words, device.last_api_call_time()));
}

std::string AheadText(const Words& words) {
  const std::string ahead = "It is too far ahead for devices to hold it yet";
  if (!words.response.has_enters_window_time()) return StrCat(ahead, ".");
  return StrCat(ahead, ": they get it on ", TimeText(words, words.response.enters_window_time()), ".");
}

// ---- What is in the way, as a sentence

std::string FaultText(const Words& words, v1::DeliveryFault fault) {
  const v1::MismatchDevice& device = words.response.device();
  switch (fault) {
    case v1::DELIVERY_FAULT_CANCELLED:
      return "The visit is cancelled in the rota.";
    case v1::DELIVERY_FAULT_NOT_PUBLISHED:
      return "The visit is not published in the rota.";
    case v1::DELIVERY_FAULT_NOT_ASSIGNED:
      return StrCat(words.carer, " is not assigned to the visit in the rota.");
    case v1::DELIVERY_FAULT_TOO_FAR_AHEAD:
      return AheadText(words);
    case v1::DELIVERY_FAULT_TOO_LONG_AGO:
      return "It ended so long ago that devices hold it no more.";
    case v1::DELIVERY_FAULT_WINDOW_MOVING:
      return "The server is about to work out anew which visits devices hold.";
    case v1::DELIVERY_FAULT_CARER_LEFT:
      return StrCat(words.carer, " has left, as the rostering system says: no device gets anything.");
    case v1::DELIVERY_FAULT_NO_DEVICE:
      return StrCat(words.carer, " has no device.");
    case v1::DELIVERY_FAULT_DEVICE_BLOCKED:
      return words.response.has_device() ? StrCat(words.device, " is blocked: it gets nothing.")
                                         : StrCat("Every device of ", words.carer, " is blocked.");
    case v1::DELIVERY_FAULT_DEVICE_CLONED:
      return StrCat("Two phones seem to use the UUID of ", words.device, ", so neither gets anything.");
    case v1::DELIVERY_FAULT_NOT_A_USER:
      return StrCat(words.carer, " was taken off ", words.device, ".");
    case v1::DELIVERY_FAULT_NOT_READABLE:
      return StrCat("What is stored of the device of ", words.carer,
                    ", or of the carer, cannot be read: nothing is known of the device.");
    case v1::DELIVERY_FAULT_NEVER_SIGNED_IN:
      return StrCat(words.carer, " has a device and has not signed in on it.");
    case v1::DELIVERY_FAULT_CREDENTIAL_REFUSED:
      return StrCat(words.device, " is not signed in any more: its last call was refused", ReasonText(device), ".");
    case v1::DELIVERY_FAULT_APP_TOO_OLD:
      return StrCat("The app on ", words.device, " is too old (", AppText(device), "): it gets nothing.");
    case v1::DELIVERY_FAULT_WAITING_AFTER_RESTORE:
      return StrCat(words.device, " waits after a restore of the server's store.");
    case v1::DELIVERY_FAULT_BEING_PREPARED:
      return StrCat("The server is still working the change out for ", words.carer, "'s devices.");
    case v1::DELIVERY_FAULT_CALLS_FAIL:
      return StrCat(words.device, " has not synced", SinceText(words), ": ", FailureText(device), ".");
    case v1::DELIVERY_FAULT_NO_SYNC_SINCE:
      return StrCat(words.device, " has not synced", SinceText(words), ": ", LastCallText(words), ".");
    case v1::DELIVERY_FAULT_SYNC_UNDER_WAY:
      return StrCat(words.device, " is syncing, and has not confirmed the visit yet.");
    case v1::DELIVERY_FAULT_COPY_UNFINISHED:
      return StrCat(words.device, " is making a new copy of all that it holds, and has not completed it.");
    case v1::DELIVERY_FAULT_NOT_ACKNOWLEDGED:
      return StrCat(words.device, " may have been sent the visit, and has not confirmed it",
                    mismatch::IsFailing(device) ? StrCat(": ", FailureText(device)) : "", ".");
    default:
      return "";
  }
}

std::string DoneText(const Words& words, v1::DeliveryStep step) {
  switch (step) {
    case v1::DELIVERY_STEP_PUBLISHED:
      return "The visit is published in the rota.";
    case v1::DELIVERY_STEP_ASSIGNED:
      return StrCat(words.carer, " is assigned to it.");
    case v1::DELIVERY_STEP_IN_WINDOW:
      return "It is of a time for which devices hold visits.";
    case v1::DELIVERY_STEP_DEVICE:
      return words.response.has_device() ? StrCat(words.carer, " uses ", words.device, ".")
                                         : StrCat(words.carer, " has a device.");
    case v1::DELIVERY_STEP_SIGNED_IN:
      return StrCat(words.carer, " has signed in on ", words.device, ".");
    case v1::DELIVERY_STEP_SENT:
      return StrCat("The server sent it to ", words.device, ".");
    case v1::DELIVERY_STEP_APPLIED:
      return StrCat(words.device, " has confirmed that it holds it as it is now.");
    case v1::DELIVERY_STEP_SEEN:
      return StrCat(words.carer, " looked at it on ", TimeText(words, words.response.seen_time()),
                    ", as the app says.");
    default:
      return "";
  }
}

std::string UnknownText(const Words& words, const v1::DeliveryStepTold& step) {
  if (step.fault() != v1::DELIVERY_FAULT_UNSPECIFIED) return FaultText(words, step.fault());
  switch (step.step()) {
    case v1::DELIVERY_STEP_SIGNED_IN:
      return "Not known.";
    case v1::DELIVERY_STEP_SENT:
      return words.response.has_device()
                 ? StrCat("Not known: a sync of ", words.device, " has run that may have brought it.")
                 : "Not known.";
    case v1::DELIVERY_STEP_APPLIED:
      return "Not known.";
    default:
      return StrCat("Not known: the app has not said that ", words.carer, " looked at it as it is now.");
  }
}

std::string StepText(const Words& words, const v1::DeliveryStepTold& step) {
  switch (step.state()) {
    case v1::DELIVERY_STEP_STATE_DONE:
      return DoneText(words, step.step());
    case v1::DELIVERY_STEP_STATE_FAILED:
      return FaultText(words, step.fault());
    case v1::DELIVERY_STEP_STATE_UNKNOWN:
      return UnknownText(words, step);
    default:
      return "";
  }
}

// ---- The whole

// The device has not confirmed what is, and may show what was.
bool MayShowIt(const v1::ExplainVisitResponse& response) { return response.has_device() && !response.acknowledged(); }

// Of a visit that the carer's devices are not to hold.
bool IsNotToBeHeld(v1::DeliveryStep failed) {
  return failed == v1::DELIVERY_STEP_PUBLISHED || failed == v1::DELIVERY_STEP_ASSIGNED ||
         failed == v1::DELIVERY_STEP_IN_WINDOW;
}

std::string Headline(const Words& words) {
  const v1::ExplainVisitResponse& response = words.response;
  if (response.failed_step() != v1::DELIVERY_STEP_UNSPECIFIED) {
    const std::string fault = FaultText(words, response.fault());
    const bool may_show = IsNotToBeHeld(response.failed_step()) && MayShowIt(response);
    return may_show ? StrCat(fault, " ", words.device, " may show it all the same.") : fault;
  }
  if (response.acknowledged()) return StrCat(words.device, " has confirmed that it holds the visit as it is now.");
  return FaultText(words, v1::DELIVERY_FAULT_NOT_READABLE);
}

// What helps where devices are not to hold it.
std::string AdviceOnRota(const Words& words) {
  if (MayShowIt(words.response)) {
    return StrCat("Tell ", words.carer, " by phone, and ask for a manual sync, with the app open and the screen on.");
  }
  switch (words.response.fault()) {
    case v1::DELIVERY_FAULT_NOT_PUBLISHED:
      return StrCat("Publish it in the rostering system if ", words.carer, " is to make it.");
    case v1::DELIVERY_FAULT_NOT_ASSIGNED:
      return StrCat("Assign it in the rostering system if ", words.carer, " is to make it.");
    default:
      return "";
  }
}

std::string TellByPhone(const Words& words, const std::string& rest) {
  return StrCat("Tell ", words.carer, " of the visit by phone", rest);
}

std::string AdviceOnBlocked(const Words& words) {
  if (!words.response.has_device()) return TellByPhone(words, ", and see that another device is signed in.");
  const bool has_another = words.response.assigned_device_uuids_size() > 0;
  return TellByPhone(words, has_another
                                ? StrCat(", and ask ", words.carer, " to sign in on a device that is not blocked.")
                                : StrCat(". Unblock ", words.device, " when it is in the right hands again."));
}

std::string Advice(const Words& words) {
  const v1::ExplainVisitResponse& response = words.response;
  if (IsNotToBeHeld(response.failed_step())) return AdviceOnRota(words);
  switch (response.fault()) {
    case v1::DELIVERY_FAULT_CARER_LEFT:
      return StrCat("See in the rostering system whether ", words.carer, " has left, and who makes the visit.");
    case v1::DELIVERY_FAULT_NO_DEVICE:
    case v1::DELIVERY_FAULT_NEVER_SIGNED_IN:
      return TellByPhone(words, ", and see that a device is signed in.");
    case v1::DELIVERY_FAULT_DEVICE_BLOCKED:
      return AdviceOnBlocked(words);
    case v1::DELIVERY_FAULT_DEVICE_CLONED:
      return TellByPhone(words, ". Have the app installed anew on one of the two phones, then clear the mark.");
    case v1::DELIVERY_FAULT_NOT_A_USER:
      return TellByPhone(
          words, StrCat(", and see that another device is signed in, or give ", words.device, " this user again."));
    case v1::DELIVERY_FAULT_CREDENTIAL_REFUSED:
      return StrCat("Ask ", words.carer, " to sign in again on ", words.device,
                    ", and for a manual sync, with the app open and the screen on.");
    case v1::DELIVERY_FAULT_APP_TOO_OLD:
      return TellByPhone(words, StrCat(", and ask for an update of the app on ", words.device, "."));
    case v1::DELIVERY_FAULT_WAITING_AFTER_RESTORE:
      return TellByPhone(
          words, StrCat(". ", devices::AdviceText(devices::CallRemedy::kSendRotaAgain, words.carer, words.device)));
    case v1::DELIVERY_FAULT_BEING_PREPARED:
    case v1::DELIVERY_FAULT_SYNC_UNDER_WAY:
      return "Ask again in a minute.";
    case v1::DELIVERY_FAULT_NO_SYNC_SINCE:
      return mismatch::AskForSync(words.carer);
    case v1::DELIVERY_FAULT_CALLS_FAIL:
    case v1::DELIVERY_FAULT_COPY_UNFINISHED:
    case v1::DELIVERY_FAULT_NOT_ACKNOWLEDGED:
      return mismatch::CallAdvice(response.device(), words.carer, words.device);
    default:
      return response.acknowledged() ? "" : TellByPhone(words, ".");
  }
}

}  // namespace

void AddWords(absl::TimeZone zone, v1::ExplainVisitResponse& response) {
  const Words words = WordsOf(zone, response);
  for (v1::DeliveryStepTold& step : *response.mutable_steps()) step.set_text(StepText(words, step));
  response.set_headline(Headline(words));
  response.set_advice(Advice(words));
}

}  // namespace caresync::deliveries
