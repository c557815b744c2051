#include "server/devices/device_rows.h"

#include <algorithm>
#include <utility>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::devices {
namespace {

using base::keys::DevicePart;

// The parts are numbered from 1 on.
constexpr uint8_t kParts = static_cast<uint8_t>(DevicePart::kEvents);

template <typename Message>
absl::Status ParseInto(std::string_view value, std::optional<Message>& part) {
  ASSIGN_OR_RETURN(part, base::ParseStored<Message>(value));
  return absl::OkStatus();
}

storage::Write CallWrite(const base::TenantId& tenant, const base::Uuid& device, DevicePart part,
                         const store::DeviceCall& call) {
  return {storage::Space::kDevices, base::keys::DeviceRow(tenant, device, part), call.SerializeAsString()};
}

}  // namespace

absl::StatusOr<DeviceRows> ReadDeviceRows(const storage::Reader& reader, const base::TenantId& tenant,
                                          const base::Uuid& device) {
  std::vector<std::string> keys;
  keys.reserve(kParts);
  for (uint8_t part = 1; part <= kParts; ++part) {
    keys.push_back(base::keys::DeviceRow(tenant, device, static_cast<DevicePart>(part)));
  }
  ASSIGN_OR_RETURN(const std::vector<std::optional<std::string>> bytes,
                   reader.MultiGet(storage::Space::kDevices, keys));
  DeviceRows rows;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i].has_value()) RETURN_IF_ERROR(AddPart(static_cast<uint8_t>(i + 1), *bytes[i], rows));
  }
  return rows;
}

absl::StatusOr<std::optional<store::Device>> ReadDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const base::Uuid& device) {
  return base::GetStored<store::Device>(reader, storage::Space::kDevices,
                                        base::keys::DeviceRow(tenant, device, DevicePart::kDevice));
}

absl::Status AddPart(uint8_t part, std::string_view value, DeviceRows& rows) {
  switch (static_cast<DevicePart>(part)) {
    case DevicePart::kDevice:
      return ParseInto(value, rows.device);
    case DevicePart::kSession:
      rows.session = std::string(value);
      return absl::OkStatus();
    case DevicePart::kCall:
    case DevicePart::kRefusedCall:
      return ParseInto(value, rows.call);
    case DevicePart::kReport:
      return ParseInto(value, rows.report);
    case DevicePart::kEvents:
      return ParseInto(value, rows.events);
  }
  return base::errors::DamagedRow("a device's row of an unknown part");
}

storage::Write CallRow(const base::TenantId& tenant, const base::Uuid& device, absl::Time time, v1::CallState state,
                       std::string_view reason, std::string_view opening) {
  store::DeviceCall call;
  call.set_time_us(base::ToStoredTime(time));
  call.set_state(state);
  call.set_reason(std::string(reason));
  call.set_opening(std::string(opening));
  return CallWrite(tenant, device, DevicePart::kCall, call);
}

storage::Write RefusedCallRow(const base::TenantId& tenant, const base::Uuid& device, absl::Time time,
                              std::string_view reason) {
  store::DeviceCall call;
  call.set_time_us(base::ToStoredTime(time));
  call.set_state(v1::CALL_STATE_FAILED);
  call.set_reason(std::string(reason));
  return CallWrite(tenant, device, DevicePart::kRefusedCall, call);
}

absl::Status CountEvent(commit::Transaction& transaction, const base::Uuid& device, uint64_t sequence,
                        NumberedEvent event) {
  if (sequence == 0) return absl::OkStatus();
  const std::string key = base::keys::DeviceRow(transaction.tenant(), device, DevicePart::kEvents);
  ASSIGN_OR_RETURN(std::optional<store::DeviceEvents> row,
                   base::GetStored<store::DeviceEvents>(transaction, storage::Space::kDevices, key));
  store::DeviceEvents events = row.value_or(store::DeviceEvents());
  if (sequence > events.last_sequence() + base::limits::kEventNumberJump) return absl::OkStatus();
  if (sequence > events.last_sequence()) {
    events.set_missing(events.missing() + (sequence - events.last_sequence() - 1));
    events.set_last_sequence(sequence);
  } else if (events.missing() > 0 && event == NumberedEvent::kNew) {
    events.set_missing(events.missing() - 1);
  } else {
    return absl::OkStatus();
  }
  transaction.Put(storage::Space::kDevices, key, events.SerializeAsString());
  return absl::OkStatus();
}

bool IsUser(const store::Device& device, const base::Uuid& carer) {
  return std::find(device.carer_ids().begin(), device.carer_ids().end(), carer.ToString()) != device.carer_ids().end();
}

const store::DeviceCopy* FindCopy(const store::DeviceReport& report, const base::Uuid& carer) {
  const std::string id = carer.ToString();
  for (const store::DeviceCopy& copy : report.copies()) {
    if (copy.carer_id() == id) return &copy;
  }
  return nullptr;
}

feed::Position PositionOf(const store::DeviceCopy& copy) {
  return {copy.position_revision(), {copy.position_record()}};
}

}  // namespace caresync::devices
