#include "server/notifications/settings.h"

#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/notifications/overdue.h"
#include "server/notifications/raises.h"
#include "server/outbox/email_address.h"
#include "server/outbox/webhook_setting.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/tenants/tenants.h"

namespace caresync::notifications {
namespace {

namespace errors = base::errors;
namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kPercent = 100;

absl::StatusOr<std::optional<store::NotificationSettings>> Own(const storage::Reader& reader,
                                                               const base::TenantId& tenant,
                                                               const std::string& branch) {
  return base::GetStored<store::NotificationSettings>(reader, Space::kRecords,
                                                      keys::NotificationSettings(tenant, branch));
}

// As it is in keys: lower case, or empty.
absl::StatusOr<std::string> BranchIn(std::string_view field, const std::string& text) {
  if (text.empty()) return std::string();
  const std::optional<base::Uuid> branch = base::Uuid::Parse(text);
  if (!branch.has_value()) return errors::InvalidArgument(field, "is no UUID; give a branch's record ID, or nothing");
  return branch->ToString();
}

absl::Status CheckKnown(const storage::Reader& reader, const base::TenantId& tenant, const std::string& branch) {
  if (branch.empty()) return absl::OkStatus();
  const base::RecordKey key = records::KeyOf({v1::RECORD_KIND_BRANCH, *base::Uuid::Parse(branch)});
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, records::GetRecord(reader, tenant, key));
  return record.has_value() ? absl::OkStatus() : errors::BranchUnknown(branch);
}

absl::Status CheckTenant(const commit::Transaction& transaction, const std::string& named) {
  RETURN_IF_ERROR(tenants::CheckNamed(transaction, named));
  return tenants::GetTenant(transaction, transaction.tenant()).status();
}

absl::Status CheckHours(const v1::NotificationHours& hours) {
  if (hours.weekday() < v1::WEEKDAY_MONDAY || hours.weekday() > v1::WEEKDAY_SUNDAY) {
    return errors::InvalidArgument("settings.hours.weekday", "is no day of the week; give WEEKDAY_MONDAY to _SUNDAY");
  }
  if (hours.from_minute() < 0 || hours.from_minute() >= kMinutesOfDay) {
    return errors::InvalidArgument(
        "settings.hours.from_minute",
        absl::StrCat("is ", hours.from_minute(), "; give the minutes since midnight, 0 to ", kMinutesOfDay - 1));
  }
  if (hours.to_minute() <= hours.from_minute() || hours.to_minute() > kMinutesOfDay) {
    return errors::InvalidArgument(
        "settings.hours.to_minute",
        absl::StrCat("is ", hours.to_minute(), "; give minutes since midnight above `from_minute`, up to ",
                     kMinutesOfDay, "; hours over midnight are two, one of each day"));
  }
  return absl::OkStatus();
}

absl::Status SetHours(const v1::NotificationSettings& given, store::NotificationSettings& stored) {
  if (given.hours_size() > limits::kNotificationHours) {
    return errors::InvalidArgument(
        "settings.hours", absl::StrCat("has ", given.hours_size(), " entries; at most ", limits::kNotificationHours));
  }
  for (const v1::NotificationHours& hours : given.hours()) {
    RETURN_IF_ERROR(CheckHours(hours));
    store::NotificationHours& kept = *stored.add_hours();
    kept.set_weekday(hours.weekday());
    kept.set_from_minute(hours.from_minute());
    kept.set_to_minute(hours.to_minute());
  }
  return absl::OkStatus();
}

absl::Status SetAddresses(const v1::NotificationSettings& given, const Ways& ways,
                          store::NotificationSettings& stored) {
  constexpr char kField[] = "settings.email_addresses";
  if (given.email_addresses_size() > limits::kNotificationAddresses) {
    return errors::InvalidArgument(
        kField, absl::StrCat("has ", given.email_addresses_size(), " entries; at most ", limits::kNotificationAddresses,
                             ", so give a distribution list"));
  }
  if (!given.email_addresses().empty() && !ways.email) {
    return errors::InvalidArgument(kField,
                                   "are given, and this server sends no e-mail: start caresyncd with --smtp-url");
  }
  std::set<std::string> named;
  for (const std::string& address : given.email_addresses()) {
    if (!outbox::IsEmailAddress(address)) {
      return errors::InvalidArgument(kField, "has one that is no e-mail address such as office@example.org");
    }
    if (!named.insert(address).second) return errors::InvalidArgument(kField, "has one twice");
    stored.add_email_addresses(address);
  }
  return absl::OkStatus();
}

absl::StatusOr<store::NotificationSettings> ToStored(const v1::NotificationSettings& given,
                                                     const store::NotificationSettings& before, const Ways& ways) {
  store::NotificationSettings stored;
  if (given.has_webhook()) {
    const v1::NotificationWebhook& webhook = given.webhook();
    ASSIGN_OR_RETURN(std::string key, outbox::CheckWebhook("settings.webhook", webhook.url(), webhook.secret(),
                                                           before.webhook().key(), ways.webhooks));
    stored.mutable_webhook()->set_url(webhook.url());
    stored.mutable_webhook()->set_key(std::move(key));
  }
  RETURN_IF_ERROR(SetHours(given, stored));
  RETURN_IF_ERROR(SetAddresses(given, ways, stored));
  if (given.overdue_percent() < 0 || given.overdue_percent() >= kPercent) {
    return errors::InvalidArgument(
        "settings.overdue_percent",
        absl::StrCat("is ", given.overdue_percent(), "; give 1 to ", kPercent - 1, ", or 0 for never"));
  }
  stored.set_overdue_percent(given.overdue_percent());
  return stored;
}

v1::NotificationSettings ToProto(const std::string& branch, const store::NotificationSettings& stored) {
  v1::NotificationSettings proto;
  proto.set_branch_id(branch);
  if (stored.has_webhook()) proto.mutable_webhook()->set_url(stored.webhook().url());
  for (const store::NotificationHours& hours : stored.hours()) {
    v1::NotificationHours& told = *proto.add_hours();
    told.set_weekday(hours.weekday());
    told.set_from_minute(hours.from_minute());
    told.set_to_minute(hours.to_minute());
  }
  *proto.mutable_email_addresses() = stored.email_addresses();
  proto.set_overdue_percent(stored.overdue_percent());
  return proto;
}

}  // namespace

