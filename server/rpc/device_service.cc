#include "server/rpc/device_service.h"

#include <memory>
#include <utility>

#include "server/base/status_macros.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/rpc/unary.h"

namespace caresync::rpc {
namespace {

using access::Role;

constexpr RoleSet kReaders = {Role::kAdministrator, Role::kCoordinator, Role::kSupport};
constexpr RoleSet kWriters = {Role::kAdministrator, Role::kCoordinator};

absl::Status CheckTenantKnown(const Edge& edge, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
  return tenants::GetTenant(*snapshot, tenant).status();
}

absl::StatusOr<v1::Device> ReadDevice(const Edge& edge, const base::TenantId& tenant, const std::string& uuid) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, edge.store.NewSnapshot());
  v1::GetDeviceRequest request;
  request.set_device_uuid(uuid);
  return devices::GetDevice(*snapshot, tenant, request, edge.sync.opening);
}

template <typename Request, typename Response>
UnaryHandler<Request, Response> ReadingAtOpening(Edge& edge,
                                                 absl::StatusOr<Response> (*read)(const storage::Reader&,
                                                                                  const base::TenantId&, const Request&,
                                                                                  std::string_view opening)) {
  return Reading<Request, Response>(
      edge, [&edge, read](const storage::Reader& reader, const base::TenantId& tenant, const Request& request) {
        return read(reader, tenant, request, edge.sync.opening);
      });
}

void Update(Edge& edge, const access::Identity& caller, const v1::UpdateDeviceRequest& request,
            Answer<v1::Device> answer) {
  if (const absl::Status known = CheckTenantKnown(edge, caller.tenant); !known.ok()) return answer(known);
  edge.devices.Update(caller.tenant, request,
                      [&edge, tenant = caller.tenant, uuid = request.device_uuid(),
                       answer = std::move(answer)](const absl::Status& updated) {
                        if (!updated.ok()) return answer(updated);
                        // This may be the store's own thread, which must not wait for a read.
                        edge.executor.Post([&edge, tenant, uuid, answer] { answer(ReadDevice(edge, tenant, uuid)); });
                      });
}

}  // namespace

grpc::ServerUnaryReactor* DeviceService::ListDevices(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListDevicesRequest, v1::ListDevicesResponse>(edge_, context, request, response,
                                                                     "DeviceService.ListDevices", kReaders,
                                                                     ReadingAtOpening(edge_, devices::ListDevices));
}

grpc::ServerUnaryReactor* DeviceService::GetDevice(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetDeviceRequest, v1::Device>(edge_, context, request, response, "DeviceService.GetDevice",
                                                      kReaders, ReadingAtOpening(edge_, devices::GetDevice));
}

grpc::ServerUnaryReactor* DeviceService::ListSyncs(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListSyncsRequest, v1::ListSyncsResponse>(edge_, context, request, response,
                                                                 "DeviceService.ListSyncs", kReaders,
                                                                 ReadingAtOpening(edge_, devices::ListSyncs));
}

grpc::ServerUnaryReactor* DeviceService::UpdateDevice(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::UpdateDeviceRequest, v1::Device>(
      edge_, context, request, response, "DeviceService.UpdateDevice", kWriters,
      [this](const access::Identity& caller, const v1::UpdateDeviceRequest& update, Answer<v1::Device> answer) {
        Update(edge_, caller, update, std::move(answer));
      });
}

}  // namespace caresync::rpc
