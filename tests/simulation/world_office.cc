// What people in the office of the simulated world do: access, care plans, devices' users, versions of the app.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/service_users.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/errors.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"
#include "server/tenants/tenants.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

constexpr size_t kCarePlans = 5;

std::string CarePlanId(size_t number) { return absl::StrCat("cccccccc-0000-4000-8000-00000000000", number); }

std::vector<std::string> IdsOf(const State& state, v1::RecordKind kind) {
  std::vector<std::string> ids;
  for (const auto& [name, record] : state.records) {
    if (name.first == kind) ids.push_back(name.second);
  }
  return ids;
}

// Carers for whom something changed, and who are in a group that has access before or after and not both times.
std::set<std::string> TouchedMembers(const State& state, const std::set<std::string>& groups_before,
                                     const std::set<std::string>& groups) {
  std::set<std::string> members;
  for (const std::string& group : IdsOf(state, v1::RECORD_KIND_EMPLOYEE_GROUP)) {
    const NaiveRecord& record = *state.records.at({v1::RECORD_KIND_EMPLOYEE_GROUP, group});
    if (groups_before.contains(group) == groups.contains(group) || record.dissolved) continue;
    for (const auto& [carer, name] : state.touched) {
      if (record.members.contains(carer)) members.insert(carer);
    }
  }
  return members;
}

}  // namespace

void SimulatedWorld::SubmitOfOffice(const base::TenantId& tenant, const std::string& what, commit::Change change,
                                    std::function<void(State&)> predict, std::function<void()> made) {
  server_->sequencer().Submit(
      tenant,
      [this, tenant, what, change = std::move(change),
       predict = std::move(predict)](commit::Transaction& transaction) -> absl::Status {
        const absl::Status made = change(transaction);
        if (!made.ok() || retiring_) return made;
        State state = oracle_.model(tenant).NextState();
        predict(state);
        if (!state.touched.empty()) Count(absl::StrCat(what, ", seen by a carer"));
        oracle_.Propose(tenant, std::move(state));
        return absl::OkStatus();
      },
      [this, tenant, what, made = std::move(made)](const absl::StatusOr<commit::Committed>& done) {
        if (retiring_) return;
        oracle_.Withdraw(tenant);
        if (!done.ok()) return Count(absl::StrCat(what, " failed ", base::Reason(done.status())));
        if (done->wrote) Count(what);
        if (made) made();
      });
}

void SimulatedWorld::UpdateTenant(const std::string& what, const v1::UpdateTenantRequest& request,
                                  std::function<void(State&)> predict) {
  const base::TenantId tenant = *base::TenantId::Parse(request.tenant_id());
  const uint64_t number = ++preferences_[tenant].asked;
  SubmitOfOffice(
      tenant, what,
      [request](commit::Transaction& transaction) { return tenants::UpdateTenant(transaction, request).status(); },
      std::move(predict),
      [this, tenant, number] {
        preferences_[tenant].told = std::max(preferences_[tenant].told, number);
        server_->TellPreferences(tenant);
      });
}

// ---- Access and care plans

std::set<std::string> SimulatedWorld::SomeOf(const std::vector<std::string>& all) {
  std::set<std::string> some;
  for (const std::string& one : all) {
    if (OneIn(3)) some.insert(one);
  }
  return some;
}

void SimulatedWorld::SetAccess() {
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  const State& head = oracle_.model(tenant).head();
  const std::vector<std::string> service_users = IdsOf(head, v1::RECORD_KIND_SERVICE_USER);
  if (service_users.empty()) return;
  const std::string service_user = service_users[Below(service_users.size())];
  const bool nobody = OneIn(5);
  const std::set<std::string> groups =
      SomeOf(nobody ? std::vector<std::string>() : IdsOf(head, v1::RECORD_KIND_EMPLOYEE_GROUP));
  const std::set<std::string> carers =
      SomeOf(nobody || OneIn(2) ? std::vector<std::string>() : IdsOf(head, v1::RECORD_KIND_CARER));
  v1::SetAccessRequest request;
  request.mutable_access()->set_service_user_id(service_user);
  for (const std::string& group : groups) request.mutable_access()->add_group_ids(group);
  for (const std::string& carer : carers) request.mutable_access()->add_carer_ids(carer);
  SubmitOfOffice(
      tenant, "access set",
      [request](commit::Transaction& transaction) { return service_users::SetAccess(transaction, request).status(); },
      [this, tenant, service_user, carers, groups](State& state) {
        const std::set<std::string> groups_before =
            state.records.at({v1::RECORD_KIND_SERVICE_USER, service_user})->access_groups;
        oracle_.model(tenant).SetAccess(state, service_user, carers, groups);
        CountDuringNewCopy(tenant, "a group's access changes during a new copy",
                           TouchedMembers(state, groups_before, groups));
      });
}

void SimulatedWorld::ChangeCarePlan() {
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  const State& head = oracle_.model(tenant).head();
  const std::string id = CarePlanId(Below(kCarePlans));
  const auto stored = head.records.find({v1::RECORD_KIND_CARE_PLAN, id});
  const bool known = stored != head.records.end();
  if (known && OneIn(3)) return DeleteCarePlan(tenant, id);
  const std::vector<std::string> service_users = IdsOf(head, v1::RECORD_KIND_SERVICE_USER);
  if (service_users.empty()) return;
  v1::PutCarePlanRequest request;
  request.set_care_plan_id(id);
  v1::CarePlan& plan = *request.mutable_care_plan();
  plan.set_service_user_id(known ? stored->second->parent.second : service_users[Below(service_users.size())]);
  // Some come back as they were.
  plan.set_title(absl::StrCat("plan ", Below(3)));
  plan.set_text(std::string(1 + Below(200), 'p'));
  SubmitOfOffice(
      tenant, "care plan put",
      [request](commit::Transaction& transaction) { return service_users::PutCarePlan(transaction, request).status(); },
      [this, tenant, id, plan](State& state) { oracle_.model(tenant).PutCarePlan(state, id, plan); });
}

