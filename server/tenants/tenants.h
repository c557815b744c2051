// Tenants and their preferences.
#ifndef CARESYNC_SERVER_TENANTS_TENANTS_H_
#define CARESYNC_SERVER_TENANTS_TENANTS_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "server/outbox/webhook_rules.h"
#include "server/restore/standing.h"
#include "storage/store.h"

namespace caresync::tenants {

// Errors: TENANT_UNKNOWN; those of reading.
absl::StatusOr<store::Tenant> GetTenant(const storage::Reader& reader, const base::TenantId& tenant);

// That a request names the tenant in whose change it is carried out. Errors: INVALID_FIELD.
absl::Status CheckNamed(const commit::Transaction& transaction, std::string_view tenant_id);

// Its secrets are not in it.
v1::Tenant ToProto(const base::TenantId& tenant, const store::Tenant& stored);

// Inside a change of the tenant itself. `webhooks`: where its push webhook may point to. Errors: TENANT_EXISTS,
// BRANCH_UNKNOWN, INVALID_FIELD, those of reading.
absl::StatusOr<store::Tenant> CreateTenant(commit::Transaction& transaction, const v1::Tenant& tenant,
                                           const outbox::WebhookRules& webhooks = {});
// Errors: TENANT_UNKNOWN, BRANCH_UNKNOWN, INVALID_FIELD, those of reading. Writes nothing where nothing changes.
absl::StatusOr<store::Tenant> UpdateTenant(commit::Transaction& transaction, const v1::UpdateTenantRequest& request,
                                           const outbox::WebhookRules& webhooks = {});

// How often devices of this branch (a record ID; empty: of none) sync by themselves; 0: they do not.
absl::Duration AutoSyncInterval(const store::Tenant& tenant, std::string_view branch_id);

// The longest that devices wait after a restore.
absl::Duration RestoreWait(const store::Tenant& tenant);

// How long its phones have to take a change of a visit before the office is told, and how long before the visit it is
// told where the change came long before.
absl::Duration MismatchGrace(const store::Tenant& tenant);
absl::Duration MismatchLead(const store::Tenant& tenant);

// How long it is kept what devices showed.
absl::Duration DeliveriesKept(const store::Tenant& tenant);

// After a restore: devices wait no longer for the rostering systems. Writes nothing where they do not wait. Inside a
// change of the tenant itself. Errors: TENANT_UNKNOWN, INVALID_FIELD, those of reading.
absl::StatusOr<v1::ReleaseRebuildsResponse> ReleaseRebuilds(commit::Transaction& transaction,
                                                            const v1::ReleaseRebuildsRequest& request,
                                                            const restore::Opening& opening);

// How far the tenant's devices are after a restore; nullopt where none showed, and once all may have come back. Errors:
// those of reading.
absl::StatusOr<std::optional<v1::RestoreProgress>> RestoreProgressOf(const storage::Reader& reader,
                                                                     const base::TenantId& tenant,
                                                                     const store::Tenant& stored,
                                                                     const restore::Opening& opening, absl::Time now);

// One page, by ID. Errors: INVALID_FIELD, PAGE_TOKEN_NOT_VALID, those of reading.
absl::StatusOr<v1::ListTenantsResponse> ListTenants(const storage::Reader& reader,
                                                    const v1::ListTenantsRequest& request);

}  // namespace caresync::tenants

#endif  // CARESYNC_SERVER_TENANTS_TENANTS_H_
