#include "tests/fuzz/small_agency.h"

#include <string_view>
#include <utility>
#include <vector>

#include "caresync/v1/service_users.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "observability/log.h"
#include "server/base/limits.h"
#include "server/records/record_key.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"
#include "tests/fuzz/input.h"

namespace caresync::fuzz {
namespace {

base::Uuid Id(std::string_view text) { return *base::Uuid::Parse(text); }

base::Uuid IdOf(const base::TenantId& tenant, v1::RecordKind kind, std::string_view external_id) {
  return records::IntegratedId(tenant, kSource, kind, external_id);
}

void Commit(fakes::Engine& engine, const base::TenantId& tenant, commit::Change change) {
  Require(engine.Run(tenant, std::move(change)).ok(), "the agency cannot be made");
}

void LoadRota(fakes::Engine& engine, const base::TenantId& tenant) {
  engine.ApplyChanges(
      tenant, kSource,
      {fakes::BranchChange("branch"), fakes::CarerChange("carer", "branch"), fakes::CarerChange("colleague", "branch"),
       fakes::ServiceUserChange("user", "branch"), fakes::GroupChange("group", {"carer", "colleague"}),
       fakes::VisitChange("visit", "user", {"carer", "colleague"}),
       fakes::VisitChange("other visit", "user", {"colleague"}),
       fakes::VisitChange("waiting", "nobody yet", {"carer"})});
}

void SetUpOffice(fakes::Engine& engine, const SmallAgency& agency) {
  v1::UpdateTenantRequest preferences;
  preferences.set_tenant_id(agency.tenant.text());
  preferences.mutable_download_window()->set_seconds(48 * 3600);
  preferences.mutable_retention()->set_seconds(7 * 24 * 3600);
  Commit(engine, agency.tenant, [&preferences](commit::Transaction& transaction) {
    return tenants::UpdateTenant(transaction, preferences).status();
  });
  v1::SetAccessRequest access;
  access.mutable_access()->set_service_user_id(agency.service_user.ToString());
  access.mutable_access()->add_group_ids(agency.group.ToString());
  Commit(engine, agency.tenant, [&access](commit::Transaction& transaction) {
    return service_users::SetAccess(transaction, access).status();
  });
  for (const char* id : {"22222222-2222-4222-8222-222222222221", "22222222-2222-4222-8222-222222222222"}) {
    v1::PutCarePlanRequest plan;
    plan.set_care_plan_id(id);
    plan.mutable_care_plan()->set_service_user_id(agency.service_user.ToString());
    plan.mutable_care_plan()->set_title("Meals");
    plan.mutable_care_plan()->set_text("No nuts.");
    Commit(engine, agency.tenant, [&plan](commit::Transaction& transaction) {
      return service_users::PutCarePlan(transaction, plan).status();
    });
  }
}

v1::CareEvent NoteOn(const base::Uuid& visit, const char* text) {
  v1::CareEvent event;
  event.set_visit_id(visit.ToString());
  *event.mutable_occurred_time() = fakes::AtHour(9);
  event.mutable_note()->set_text(text);
  return event;
}

// Twice each, so that each has a history.
void SyncDevices(fakes::Engine& engine, SmallAgency& agency) {
  fakes::SyncServer server(engine);
  const base::Uuid unknown = Id("33333333-3333-4333-8333-333333333333");
  agency.accepted_event_id =
      agency.device.Record(agency.carer, NoteOn(agency.visit, "All well"), engine.random()).event_id();
  agency.device.Record(agency.carer, NoteOn(agency.visit, "Left at ten"), engine.random());
  agency.device.Record(agency.carer, NoteOn(unknown, "Who is that?"), engine.random());
  agency.device.Record(agency.carer, NoteOn(unknown, "Nobody there"), engine.random());
  fakes::TestDevice colleagues(Id("11111111-1111-4111-8111-111111111112"));
  for (int i = 0; i < 2; ++i) {
    const absl::Status synced =
        fakes::SyncDevice(server, agency.tenant, agency.device, agency.carer, v1::SYNC_TYPE_STANDARD);
    const absl::Status others =
        fakes::SyncDevice(server, agency.tenant, colleagues, agency.colleague, v1::SYNC_TYPE_STANDARD);
    Require(synced.ok() && others.ok(), "the agency's devices cannot sync");
    engine.Advance(absl::Minutes(10));
  }
}

SmallAgency MakeAgency() {
  // What a target finds is told by how it ends.
  observability::SetLevel(observability::Level::kError);
  fakes::Engine engine(1, fakes::Mismatches::kNoted);
  const base::TenantId tenant = fakes::Tenant("acme");
  SmallAgency agency{.tenant = tenant,
                     .carer = IdOf(tenant, v1::RECORD_KIND_CARER, "carer"),
                     .colleague = IdOf(tenant, v1::RECORD_KIND_CARER, "colleague"),
                     .group = IdOf(tenant, v1::RECORD_KIND_EMPLOYEE_GROUP, "group"),
                     .service_user = IdOf(tenant, v1::RECORD_KIND_SERVICE_USER, "user"),
                     .visit = IdOf(tenant, v1::RECORD_KIND_VISIT, "visit"),
                     .care_plan = Id("22222222-2222-4222-8222-222222222221"),
                     .waiting = IdOf(tenant, v1::RECORD_KIND_VISIT, "waiting"),
                     .device = fakes::TestDevice(Id("11111111-1111-4111-8111-111111111111")),
                     .accepted_event_id = {},
                     .now = {},
                     .memory = nullptr};
  engine.CreateTenant(tenant);
  LoadRota(engine, tenant);
  SetUpOffice(engine, agency);
  SyncDevices(engine, agency);
  agency.now = engine.clock().Now();
  agency.memory = engine.memory().Copy();
  return agency;
}

}  // namespace

const SmallAgency& TheAgency() {
  static const SmallAgency agency = MakeAgency();
  return agency;
}

RunningAgency::RunningAgency() = default;

bool RunningAgency::Run(commit::Change change) {
  const absl::StatusOr<commit::Committed> committed = engine_.Run(agency_.tenant, std::move(change));
  RequireNamed(committed.status());
  return committed.ok();
}

absl::Status RunningAgency::Sync(fakes::TestDevice& device, const base::Uuid& carer, v1::SyncType type) {
  fakes::ScriptedPeer peer(server_, {agency_.tenant, device.uuid(), carer});
  peer.Say(device.Start(carer, type));
  fakes::RunDevice(device, carer, peer);
  if (!peer.end().has_value()) {
    engine_.Advance(2 * base::limits::kDeviceSilence);
    fakes::RunDevice(device, carer, peer);
  }
  Require(peer.end().has_value(), "a sync does not end");
  RequireNamed(*peer.end());
  return *peer.end();
}

void RunningAgency::CheckNewPhone() {
  fakes::TestDevice phone(Id("11111111-1111-4111-8111-111111111113"));
  phone.ReplaceApp("9.0", 2);
  if (!Sync(phone, agency_.colleague, v1::SYNC_TYPE_STANDARD).ok()) return;
  Require(phone.faults().empty(), "a phone that was never here is told what is against the contract");
  const size_t held =
      fakes::HeldBy(*engine_.Snapshot(), agency_.tenant, records::CarerReceiver(agency_.colleague)).size();
  Require(phone.of(agency_.colleague).in_use.size() == held,
          "a phone that was never here does not hold what it should");
}

}  // namespace caresync::fuzz
