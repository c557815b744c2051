#include "tests/spec/render.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/base/errors.h"

namespace caresync::spec {
namespace {

using absl::StrCat;

std::string NameOf(const std::string& id, const NamesById& names) {
  const auto name = names.find(id);
  return name == names.end() ? id : name->second;
}

// An enum's value without its type's prefix.
template <typename Name>
std::string Short(const Name& name, absl::string_view prefix) {
  return std::string(absl::StripPrefix(name, prefix));
}

std::string ReasonOf(v1::RebuildReason reason) { return Short(v1::RebuildReason_Name(reason), "REBUILD_REASON_"); }

std::string Render(const v1::UploadResult& result, const NamesById& names) {
  std::string text = "results";
  for (const v1::EventResult& event : result.results()) {
    absl::StrAppend(&text, " ", NameOf(event.event_id(), names), "=",
                    Short(v1::EventOutcome_Name(event.outcome()), "EVENT_OUTCOME_"));
    if (event.review_reason() != v1::REVIEW_REASON_UNSPECIFIED) {
      absl::StrAppend(&text, ":", Short(v1::ReviewReason_Name(event.review_reason()), "REVIEW_REASON_"));
    }
  }
  return text;
}

std::string Render(const v1::Changes& changes, const NamesById& names) {
  std::vector<std::string> words;
  for (const v1::Upsert& upsert : changes.upserts()) words.push_back(StrCat("+", NameOf(upsert.record_id(), names)));
  for (const v1::Removal& removal : changes.removals())
    words.push_back(StrCat("-", NameOf(removal.record_id(), names)));
  std::sort(words.begin(), words.end());
  words.insert(words.begin(), changes.next_visits() ? "next_visits" : "changes");
  return absl::StrJoin(words, " ");
}

template <typename Message>
std::string TimeOf(bool present, const Message& time) {
  return TimeText(present ? std::optional(absl::FromUnixSeconds(time.seconds())) : std::nullopt);
}

std::string Render(const v1::Notice& notice, const NamesById& names) {
  switch (notice.what_case()) {
    case v1::Notice::kSyncNow:
      return "notice sync_now";
    case v1::Notice::kPreferences:
      return StrCat("notice preferences ", notice.preferences().auto_sync_interval().seconds(), " s");
    case v1::Notice::kCredentialsEndTime:
      return StrCat("notice credentials end ", TimeOf(true, notice.credentials_end_time()));
    case v1::Notice::kGoingAway:
      return "notice going_away";
    case v1::Notice::kDropNow:
      break;
    case v1::Notice::WHAT_NOT_SET:
      return "notice of nothing";
  }
  std::string text = "notice drop_now";
  for (const std::string& carer : notice.drop_now().carer_ids()) absl::StrAppend(&text, " ", NameOf(carer, names));
  return text;
}

std::string OrNone(const std::string& text) { return text.empty() ? "none" : text; }

}  // namespace

std::string TimeText(std::optional<absl::Time> time) {
  return time.has_value() ? absl::FormatTime("%d %H:%M:%S", *time, absl::UTCTimeZone()) : "never";
}

std::string Render(const v1::SyncResponse& response, const NamesById& names) {
  std::vector<std::string> parts;
  if (response.has_started()) {
    parts.push_back(StrCat("started", response.started().waiting() ? " waiting" : "",
                           response.started().resend_events() ? " resend" : ""));
    if (response.started().drop_now_carer_ids_size() > 0) parts.back().append(" drop_now");
    for (const std::string& carer : response.started().drop_now_carer_ids()) {
      absl::StrAppend(&parts.back(), " ", NameOf(carer, names));
    }
  }
  if (response.has_upload_result()) parts.push_back(Render(response.upload_result(), names));
  if (response.has_rebuild()) parts.push_back(StrCat("rebuild ", ReasonOf(response.rebuild().reason())));
  if (response.has_changes()) parts.push_back(Render(response.changes(), names));
  if (response.has_caught_up()) parts.push_back(StrCat("caught_up ", response.caught_up().holds().count()));
  if (response.has_sync_recorded()) parts.push_back("sync_recorded");
  if (response.has_notice()) parts.push_back(Render(response.notice(), names));
  return absl::StrJoin(parts, ", ");
}

std::string Render(const fakes::HeldRecords& records, const NamesById& names) {
  std::vector<std::string> words;
  for (const auto& [name, payload] : records) words.push_back(NameOf(name.second, names));
  std::sort(words.begin(), words.end());
  return words.empty() ? "nothing" : absl::StrJoin(words, " ");
}

std::string Render(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::string reason = base::Reason(status);
  return reason.empty() ? StrCat("no reason: ", std::string(status.message())) : reason;
}

std::vector<std::string> Facts(const v1::SyncSummary& sync, const NamesById& names) {
  return {
      StrCat("type ", Short(v1::SyncType_Name(sync.sync_type()), "SYNC_TYPE_")),
      StrCat("carer ", NameOf(sync.carer_id(), names)),
      StrCat("began ", TimeOf(sync.has_start_time(), sync.start_time())),
      StrCat("ended ", TimeOf(sync.has_end_time(), sync.end_time())),
      StrCat("stage ", Short(v1::SyncStage_Name(sync.stage()), "SYNC_STAGE_")),
      StrCat("outcome ", Short(v1::SyncOutcome_Name(sync.outcome()), "SYNC_OUTCOME_")),
      StrCat("reason ", OrNone(sync.reason())),
      StrCat("interruption ", Short(v1::InterruptionCause_Name(sync.interruption()), "INTERRUPTION_CAUSE_")),
      StrCat("rebuild ", ReasonOf(sync.rebuild_reason())),
      StrCat("upserts ", sync.upserts_sent()),
      StrCat("removals ", sync.removals_sent()),
      StrCat("events ", sync.events_received()),
      StrCat("accepted ", sync.events_accepted()),
      StrCat("for review ", sync.events_for_review()),
      StrCat("app ", sync.app_version()),
      StrCat("confirmations ", sync.confirmations()),
  };
}

std::vector<std::string> Facts(const v1::Device& device, const NamesById& names) {
  std::vector<std::string> facts = {
      StrCat("name ", device.device_name()),
      StrCat("app ", device.app_version()),
      StrCat("branch ", OrNone(device.branch_name())),
      StrCat("called ", TimeOf(device.has_last_api_call_time(), device.last_api_call_time())),
      StrCat("call ", Short(v1::CallState_Name(device.last_api_call()), "CALL_STATE_")),
      StrCat("reason ", OrNone(device.last_api_call_reason())),
      StrCat("state ", Short(v1::DeviceState_Name(device.state()), "DEVICE_STATE_")),
      StrCat("synced ", TimeOf(device.has_last_successful_sync_time(), device.last_successful_sync_time())),
      StrCat("manual due ", TimeOf(device.has_manual_sync_due_since_time(), device.manual_sync_due_since_time())),
      StrCat("missing events ", device.missing_event_numbers()),
      StrCat("take-overs ", device.take_overs()),
  };
  for (const v1::DeviceUser& user : device.users()) {
    facts.push_back(StrCat("user ", NameOf(user.carer_id(), names), " synced ",
                           TimeOf(user.has_last_successful_sync_time(), user.last_successful_sync_time())));
    facts.push_back(StrCat("user ", NameOf(user.carer_id(), names), " at ", user.acknowledged_revision()));
  }
  return facts;
}

std::vector<std::string> Facts(const v1::Mismatch& mismatch, const NamesById& names) {
  const v1::MismatchDevice& device = mismatch.device();
  std::vector<std::string> facts = {
      StrCat("cause ", Short(v1::MismatchCause_Name(mismatch.cause()), "MISMATCH_CAUSE_")),
      StrCat("device ", OrNone(NameOf(device.device_uuid(), names))),
      StrCat("call ", Short(v1::CallState_Name(device.last_api_call()), "CALL_STATE_")),
      StrCat("reason ", OrNone(device.last_api_call_reason())),
      StrCat("failed calls ", device.failed_calls()),
      StrCat("synced ", TimeOf(device.has_last_successful_sync_time(), device.last_successful_sync_time())),
      StrCat("in contact ", TimeOf(device.has_last_contact_time(), device.last_contact_time())),
  };
  for (const v1::MismatchDevice& other : mismatch.other_devices()) {
    facts.push_back(StrCat("other ", NameOf(other.device_uuid(), names)));
  }
  if (mismatch.other_devices().empty()) facts.push_back("no other");
  return facts;
}

std::vector<std::string> Facts(const v1::ExplainVisitResponse& told, const NamesById& names) {
  const bool fails = told.failed_step() != v1::DELIVERY_STEP_UNSPECIFIED;
  const std::string where = StrCat(Short(v1::DeliveryStep_Name(told.failed_step()), "DELIVERY_STEP_"), " ",
                                   Short(v1::DeliveryFault_Name(told.fault()), "DELIVERY_FAULT_"));
  std::vector<std::string> facts = {
      StrCat("fails ", fails ? where : "nowhere"),
      told.acknowledged() ? "acknowledged" : "not acknowledged",
      StrCat("device ", OrNone(NameOf(told.device().device_uuid(), names))),
      StrCat("reason ", OrNone(told.device().last_api_call_reason())),
  };
  for (const v1::DeliveryStepTold& step : told.steps()) {
    facts.push_back(StrCat(Short(v1::DeliveryStep_Name(step.step()), "DELIVERY_STEP_"), " ",
                           Short(v1::DeliveryStepState_Name(step.state()), "DELIVERY_STEP_STATE_")));
  }
  return facts;
}

absl::Status HasFacts(const std::vector<std::string>& facts, const std::string& expected) {
  for (absl::string_view fact : absl::StrSplit(expected, ", ")) {
    if (std::find(facts.begin(), facts.end(), fact) != facts.end()) continue;
    return absl::InternalError(StrCat("not \"", fact, "\" but:\n    ", absl::StrJoin(facts, ", ")));
  }
  return absl::OkStatus();
}

std::string Render(const v1::Mismatch& mismatch, const NamesById& names) {
  std::string text = StrCat(NameOf(mismatch.visit_id(), names), " of ", NameOf(mismatch.carer_id(), names), " ",
                            Short(v1::MismatchState_Name(mismatch.state()), "MISMATCH_STATE_"));
  if (mismatch.resolution() == v1::MISMATCH_RESOLUTION_STARTED) absl::StrAppend(&text, " STARTED");
  if (mismatch.resolution() == v1::MISMATCH_RESOLUTION_TAKEN_BACK) absl::StrAppend(&text, " TAKEN_BACK");
  for (const int change : mismatch.changes()) {
    absl::StrAppend(&text, " ",
                    Short(v1::VisitChangeKind_Name(static_cast<v1::VisitChangeKind>(change)), "VISIT_CHANGE_KIND_"));
  }
  return text;
}

}  // namespace caresync::spec
