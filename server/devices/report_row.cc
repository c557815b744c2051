#include "server/devices/report_row.h"

#include <algorithm>
#include <optional>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/drops.h"
#include "server/devices/wakes.h"

namespace caresync::devices {
namespace {

void AddOnce(const std::string& carer, std::vector<std::string>& carers) {
  if (std::find(carers.begin(), carers.end(), carer) == carers.end()) carers.push_back(carer);
}

absl::StatusOr<base::Uuid> StoredCarer(const std::string& id) {
  const std::optional<base::Uuid> carer = base::Uuid::Parse(id);
  if (!carer.has_value()) return base::errors::DamagedRow("a device's carer");
  return *carer;
}

}  // namespace

std::vector<std::string> CarersOf(const DeviceRows& rows) {
  std::vector<std::string> carers(rows.device->carer_ids().begin(), rows.device->carer_ids().end());
  if (rows.report.has_value()) {
    for (const store::DeviceCopy& copy : rows.report->copies()) AddOnce(copy.carer_id(), carers);
  }
  for (const store::Device::Drop& drop : rows.device->drops()) AddOnce(drop.carer_id(), carers);
  return carers;
}

absl::Status FailCallThatIsOver(const SyncsUnderWay& syncs, const base::TenantId& tenant, const base::Uuid& device,
                                DeviceRows& rows) {
  if (!rows.call.has_value() || rows.call->state() != v1::CALL_STATE_UNDER_WAY) return absl::OkStatus();
  // The session that holds the device's rows wrote the call's.
  ASSIGN_OR_RETURN(const auto session, base::ParseStored<store::DeviceSession>(rows.session.value_or("")));
  ASSIGN_OR_RETURN(const bool over, syncs.IsOver(tenant, device, rows.call->opening(), session.session_id()));
  if (!over) return absl::OkStatus();
  rows.call->set_state(v1::CALL_STATE_FAILED);
  rows.call->set_reason(base::Reason(base::errors::StreamCut()));
  return absl::OkStatus();
}

ReportRows::ReportRows(const storage::Reader& reader, const base::TenantId& tenant, const store::Tenant& preferences,
                       const AsOf& as_of)
    : reader_(reader),
      tenant_(tenant),
      preferences_(preferences),
      as_of_(as_of),
      names_(reader, tenant),
      facts_(reader, tenant) {}

absl::StatusOr<std::vector<ReportRows::User>> ReportRows::UsersOf(const DeviceRows& rows, uint64_t most_counted) {
  std::vector<User> users;
  for (const std::string& id : rows.device->carer_ids()) {
    ASSIGN_OR_RETURN(const base::Uuid carer, StoredCarer(id));
    ASSIGN_OR_RETURN(const CopyFacts facts, facts_.Read(rows, carer, as_of_.now, most_counted));
    User user;
    ASSIGN_OR_RETURN(user.standing.carer_name, names_.Carer(id));
    user.standing.left = facts.left;
    user.standing.standing = StandingOfUser(rows, carer, facts, preferences_, as_of_.now);
    user.behind_by = facts.behind_by;
    // Of who left nothing is asked.
    if (!facts.left) user.manual_due_since = facts.manual_due_since;
    users.push_back(std::move(user));
  }
  return users;
}

absl::StatusOr<v1::DeviceState> ReportRows::StateOf(const DeviceRows& rows) {
  ASSIGN_OR_RETURN(const std::vector<User> users, UsersOf(rows, 1));
  std::vector<UserStanding> standings;
  standings.reserve(users.size());
  for (const User& user : users) standings.push_back(user.standing);
  return StandingOfDevice(rows, standings).state;
}

absl::Status ReportRows::AddDrop(const base::Uuid& carer, const DeviceRows& rows, v1::DeviceUser& user) {
  ASSIGN_OR_RETURN(const bool left, IsKnownToHaveLeft(reader_, tenant_, carer));
  // What a user once dropped says nothing of the copy that the device may hold now.
  if (user.is_user() && !rows.device->blocked() && !left) return absl::OkStatus();
  const store::Device::Drop* drop = FindDrop(*rows.device, user.carer_id());
  const bool holds = rows.report.has_value() && FindCopy(*rows.report, carer) != nullptr;
  const bool pending = (drop != nullptr && drop->dropped_time_us() == 0) || (left && holds);
  if (pending) user.set_drop_state(v1::DROP_STATE_PENDING);
  if (pending || drop == nullptr) return absl::OkStatus();
  user.set_drop_state(v1::DROP_STATE_DROPPED);
  base::SetTime(drop->dropped_time_us(), [&] { return user.mutable_dropped_time(); });
  return absl::OkStatus();
}

absl::Status ReportRows::AddCarer(const std::string& carer_id, const DeviceRows& rows, v1::Device& device) {
  v1::DeviceUser& user = *device.add_users();
  user.set_carer_id(carer_id);
  ASSIGN_OR_RETURN(*user.mutable_carer_name(), names_.Carer(carer_id));
  ASSIGN_OR_RETURN(const base::Uuid carer, StoredCarer(carer_id));
  user.set_is_user(IsUser(*rows.device, carer));
  RETURN_IF_ERROR(AddDrop(carer, rows, user));
  if (!rows.report.has_value()) return absl::OkStatus();
  const store::DeviceCopy* copy = FindCopy(*rows.report, carer);
  if (copy == nullptr) return absl::OkStatus();
  base::SetTime(copy->last_success_us(), [&] { return user.mutable_last_successful_sync_time(); });
  user.set_acknowledged_revision(copy->revision());
  return absl::OkStatus();
}

absl::StatusOr<v1::Device> ReportRows::RowOf(const base::Uuid& uuid, const DeviceRows& rows) {
  v1::Device device;
  device.set_device_uuid(uuid.ToString());
  device.set_branch_id(rows.device->branch_id());
  ASSIGN_OR_RETURN(*device.mutable_branch_name(), names_.Branch(rows.device->branch_id()));
  base::SetTime(rows.device->enrolled_time_us(), [&] { return device.mutable_enrolled_time(); });
  device.set_blocked(rows.device->blocked());
  device.set_cloned(rows.device->cloned());
  for (const std::string& carer : CarersOf(rows)) RETURN_IF_ERROR(AddCarer(carer, rows, device));

  ASSIGN_OR_RETURN(const std::vector<User> users, UsersOf(rows, base::limits::kBehindCounted));
  std::vector<UserStanding> standings;
  std::optional<absl::Time> manual_due_since;
  // The carers begin with the users, in the same order.
  for (size_t i = 0; i < users.size(); ++i) {
    v1::DeviceUser& user = *device.mutable_users(static_cast<int>(i));
    user.set_state(users[i].standing.standing.state);
    user.set_state_reason(users[i].standing.standing.reason);
    user.set_behind_by(users[i].behind_by);
    if (const std::optional<absl::Time> since = users[i].manual_due_since; since.has_value()) {
      *user.mutable_manual_sync_due_since_time() = base::ToTimestamp(*since);
      manual_due_since = std::min(*since, manual_due_since.value_or(*since));
    }
    standings.push_back(users[i].standing);
  }
  Standing standing = StandingOfDevice(rows, standings);
  device.set_state(standing.state);
  device.set_state_reason(std::move(standing.reason));
  if (manual_due_since.has_value()) {
    *device.mutable_manual_sync_due_since_time() = base::ToTimestamp(*manual_due_since);
  }

  if (rows.call.has_value()) {
    base::SetTime(rows.call->time_us(), [&] { return device.mutable_last_api_call_time(); });
    device.set_last_api_call(rows.call->state());
    device.set_last_api_call_reason(rows.call->reason());
  }
  ASSIGN_OR_RETURN(const store::DeviceWake wake, ReadWake(reader_, tenant_, uuid));
  base::SetTime(wake.asked_us(), [&] { return device.mutable_wake_asked_time(); });
  base::SetTime(wake.woken_us(), [&] { return device.mutable_last_woken_time(); });
  if (rows.events.has_value()) device.set_missing_event_numbers(rows.events->missing());
  if (!rows.report.has_value()) return device;
  device.set_device_name(rows.report->device_name());
  device.set_app_version(rows.report->app_version());
  base::SetTime(rows.report->last_success_us(), [&] { return device.mutable_last_successful_sync_time(); });
  device.set_take_overs(rows.report->take_overs());
  device.set_successful_syncs_7_days(SuccessfulSyncs7Days(*rows.report, as_of_.now));
  device.set_clean_syncs_30_days(CleanSyncs30Days(*rows.report, as_of_.now));
  return device;
}

}  // namespace caresync::devices
