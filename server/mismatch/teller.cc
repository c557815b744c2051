#include "server/mismatch/teller.h"

#include <string>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/mismatch/cause.h"
#include "server/mismatch/stage.h"
#include "server/mismatch/visit_parts.h"
#include "server/mismatch/wording.h"
#include "server/records/record_key.h"
#include "server/tenants/tenants.h"

namespace caresync::mismatch {
namespace {

// What a person made of one.
v1::MismatchState ToProto(store::Mismatch::State state) {
  if (state == store::Mismatch::SNOOZED) return v1::MISMATCH_STATE_SNOOZED;
  return state == store::Mismatch::CLOSED ? v1::MISMATCH_STATE_CLOSED : v1::MISMATCH_STATE_UNSPECIFIED;
}

v1::MismatchResolution ResolutionOf(const store::Mismatch& row) {
  if (row.has_sign()) return v1::MISMATCH_RESOLUTION_STARTED;
  return row.taken_back() ? v1::MISMATCH_RESOLUTION_TAKEN_BACK : v1::MISMATCH_RESOLUTION_SYNCED;
}

// Why it is resolved.
void Explain(const store::Mismatch& row, v1::Mismatch& mismatch) {
  if (row.state() != store::Mismatch::RESOLVED) return;
  mismatch.set_resolution(ResolutionOf(row));
  base::SetTime(row.sign().occurred_us(), [&] { return mismatch.mutable_started_time(); });
  base::SetTime(row.sign().received_us(), [&] { return mismatch.mutable_started_received_time(); });
}

}  // namespace

Teller::Teller(const storage::Reader& reader, const base::TenantId& tenant, const devices::AsOf& as_of)
    : reader_(reader),
      tenant_(tenant),
      now_(as_of.now),
      names_(reader, tenant),
      devices_(reader, tenant, as_of.syncs) {}

absl::StatusOr<v1::Mismatch> Teller::Tell(const CarerVisit& of, const store::Mismatch& row) {
  v1::Mismatch mismatch;
  mismatch.set_carer_id(of.carer.ToString());
  ASSIGN_OR_RETURN(*mismatch.mutable_carer_name(), names_.Carer(mismatch.carer_id()));
  const std::optional<records::RecordName> visit = records::NameOf(of.visit);
  if (!visit.has_value()) return base::errors::DamagedRow("a mismatch of no visit");
  mismatch.set_visit_id(visit->id.ToString());
  mismatch.set_branch_id(row.branch_id());
  for (const v1::VisitChangeKind kind : Difference(row)) mismatch.add_changes(kind);
  if (row.has_acknowledged() || row.has_withdrawn()) {
    RETURN_IF_ERROR(Show(row.has_acknowledged() ? row.acknowledged() : row.withdrawn(), *mismatch.mutable_from()));
  }
  if (row.has_now()) RETURN_IF_ERROR(Show(row.now(), *mismatch.mutable_to()));
  RETURN_IF_ERROR(TellOfDevices(of, row, mismatch));
  base::SetTime(row.first_change_us(), [&] { return mismatch.mutable_first_change_time(); });
  base::SetTime(row.last_change_us(), [&] { return mismatch.mutable_last_change_time(); });
  base::SetTime(row.opened_us(), [&] { return mismatch.mutable_open_time(); });
  base::SetTime(row.ended_us(), [&] { return mismatch.mutable_end_time(); });
  base::SetTime(row.snoozed_until_us(), [&] { return mismatch.mutable_snoozed_until_time(); });
  *mismatch.mutable_kept_until_time() = base::ToTimestamp(EndOf(row));
  for (const store::Mismatch::Transition& transition : row.transitions()) {
    v1::MismatchTransition& told = *mismatch.add_transitions();
    told.set_to(ToProto(transition.to()));
    told.set_person(transition.person());
    told.set_note(transition.note());
    base::SetTime(transition.time_us(), [&] { return told.mutable_transition_time(); });
  }
  Explain(row, mismatch);
  mismatch.set_headline(Headline(mismatch));
  mismatch.set_advice(Advice(mismatch));
  return mismatch;
}

absl::StatusOr<uint32_t> Teller::CountWithoutDevice(const std::set<base::Uuid>& carers) {
  uint32_t without = 0;
  for (const base::Uuid& carer : carers) {
    ASSIGN_OR_RETURN(const CarerDevices* const all, devices_.WithoutOthers(carer));
    if (!all->damaged && !all->in_use.has_value()) ++without;
  }
  return without;
}

absl::Status Teller::Show(const store::VisitPart& part, v1::VisitShown& shown) {
  base::SetTime(part.start_us(), [&] { return shown.mutable_start_time(); });
  base::SetTime(part.end_us(), [&] { return shown.mutable_end_time(); });
  shown.set_service_user_id(part.service_user_id());
  ASSIGN_OR_RETURN(*shown.mutable_service_user_name(), names_.ServiceUser(part.service_user_id()));
  return absl::OkStatus();
}

absl::Status Teller::TellOfDevices(const CarerVisit& of, const store::Mismatch& row, v1::Mismatch& mismatch) {
  ASSIGN_OR_RETURN(const CarerDevices* const all, devices_.Of(of.carer));
  if (all->in_use.has_value()) *mismatch.mutable_device() = *all->in_use;
  for (const v1::MismatchDevice& other : all->others) *mismatch.add_other_devices() = other;
  absl::Time last_call = absl::InfinitePast();
  if (mismatch.device().has_last_api_call_time()) {
    last_call = *base::FromTimestamp(mismatch.device().last_api_call_time());
  }
  ASSIGN_OR_RETURN(const store::Tenant* const preferences, Preferences());
  const absl::Duration lead = tenants::MismatchLead(*preferences);
  mismatch.set_state(StageOf(row, last_call, lead, now_));
  const absl::Time state_ends = StageEnds(row, lead, now_);
  if (state_ends != absl::InfiniteFuture()) *mismatch.mutable_next_state_time() = base::ToTimestamp(state_ends);
  if (!IsLive(row)) return absl::OkStatus();
  mismatch.set_cause(CauseOf(*all, of.carer, *preferences, base::FromStoredTime(row.first_change_us())));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<absl::Time>> Teller::LastSyncOfSilent(const base::Uuid& carer, absl::Time first_change) {
  ASSIGN_OR_RETURN(const CarerDevices* const all, devices_.WithoutOthers(carer));
  ASSIGN_OR_RETURN(const store::Tenant* const preferences, Preferences());
  const v1::MismatchCause cause = CauseOf(*all, carer, *preferences, first_change);
  if (cause != v1::MISMATCH_CAUSE_SILENT && cause != v1::MISMATCH_CAUSE_FAILING) return std::optional<absl::Time>();
  return base::FromTimestamp(all->in_use->last_successful_sync_time());
}

absl::StatusOr<absl::TimeZone> Teller::Zone() {
  ASSIGN_OR_RETURN(const store::Tenant* const preferences, Preferences());
  absl::TimeZone zone = absl::UTCTimeZone();
  absl::LoadTimeZone(preferences->time_zone(), &zone);
  return zone;
}

absl::StatusOr<const store::Tenant*> Teller::Preferences() {
  if (!preferences_.has_value()) {
    ASSIGN_OR_RETURN(preferences_, tenants::GetTenant(reader_, tenant_));
  }
  return &*preferences_;
}

}  // namespace caresync::mismatch
