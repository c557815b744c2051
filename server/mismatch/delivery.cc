#include "server/mismatch/delivery.h"

#include <string_view>
#include <utility>

#include "server/base/keys.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/timeline.h"
#include "server/devices/device_in_use.h"
#include "server/devices/device_rows.h"
#include "server/devices/sync_history.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/visit_parts.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::mismatch {
namespace {

using storage::Space;

constexpr char kNotKnown[] = "delivery_not_known";

// What `parse` makes of the row, where there is one.
template <typename T>
absl::StatusOr<std::optional<T>> Parsed(const std::optional<std::string>& row,
                                        absl::StatusOr<T> (*parse)(std::string_view)) {
  if (!row.has_value()) return std::optional<T>();
  ASSIGN_OR_RETURN(T parsed, parse(*row));
  return std::optional<T>(std::move(parsed));
}

// For kAnyDevicesAckSettles alone.
absl::StatusOr<std::optional<base::Uuid>> DeviceOfLastSync(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const devices::CarerSyncPlaces syncs, devices::ReadCarerSyncPlaces(reader, tenant, carer, "", 1));
  if (syncs.places.empty()) return std::optional<base::Uuid>();
  return std::optional<base::Uuid>(syncs.places.front().device);
}

}  // namespace

absl::StatusOr<bool> Delivery::IsSettled(const CarerVisit& of) { return UnlessNotKnown(of.carer, Judge(of)); }

absl::StatusOr<bool> Delivery::IsSettled(const CarerVisit& of, const std::optional<store::Record>& record, bool held) {
  return UnlessNotKnown(of.carer, Judge(of, record, held));
}

absl::StatusOr<bool> Delivery::UnlessNotKnown(const base::Uuid& carer, absl::StatusOr<bool> settled) const {
  if (!absl::IsDataLoss(settled.status())) return settled;
  LogDamage(kNotKnown, tenant_, carer, settled.status());
  return false;
}

absl::StatusOr<bool> Delivery::Judge(const CarerVisit& of) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, records::GetRecord(reader_, tenant_, of.visit));
  ASSIGN_OR_RETURN(const VisitParts parts, PartsOf(record));
  return Judge(of, record, parts.Of(of.carer) != nullptr);
}

absl::StatusOr<bool> Delivery::Judge(const CarerVisit& of, const std::optional<store::Record>& record, bool held) {
  ASSIGN_OR_RETURN(const Acknowledged* const acknowledged, Of(of.carer));
  const base::ReceiverId receiver = records::CarerReceiver(of.carer);
  ASSIGN_OR_RETURN(const std::optional<feed::Entry> entry, feed::ReadEntry(reader_, tenant_, receiver, of.visit));
  const bool is_upsert = entry.has_value() && !entry->removal;
  if (held || is_upsert) {
    // Where the entry is not as the visit is, a fan-out is yet to put it right: no device can have that.
    const bool entry_is_right = held && is_upsert && entry->version == record->version();
    return entry_is_right && acknowledged->position.has_value() && *acknowledged->position >= entry->position;
  }
  if (!acknowledged->has_copy) return true;
  if (!acknowledged->position.has_value()) return false;
  if (entry.has_value()) return *acknowledged->position >= entry->position;
  // It never was in the feed, or its removal was forgotten: then who stands before the horizon may hold it.
  ASSIGN_OR_RETURN(const feed::FeedSummary summary, feed::ReadSummary(reader_, tenant_, receiver));
  return *acknowledged->position >= summary.horizon;
}

absl::StatusOr<bool> Delivery::HasCopy(const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const Acknowledged* const acknowledged, Of(carer));
  return acknowledged->has_copy;
}

absl::StatusOr<std::optional<base::Uuid>> Delivery::DeviceInUse(const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const Acknowledged* const acknowledged, Of(carer));
  return acknowledged->device;
}

absl::StatusOr<std::optional<feed::Position>> Delivery::PositionOf(const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const Acknowledged* const acknowledged, Of(carer));
  return acknowledged->position;
}

absl::Status Delivery::RequireUnmoved(const base::Uuid& carer, commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(Acknowledged* const acknowledged, Of(carer));
  if (std::exchange(acknowledged->required, true)) return absl::OkStatus();
  for (const storage::Precondition& row : acknowledged->rows) transaction.Require(row.space, row.key, row.expected);
  return absl::OkStatus();
}

absl::StatusOr<Delivery::Acknowledged*> Delivery::Of(const base::Uuid& carer) {
  const auto known = known_.find(carer);
  if (known != known_.end()) return &known->second;
  ASSIGN_OR_RETURN(Acknowledged acknowledged, Read(carer));
  return &known_.emplace(carer, std::move(acknowledged)).first->second;
}

absl::StatusOr<Delivery::Acknowledged> Delivery::Read(const base::Uuid& carer) const {
  Acknowledged acknowledged;
  const auto read = [&](std::string key) -> absl::StatusOr<std::optional<std::string>> {
    ASSIGN_OR_RETURN(std::optional<std::string> bytes, reader_.Get(Space::kDevices, key));
    acknowledged.rows.push_back({Space::kDevices, std::move(key), bytes});
    return bytes;
  };
  ASSIGN_OR_RETURN(const std::optional<std::string> in_use, read(base::keys::DeviceInUse(tenant_, carer)));
  ASSIGN_OR_RETURN(std::optional<base::Uuid> device,
                   UnlessDamaged(Parsed(in_use, devices::ParseDeviceInUse), kNotKnown, tenant_, carer));
  if (base::HasPlantedBug(base::PlantedBug::kAnyDevicesAckSettles)) {
    ASSIGN_OR_RETURN(device, DeviceOfLastSync(reader_, tenant_, carer));
  }
  // Where the row cannot be read nobody knows that there is no copy; the same of the report.
  acknowledged.has_copy = in_use.has_value() && !device.has_value();
  acknowledged.device = device;
  if (!device.has_value()) return acknowledged;
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   read(base::keys::DeviceRow(tenant_, *device, base::keys::DevicePart::kReport)));
  ASSIGN_OR_RETURN(const std::optional<store::DeviceReport> report,
                   UnlessDamaged(Parsed(bytes, base::ParseStored<store::DeviceReport>), kNotKnown, tenant_, carer));
  acknowledged.has_copy = bytes.has_value() && !report.has_value();
  if (!report.has_value()) return acknowledged;
  const store::DeviceCopy* const copy = devices::FindCopy(*report, carer);
  if (copy == nullptr) return acknowledged;
  acknowledged.has_copy = true;
  // What was applied to it is not known: its acks were of a copy that is another than what was sent.
  if (copy->diverged()) return acknowledged;
  const base::CommitPoint cursor{copy->timeline(), copy->revision()};
  if (cursor.timeline.empty()) return acknowledged;
  ASSIGN_OR_RETURN(const commit::CursorStanding standing, commit::Standing(reader_, tenant_, cursor));
  if (standing != commit::CursorStanding::kKnown) return acknowledged;
  acknowledged.position = devices::PositionOf(*copy);
  return acknowledged;
}

}  // namespace caresync::mismatch
