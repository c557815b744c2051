// The keys of Space::kDevices.
#include <utility>

#include "server/base/key_parts.h"
#include "server/base/keys.h"

namespace caresync::base::keys {

using storage::KeyRange;
using storage::TupleReader;

std::string DeviceRow(const TenantId& tenant, const Uuid& device, DevicePart part) {
  return KeyIn(tenant, Table::kDevice).Raw(device.bytes()).Byte(static_cast<uint8_t>(part)).Take();
}

KeyRange DeviceRows(const TenantId& tenant, const Uuid* after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kDevice));
  if (after != nullptr) all.begin = OneDevice(tenant, *after).end;
  return all;
}

KeyRange OneDevice(const TenantId& tenant, const Uuid& device) {
  return RangeOf(KeyIn(tenant, Table::kDevice).Raw(device.bytes()));
}

bool ParseDeviceRow(std::string_view key, Uuid* device, DevicePart* part) {
  TupleReader reader(key);
  uint8_t number = 0;
  if (!OpenKey(reader, Table::kDevice) || !ReadUuid(reader, device) || !reader.Byte(&number)) return false;
  *part = static_cast<DevicePart>(number);
  return reader.AtEnd();
}

std::string Sync(const TenantId& tenant, const Uuid& device, uint64_t number) {
  return KeyIn(tenant, Table::kSync).Raw(device.bytes()).Uint64(~number).Take();
}

KeyRange SyncsBefore(const TenantId& tenant, const Uuid& device, uint64_t before) {
  KeyRange range = RangeOf(KeyIn(tenant, Table::kSync).Raw(device.bytes()));
  if (before != 0) range.begin = Sync(tenant, device, before - 1);
  return range;
}

bool ParseSync(std::string_view key, Uuid* device, uint64_t* number) {
  TupleReader reader(key);
  uint64_t inverted = 0;
  if (!OpenKey(reader, Table::kSync) || !ReadUuid(reader, device) || !reader.Uint64(&inverted)) return false;
  *number = ~inverted;
  return reader.AtEnd();
}

std::string SyncOfCarer(const TenantId& tenant, const Uuid& carer, int64_t start_us, const Uuid& device,
                        uint64_t number) {
  return KeyIn(tenant, Table::kSyncOfCarer)
      .Raw(carer.bytes())
      .Uint64(~Ordered(start_us))
      .Raw(device.bytes())
      .Uint64(~number)
      .Take();
}

KeyRange SyncsOfCarer(const TenantId& tenant, const Uuid& carer, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kSyncOfCarer).Raw(carer.bytes()));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseSyncOfCarer(std::string_view key, Uuid* carer, int64_t* start_us, Uuid* device, uint64_t* number) {
  TupleReader reader(key);
  uint64_t start = 0;
  uint64_t inverted = 0;
  if (!OpenKey(reader, Table::kSyncOfCarer) || !ReadUuid(reader, carer) || !reader.Uint64(&start)) return false;
  if (!ReadUuid(reader, device) || !reader.Uint64(&inverted)) return false;
  *start_us = FromOrdered(~start);
  *number = ~inverted;
  return reader.AtEnd();
}

std::string DeviceInUse(const TenantId& tenant, const Uuid& carer) {
  return KeyIn(tenant, Table::kDeviceInUse).Raw(carer.bytes()).Take();
}

std::string DeviceWake(const TenantId& tenant, const Uuid& device) {
  return KeyIn(tenant, Table::kDeviceWake).Raw(device.bytes()).Take();
}

}  // namespace caresync::base::keys
