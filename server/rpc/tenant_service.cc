#include "server/rpc/tenant_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/notifications/settings.h"
#include "server/outbox/outbox_list.h"
#include "server/rpc/unary.h"
#include "server/tenants/tenants.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kOperatorOnly = {Role::kOperator};
constexpr RoleSet kReaders = {Role::kOperator, Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kOperator, Role::kAdministrator};

using TenantAnswer = Answer<v1::Tenant>;
using StoredTenant = absl::StatusOr<store::Tenant>;

// Runs a change of the tenant and answers with what the tenant is then.
void SubmitChange(Edge& edge, const base::TenantId& tenant, std::function<StoredTenant(commit::Transaction&)> change,
                  TenantAnswer answer) {
  auto changed = std::make_shared<store::Tenant>();
  edge.sequencer.Submit(
      tenant,
      [changed, change = std::move(change)](commit::Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*changed, change(transaction));
        return absl::OkStatus();
      },
      [changed, tenant, answer = std::move(answer)](const absl::StatusOr<commit::Committed>& committed) {
        if (!committed.ok()) return answer(committed.status());
        answer(tenants::ToProto(tenant, *changed));
      });
}

void Create(Edge& edge, const v1::CreateTenantRequest& request, TenantAnswer answer) {
  const absl::StatusOr<base::TenantId> tenant = base::TenantId::Parse(request.tenant().tenant_id());
  if (!tenant.ok()) return answer(tenant.status());
  SubmitChange(
      edge, *tenant,
      [&edge, wanted = request.tenant()](commit::Transaction& transaction) {
        return tenants::CreateTenant(transaction, wanted, edge.webhooks);
      },
      std::move(answer));
}

void Update(Edge& edge, const access::Identity& caller, const v1::UpdateTenantRequest& request, TenantAnswer answer) {
  const absl::StatusOr<base::TenantId> tenant = base::TenantId::Parse(request.tenant_id());
  if (!tenant.ok()) return answer(tenant.status());
  if (const absl::Status own = CheckTenant(caller, *tenant); !own.ok()) return answer(own);
  SubmitChange(
      edge, *tenant,
      [&edge, request](commit::Transaction& transaction) {
        return tenants::UpdateTenant(transaction, request, edge.webhooks);
      },
      [&edge, tenant = *tenant, answer = std::move(answer)](const absl::StatusOr<v1::Tenant>& updated) {
        // There may be very many of them, and this is the sequencer's thread.
        if (updated.ok()) {
          edge.executor.Post([&edge, tenant] { edge.sync.live.TellTenant(tenant, sync::PreferencesChanged{}); });
        }
        answer(updated);
      });
}

// Runs a change of the tenant that the request names, and answers with what it returned.
template <typename Request, typename Response>
void Submit(Edge& edge, const access::Identity& caller, const Request& request,
            std::function<absl::StatusOr<Response>(commit::Transaction&)> change, Answer<Response> answer) {
  const absl::StatusOr<base::TenantId> tenant = base::TenantId::Parse(request.tenant_id());
  if (!tenant.ok()) return answer(tenant.status());
  if (const absl::Status own = CheckTenant(caller, *tenant); !own.ok()) return answer(own);
  auto changed = std::make_shared<Response>();
  edge.sequencer.Submit(
      *tenant,
      [changed, change = std::move(change)](commit::Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*changed, change(transaction));
        return absl::OkStatus();
      },
      [changed, answer = std::move(answer)](const absl::StatusOr<commit::Committed>& committed) {
        if (!committed.ok()) return answer(committed.status());
        answer(std::move(*changed));
      },
      request.ByteSizeLong());
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  const absl::Time instant = base::FromTimestamp(time).value_or(absl::InfinitePast());
  return absl::FormatTime(absl::RFC3339_sec, instant, absl::UTCTimeZone());
}