void SimulatedWorld::DeleteCarePlan(const base::TenantId& tenant, const std::string& id) {
  v1::DeleteCarePlanRequest request;
  request.set_care_plan_id(id);
  SubmitOfOffice(
      tenant, "care plan deleted",
      [request](commit::Transaction& transaction) { return service_users::DeleteCarePlan(transaction, request); },
      [this, tenant, id](State& state) { oracle_.model(tenant).DeleteCarePlan(state, id); });
}

// ---- Devices and apps

// Those become its users who are none now; where all are, one alone.
v1::UpdateDeviceRequest SimulatedWorld::HandOver(const Device& device) {
  const std::set<std::string>& users = oracle_.truth().permissions.UsersOf(device.tenant, device.app.uuid());
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(device.app.uuid().ToString());
  request.set_allow_missing(true);
  request.set_set_blocked(true);
  request.set_set_users(true);
  for (const base::Uuid& carer : device.carers) {
    if (!users.contains(carer.ToString())) request.add_carer_ids(carer.ToString());
  }
  if (request.carer_ids().empty()) request.add_carer_ids(device.carers[Below(device.carers.size())].ToString());
  return request;
}

void SimulatedWorld::ChangeDevice() {
  const Device& device = devices_[Below(devices_.size())];
  if (device.carers.size() > 1 && OneIn(2)) {
    return server_->UpdateDevice(device.tenant, HandOver(device), [](const absl::Status&) {});
  }
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(device.app.uuid().ToString());
  request.set_allow_missing(true);
  // Nothing is seen of a device that may do nothing: half of the time all is well again.
  const bool all_well = OneIn(2);
  request.set_set_blocked(all_well || OneIn(2));
  request.set_blocked(!all_well && request.set_blocked());
  request.set_set_users(all_well || !request.set_blocked());
  if (request.set_users()) {
    for (const base::Uuid& carer : device.carers) {
      if (all_well || OneIn(2)) request.add_carer_ids(carer.ToString());
    }
  }
  request.set_clear_cloned(all_well && OneIn(2));
  const bool blocks = request.blocked();
  const bool takes_off = request.set_users() && request.carer_ids_size() < static_cast<int>(device.carers.size());
  server_->UpdateDevice(device.tenant, request, [this, blocks, takes_off](const absl::Status& done) {
    if (retiring_ || !done.ok()) return;
    Count(blocks ? "device blocked" : takes_off ? "user taken off a device" : "device allowed");
  });
}

void SimulatedWorld::ChangeLeastApp() {
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  static constexpr const char* kVersions[] = {"", "", "4.2", "5.0.0"};
  v1::UpdateTenantRequest request;
  request.set_tenant_id(tenant.text());
  request.set_least_app_version(kVersions[Below(std::size(kVersions))]);
  UpdateTenant("least app version set", request,
               [request](State& state) { state.least_app_version = request.least_app_version(); });
}

// A seed's tenants let devices wait as long as is usual, for a shorter, or for a longer time.
void SimulatedWorld::SetRestoreWait(const base::TenantId& tenant) {
  static constexpr int kShortMinutes[] = {0, 2, 20};
  static constexpr int kLongMinutes[] = {2 * 60, 24 * 60};
  const size_t kind = seed_ % 3;
  if (kind == 0) return;
  const int minutes =
      kind == 1 ? kShortMinutes[Below(std::size(kShortMinutes))] : kLongMinutes[Below(std::size(kLongMinutes))];
  v1::UpdateTenantRequest request;
  request.set_tenant_id(tenant.text());
  request.mutable_restore_wait()->set_seconds(60 * minutes);
  UpdateTenant(kind == 1 ? "short restore wait set" : "long restore wait set", request,
               [minutes](State& state) { state.restore_wait = absl::Minutes(minutes); });
}

void SimulatedWorld::ChangeRestoreWait() { SetRestoreWait(tenants_[OneIn(4) ? 1 : 0]); }

// None is longer than what a seed's end can wait for.
void SimulatedWorld::ChangeAutoSyncInterval() {
  static constexpr int kMinutes[] = {0, 5, 10, 30, 60};
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  const int minutes = kMinutes[Below(std::size(kMinutes))];
  v1::UpdateTenantRequest request;
  request.set_tenant_id(tenant.text());
  request.mutable_auto_sync_interval()->set_seconds(60 * minutes);
  UpdateTenant(minutes == 0 ? "auto syncs switched off" : "auto sync interval set", request,
               [minutes](State& state) { state.auto_sync_interval = absl::Minutes(minutes); });
}

void SimulatedWorld::ReplaceApp(Device& device) {
  static constexpr uint32_t kLevels[] = {1, 2, 2, 7};
  const uint32_t level = kLevels[Below(std::size(kLevels))];
  const uint32_t before = device.app.data_level();
  if (before == 1 && level > 1) Count("app goes to data level 2");
  if (before > 1 && level == 1) Count("app goes back to data level 1");
  device.app.ReplaceApp(OneIn(3) ? "4.2.0" : "5.1.0", level);
}

}  // namespace caresync::simulation
