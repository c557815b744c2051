// The keys of notifications.
#include <string>
#include <utility>

#include "server/base/key_parts.h"
#include "server/base/keys.h"

namespace caresync::base::keys {

using storage::KeyRange;
using storage::TupleReader;

namespace {

// A branch's mismatches in a table.
std::string OfBranch(const TenantId& tenant, Table table, std::string_view branch, const Uuid& carer,
                     const RecordKey& visit) {
  return KeyIn(tenant, table).String(branch).Raw(carer.bytes()).String(visit.bytes).Take();
}

KeyRange AllOfBranch(const TenantId& tenant, Table table, std::string_view branch) {
  return RangeOf(KeyIn(tenant, table).String(branch));
}

KeyRange BehindBranch(const TenantId& tenant, Table table, const std::string* branch) {
  KeyRange all = RangeOf(KeyIn(tenant, table));
  if (branch != nullptr) all.begin = AllOfBranch(tenant, table, *branch).end;
  return all;
}

bool ParseOfBranch(std::string_view key, Table table, std::string* branch, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, table) && reader.String(branch) && ReadUuid(reader, carer) && reader.String(&visit->bytes) &&
         reader.AtEnd();
}

}  // namespace

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
  return OfBranch(tenant, Table::kRaisedMismatch, branch, carer, visit);
}

KeyRange RaisedMismatchesOf(const TenantId& tenant, std::string_view branch) {
  return AllOfBranch(tenant, Table::kRaisedMismatch, branch);
}

KeyRange RaisedMismatchesAfter(const TenantId& tenant, const std::string* branch) {
  return BehindBranch(tenant, Table::kRaisedMismatch, branch);
}

bool ParseRaisedMismatch(std::string_view key, std::string* branch, Uuid* carer, RecordKey* visit) {
  return ParseOfBranch(key, Table::kRaisedMismatch, branch, carer, visit);
}

std::string HeldMismatch(const TenantId& tenant, std::string_view branch, const Uuid& carer, const RecordKey& visit) {
  return OfBranch(tenant, Table::kHeldMismatch, branch, carer, visit);
}

KeyRange HeldMismatchesOf(const TenantId& tenant, std::string_view branch) {
  return AllOfBranch(tenant, Table::kHeldMismatch, branch);
}

KeyRange HeldMismatchesAfter(const TenantId& tenant, const std::string* branch) {
  return BehindBranch(tenant, Table::kHeldMismatch, branch);
}

bool ParseHeldMismatch(std::string_view key, std::string* branch, Uuid* carer, RecordKey* visit) {
  return ParseOfBranch(key, Table::kHeldMismatch, branch, carer, visit);
}

std::string ToldHour(const TenantId& tenant, std::string_view branch) {
  return KeyIn(tenant, Table::kToldHour).String(branch).Take();
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