void Release(Edge& edge, const access::Identity& caller, const v1::ReleaseRebuildsRequest& request,
             Answer<v1::ReleaseRebuildsResponse> answer) {
  Submit<v1::ReleaseRebuildsRequest, v1::ReleaseRebuildsResponse>(
      edge, caller, request,
      [&edge, request](commit::Transaction& transaction) {
        return tenants::ReleaseRebuilds(transaction, request, sync::OpeningOf(edge.sync));
      },
      [tenant = request.tenant_id(),
       answer = std::move(answer)](const absl::StatusOr<v1::ReleaseRebuildsResponse>& released) {
        if (released.ok()) {
          observability::Log(observability::Level::kInfo, "rebuilds_released",
                             {{"tenant", tenant}, {"since", TimeText(released->release_time())}});
        }
        answer(released);
      });
}

void SetNotifications(Edge& edge, const access::Identity& caller, const v1::SetNotificationSettingsRequest& request,
                      Answer<v1::NotificationSettings> answer) {
  Submit<v1::SetNotificationSettingsRequest, v1::NotificationSettings>(
      edge, caller, request,
      [&edge, request](commit::Transaction& transaction) {
        return notifications::SetSettings(transaction, request, {.webhooks = edge.webhooks, .email = edge.sends_email});
      },
      std::move(answer));
}

void RemoveNotifications(Edge& edge, const access::Identity& caller,
                         const v1::RemoveNotificationSettingsRequest& request,
                         Answer<v1::RemoveNotificationSettingsResponse> answer) {
  Submit<v1::RemoveNotificationSettingsRequest, v1::RemoveNotificationSettingsResponse>(
      edge, caller, request,
      [request](commit::Transaction& transaction) { return notifications::RemoveSettings(transaction, request); },
      std::move(answer));
}

// The tenant that a request names, and that the caller may read, as it is in one snapshot.
struct TenantRead {
  base::TenantId tenant;
  std::unique_ptr<storage::Snapshot> snapshot;
  store::Tenant stored;
};

absl::StatusOr<TenantRead> ReadNamed(const Edge& edge, const access::Identity& caller, const std::string& tenant_id) {
  ASSIGN_OR_RETURN(base::TenantId tenant, base::TenantId::Parse(tenant_id));
  RETURN_IF_ERROR(CheckTenant(caller, tenant));
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
  ASSIGN_OR_RETURN(store::Tenant stored, tenants::GetTenant(*snapshot, tenant));
  return TenantRead{std::move(tenant), std::move(snapshot), std::move(stored)};
}

absl::StatusOr<v1::Tenant> Get(const Edge& edge, const access::Identity& caller, const v1::GetTenantRequest& request) {
  ASSIGN_OR_RETURN(const TenantRead read, ReadNamed(edge, caller, request.tenant_id()));
  ASSIGN_OR_RETURN(const std::optional<v1::RestoreProgress> progress,
                   tenants::RestoreProgressOf(*read.snapshot, read.tenant, read.stored, sync::OpeningOf(edge.sync),
                                              edge.clock.Now()));
  v1::Tenant tenant = tenants::ToProto(read.tenant, read.stored);
  if (progress.has_value()) *tenant.mutable_restore_progress() = *progress;
  return tenant;
}

absl::StatusOr<v1::ListTenantsResponse> List(const Edge& edge, const v1::ListTenantsRequest& request) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
  return tenants::ListTenants(*snapshot, request);
}

absl::StatusOr<v1::ListOutboxResponse> ListOutboxOf(const Edge& edge, const access::Identity& caller,
                                                    const v1::ListOutboxRequest& request) {
  ASSIGN_OR_RETURN(const TenantRead read, ReadNamed(edge, caller, request.tenant_id()));
  return outbox::ListOutbox(*read.snapshot, read.tenant, request);
}

absl::StatusOr<v1::ListNotificationSettingsResponse> ListNotifications(
    const Edge& edge, const access::Identity& caller, const v1::ListNotificationSettingsRequest& request) {
  ASSIGN_OR_RETURN(const TenantRead read, ReadNamed(edge, caller, request.tenant_id()));
  return notifications::ListSettings(*read.snapshot, read.tenant, request);
}

}  // namespace

