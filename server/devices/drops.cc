#include "server/devices/drops.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/device_row_change.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::devices {
namespace {

namespace errors = base::errors;
using Drop = store::Device::Drop;

bool Contains(const std::vector<std::string>& carers, const std::string& carer) {
  return std::find(carers.begin(), carers.end(), carer) != carers.end();
}

bool IsUserId(const store::Device& device, const std::string& carer) {
  return std::find(device.carer_ids().begin(), device.carer_ids().end(), carer) != device.carer_ids().end();
}

Drop* MutableDrop(store::Device& device, const std::string& carer) {
  for (Drop& drop : *device.mutable_drops()) {
    if (drop.carer_id() == carer) return &drop;
  }
  return nullptr;
}

template <typename Unwanted>
void EraseDrops(store::Device& device, Unwanted unwanted) {
  auto& drops = *device.mutable_drops();
  drops.erase(std::remove_if(drops.begin(), drops.end(), unwanted), drops.end());
}

// The carer's copy is to be dropped: told anew where it was dropped before, since it may have come back meanwhile.
void AddDrop(store::Device& device, const std::string& carer, const std::string& reason) {
  Drop* drop = MutableDrop(device, carer);
  if (drop == nullptr) drop = device.add_drops();
  drop->set_carer_id(carer);
  drop->set_dropped_time_us(0);
  drop->set_reason(reason);
}

// Keeps the drops of carers who are no users within their bound: those that the device has done may be forgotten, the
// longest ago first.
absl::Status BoundDrops(store::Device& device) {
  std::vector<int64_t> done;
  size_t pending = 0;
  for (const Drop& drop : device.drops()) {
    if (IsUserId(device, drop.carer_id())) continue;
    if (drop.dropped_time_us() == 0) {
      ++pending;
    } else {
      done.push_back(drop.dropped_time_us());
    }
  }
  if (pending > base::limits::kDeviceDrops) return errors::TooManyDrops();
  const size_t kept = base::limits::kDeviceDrops - pending;
  if (done.size() <= kept) return absl::OkStatus();
  size_t forgotten = done.size() - kept;
  std::sort(done.begin(), done.end());
  const int64_t last_forgotten = done[forgotten - 1];
  EraseDrops(device, [&](const Drop& drop) {
    if (forgotten == 0 || drop.dropped_time_us() == 0 || drop.dropped_time_us() > last_forgotten) return false;
    if (IsUserId(device, drop.carer_id())) return false;
    --forgotten;
    return true;
  });
  return absl::OkStatus();
}

}  // namespace

const Drop* FindDrop(const store::Device& device, const std::string& carer) {
  for (const Drop& drop : device.drops()) {
    if (drop.carer_id() == carer) return &drop;
  }
  return nullptr;
}

std::vector<std::string> PendingDrops(const store::Device& device) {
  std::vector<std::string> pending;
  for (const Drop& drop : device.drops()) {
    if (drop.dropped_time_us() == 0) pending.push_back(drop.carer_id());
  }
  return pending;
}

absl::StatusOr<bool> HasLeft(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                   records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_CARER, carer})));
  return record.has_value() && record->left();
}

absl::StatusOr<bool> IsKnownToHaveLeft(const storage::Reader& reader, const base::TenantId& tenant,
                                       const base::Uuid& carer) {
  absl::StatusOr<bool> left = HasLeft(reader, tenant, carer);
  if (!absl::IsDataLoss(left.status())) return left;
  observability::Log(observability::Level::kError, "carer_not_readable",
                     {{"tenant", tenant.text()}, {"carer", carer.ToString()}, {"error", left.status().message()}});
  return false;
}

absl::StatusOr<std::vector<std::string>> ReadPendingDrops(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const DeviceRows& rows) {
  std::vector<std::string> pending;
  if (rows.device.has_value()) pending = PendingDrops(*rows.device);
  if (!rows.report.has_value()) return pending;
  for (const store::DeviceCopy& copy : rows.report->copies()) {
    const std::optional<base::Uuid> carer = base::Uuid::Parse(copy.carer_id());
    if (!carer.has_value()) return errors::DamagedRow("a device's copy");
    if (Contains(pending, copy.carer_id())) continue;
    ASSIGN_OR_RETURN(const bool left, HasLeft(reader, tenant, *carer));
    if (left) pending.push_back(copy.carer_id());
  }
  return pending;
}

