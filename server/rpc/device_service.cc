#include "server/rpc/device_service.h"

#include <memory>
#include <optional>
#include <utility>

#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/devices/wakes.h"
#include "server/rpc/device_export_stream.h"
#include "server/rpc/unary.h"
#include "server/sync/asked_drops.h"
#include "server/sync/unrecorded_ends.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

absl::Status CheckTenantKnown(const Edge& edge, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
  return tenants::GetTenant(*snapshot, tenant).status();
}

devices::AsOf Now(const Edge& edge) { return {.syncs = sync::SyncsOf(edge.sync), .now = edge.clock.Now()}; }

absl::StatusOr<v1::Device> ReadDevice(const Edge& edge, const base::TenantId& tenant, const std::string& uuid) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
  v1::GetDeviceRequest request;
  request.set_device_uuid(uuid);
  return devices::GetDevice(*snapshot, tenant, request, Now(edge));
}

template <typename Request, typename Response>
UnaryHandler<Request, Response> ReadingReport(Edge& edge,
                                              absl::StatusOr<Response> (*read)(const storage::Reader&,
                                                                               const base::TenantId&, const Request&,
                                                                               const devices::AsOf&)) {
  return Reading<Request, Response>(
      edge, [&edge, read](const storage::Reader& reader, const base::TenantId& tenant, const Request& request) {
        return read(reader, tenant, request, Now(edge));
      });
}

// Of a device that is not connected.
void KeepAsking(Edge& edge, const base::TenantId& tenant, const base::Uuid& device,
                const Answer<v1::RequestSyncResponse>& answer) {
  auto response = std::make_shared<v1::RequestSyncResponse>();
  edge.sequencer.Submit(
      tenant,
      [&edge, device, response](commit::Transaction& transaction) -> absl::Status {
        response->Clear();
        ASSIGN_OR_RETURN(const devices::Asked asked, devices::AskToSync(transaction, device, edge.sync.random));
        if (!asked.by_push_service) return absl::OkStatus();
        response->set_wake_asked(true);
        base::SetTime(asked.wake.woken_us(), [&] { return response->mutable_last_woken_time(); });
        return absl::OkStatus();
      },
      [response, answer](const absl::StatusOr<commit::Committed>& asked) {
        if (!asked.ok()) return answer(asked.status());
        answer(std::move(*response));
      });
}

void RequestSyncOf(Edge& edge, const base::TenantId& tenant, const v1::RequestSyncRequest& request,
                   const Answer<v1::RequestSyncResponse>& answer) {
  const std::optional<base::Uuid> device = base::Uuid::Parse(request.device_uuid());
  if (!device.has_value()) return answer(base::errors::InvalidArgument("device_uuid", "is no UUID"));
  const absl::StatusOr<v1::Device> known = ReadDevice(edge, tenant, request.device_uuid());
  if (!known.ok()) return answer(known.status());
  if (!edge.sync.live.Tell(tenant, *device, sync::SyncAsked{})) return KeepAsking(edge, tenant, *device, answer);
  v1::RequestSyncResponse response;
  response.set_told(true);
  answer(std::move(response));
}

void Update(Edge& edge, const access::Identity& caller, const v1::UpdateDeviceRequest& request,
            Answer<v1::Device> answer) {
  if (const absl::Status known = CheckTenantKnown(edge, caller.tenant); !known.ok()) return answer(known);
  edge.devices.Update(caller.tenant, request,
                      [&edge, tenant = caller.tenant, uuid = request.device_uuid(), other_branch = request.set_branch(),
                       answer = std::move(answer)](const absl::Status& updated) {
                        if (!updated.ok()) return answer(updated);
                        // This may be the store's own thread, which must not wait for a read.
                        edge.executor.Post([&edge, tenant, uuid, other_branch, answer] {
                          const base::Uuid device = *base::Uuid::Parse(uuid);
                          sync::TellDrops(edge.sync, tenant, device);
                          // Another branch may have other preferences.
                          if (other_branch) edge.sync.live.Tell(tenant, device, sync::PreferencesChanged{});
                          answer(ReadDevice(edge, tenant, uuid));
                        });
                      });
}

}  // namespace

grpc::ServerUnaryReactor* DeviceService::ListDevices(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListDevicesRequest, v1::ListDevicesResponse>(edge_, context, request, response,
                                                                     "DeviceService.ListDevices", kReaders,
                                                                     ReadingReport(edge_, devices::ListDevices));
}

grpc::ServerUnaryReactor* DeviceService::GetDevice(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetDeviceRequest, v1::Device>(edge_, context, request, response, "DeviceService.GetDevice",
                                                      kReaders, ReadingReport(edge_, devices::GetDevice));
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* DeviceService::ExportDevices(grpc::CallbackServerContext* context,
                                                                         const grpc::ByteBuffer* request) {
  return DeviceExportStream::Serve(edge_, context, request);
}

grpc::ServerUnaryReactor* DeviceService::ListSyncs(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListSyncsRequest, v1::ListSyncsResponse>(
      edge_, context, request, response, "DeviceService.ListSyncs", kReaders,
      Reading<v1::ListSyncsRequest, v1::ListSyncsResponse>(
          edge_, [this](const storage::Reader& reader, const base::TenantId& tenant, const v1::ListSyncsRequest& list) {
            return devices::ListSyncs(reader, tenant, list, sync::SyncsOf(edge_.sync));
          }));
}

grpc::ServerUnaryReactor* DeviceService::UpdateDevice(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::UpdateDeviceRequest, v1::Device>(
      edge_, context, request, response, "DeviceService.UpdateDevice", kWriters,
      [this](const access::Identity& caller, const v1::UpdateDeviceRequest& update, Answer<v1::Device> answer) {
        Update(edge_, caller, update, std::move(answer));
      });
}

grpc::ServerUnaryReactor* DeviceService::RequestSync(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::RequestSyncRequest, v1::RequestSyncResponse>(
      edge_, context, request, response, "DeviceService.RequestSync", kWriters,
      [this](const access::Identity& caller, const v1::RequestSyncRequest& asked,
             const Answer<v1::RequestSyncResponse>& answer) { RequestSyncOf(edge_, caller.tenant, asked, answer); });
}

}  // namespace caresync::rpc