grpc::ServerUnaryReactor* TenantService::CreateTenant(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::CreateTenantRequest, v1::Tenant>(
      edge_, context, request, response, "TenantService.CreateTenant", kOperatorOnly,
      [this](const access::Identity&, const v1::CreateTenantRequest& create, TenantAnswer answer) {
        Create(edge_, create, std::move(answer));
      });
}

grpc::ServerUnaryReactor* TenantService::GetTenant(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetTenantRequest, v1::Tenant>(
      edge_, context, request, response, "TenantService.GetTenant", kReaders,
      [this](const access::Identity& caller, const v1::GetTenantRequest& get, const TenantAnswer& answer) {
        answer(Get(edge_, caller, get));
      });
}

grpc::ServerUnaryReactor* TenantService::UpdateTenant(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::UpdateTenantRequest, v1::Tenant>(
      edge_, context, request, response, "TenantService.UpdateTenant", kWriters,
      [this](const access::Identity& caller, const v1::UpdateTenantRequest& update, TenantAnswer answer) {
        Update(edge_, caller, update, std::move(answer));
      });
}

grpc::ServerUnaryReactor* TenantService::ListTenants(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListTenantsRequest, v1::ListTenantsResponse>(
      edge_, context, request, response, "TenantService.ListTenants", kOperatorOnly,
      [this](const access::Identity&, const v1::ListTenantsRequest& list,
             const Answer<v1::ListTenantsResponse>& answer) { answer(List(edge_, list)); });
}

grpc::ServerUnaryReactor* TenantService::ReleaseRebuilds(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ReleaseRebuildsRequest, v1::ReleaseRebuildsResponse>(
      edge_, context, request, response, "TenantService.ReleaseRebuilds", kWriters,
      [this](const access::Identity& caller, const v1::ReleaseRebuildsRequest& release,
             Answer<v1::ReleaseRebuildsResponse> answer) { Release(edge_, caller, release, std::move(answer)); });
}

grpc::ServerUnaryReactor* TenantService::ListOutbox(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListOutboxRequest, v1::ListOutboxResponse>(
      edge_, context, request, response, "TenantService.ListOutbox", kReaders,
      [this](const access::Identity& caller, const v1::ListOutboxRequest& list,
             const Answer<v1::ListOutboxResponse>& answer) { answer(ListOutboxOf(edge_, caller, list)); });
}

grpc::ServerUnaryReactor* TenantService::SetNotificationSettings(grpc::CallbackServerContext* context,
                                                                 const grpc::ByteBuffer* request,
                                                                 grpc::ByteBuffer* response) {
  return ServeUnary<v1::SetNotificationSettingsRequest, v1::NotificationSettings>(
      edge_, context, request, response, "TenantService.SetNotificationSettings", kWriters,
      [this](const access::Identity& caller, const v1::SetNotificationSettingsRequest& set,
             Answer<v1::NotificationSettings> answer) { SetNotifications(edge_, caller, set, std::move(answer)); });
}

grpc::ServerUnaryReactor* TenantService::RemoveNotificationSettings(grpc::CallbackServerContext* context,
                                                                    const grpc::ByteBuffer* request,
                                                                    grpc::ByteBuffer* response) {
  return ServeUnary<v1::RemoveNotificationSettingsRequest, v1::RemoveNotificationSettingsResponse>(
      edge_, context, request, response, "TenantService.RemoveNotificationSettings", kWriters,
      [this](const access::Identity& caller, const v1::RemoveNotificationSettingsRequest& remove,
             Answer<v1::RemoveNotificationSettingsResponse> answer) {
        RemoveNotifications(edge_, caller, remove, std::move(answer));
      });
}

grpc::ServerUnaryReactor* TenantService::ListNotificationSettings(grpc::CallbackServerContext* context,
                                                                  const grpc::ByteBuffer* request,
                                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListNotificationSettingsRequest, v1::ListNotificationSettingsResponse>(
      edge_, context, request, response, "TenantService.ListNotificationSettings", kReaders,
      [this](const access::Identity& caller, const v1::ListNotificationSettingsRequest& list,
             const Answer<v1::ListNotificationSettingsResponse>& answer) {
        answer(ListNotifications(edge_, caller, list));
      });
}

}  // namespace caresync::rpc
