#include "server/devices/device_registry.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/devices/device_row_change.h"
#include "server/devices/device_rows.h"
#include "server/devices/drops.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::devices {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;

// The request, checked and in the form in which it is stored.
struct Wanted {
  base::Uuid device;
  // Set where they are to be changed.
  std::optional<std::string> branch;
  std::optional<std::vector<std::string>> carers;
  std::optional<bool> blocked;
  bool clear_cloned = false;
  bool allow_missing = false;
};

absl::StatusOr<base::Uuid> ParseUuid(std::string_view field, const std::string& text) {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(text);
  if (!uuid.has_value()) return errors::InvalidArgument(field, "is no UUID");
  return *uuid;
}

absl::StatusOr<std::vector<std::string>> ReadCarers(const v1::UpdateDeviceRequest& request) {
  if (static_cast<size_t>(request.carer_ids_size()) > limits::kDeviceUsers) {
    return errors::InvalidArgument(
        "carer_ids", absl::StrCat("has ", request.carer_ids_size(), " users of at most ", limits::kDeviceUsers));
  }
  std::vector<std::string> carers;
  for (const std::string& id : request.carer_ids()) {
    ASSIGN_OR_RETURN(const base::Uuid carer, ParseUuid("carer_ids", id));
    std::string text = carer.ToString();
    if (std::find(carers.begin(), carers.end(), text) == carers.end()) carers.push_back(std::move(text));
  }
  return carers;
}

absl::StatusOr<Wanted> ReadRequest(const v1::UpdateDeviceRequest& request) {
  Wanted wanted;
  wanted.allow_missing = request.allow_missing();
  ASSIGN_OR_RETURN(wanted.device, ParseUuid("device_uuid", request.device_uuid()));
  if (!request.set_branch() && !request.branch_id().empty()) {
    return errors::InvalidArgument("branch_id", "is given without set_branch");
  }
  if (!request.set_users() && request.carer_ids_size() > 0) {
    return errors::InvalidArgument("carer_ids", "are given without set_users");
  }
  if (!request.set_blocked() && request.blocked()) {
    return errors::InvalidArgument("blocked", "is given without set_blocked");
  }
  if (request.set_blocked()) wanted.blocked = request.blocked();
  wanted.clear_cloned = request.clear_cloned();
  if (request.set_branch()) {
    wanted.branch = std::string();
    if (!request.branch_id().empty()) {
      ASSIGN_OR_RETURN(const base::Uuid branch, ParseUuid("branch_id", request.branch_id()));
      wanted.branch = branch.ToString();
    }
  }
  if (request.set_users()) {
    ASSIGN_OR_RETURN(wanted.carers, ReadCarers(request));
  }
  return wanted;
}

absl::StatusOr<bool> Exists(const storage::Reader& reader, const base::TenantId& tenant, v1::RecordKind kind,
                            const std::string& id) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                   records::GetRecord(reader, tenant, records::KeyOf({kind, *base::Uuid::Parse(id)})));
  return record.has_value();
}

// Records are never taken away, so what is there now is there when the update commits.
absl::Status CheckReferences(const storage::Reader& reader, const base::TenantId& tenant, const Wanted& wanted) {
  if (wanted.branch.has_value() && !wanted.branch->empty()) {
    ASSIGN_OR_RETURN(const bool known, Exists(reader, tenant, v1::RECORD_KIND_BRANCH, *wanted.branch));
    if (!known) return errors::BranchUnknown(*wanted.branch);
  }
  if (!wanted.carers.has_value()) return absl::OkStatus();
  for (const std::string& carer : *wanted.carers) {
    ASSIGN_OR_RETURN(const bool known, Exists(reader, tenant, v1::RECORD_KIND_CARER, carer));
    if (!known) return errors::CarerUnknown(carer);
  }
  return absl::OkStatus();
}

std::vector<std::string> HoldersOf(const DeviceRows& rows) {
  std::vector<std::string> holders;
  if (!rows.report.has_value()) return holders;
  for (const store::DeviceCopy& copy : rows.report->copies()) holders.push_back(copy.carer_id());
  return holders;
}

// Users and blocking of a device that never called: it holds nothing that it could drop.
void SetWithoutDrops(const Wanted& wanted, store::Device& device) {
  if (wanted.carers.has_value()) device.mutable_carer_ids()->Assign(wanted.carers->begin(), wanted.carers->end());
  if (wanted.blocked.has_value()) device.set_blocked(*wanted.blocked);
}

absl::Status SetWithDrops(const Wanted& wanted, const DeviceRows& rows, store::Device& device) {
  if (wanted.carers.has_value()) RETURN_IF_ERROR(ReplaceUsers(device, *wanted.carers));
  if (!wanted.blocked.has_value()) return absl::OkStatus();
  if (*wanted.blocked) return Block(device, HoldersOf(rows));
  if (device.blocked()) Unblock(device);
  return absl::OkStatus();
}

// nullopt where all is so already.
absl::StatusOr<std::optional<storage::Commit>> MakeUpdate(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const Wanted& wanted, absl::Time now) {
  const std::string key = base::keys::DeviceRow(tenant, wanted.device, base::keys::DevicePart::kDevice);
  ASSIGN_OR_RETURN(std::optional<std::string> before, reader.Get(storage::Space::kDevices, key));
  ASSIGN_OR_RETURN(const DeviceRows rows, ReadDeviceRows(reader, tenant, wanted.device));
  store::Device device;
  if (rows.device.has_value()) {
    device = *rows.device;
  } else {
    if (!wanted.allow_missing) return errors::DeviceUnknown(wanted.device.ToString());
    device.set_enrolled_time_us(base::ToStoredTime(now));
  }
  RETURN_IF_ERROR(CheckReferences(reader, tenant, wanted));
  if (wanted.branch.has_value()) device.set_branch_id(*wanted.branch);
  if (wanted.clear_cloned && device.cloned()) {
    device.set_cloned(false);
    device.set_clone_cleared_us(base::ToStoredTime(now));
  }
  storage::Commit commit;
  if (rows.session.has_value()) {
    RETURN_IF_ERROR(SetWithDrops(wanted, rows, device));
  } else {
    SetWithoutDrops(wanted, device);
    const std::string session = base::keys::DeviceRow(tenant, wanted.device, base::keys::DevicePart::kSession);
    commit.preconditions.push_back({storage::Space::kDevices, session, std::nullopt});
  }

  std::string after = device.SerializeAsString();
  if (before == after) return std::optional<storage::Commit>();
  commit.preconditions.push_back({storage::Space::kDevices, key, std::move(before)});
  commit.writes.push_back({storage::Space::kDevices, key, std::move(after)});
  return std::optional<storage::Commit>(std::move(commit));
}

}  // namespace

void DeviceRegistry::Update(const base::TenantId& tenant, const v1::UpdateDeviceRequest& request,
                            std::function<void(absl::Status)> done) {
  absl::StatusOr<Wanted> wanted = ReadRequest(request);
  if (!wanted.ok()) return done(wanted.status());
  ChangeDeviceRow(
      store_, executor_,
      [this, tenant, wanted = *std::move(wanted)](const storage::Reader& reader) {
        return MakeUpdate(reader, tenant, wanted, clock_.Now());
      },
      std::move(done));
}

}  // namespace caresync::devices
