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

}  // namespace caresync::base::keys
