#include "server/tenants/tenants.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/text.h"

namespace caresync::tenants {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;
using storage::Space;

constexpr char kDefaultTimeZone[] = "UTC";

absl::StatusOr<std::string> DisplayName(const base::TenantId& tenant, const std::string& name) {
  if (name.empty()) return tenant.text();
  const std::optional<size_t> characters = base::CountCharacters(name);
  if (!characters.has_value()) return errors::InvalidArgument("display_name", "is not valid UTF-8");
  if (*characters > limits::kNameCharacters) {
    return errors::InvalidArgument("display_name",
                                   absl::StrCat("has ", *characters, " characters; at most ", limits::kNameCharacters));
  }
  return name;
}

// The time zone database's directory holds other files than zones, and the loader takes paths and names of its own:
// only what looks like an IANA name is tried.
bool LooksLikeIanaName(const std::string& name) {
  if (name.size() > limits::kTimeZoneBytes) return false;
  for (absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || !absl::ascii_isupper(static_cast<unsigned char>(part.front()))) return false;
    const bool plain = std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '+';
    });
    if (!plain) return false;
  }
  return !absl::StartsWith(name, "Fixed/");
}

absl::StatusOr<std::string> TimeZone(const std::string& name) {
  absl::TimeZone zone;
  if (!LooksLikeIanaName(name) || !absl::LoadTimeZone(name, &zone)) {
    return errors::InvalidArgument("time_zone", "is no IANA time zone known here; give one such as Europe/London");
  }
  return name;
}

absl::StatusOr<int64_t> AutoSyncSeconds(const google::protobuf::Duration& interval) {
  if (interval.seconds() == 0 && interval.nanos() == 0) return 0;
  const absl::Duration given = absl::Seconds(interval.seconds()) + absl::Nanoseconds(interval.nanos());
  if (interval.nanos() != 0 || given < limits::kAutoSyncIntervalLeast || given > limits::kAutoSyncIntervalMost) {
    return errors::InvalidArgument(
        "auto_sync_interval",
        absl::StrCat("is ", absl::FormatDuration(given), "; give 0 for none, or whole seconds from ",
                     absl::FormatDuration(limits::kAutoSyncIntervalLeast), " to ",
                     absl::FormatDuration(limits::kAutoSyncIntervalMost)));
  }
  return interval.seconds();
}

void Put(commit::Transaction& transaction, const store::Tenant& stored) {
  transaction.Put(Space::kRecords, base::keys::Tenant(transaction.tenant()), stored.SerializeAsString());
}

}  // namespace

absl::StatusOr<store::Tenant> GetTenant(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(std::optional<store::Tenant> stored,
                   base::GetStored<store::Tenant>(reader, Space::kRecords, base::keys::Tenant(tenant)));
  if (!stored.has_value()) return errors::TenantUnknown(tenant.text());
  return *std::move(stored);
}

v1::Tenant ToProto(const base::TenantId& tenant, const store::Tenant& stored) {
  using google::protobuf::util::TimeUtil;
  v1::Tenant proto;
  proto.set_tenant_id(tenant.text());
  proto.set_display_name(stored.display_name());
  proto.set_time_zone(stored.time_zone());
  *proto.mutable_auto_sync_interval() = TimeUtil::SecondsToDuration(stored.auto_sync_interval_s());
  *proto.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(stored.create_time_us());
  return proto;
}

absl::StatusOr<store::Tenant> CreateTenant(commit::Transaction& transaction, const v1::Tenant& tenant) {
  const base::TenantId& id = transaction.tenant();
  if (tenant.tenant_id() != id.text()) {
    return errors::InvalidArgument("tenant_id", absl::StrCat("is not the tenant of this change, ", id.text()));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> existing, transaction.Get(Space::kRecords, base::keys::Tenant(id)));
  if (existing.has_value()) return errors::TenantExists(id.text());

  store::Tenant stored;
  ASSIGN_OR_RETURN(*stored.mutable_display_name(), DisplayName(id, tenant.display_name()));
  ASSIGN_OR_RETURN(*stored.mutable_time_zone(),
                   TimeZone(tenant.time_zone().empty() ? kDefaultTimeZone : tenant.time_zone()));
  int64_t interval_s = absl::ToInt64Seconds(limits::kAutoSyncIntervalDefault);
  if (tenant.has_auto_sync_interval()) {
    ASSIGN_OR_RETURN(interval_s, AutoSyncSeconds(tenant.auto_sync_interval()));
  }
  stored.set_auto_sync_interval_s(interval_s);
  stored.set_create_time_us(base::ToStoredTime(transaction.now()));
  Put(transaction, stored);
  transaction.Put(Space::kRecords, base::keys::TenantListing(id), std::string());
  return stored;
}

absl::StatusOr<store::Tenant> UpdateTenant(commit::Transaction& transaction, const v1::UpdateTenantRequest& request) {
  const base::TenantId& id = transaction.tenant();
  if (request.tenant_id() != id.text()) {
    return errors::InvalidArgument("tenant_id", absl::StrCat("is not the tenant of this change, ", id.text()));
  }
  ASSIGN_OR_RETURN(const store::Tenant before, GetTenant(transaction, id));
  store::Tenant after = before;
  if (request.has_display_name()) {
    ASSIGN_OR_RETURN(*after.mutable_display_name(), DisplayName(id, request.display_name()));
  }
  if (request.has_time_zone()) {
    ASSIGN_OR_RETURN(*after.mutable_time_zone(), TimeZone(request.time_zone()));
  }
  if (request.has_auto_sync_interval()) {
    ASSIGN_OR_RETURN(const int64_t interval_s, AutoSyncSeconds(request.auto_sync_interval()));
    after.set_auto_sync_interval_s(interval_s);
  }
  if (after.SerializeAsString() != before.SerializeAsString()) Put(transaction, after);
  return after;
}

absl::StatusOr<v1::ListTenantsResponse> ListTenants(const storage::Reader& reader,
                                                    const v1::ListTenantsRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken("", request.page_token()));
  std::vector<std::string> names;
  bool damaged = false;
  // One more than the page holds shows whether another follows.
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::AllTenants(after), static_cast<size_t>(page_size) + 1,
                              [&](std::string_view key, std::string_view) {
                                damaged = !base::keys::ParseTenantListing(key, &names.emplace_back());
                                return !damaged;
                              }));
  if (damaged) return errors::DamagedRow("a tenant's listing");

  v1::ListTenantsResponse response;
  if (names.size() > static_cast<size_t>(page_size)) {
    names.pop_back();
    response.set_next_page_token(base::EncodePageToken("", names.back()));
  }
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const base::TenantId tenant, base::TenantId::Parse(name));
    ASSIGN_OR_RETURN(const store::Tenant stored, GetTenant(reader, tenant));
    *response.add_tenants() = ToProto(tenant, stored);
  }
  return response;
}

}  // namespace caresync::tenants