absl::StatusOr<store::NotificationSettings> SettingsFor(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const std::string& branch) {
  absl::StatusOr<std::optional<store::NotificationSettings>> settings = Own(reader, tenant, branch);
  if (settings.ok() && !settings->has_value() && !branch.empty()) settings = Own(reader, tenant, "");
  if (absl::IsDataLoss(settings.status())) {
    observability::Log(observability::Level::kError, "notification_settings_not_readable",
                       {{"tenant", tenant.text()}, {"branch", branch}, {"error", settings.status().message()}});
    return store::NotificationSettings();
  }
  RETURN_IF_ERROR(settings.status());
  return (*std::move(settings)).value_or(store::NotificationSettings());
}

bool NamesAnybody(const store::NotificationSettings& settings) {
  return settings.has_webhook() || !settings.email_addresses().empty();
}

absl::StatusOr<v1::NotificationSettings> SetSettings(commit::Transaction& transaction,
                                                     const v1::SetNotificationSettingsRequest& request,
                                                     const Ways& ways) {
  const base::TenantId& tenant = transaction.tenant();
  RETURN_IF_ERROR(CheckTenant(transaction, request.tenant_id()));
  if (!request.has_settings()) return errors::InvalidArgument("settings", "is absent; say what is to hold");
  ASSIGN_OR_RETURN(const std::string branch, BranchIn("settings.branch_id", request.settings().branch_id()));
  RETURN_IF_ERROR(CheckKnown(transaction, tenant, branch));
  const absl::StatusOr<std::optional<store::NotificationSettings>> read = Own(transaction, tenant, branch);
  if (!read.ok() && !absl::IsDataLoss(read.status())) return read.status();
  const bool is_set = read.ok() && read->has_value();
  const store::NotificationSettings before = is_set ? **read : store::NotificationSettings();
  ASSIGN_OR_RETURN(const store::NotificationSettings stored, ToStored(request.settings(), before, ways));
  if (!is_set || stored.SerializeAsString() != before.SerializeAsString()) {
    transaction.Put(Space::kRecords, keys::NotificationSettings(tenant, branch), stored.SerializeAsString());
    RETURN_IF_ERROR(LookAtRaised(transaction));
    RETURN_IF_ERROR(LookAtOverdue(transaction));
  }
  return ToProto(branch, stored);
}

absl::StatusOr<v1::RemoveNotificationSettingsResponse> RemoveSettings(
    commit::Transaction& transaction, const v1::RemoveNotificationSettingsRequest& request) {
  const base::TenantId& tenant = transaction.tenant();
  RETURN_IF_ERROR(CheckTenant(transaction, request.tenant_id()));
  ASSIGN_OR_RETURN(const std::string branch, BranchIn("branch_id", request.branch_id()));
  const std::string key = keys::NotificationSettings(tenant, branch);
  ASSIGN_OR_RETURN(const std::optional<std::string> row, transaction.Get(Space::kRecords, key));
  v1::RemoveNotificationSettingsResponse response;
  response.set_removed(row.has_value());
  if (!row.has_value()) return response;
  transaction.Delete(Space::kRecords, key);
  RETURN_IF_ERROR(LookAtRaised(transaction));
  RETURN_IF_ERROR(LookAtOverdue(transaction));
  return response;
}

absl::StatusOr<v1::ListNotificationSettingsResponse> ListSettings(const storage::Reader& reader,
                                                                  const base::TenantId& tenant,
                                                                  const v1::ListNotificationSettingsRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken("notifications", request.page_token()));
  v1::ListNotificationSettingsResponse response;
  int seen = 0;
  std::string last;
  bool more = false;
  bool damaged = false;
  // One more than the page holds shows whether another follows.
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::AllNotificationSettings(tenant, after),
                              static_cast<size_t>(page_size) + 1, [&](std::string_view key, std::string_view row) {
                                more = seen == page_size;
                                if (more) return false;
                                std::string branch;
                                damaged = !keys::ParseNotificationSettings(key, &branch);
                                if (damaged) return false;
                                ++seen;
                                last = std::string(key);
                                const auto stored = base::ParseStored<store::NotificationSettings>(row);
                                if (stored.ok()) *response.add_settings() = ToProto(branch, *stored);
                                return true;
                              }));
  if (damaged) return errors::DamagedRow("the key of notification settings");
  if (more) response.set_next_page_token(base::EncodePageToken("notifications", last));
  return response;
}

}  // namespace caresync::notifications
