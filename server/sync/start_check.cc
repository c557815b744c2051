#include "server/sync/start_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/app_version.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/text.h"
#include "server/devices/copy_facts.h"
#include "server/devices/device_in_use.h"
#include "server/devices/drops.h"
#include "server/devices/wakes.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/damage.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/tenants/tenants.h"

namespace caresync::sync {

namespace errors = base::errors;
namespace limits = base::limits;

absl::StatusOr<StartFacts> ReadStartFacts(const storage::Reader& reader, const SessionIdentity& identity,
                                          const StartTokens& tokens, bool signs_in, absl::Time now) {
  StartFacts facts;
  ASSIGN_OR_RETURN(facts.tenant, tenants::GetTenant(reader, identity.tenant));
  ASSIGN_OR_RETURN(facts.head, commit::ReadHead(reader, identity.tenant));
  const base::RecordKey carer_key = records::KeyOf({v1::RECORD_KIND_CARER, identity.carer});
  ASSIGN_OR_RETURN(std::optional<store::Record> carer, records::GetRecord(reader, identity.tenant, carer_key));
  if (carer.has_value()) {
    ASSIGN_OR_RETURN(v1::Carer payload, base::ParseStored<v1::Carer>(carer->payload()));
    facts.carer_branch_id = payload.branch_id();
    facts.carer_left = carer->left();
  }
  ASSIGN_OR_RETURN(facts.rows, devices::ReadStartRows(reader, identity.tenant, identity.device));
  const std::optional<store::Device>& device = facts.rows.rows.device;
  facts.branch_id = device.has_value() ? device->branch_id() : facts.carer_branch_id.value_or("");
  ASSIGN_OR_RETURN(facts.pending_drops, devices::ReadPendingDrops(reader, identity.tenant, facts.rows.rows));
  ASSIGN_OR_RETURN(facts.sync_asked,
                   devices::IsToBeTold(reader, identity.tenant, identity.device, facts.rows.rows.report));
  ASSIGN_OR_RETURN(facts.summary, feed::ReadSummary(reader, identity.tenant, records::CarerReceiver(identity.carer)));
  if (tokens.copy.has_value()) {
    ASSIGN_OR_RETURN(facts.token_standing, commit::Standing(reader, identity.tenant, tokens.copy->cursor));
  }
  if (tokens.uploads.has_value()) {
    ASSIGN_OR_RETURN(facts.uploads_standing, commit::Standing(reader, identity.tenant, tokens.uploads->cursor));
  }
  const bool permitted = WhyNotPermitted(facts.rows.rows.device, identity.carer, facts.carer_left).ok();
  if (!permitted) return facts;
  const auto due = devices::ManualSyncDueSince(reader, identity.tenant, facts.rows.rows, identity.carer, now);
  ASSIGN_OR_RETURN(facts.manual_due_since,
                   mismatch::UnlessDamaged(due, "manual_sync_due_not_known", identity.tenant, identity.carer));
  if (!signs_in || !facts.carer_branch_id.has_value()) return facts;
  const auto row = devices::ReadDeviceInUse(reader, identity.tenant, identity.carer);
  ASSIGN_OR_RETURN(const std::optional<base::Uuid> in_use,
                   mismatch::UnlessDamaged(row, "device_in_use_not_known", identity.tenant, identity.carer));
  facts.changes_device = in_use != identity.device;
  facts.replaces_device = facts.changes_device && (in_use.has_value() || !row.ok());
  return facts;
}

namespace {

absl::Status CheckLength(std::string_view field, std::string_view text, size_t most) {
  if (base::CountCharacters(text).value_or(most + 1) <= most) return absl::OkStatus();
  return errors::InvalidArgument(field, absl::StrCat("has more than ", most, " characters, or is not UTF-8"));
}

absl::Status CheckFields(const v1::Start& start) {
  if (!v1::SyncType_IsValid(start.sync_type()) || start.sync_type() == v1::SYNC_TYPE_UNSPECIFIED) {
    return errors::InvalidArgument("start.sync_type", "is not one of STANDARD, CLEAN and AUTO");
  }
  if (start.data_level() == 0) return errors::InvalidArgument("start.data_level", "is 0; the first level is 1");
  RETURN_IF_ERROR(CheckLength("start.device_name", start.device_name(), limits::kDeviceNameCharacters));
  RETURN_IF_ERROR(CheckLength("start.app_version", start.app_version(), limits::kAppVersionCharacters));
  if (!v1::InterruptionCause_IsValid(start.last_interruption())) {
    return errors::InvalidArgument("start.last_interruption", "is no cause that this server knows");
  }
  if (start.unsent_events() > limits::kUnsentEvents) {
    return errors::TooManyEvents(absl::StrCat("`unsent_events` is ", start.unsent_events(), "; declare at most ",
                                              limits::kUnsentEvents, " and send the rest in the next sync"));
  }
  return absl::OkStatus();
}

absl::Status CheckCleanLosesNothing(const v1::Start& start) {
  if (start.sync_type() != v1::SYNC_TYPE_CLEAN) return absl::OkStatus();
  if (start.unsent_events() > 0) {
    return errors::CleanSyncWouldLoseWork(
        absl::StrCat("events that are not uploaded yet (", start.unsent_events(), ")"));
  }
  if (!start.open_visit_id().empty()) return errors::CleanSyncWouldLoseWork("an open visit");
  if (start.form_in_progress()) return errors::CleanSyncWouldLoseWork("a form that is being filled in");
  return absl::OkStatus();
}

}  // namespace

void KeepWhatIsBounded(v1::Start& start) {
  for (std::string* text :
       {start.mutable_device_uuid(), start.mutable_carer_id(), start.mutable_device_name(), start.mutable_app_version(),
        start.mutable_open_visit_id(), start.mutable_resume_token(), start.mutable_uploads_token()}) {
    if (text->size() > limits::kStartTextBytes) *text = text->substr(0, limits::kStartTextBytes);
  }
  start.DiscardUnknownFields();
}

absl::Status CheckStart(const SessionIdentity& identity, const v1::Start& start) {
  const std::optional<base::Uuid> device = base::Uuid::Parse(start.device_uuid());
  if (!device.has_value()) return errors::InvalidArgument("start.device_uuid", "is no UUID");
  if (*device != identity.device) return errors::OtherDevice();
  const std::optional<base::Uuid> carer = base::Uuid::Parse(start.carer_id());
  if (!carer.has_value()) return errors::InvalidArgument("start.carer_id", "is no UUID");
  if (*carer != identity.carer) return errors::OtherCarer();
  RETURN_IF_ERROR(CheckFields(start));
  return CheckCleanLosesNothing(start);
}

absl::Status WhyNotHeld(const std::optional<store::Device>& device, const base::Uuid& carer, bool carer_left) {
  if (carer_left) return errors::CarerLeft();
  if (!device.has_value()) return absl::OkStatus();
  if (device->blocked()) return errors::DeviceBlocked();
  return devices::IsUser(*device, carer) ? absl::OkStatus() : errors::CarerNotAUser(carer.ToString());
}

absl::Status WhyNotPermitted(const std::optional<store::Device>& device, const base::Uuid& carer, bool carer_left) {
  const bool cloned = !carer_left && device.has_value() && !device->blocked() && device->cloned();
  return cloned ? errors::DeviceCloned() : WhyNotHeld(device, carer, carer_left);
}

absl::Status WhyTooOld(const store::Tenant& tenant, std::string_view app_version) {
  const std::string& least = tenant.least_app_version();
  return base::IsOlderApp(app_version, least) ? errors::AppTooOld(least) : absl::OkStatus();
}

absl::Status CheckDownload(const SessionIdentity& identity, const v1::Start& start,
                           const std::optional<ResumeToken>& token, const StartFacts& facts) {
  RETURN_IF_ERROR(WhyNotPermitted(facts.rows.rows.device, identity.carer, facts.carer_left));
  RETURN_IF_ERROR(WhyTooOld(facts.tenant, start.app_version()));
  if (token.has_value() && (token->device != identity.device || token->carer != identity.carer)) {
    return errors::TokenOfAnotherCopy();
  }
  return absl::OkStatus();
}

namespace {

const store::DeviceCopy* CopyIn(const StartFacts& facts, const v1::Start& start) {
  const std::optional<store::DeviceReport>& report = facts.rows.rows.report;
  const std::optional<base::Uuid> carer = base::Uuid::Parse(start.carer_id());
  return report.has_value() && carer.has_value() ? devices::FindCopy(*report, *carer) : nullptr;
}

// When a copy of the device, of whichever carer, was last made anew after a divergence. One that was begun and never
// finished does not count: the device has nothing of it. Nor does a time after `now`: the clock was wrong then.
absl::Time LastDivergenceRebuild(const store::DeviceReport& report, absl::Time now) {
  absl::Time last = absl::UnixEpoch();
  for (const store::DeviceCopy& copy : report.copies()) {
    const absl::Time made = base::FromStoredTime(copy.last_divergence_rebuild_us());
    if (copy.rebuild_number() <= copy.in_use_number() && made <= now) last = std::max(last, made);
  }
  return last;
}

// Why the copy that the token stands for cannot be gone on with; nullopt where it can.
std::optional<v1::RebuildReason> WhyNewCopy(const v1::Start& start, const std::optional<ResumeToken>& token,
                                            const StartFacts& facts, const store::DeviceCopy* copy, absl::Time now) {
  if (!token.has_value()) return v1::REBUILD_REASON_NEW_COPY;
  if (facts.token_standing == commit::CursorStanding::kForeign) return v1::REBUILD_REASON_FOREIGN;
  if (facts.token_standing == commit::CursorStanding::kExpired) return v1::REBUILD_REASON_EXPIRED;
  if (token->data_level != start.data_level()) return v1::REBUILD_REASON_DATA_LEVEL;
  const bool unfinished = token->rebuild_began.has_value();
  if (unfinished) return std::nullopt;
  if (start.sync_type() == v1::SYNC_TYPE_CLEAN) return v1::REBUILD_REASON_CLEAN_SYNC;
  // A token of a later copy than the one that diverged shows that it is finished, though its last ack was lost; its own
  // count and sum are looked at before it is believed.
  const bool diverged = copy != nullptr && copy->diverged() && token->rebuild_number <= copy->in_use_number();
  if (diverged && now - LastDivergenceRebuild(*facts.rows.rows.report, now) >= limits::kDivergenceRebuildEvery) {
    return v1::REBUILD_REASON_DIVERGED;
  }
  return std::nullopt;
}

}  // namespace

StartPlan NewCopy(const v1::Start& start, const std::optional<ResumeToken>& token, const StartFacts& facts,
                  base::Revision began, v1::RebuildReason reason) {
  const store::DeviceCopy* copy = CopyIn(facts, start);
  StartPlan plan;
  plan.new_copy = reason;
  plan.rebuild_began = began;
  // The device's own number counts as well: after a restore it may be the higher one.
  plan.rebuild_number =
      std::max(copy == nullptr ? 0 : copy->rebuild_number(), token.has_value() ? token->rebuild_number : 0) + 1;
  return plan;
}

StartPlan PlanStart(const v1::Start& start, const std::optional<ResumeToken>& token, const StartFacts& facts,
                    absl::Time now) {
  const std::optional<v1::RebuildReason> why = WhyNewCopy(start, token, facts, CopyIn(facts, start), now);
  if (why.has_value()) return NewCopy(start, token, facts, facts.head.revision, *why);
  StartPlan plan;
  plan.after = token->position;
  plan.rebuild_began = token->rebuild_began;
  plan.rebuild_number = token->rebuild_number;
  return plan;
}

CursorAfter CursorAfterStart(const v1::Start& start, const std::optional<ResumeToken>& token, const StartFacts& facts) {
  if (!token.has_value() || facts.token_standing != commit::CursorStanding::kKnown) return CursorAfter::kNone;
  if (!token->rebuild_began.has_value()) return CursorAfter::kOfToken;
  // A copy that was finished once is being made again: this is a phone put back in time.
  const store::DeviceCopy* copy = CopyIn(facts, start);
  const bool finished_once = copy != nullptr && token->rebuild_number <= copy->in_use_number();
  return finished_once ? CursorAfter::kNone : CursorAfter::kUnchanged;
}

bool CursorLags(const v1::Start& start, const StartFacts& facts) {
  const store::DeviceCopy* copy = CopyIn(facts, start);
  if (copy == nullptr || copy->timeline().empty()) return true;
  return !facts.summary.EndsBy(devices::PositionOf(*copy));
}

}  // namespace caresync::sync
