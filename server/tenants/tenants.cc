#include "server/tenants/tenants.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/app_version.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/text.h"
#include "server/base/uuid.h"
#include "server/commit/tenant_list.h"
#include "server/outbox/webhook_setting.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/records/window.h"

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
  if (base::HasControlCharacters(name)) return errors::InvalidArgument("display_name", "holds control characters");
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

// What a length of time may be; of some beside 0.
struct Bounds {
  absl::Duration least;
  absl::Duration most;
};
constexpr Bounds kAutoSyncInterval = {limits::kAutoSyncIntervalLeast, limits::kAutoSyncIntervalMost};
constexpr Bounds kDownloadWindow = {limits::kWindowLeast, limits::kWindowMost};
constexpr Bounds kRetention = {limits::kRetentionLeast, limits::kWindowMost};
constexpr Bounds kRestoreWait = {absl::ZeroDuration(), limits::kRestoreWaitMost};
constexpr Bounds kMismatchGrace = {limits::kMismatchGraceLeast, limits::kMismatchGraceMost};
constexpr Bounds kMismatchLead = {limits::kMismatchLeadLeast, limits::kMismatchLeadMost};
constexpr Bounds kDeliveriesKept = {limits::kDeliveriesKeptLeast, limits::kDeliveriesKeptMost};

// `also`: what else may be given, for people.
absl::StatusOr<int64_t> Bounded(std::string_view field, const google::protobuf::Duration& length, const Bounds& bounds,
                                const char* also = "") {
  const absl::Duration given = absl::Seconds(length.seconds()) + absl::Nanoseconds(length.nanos());
  if (length.nanos() != 0 || given < bounds.least || given > bounds.most) {
    return errors::InvalidArgument(
        field, absl::StrCat("is ", absl::FormatDuration(given), "; give ", also, "whole seconds from ",
                            absl::FormatDuration(bounds.least), " to ", absl::FormatDuration(bounds.most)));
  }
  return length.seconds();
}

absl::StatusOr<int64_t> Seconds(std::string_view field, const google::protobuf::Duration& length,
                                const Bounds& bounds) {
  if (length.seconds() == 0 && length.nanos() == 0) return 0;
  return Bounded(field, length, bounds, "0 for none, or ");
}

absl::StatusOr<std::string> LeastAppVersion(const std::string& version) {
  if (version.empty() || base::IsAppVersion(version)) return version;
  return errors::InvalidArgument("least_app_version",
                                 absl::StrCat("is no version; give up to ", limits::kAppVersionNumbers,
                                              " numbers parted by dots, such as 2.10, or nothing"));
}

// Records follow the window on their own: they are handed the lengths.
absl::Status HandDownWindow(commit::Transaction& transaction, const store::Tenant& stored) {
  return records::SetWindow(transaction, {.download_window = absl::Seconds(stored.download_window_s()),
                                          .retention = absl::Seconds(stored.retention_s())});
}

// As it is stored: the seconds plus 1.
absl::StatusOr<int64_t> StoredRestoreWait(const google::protobuf::Duration& wait) {
  ASSIGN_OR_RETURN(const int64_t seconds, Bounded("restore_wait", wait, kRestoreWait));
  return seconds + 1;
}

// Those that are given, in a tenant or in an update of one.
template <typename Message>
absl::Status SetMismatchTimes(const Message& given, store::Tenant& stored) {
  if (given.has_mismatch_grace()) {
    ASSIGN_OR_RETURN(const int64_t grace_s, Bounded("mismatch_grace", given.mismatch_grace(), kMismatchGrace));
    stored.set_mismatch_grace_s(grace_s);
  }
  if (given.has_mismatch_lead()) {
    ASSIGN_OR_RETURN(const int64_t lead_s, Bounded("mismatch_lead", given.mismatch_lead(), kMismatchLead));
    stored.set_mismatch_lead_s(lead_s);
  }
  return absl::OkStatus();
}

// Where it is given, in a tenant or in an update of one.
template <typename Message>
absl::Status SetDeliveriesKept(const Message& given, store::Tenant& stored) {
  if (!given.has_deliveries_kept()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t kept_s, Bounded("deliveries_kept", given.deliveries_kept(), kDeliveriesKept));
  stored.set_deliveries_kept_s(kept_s);
  return absl::OkStatus();
}

// Where one is given, in a tenant or in an update of one.
template <typename Message>
absl::Status SetPushWebhook(const Message& given, const outbox::WebhookRules& webhooks, store::Tenant& stored) {
  if (!given.has_push_webhook()) return absl::OkStatus();
  const v1::PushWebhook& webhook = given.push_webhook();
  if (webhook.url().empty()) {
    if (!webhook.secret().empty()) return errors::InvalidArgument("push_webhook.secret", "is given without a URL");
    stored.clear_push_webhook();
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::string key, outbox::CheckWebhook("push_webhook", webhook.url(), webhook.secret(),
                                                         stored.push_webhook().key(), webhooks));
  stored.mutable_push_webhook()->set_key(std::move(key));
  stored.mutable_push_webhook()->set_url(webhook.url());
  return absl::OkStatus();
}

