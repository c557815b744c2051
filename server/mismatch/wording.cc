#include "server/mismatch/wording.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/base/proto_time.h"
#include "server/devices/call_advice.h"

namespace caresync::mismatch {
namespace {

using absl::StrCat;
using devices::CallRemedy;

// What they say of which mismatch.
struct Words {
  const v1::Mismatch& mismatch;
  // Devices need not have a name.
  std::string carer;
  std::string device;
};

Words WordsOf(const v1::Mismatch& mismatch) {
  const std::string& device = mismatch.device().device_name();
  return {mismatch, CarerText(mismatch.carer_name(), mismatch.carer_id()),
          device.empty() ? StrCat("device ", mismatch.device().device_uuid()) : device};
}

std::string NotSynced(const Words& words, const std::string& why) {
  const std::string synced = StrCat("The rota changed and ", words.carer, " has not synced ", words.device, " since");
  return why.empty() ? StrCat(synced, ".") : StrCat(synced, ": ", why, ".");
}

std::string CannotSync(const Words& words, const std::string& why) {
  return StrCat("The rota changed and ", words.carer, " cannot sync ", words.device, ": ", why, ".");
}

std::string NeverSynced(const Words& words) {
  const bool failed = words.mismatch.device().last_api_call() == v1::CALL_STATE_FAILED;
  return StrCat("The rota changed and ", words.carer, " has never synced ", words.device,
                failed ? StrCat(": ", FailureText(words.mismatch.device())) : "", ".");
}

bool IsOver(const v1::Mismatch& mismatch) {
  return mismatch.state() == v1::MISMATCH_STATE_RESOLVED || mismatch.state() == v1::MISMATCH_STATE_CLOSED;
}

std::string AdviceFor(const Words& words, CallRemedy remedy) {
  return devices::AdviceText(remedy, words.carer, words.device);
}

std::string SinceText(const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  return absl::FormatTime("%H:%M on %d %B %Y", base::FromTimestamp(time).value_or(absl::InfinitePast()), zone);
}

std::string AdviceOnBurst(const v1::MismatchGroup& group) {
  const uint32_t without = group.carers_without_device();
  if (without > 0 && without == group.carer_count()) {
    return "See whether the rota was meant to change so. None of the carers has signed in on a device: tell them by "
           "phone, those with the next visits first, and see that devices are signed in.";
  }
  const std::string by_phone = without == 0 ? ""
                                            : StrCat(" ", without, without == 1 ? " of them has" : " of them have",
                                                     " not signed in on any device, and must be told by phone.");
  return StrCat(
      "See whether the rota was meant to change so, and whether the phones can reach the server; then ask the carers "
      "for a manual sync, those with the next visits first.",
      by_phone);
}

std::string TellByPhone(const Words& words, const std::string& rest) {
  return StrCat("Tell ", words.carer, " by phone", rest);
}

}  // namespace

std::string Headline(const v1::Mismatch& mismatch) {
  const Words words = WordsOf(mismatch);
  if (mismatch.resolution() == v1::MISMATCH_RESOLUTION_STARTED) {
    return StrCat("The rota changed and ", words.carer, " has been at the visit.");
  }
  if (mismatch.resolution() == v1::MISMATCH_RESOLUTION_TAKEN_BACK) {
    return StrCat("The rota changed and was changed back before the device of ", words.carer, " was sent any of it.");
  }
  if (mismatch.state() == v1::MISMATCH_STATE_RESOLVED && mismatch.has_device()) {
    return StrCat("The rota changed and ", words.carer, " has synced ", words.device, " since.");
  }
  switch (mismatch.cause()) {
    case v1::MISMATCH_CAUSE_CARER_LEFT:
      return StrCat("The rota changed and ", words.carer, " has left, as the rostering system says.");
    case v1::MISMATCH_CAUSE_NO_DEVICE:
      return StrCat("The rota changed and ", words.carer, " has not signed in on any device.");
    case v1::MISMATCH_CAUSE_DEVICE_BLOCKED:
      return CannotSync(words, "it is blocked");
    case v1::MISMATCH_CAUSE_DEVICE_CLONED:
      return CannotSync(words, "two phones seem to use its UUID");
    case v1::MISMATCH_CAUSE_NOT_A_USER:
      return CannotSync(words, "this user was taken off it");
    case v1::MISMATCH_CAUSE_APP_TOO_OLD:
      return CannotSync(words, StrCat("its app is too old (", AppText(mismatch.device()), ")"));
    case v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE:
      return NotSynced(words, "it waits after a restore of the server's store");
    case v1::MISMATCH_CAUSE_NEVER_SYNCED:
      return NeverSynced(words);
    case v1::MISMATCH_CAUSE_FAILING:
      return NotSynced(words, FailureText(mismatch.device()));
    case v1::MISMATCH_CAUSE_BEHIND:
      return NotSynced(words, "it has called, and has not confirmed the change");
    default:
      break;
  }
  if (!mismatch.has_device()) {
    return StrCat("The rota changed and no device of ", words.carer, " is known to have it.");
  }
  return NotSynced(words, "");
}

std::string Advice(const v1::Mismatch& mismatch) {
  if (IsOver(mismatch)) return "";
  const Words words = WordsOf(mismatch);
  switch (mismatch.cause()) {
    case v1::MISMATCH_CAUSE_CARER_LEFT:
      return StrCat("See in the rostering system whether ", words.carer, " has left, and who makes the visit.");
    case v1::MISMATCH_CAUSE_NO_DEVICE:
      return TellByPhone(words, ", and see that a device is signed in.");
    case v1::MISMATCH_CAUSE_DEVICE_BLOCKED:
      return TellByPhone(words, StrCat(", and see that another device is signed in, or unblock ", words.device,
                                       " when it is in the right hands again."));
    case v1::MISMATCH_CAUSE_DEVICE_CLONED:
      return TellByPhone(words, StrCat(". ", AdviceFor(words, CallRemedy::kInstallAnew)));
    case v1::MISMATCH_CAUSE_NOT_A_USER:
      return TellByPhone(
          words, StrCat(", and see that another device is signed in, or give ", words.device, " this user again."));
    case v1::MISMATCH_CAUSE_APP_TOO_OLD:
      return TellByPhone(words, StrCat(", and ask for an update of the app on ", words.device, "."));
    case v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE:
      return TellByPhone(words, StrCat(". ", AdviceFor(words, CallRemedy::kSendRotaAgain)));
    case v1::MISMATCH_CAUSE_NEVER_SYNCED:
    case v1::MISMATCH_CAUSE_FAILING:
      return CallAdvice(mismatch.device(), words.carer, words.device);
    default:
      return AskForSync(words.carer);
  }
}

std::string Headline(const v1::MismatchGroup& group, absl::TimeZone zone) {
  switch (group.kind()) {
    case v1::MISMATCH_GROUP_KIND_CARER:
      return StrCat(group.count(), " changes of visits have not reached their carer's phone. ",
                    group.most_urgent().headline());
    case v1::MISMATCH_GROUP_KIND_BURST:
      return StrCat("The rota changed at once in many places, and ", group.count(), " changes of visits of ",
                    group.carer_count(), " carers have not reached their phones.");
    case v1::MISMATCH_GROUP_KIND_OUTAGE:
      return StrCat(group.count(), " changes of visits of ", group.carer_count(),
                    " carers have not reached their phones, none of which has synced since ",
                    SinceText(group.last_sync_until_time(), zone), ".");
    default:
      return group.most_urgent().headline();
  }
}

std::string Advice(const v1::MismatchGroup& group) {
  if (group.kind() == v1::MISMATCH_GROUP_KIND_OUTAGE) {
    return "See whether the network is out, or the mobile provider, or whatever stands before the server; phone the "
           "carers, those with the next visits first.";
  }
  if (group.kind() != v1::MISMATCH_GROUP_KIND_BURST) return group.most_urgent().advice();
  return AdviceOnBurst(group);
}

std::string CarerText(const std::string& name, const std::string& carer_id) {
  return name.empty() ? StrCat("carer ", carer_id) : name;
}

std::string ReasonText(const v1::MismatchDevice& device) {
  return device.last_api_call_reason().empty() ? "" : StrCat(" (", device.last_api_call_reason(), ")");
}

std::string FailureText(const v1::MismatchDevice& device) {
  const std::string calls =
      device.failed_calls() > 1 ? StrCat("its last ", device.failed_calls(), " calls failed") : "its last call failed";
  return StrCat(calls, ReasonText(device));
}

std::string AskForSync(const std::string& carer) {
  return StrCat("Ask ", carer, " for a manual sync, with the app open and the screen on.");
}

std::string CallAdvice(const v1::MismatchDevice& device, const std::string& carer, const std::string& device_text) {
  if (device.last_api_call() != v1::CALL_STATE_FAILED) return AskForSync(carer);
  const CallRemedy remedy = devices::RemedyOf(device.last_api_call_reason());
  return StrCat(devices::NeedsOthers(remedy) ? StrCat("Tell ", carer, " by phone. ") : "",
                devices::AdviceText(remedy, carer, device_text));
}

std::string AppText(const v1::MismatchDevice& device) {
  return device.app_version().empty() ? "of no known version" : device.app_version();
}

}  // namespace caresync::mismatch
