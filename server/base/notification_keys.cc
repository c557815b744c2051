// The keys of notifications.
#include <string>
#include <utility>

#include "server/base/key_parts.h"
#include "server/base/keys.h"

namespace caresync::base::keys {

using storage::KeyRange;
using storage::TupleReader;

std::string NotificationSettings(const TenantId& tenant, std::string_view branch) {
  return KeyIn(tenant, Table::kNotificationSettings).String(branch).Take();
}

KeyRange AllNotificationSettings(const TenantId& tenant, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kNotificationSettings));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseNotificationSettings(std::string_view key, std::string* branch) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kNotificationSettings) && reader.String(branch) && reader.AtEnd();
}

std::string RaisedMismatch(const TenantId& tenant, std::string_view branch, const Uuid& carer, const RecordKey& visit) {
  return KeyIn(tenant, Table::kRaisedMismatch).String(branch).Raw(carer.bytes()).String(visit.bytes).Take();
}

KeyRange RaisedMismatchesOf(const TenantId& tenant, std::string_view branch) {
  return RangeOf(KeyIn(tenant, Table::kRaisedMismatch).String(branch));
}

KeyRange RaisedMismatchesAfter(const TenantId& tenant, const std::string* branch) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kRaisedMismatch));
  if (branch != nullptr) all.begin = RaisedMismatchesOf(tenant, *branch).end;
  return all;
}

bool ParseRaisedMismatch(std::string_view key, std::string* branch, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kRaisedMismatch) && reader.String(branch) && ReadUuid(reader, carer) &&
         reader.String(&visit->bytes) && reader.AtEnd();
}

std::string Notifications(const TenantId& tenant) { return KeyIn(tenant, Table::kNotifications).Take(); }

std::string OverdueLook(const TenantId& tenant) { return KeyIn(tenant, Table::kOverdueLook).Take(); }

std::string OverdueBranch(const TenantId& tenant, std::string_view branch) {
  return KeyIn(tenant, Table::kOverdueBranch).String(branch).Take();
}

KeyRange AllOverdueBranches(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kOverdueBranch)); }

bool ParseOverdueBranch(std::string_view key, std::string* branch) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kOverdueBranch) && reader.String(branch) && reader.AtEnd();
}

}  // namespace caresync::base::keys
