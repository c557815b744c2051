// What the oracle says of how sessions end: by whose doing, and whether that was so.
#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "tests/simulation/oracle.h"

namespace caresync::simulation {

bool WouldLoseWork(const v1::Start& start) {
  const bool has_work = start.unsent_events() > 0 || !start.open_visit_id().empty() || start.form_in_progress();
  return start.sync_type() == v1::SYNC_TYPE_CLEAN && has_work;
}

bool Oracle::AppWasTooOld(const StreamFacts& facts) const {
  const NaiveModel& model = truth_.models.at(facts.identity.tenant);
  bool was = false;
  for (base::Revision at = *facts.head_at_start; at <= model.head().revision; ++at) {
    was = was || IsOlderApp(facts.start.app_version(), model.At(at)->least_app_version);
  }
  return was;
}

bool Oracle::HadLeft(const StreamFacts& facts) const {
  const NaiveModel& model = truth_.models.at(facts.identity.tenant);
  bool left = false;
  for (base::Revision at = *facts.head_at_start; at <= model.head().revision; ++at) {
    left = left || model.At(at)->HasLeft(facts.carer);
  }
  return left;
}

bool Oracle::WasUnknown(const StreamFacts& facts) const {
  const NaiveModel& model = truth_.models.at(facts.identity.tenant);
  bool unknown = false;
  for (base::Revision at = *facts.head_at_start; at <= model.head().revision; ++at) {
    unknown = unknown || !model.At(at)->Knows(facts.carer);
  }
  return unknown;
}

std::string Oracle::WhyRefused(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer) const {
  if (truth_.models.at(tenant).head().HasLeft(carer)) return "CARER_LEFT";
  return truth_.permissions.WhyNot(tenant, device, carer);
}

void Oracle::CheckEnd(const StreamFacts& facts, const absl::Status& end) {
  CheckRecordedEnd(facts, end);
  if (end.ok()) return;
  CheckCutOff(facts, base::Reason(end));
  if (facts.head_at_start.has_value()) CheckRefusal(facts, base::Reason(end));
}

// The device, the network, another phone or the server's end ended it.
void Oracle::CheckCutOff(const StreamFacts& facts, const std::string& reason) {
  const bool started = facts.head_at_start.has_value();
  if (reason == "START_TOO_LATE") Expect(!started || facts.ignored_last, "START_TOO_LATE though there was a start");
  if (reason == "STREAM_CUT") Expect(facts.cut_got, "STREAM_CUT though it is whole");
  if (reason == "LEFT_UNFINISHED") Expect(facts.half_close_got, "LEFT_UNFINISHED though the device has not left");
  if (reason == "DEVICE_SILENT") {
    const bool owed = OwesWork(facts) || (facts.ignored_last && facts.owed_before_last);
    Expect(started && owed, "DEVICE_SILENT though the device owes nothing");
  }
  if (reason == "SESSION_TAKEN_OVER") {
    Expect(started && (facts.conflict_injected || world_.later_start(facts)),
           "SESSION_TAKEN_OVER though no later stream of the device has started");
  }
  if (reason == "CREDENTIAL_EXPIRED") {
    Expect(started && facts.start.follow(), "CREDENTIAL_EXPIRED though the device does not follow");
    Expect(world_.latest_shown(facts.at_opening) >= facts.identity.credential_end,
           "CREDENTIAL_EXPIRED though the credential is good");
  }
  if (reason == "SHUTTING_DOWN") {
    Expect(facts.told_to_stop, "SHUTTING_DOWN though the server stays");
    // What was leaving left first, and was the last where it was not going_away itself.
    const bool could_be_told = facts.policy.has_value() && !facts.cut_got;
    Expect(!could_be_told || facts.ended_while_sending, "SHUTTING_DOWN, and the device is not told before");
  }
}

void Oracle::CheckRefusal(const StreamFacts& facts, const std::string& reason) {
  const base::TenantId& tenant = facts.identity.tenant;
  if (reason == "CARER_LEFT") Expect(HadLeft(facts), "CARER_LEFT though the carer did not");
  if (reason == "CARER_UNKNOWN") Expect(WasUnknown(facts), "CARER_UNKNOWN though the carer is there");
  if (reason == "DEVICE_BLOCKED" || reason == "DEVICE_CLONED" || reason == "CARER_NOT_A_USER") {
    const auto was = [&](std::string_view why) {
      return truth_.permissions.WasRefused(tenant, facts.identity.device, facts.carer, why, *facts.head_at_start);
    };
    // A device that was told to drop the copy is ended though what was the cause is over.
    Expect(was(reason) || (reason == "CARER_NOT_A_USER" && was("DEVICE_BLOCKED")),
           absl::StrCat(reason, " though that is not so"));
  }
  if (reason == "COPY_DIVERGED") Expect(facts.diverged, "COPY_DIVERGED though count and sum were right");
  if (reason == "APP_TOO_OLD") Expect(AppWasTooOld(facts), "APP_TOO_OLD though it is not");
  if (reason == "CLEAN_SYNC_WOULD_LOSE_WORK") {
    Expect(WouldLoseWork(facts.start), "CLEAN_SYNC_WOULD_LOSE_WORK though there is none");
  }
}

}  // namespace caresync::simulation
