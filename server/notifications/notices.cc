#include "server/notifications/notices.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "caresync/store/outbox.pb.h"
#include "caresync/store/stored.pb.h"
#include "server/base/status_macros.h"
#include "server/notifications/settings.h"
#include "server/tenants/tenants.h"

namespace caresync::notifications {
namespace {

// nullopt: the settings that hold of the branch now do not name it any more.
absl::StatusOr<std::optional<outbox::Destination>> DestinationOf(const storage::Reader& reader,
                                                                 const base::TenantId& tenant,
                                                                 const store::OutboxNotice& notice) {
  ASSIGN_OR_RETURN(const store::NotificationSettings settings, SettingsFor(reader, tenant, notice.branch_id()));
  const std::string& address = notice.email_address();
  if (address.empty()) {
    if (!settings.has_webhook()) return std::optional<outbox::Destination>();
    return std::optional<outbox::Destination>({settings.webhook().url(), settings.webhook().key()});
  }
  const auto& named = settings.email_addresses();
  if (std::find(named.begin(), named.end(), address) == named.end()) return std::optional<outbox::Destination>();
  return std::optional<outbox::Destination>({.url = "", .key = "", .email_address = address});
}

// nullopt where it is not known any more.
absl::StatusOr<std::optional<store::Tenant>> ReadTenant(const storage::Reader& reader, const base::TenantId& tenant) {
  absl::StatusOr<store::Tenant> stored = tenants::GetTenant(reader, tenant);
  if (absl::IsNotFound(stored.status()) || absl::IsDataLoss(stored.status())) return std::optional<store::Tenant>();
  RETURN_IF_ERROR(stored.status());
  return *std::move(stored);
}

absl::Status NothingFollows(commit::Transaction& /*transaction*/, uint64_t /*number*/,
                            const store::OutboxNotice& /*notice*/, outbox::NoticeEnd /*end*/) {
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<size_t> PutForAll(commit::Transaction& transaction, const store::NotificationSettings& settings,
                                 outbox::NewNotice notice, MailText mail, base::RandomSource& random) {
  size_t put = 0;
  if (settings.has_webhook()) {
    RETURN_IF_ERROR(outbox::PutNotice(transaction, notice, random).status());
    ++put;
  }
  notice.body = std::move(mail.text);
  notice.email_subject = std::move(mail.subject);
  for (const std::string& address : settings.email_addresses()) {
    notice.email_address = address;
    RETURN_IF_ERROR(outbox::PutNotice(transaction, notice, random).status());
    ++put;
  }
  return put;
}

void RegisterNotices(outbox::Dispatcher& dispatcher) {
  for (const char* kind : {kMismatchNotice, kMismatchesNotice, kOverdueNotice}) {
    dispatcher.Register(kind, {.destination = DestinationOf, .ended = NothingFollows});
  }
}

absl::StatusOr<absl::TimeZone> ZoneOf(const storage::Reader& reader, const base::TenantId& tenant) {
  absl::TimeZone zone = absl::UTCTimeZone();
  ASSIGN_OR_RETURN(const std::optional<store::Tenant> stored, ReadTenant(reader, tenant));
  if (stored.has_value()) absl::LoadTimeZone(stored->time_zone(), &zone);
  return zone;
}

absl::StatusOr<std::string> AgencyOf(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(const std::optional<store::Tenant> stored, ReadTenant(reader, tenant));
  return stored.has_value() && !stored->display_name().empty() ? stored->display_name() : tenant.text();
}

}  // namespace caresync::notifications