absl::Status ReplaceUsers(store::Device& device, const std::vector<std::string>& carers) {
  const std::vector<std::string> before(device.carer_ids().begin(), device.carer_ids().end());
  device.mutable_carer_ids()->Assign(carers.begin(), carers.end());
  const std::string taken_off = base::Reason(errors::CarerNotAUser(""));
  for (const std::string& carer : before) {
    // One that the device was told because it is blocked stands as it is, done or not.
    const bool told = device.blocked() && FindDrop(device, carer) != nullptr;
    if (!told && !Contains(carers, carer)) AddDrop(device, carer, taken_off);
  }
  if (!device.blocked()) {
    EraseDrops(device, [&](const Drop& drop) { return Contains(carers, drop.carer_id()); });
  }
  return BoundDrops(device);
}

absl::Status Block(store::Device& device, const std::vector<std::string>& holders) {
  if (device.blocked()) return absl::OkStatus();
  device.set_blocked(true);
  const std::string blocked = base::Reason(errors::DeviceBlocked());
  for (const std::string& carer : device.carer_ids()) AddDrop(device, carer, blocked);
  for (const std::string& carer : holders) {
    const Drop* drop = FindDrop(device, carer);
    if (drop == nullptr || drop->dropped_time_us() != 0) AddDrop(device, carer, blocked);
  }
  return BoundDrops(device);
}

void Unblock(store::Device& device) {
  device.set_blocked(false);
  EraseDrops(device, [&](const Drop& drop) { return IsUserId(device, drop.carer_id()); });
}

namespace {

// Marks the copy as dropped. A carer who left has a drop of its own only from here on.
absl::Status MarkDropped(const storage::Reader& reader, const base::TenantId& tenant, const std::string& carer,
                         int64_t now_us, store::Device& device) {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(carer);
  if (!uuid.has_value()) return absl::OkStatus();
  Drop* drop = MutableDrop(device, uuid->ToString());
  if (drop != nullptr && drop->dropped_time_us() == 0) {
    drop->set_dropped_time_us(now_us);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool left, HasLeft(reader, tenant, *uuid));
  if (!left) return absl::OkStatus();
  const bool was_here = drop != nullptr || IsUserId(device, uuid->ToString());
  if (!was_here) return absl::OkStatus();
  AddDrop(device, uuid->ToString(), base::Reason(errors::CarerLeft()));
  MutableDrop(device, uuid->ToString())->set_dropped_time_us(now_us);
  return absl::OkStatus();
}

}  // namespace

void RecordDropped(storage::Store& store, base::Executor& executor, const base::TenantId& tenant,
                   const base::Uuid& device, std::vector<std::string> carers, absl::Time now,
                   std::function<void(absl::Status)> done) {
  const std::string key = base::keys::DeviceRow(tenant, device, base::keys::DevicePart::kDevice);
  const int64_t now_us = base::ToStoredTime(now);
  auto make = [tenant, key, carers = std::move(carers),
               now_us](const storage::Reader& reader) -> absl::StatusOr<std::optional<storage::Commit>> {
    ASSIGN_OR_RETURN(std::optional<std::string> before, reader.Get(storage::Space::kDevices, key));
    if (!before.has_value()) return std::optional<storage::Commit>();
    ASSIGN_OR_RETURN(store::Device row, base::ParseStored<store::Device>(*before));
    for (const std::string& carer : carers) RETURN_IF_ERROR(MarkDropped(reader, tenant, carer, now_us, row));
    RETURN_IF_ERROR(BoundDrops(row));
    std::string after = row.SerializeAsString();
    if (before == after) return std::optional<storage::Commit>();
    storage::Commit commit;
    commit.preconditions.push_back({storage::Space::kDevices, key, std::move(before)});
    commit.writes.push_back({storage::Space::kDevices, key, std::move(after)});
    return std::optional<storage::Commit>(std::move(commit));
  };
  ChangeDeviceRow(store, executor, std::move(make), std::move(done));
}

}  // namespace caresync::devices