absl::Status CheckBranch(const commit::Transaction& transaction, const base::Uuid& branch) {
  ASSIGN_OR_RETURN(
      const std::optional<store::Record> record,
      records::GetRecord(transaction, transaction.tenant(), records::KeyOf({v1::RECORD_KIND_BRANCH, branch})));
  return record.has_value() ? absl::OkStatus() : errors::BranchUnknown(branch.ToString());
}

// Those of the branches that are given; the others' stay.
absl::Status SetBranchAutoSyncs(const commit::Transaction& transaction,
                                const google::protobuf::RepeatedPtrField<v1::BranchAutoSync>& given,
                                store::Tenant& stored) {
  std::map<std::string, int64_t> intervals;
  for (const store::BranchAutoSync& one : stored.branch_auto_syncs()) {
    intervals[one.branch_id()] = one.auto_sync_interval_s();
  }
  std::set<std::string> named;
  std::vector<base::Uuid> to_be_known;
  for (const v1::BranchAutoSync& one : given) {
    const std::optional<base::Uuid> branch = base::Uuid::Parse(one.branch_id());
    if (!branch.has_value()) return errors::InvalidArgument("branch_auto_syncs.branch_id", "is no UUID");
    const std::string id = branch->ToString();
    if (!named.insert(id).second) {
      return errors::InvalidArgument("branch_auto_syncs.branch_id",
                                     absl::StrCat("names the branch ", id, " twice; give it one interval"));
    }
    intervals.erase(id);
    if (!one.has_auto_sync_interval()) continue;
    to_be_known.push_back(*branch);
    ASSIGN_OR_RETURN(intervals[id],
                     Seconds("branch_auto_syncs.auto_sync_interval", one.auto_sync_interval(), kAutoSyncInterval));
  }
  if (intervals.size() > limits::kBranchAutoSyncs) {
    return errors::InvalidArgument(
        "branch_auto_syncs", absl::StrCat("gives ", intervals.size(), " branches an interval of their own; at most ",
                                          limits::kBranchAutoSyncs, ", so set the tenant's to what most need"));
  }
  // No more than may be kept are looked up.
  for (const base::Uuid& branch : to_be_known) RETURN_IF_ERROR(CheckBranch(transaction, branch));
  stored.clear_branch_auto_syncs();
  for (const auto& [id, interval_s] : intervals) {
    store::BranchAutoSync& one = *stored.add_branch_auto_syncs();
    one.set_branch_id(id);
    one.set_auto_sync_interval_s(interval_s);
  }
  return absl::OkStatus();
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

absl::Status CheckNamed(const commit::Transaction& transaction, std::string_view tenant_id) {
  const std::string& tenant = transaction.tenant().text();
  if (tenant_id == tenant) return absl::OkStatus();
  return errors::InvalidArgument("tenant_id", absl::StrCat("is not the tenant of this change, ", tenant));
}

v1::Tenant ToProto(const base::TenantId& tenant, const store::Tenant& stored) {
  using google::protobuf::util::TimeUtil;
  v1::Tenant proto;
  proto.set_tenant_id(tenant.text());
  proto.set_display_name(stored.display_name());
  proto.set_time_zone(stored.time_zone());
  *proto.mutable_auto_sync_interval() = TimeUtil::SecondsToDuration(stored.auto_sync_interval_s());
  *proto.mutable_download_window() = TimeUtil::SecondsToDuration(stored.download_window_s());
  *proto.mutable_retention() = TimeUtil::SecondsToDuration(stored.retention_s());
  proto.set_least_app_version(stored.least_app_version());
  *proto.mutable_restore_wait() = TimeUtil::SecondsToDuration(absl::ToInt64Seconds(RestoreWait(stored)));
  *proto.mutable_mismatch_grace() = TimeUtil::SecondsToDuration(absl::ToInt64Seconds(MismatchGrace(stored)));
  *proto.mutable_mismatch_lead() = TimeUtil::SecondsToDuration(absl::ToInt64Seconds(MismatchLead(stored)));
  *proto.mutable_deliveries_kept() = TimeUtil::SecondsToDuration(absl::ToInt64Seconds(DeliveriesKept(stored)));
  for (const store::BranchAutoSync& one : stored.branch_auto_syncs()) {
    v1::BranchAutoSync& branch = *proto.add_branch_auto_syncs();
    branch.set_branch_id(one.branch_id());
    *branch.mutable_auto_sync_interval() = TimeUtil::SecondsToDuration(one.auto_sync_interval_s());
  }
  if (stored.has_push_webhook()) proto.mutable_push_webhook()->set_url(stored.push_webhook().url());
  *proto.mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(stored.create_time_us());
  return proto;
}

absl::StatusOr<store::Tenant> CreateTenant(commit::Transaction& transaction, const v1::Tenant& tenant,
                                           const outbox::WebhookRules& webhooks) {
  const base::TenantId& id = transaction.tenant();
  RETURN_IF_ERROR(CheckNamed(transaction, tenant.tenant_id()));
  ASSIGN_OR_RETURN(const std::optional<std::string> existing, transaction.Get(Space::kRecords, base::keys::Tenant(id)));
  if (existing.has_value()) return errors::TenantExists(id.text());

  store::Tenant stored;
  ASSIGN_OR_RETURN(*stored.mutable_display_name(), DisplayName(id, tenant.display_name()));
  ASSIGN_OR_RETURN(*stored.mutable_time_zone(),
                   TimeZone(tenant.time_zone().empty() ? kDefaultTimeZone : tenant.time_zone()));
  int64_t interval_s = absl::ToInt64Seconds(limits::kAutoSyncIntervalDefault);
  if (tenant.has_auto_sync_interval()) {
    ASSIGN_OR_RETURN(interval_s, Seconds("auto_sync_interval", tenant.auto_sync_interval(), kAutoSyncInterval));
  }
  stored.set_auto_sync_interval_s(interval_s);
  ASSIGN_OR_RETURN(const int64_t window_s, Seconds("download_window", tenant.download_window(), kDownloadWindow));
  stored.set_download_window_s(window_s);
  ASSIGN_OR_RETURN(const int64_t retention_s, Seconds("retention", tenant.retention(), kRetention));
  stored.set_retention_s(retention_s);
  ASSIGN_OR_RETURN(*stored.mutable_least_app_version(), LeastAppVersion(tenant.least_app_version()));
  if (tenant.has_restore_wait()) {
    ASSIGN_OR_RETURN(const int64_t restore_wait, StoredRestoreWait(tenant.restore_wait()));
    stored.set_restore_wait_s_plus_1(restore_wait);
  }
  RETURN_IF_ERROR(SetMismatchTimes(tenant, stored));
  RETURN_IF_ERROR(SetDeliveriesKept(tenant, stored));
  RETURN_IF_ERROR(SetBranchAutoSyncs(transaction, tenant.branch_auto_syncs(), stored));
  RETURN_IF_ERROR(SetPushWebhook(tenant, webhooks, stored));
  stored.set_create_time_us(base::ToStoredTime(transaction.now()));
  Put(transaction, stored);
  transaction.Put(Space::kRecords, base::keys::TenantListing(id), std::string());
  RETURN_IF_ERROR(HandDownWindow(transaction, stored));
  return stored;
}

absl::StatusOr<store::Tenant> UpdateTenant(commit::Transaction& transaction, const v1::UpdateTenantRequest& request,
                                           const outbox::WebhookRules& webhooks) {
  const base::TenantId& id = transaction.tenant();
  RETURN_IF_ERROR(CheckNamed(transaction, request.tenant_id()));
  ASSIGN_OR_RETURN(const store::Tenant before, GetTenant(transaction, id));
  store::Tenant after = before;
  if (request.has_display_name()) {
    ASSIGN_OR_RETURN(*after.mutable_display_name(), DisplayName(id, request.display_name()));
  }
  if (request.has_time_zone()) {
    ASSIGN_OR_RETURN(*after.mutable_time_zone(), TimeZone(request.time_zone()));
  }
  if (request.has_auto_sync_interval()) {
    ASSIGN_OR_RETURN(const int64_t interval_s,
                     Seconds("auto_sync_interval", request.auto_sync_interval(), kAutoSyncInterval));
    after.set_auto_sync_interval_s(interval_s);
  }
  if (request.has_download_window()) {
    ASSIGN_OR_RETURN(const int64_t window_s, Seconds("download_window", request.download_window(), kDownloadWindow));
    after.set_download_window_s(window_s);
  }
  if (request.has_retention()) {
    ASSIGN_OR_RETURN(const int64_t retention_s, Seconds("retention", request.retention(), kRetention));
    after.set_retention_s(retention_s);
  }
  if (request.has_least_app_version()) {
    ASSIGN_OR_RETURN(*after.mutable_least_app_version(), LeastAppVersion(request.least_app_version()));
  }
  if (request.has_restore_wait()) {
    ASSIGN_OR_RETURN(const int64_t restore_wait, StoredRestoreWait(request.restore_wait()));
    after.set_restore_wait_s_plus_1(restore_wait);
  }
  RETURN_IF_ERROR(SetMismatchTimes(request, after));
  RETURN_IF_ERROR(SetDeliveriesKept(request, after));
  RETURN_IF_ERROR(SetBranchAutoSyncs(transaction, request.branch_auto_syncs(), after));
  RETURN_IF_ERROR(SetPushWebhook(request, webhooks, after));
  if (after.SerializeAsString() != before.SerializeAsString()) Put(transaction, after);
  RETURN_IF_ERROR(HandDownWindow(transaction, after));
  return after;
}

absl::Duration AutoSyncInterval(const store::Tenant& tenant, std::string_view branch_id) {
  for (const store::BranchAutoSync& one : tenant.branch_auto_syncs()) {
    if (one.branch_id() == branch_id) return absl::Seconds(one.auto_sync_interval_s());
  }
  return absl::Seconds(tenant.auto_sync_interval_s());
}

absl::Duration RestoreWait(const store::Tenant& tenant) {
  if (tenant.restore_wait_s_plus_1() == 0) return limits::kRestoreWaitDefault;
  return absl::Seconds(tenant.restore_wait_s_plus_1() - 1);
}

absl::Duration MismatchGrace(const store::Tenant& tenant) {
  return tenant.mismatch_grace_s() == 0 ? limits::kMismatchGrace : absl::Seconds(tenant.mismatch_grace_s());
}

absl::Duration MismatchLead(const store::Tenant& tenant) {
  return tenant.mismatch_lead_s() == 0 ? limits::kMismatchLead : absl::Seconds(tenant.mismatch_lead_s());
}

absl::Duration DeliveriesKept(const store::Tenant& tenant) {
  return tenant.deliveries_kept_s() == 0 ? limits::kDeliveriesKept : absl::Seconds(tenant.deliveries_kept_s());
}

absl::StatusOr<v1::ReleaseRebuildsResponse> ReleaseRebuilds(commit::Transaction& transaction,
                                                            const v1::ReleaseRebuildsRequest& request,
                                                            const restore::Opening& opening) {
  const base::TenantId& id = transaction.tenant();
  RETURN_IF_ERROR(CheckNamed(transaction, request.tenant_id()));
  ASSIGN_OR_RETURN(const store::Tenant tenant, GetTenant(transaction, id));
  ASSIGN_OR_RETURN(const restore::Standing standing,
                   restore::StandingOf(transaction, id, opening, RestoreWait(tenant), transaction.now()));
  absl::Time released = standing.released_time;
  if (standing.waiting) {
    ASSIGN_OR_RETURN(released, restore::Release(transaction, opening.timeline));
  }
  v1::ReleaseRebuildsResponse response;
  *response.mutable_release_time() = base::ToTimestamp(released);
  *response.mutable_last_return_time() = base::ToTimestamp(released + limits::kRebuildSpread);
  return response;
}

absl::StatusOr<std::optional<v1::RestoreProgress>> RestoreProgressOf(const storage::Reader& reader,
                                                                     const base::TenantId& tenant,
                                                                     const store::Tenant& stored,
                                                                     const restore::Opening& opening, absl::Time now) {
  // Each opening begins as if there had been a restore; where no device showed one, nobody waits.
  ASSIGN_OR_RETURN(const restore::Losses losses, restore::LossesOf(reader, tenant, ""));
  if (losses.noted == 0) return std::optional<v1::RestoreProgress>();
  ASSIGN_OR_RETURN(const restore::Standing standing,
                   restore::StandingOf(reader, tenant, opening, RestoreWait(stored), now));
  const absl::Time last_return = standing.released_time + limits::kRebuildSpread;
  if (!standing.waiting && now >= last_return) return std::optional<v1::RestoreProgress>();
  v1::RestoreProgress progress;
  progress.set_waiting(standing.waiting);
  *progress.mutable_release_time() = base::ToTimestamp(standing.released_time);
  *progress.mutable_last_return_time() = base::ToTimestamp(last_return);
  return std::optional<v1::RestoreProgress>(std::move(progress));
}

absl::StatusOr<v1::ListTenantsResponse> ListTenants(const storage::Reader& reader,
                                                    const v1::ListTenantsRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken("", request.page_token()));
  // One more than the page holds shows whether another follows.
  ASSIGN_OR_RETURN(std::vector<base::TenantId> listed,
                   commit::ReadTenants(reader, after, static_cast<size_t>(page_size) + 1));

  v1::ListTenantsResponse response;
  if (listed.size() > static_cast<size_t>(page_size)) {
    listed.pop_back();
    response.set_next_page_token(base::EncodePageToken("", listed.back().text()));
  }
  for (const base::TenantId& tenant : listed) {
    ASSIGN_OR_RETURN(const store::Tenant stored, GetTenant(reader, tenant));
    *response.add_tenants() = ToProto(tenant, stored);
  }
  return response;
}

}  // namespace caresync::tenants
