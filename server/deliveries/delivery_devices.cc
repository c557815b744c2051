#include "server/deliveries/delivery_devices.h"

#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/deliveries/outcome.h"
#include "server/devices/assigned_devices.h"
#include "server/devices/device_rows.h"
#include "server/devices/sync_history.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

using PairVisitor = absl::FunctionRef<bool(const base::Uuid& device, const base::Uuid& carer)>;

// Shows each device and carer of which there are marks, from the key `begin` on (empty: all), in their order; steps
// over the marks themselves. False ends it.
absl::Status VisitMarked(const storage::Reader& reader, const base::TenantId& tenant, const std::string& begin,
                         PairVisitor visit) {
  storage::KeyRange range = keys::AllCopyMarks(tenant, "");
  if (!begin.empty()) range.begin = begin;
  for (;;) {
    std::string found;
    RETURN_IF_ERROR(reader.Scan(Space::kDevices, range, 1, [&](std::string_view key, std::string_view) {
      found = std::string(key);
      return false;
    }));
    if (found.empty()) return absl::OkStatus();
    base::Uuid device;
    base::Uuid carer;
    uint64_t number = 0;
    if (!keys::ParseCopyMark(found, &device, &carer, &number)) return base::errors::DamagedRow("the key of a mark");
    if (!visit(device, carer)) return absl::OkStatus();
    range.begin = keys::CopyMark(tenant, device, carer, std::numeric_limits<uint64_t>::max()) + '\0';
  }
}

// Of a carer of whom the last syncs show none on a device that ever began `ever` of anybody's: there certainly was
// none.
absl::StatusOr<bool> NeverSyncedOn(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer,
                                   uint64_t ever) {
  if (ever == 0) return true;
  // Its history has forgotten some.
  if (ever > limits::kSyncHistory) return false;
  ASSIGN_OR_RETURN(const devices::CarerSyncPlaces places,
                   devices::ReadCarerSyncPlaces(reader, tenant, carer, "", limits::kMismatchSyncsSearched));
  return !places.damaged && places.places.size() < limits::kMismatchSyncsSearched;
}

// The carers of whom the device made marks that are kept.
absl::StatusOr<std::set<base::Uuid>> ReadMarkedOn(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& device) {
  std::set<base::Uuid> carers;
  RETURN_IF_ERROR(VisitMarked(reader, tenant, keys::CopyMark(tenant, device, base::Uuid(), 0),
                              [&](const base::Uuid& marked, const base::Uuid& carer) {
                                if (marked == device) carers.insert(carer);
                                return marked == device;
                              }));
  return carers;
}

// All of the device's marks with lower numbers than `first`, the carer's first one, are kept: they are of other carers.
absl::StatusOr<bool> IsFirstOfAll(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& device,
                                  const base::Uuid& carer, uint64_t first) {
  if (first == 1) return true;
  ASSIGN_OR_RETURN(const std::set<base::Uuid> carers, ReadMarkedOn(reader, tenant, device));
  uint64_t lower = 0;
  for (const base::Uuid& other : carers) {
    if (other == carer) continue;
    ASSIGN_OR_RETURN(const std::vector<Mark> marks, ReadAllMarks(reader, tenant, device, other, 0, first));
    lower += marks.size();
  }
  return lower == first - 1;
}

}  // namespace

absl::StatusOr<std::set<base::Uuid>> ReadCarersOn(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& device) {
  ASSIGN_OR_RETURN(std::set<base::Uuid> carers, ReadMarkedOn(reader, tenant, device));
  ASSIGN_OR_RETURN(const std::optional<store::Device> row, devices::ReadDevice(reader, tenant, device));
  if (!row.has_value()) return carers;
  for (const std::string& id : row->carer_ids()) {
    const std::optional<base::Uuid> carer = base::Uuid::Parse(id);
    if (carer.has_value()) carers.insert(*carer);
  }
  return carers;
}

absl::StatusOr<std::set<base::Uuid>> DeliveryDevices::UuidsOf(const base::Uuid& carer) {
  if (only_.has_value()) return std::set<base::Uuid>{*only_};
  if (!by_carer_.has_value()) {
    ASSIGN_OR_RETURN(auto by_carer, devices::ReadDevicesByUser(reader_, tenant_));
    RETURN_IF_ERROR(VisitMarked(reader_, tenant_, "", [&](const base::Uuid& device, const base::Uuid& marked) {
      by_carer[marked].insert(device);
      return true;
    }));
    by_carer_ = std::move(by_carer);
  }
  return (*by_carer_)[carer];
}

absl::StatusOr<CarerOnDevice> DeliveryDevices::Read(const base::Uuid& device, const base::Uuid& carer) {
  CarerOnDevice read;
  read.uuid = device;
  ASSIGN_OR_RETURN(const devices::DeviceRows rows, devices::ReadDeviceRows(reader_, tenant_, device));
  if (rows.report.has_value()) read.name = rows.report->device_name();
  ASSIGN_OR_RETURN(read.marks, ReadAllMarks(reader_, tenant_, device, carer));
  if (!read.marks.empty()) {
    ASSIGN_OR_RETURN(read.begins_with_first, IsFirstOfAll(reader_, tenant_, device, carer, read.marks.front().number));
  }
  ASSIGN_OR_RETURN(read.syncs, devices::ReadSyncs(reader_, tenant_, carer, device, under_way_));
  if (read.syncs.syncs.empty() && read.marks.empty()) {
    const uint64_t ever = rows.report.has_value() ? rows.report->syncs() : 0;
    ASSIGN_OR_RETURN(read.syncs.complete, NeverSyncedOn(reader_, tenant_, carer, ever));
  }
  return read;
}

absl::StatusOr<const std::vector<CarerOnDevice>*> DeliveryDevices::Of(const base::Uuid& carer) {
  const auto known = read_.find(carer);
  if (known != read_.end()) return &known->second;
  ASSIGN_OR_RETURN(const std::set<base::Uuid> uuids, UuidsOf(carer));
  if (marks_ >= most_marks_) {
    read_.clear();
    marks_ = 0;
  }
  std::vector<CarerOnDevice> all;
  for (const base::Uuid& device : uuids) {
    ASSIGN_OR_RETURN(CarerOnDevice read, Read(device, carer));
    marks_ += read.marks.size();
    all.push_back(std::move(read));
  }
  return &(read_[carer] = std::move(all));
}

}  // namespace caresync::deliveries
