// What key layouts are made of. For keys.cc, delivery_keys.cc, device_keys.cc, mismatch_keys.cc, notification_keys.cc
// and outbox_keys.cc alone.
#ifndef CARESYNC_SERVER_BASE_KEY_PARTS_H_
#define CARESYNC_SERVER_BASE_KEY_PARTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"
#include "storage/tuple.h"

namespace caresync::base::keys {

// The byte after the tenant. Unique within a space; once used, a byte keeps its meaning.
enum class Table : uint8_t {
  // Space::kRecords, under the empty tenant.
  kStoreIdentity = 'i',
  kTenantListing = 'n',
  // Space::kRecords.
  kTenantHead = 'h',
  kTimeline = 'l',
  kTask = 't',
  kRecord = 'r',
  kGrant = 'g',
  kChild = 'c',
  kEventIdentity = 'i',
  kReviewItem = 'v',
  kReviewOf = 'w',
  kExternalId = 'x',
  kWaiting = 'y',
  kWaitingFor = 'z',
  kSourceState = 's',
  kTenant = 'n',
  kMember = 'm',
  kGroupOf = 'o',
  kGroupRecord = 'a',
  kFanOutScope = 'u',
  kVisitByStart = 'b',
  kVisitByEnd = 'q',
  kWindowEdges = 'j',
  kReviewByRevision = 'd',
  kSourceStanding = 'k',
  kRebuildRelease = 'p',
  kVisitEnd = 'e',
  kMismatch = 'M',
  kMismatchLook = 'D',
  kOpenMismatch = 'O',
  kListedMismatch = 'L',
  kMismatchLooks = 'A',
  kToldMismatch = 'T',
  kNotice = 'N',
  kNoticeDue = 'F',
  kDeadNotice = 'X',
  kOutbox = 'B',
  kNotificationSettings = 'S',
  kRaisedMismatch = 'R',
  kHeldMismatch = 'W',
  kToldHour = 'E',
  kNotifications = 'G',
  kOverdueLook = 'P',
  kOverdueBranch = 'Q',
  kVisitEntry = 'H',
  kVisitEntryByVisit = 'V',
  kVisitEntryByRevision = 'K',
  kToldMark = 'U',
  kKeeping = 'Y',
  // Space::kFeeds.
  kFeedEntry = 'e',
  kFeedPlace = 'p',
  kFeedHead = 'f',
  // Space::kDevices.
  kDevice = 'd',
  kSync = 'y',
  kSyncOfCarer = 'c',
  kDeviceInUse = 'u',
  kDeviceWake = 'w',
  kCopyMark = 'm',
  kUntoldMark = 'n',
};

inline constexpr size_t kUuidBytes = 16;

// What most keys come to: a tenant's name, two records or a receiver and a record, a revision.
inline constexpr size_t kUsualKeyBytes = 80;

inline storage::TupleWriter KeyIn(std::string_view tenant, Table table) {
  storage::TupleWriter key(kUsualKeyBytes);
  key.String(tenant).Byte(static_cast<uint8_t>(table));
  return key;
}

inline storage::TupleWriter KeyIn(const TenantId& tenant, Table table) { return KeyIn(tenant.text(), table); }

// A reader that stands behind tenant and table; false where the key is of another table.
inline bool OpenKey(storage::TupleReader& reader, Table table, std::string* tenant) {
  uint8_t found = 0;
  return reader.String(tenant) && reader.Byte(&found) && found == static_cast<uint8_t>(table);
}

inline bool OpenKey(storage::TupleReader& reader, Table table) {
  std::string tenant;
  return OpenKey(reader, table, &tenant);
}

inline storage::KeyRange RangeOf(storage::TupleWriter prefix) { return storage::PrefixRange(prefix.Take()); }

// The keys of `all` that come after `key`, which may be any.
inline storage::KeyRange After(storage::KeyRange all, std::string key) {
  key.push_back('\0');
  all.begin = std::clamp(key, all.begin, all.end);
  return all;
}

// Numbers below zero sort below the others.
inline uint64_t Ordered(int64_t value) { return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63); }
inline int64_t FromOrdered(uint64_t value) { return static_cast<int64_t>(value ^ (uint64_t{1} << 63)); }

inline bool ReadUuid(storage::TupleReader& reader, Uuid* uuid) {
  std::string bytes;
  if (!reader.Raw(kUuidBytes, &bytes)) return false;
  *uuid = *Uuid::FromBytes(bytes);
  return true;
}

}  // namespace caresync::base::keys

#endif  // CARESYNC_SERVER_BASE_KEY_PARTS_H_
