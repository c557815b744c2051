// The gRPC server: its services, its bounds, and how it goes away.
#ifndef CARESYNC_SERVER_RPC_SERVER_H_
#define CARESYNC_SERVER_RPC_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/server.h"
#include "server/rpc/care_event_service.h"
#include "server/rpc/delivery_service.h"
#include "server/rpc/device_service.h"
#include "server/rpc/device_sync_service.h"
#include "server/rpc/edge.h"
#include "server/rpc/mismatch_service.h"
#include "server/rpc/roster_service.h"
#include "server/rpc/service_user_service.h"
#include "server/rpc/tenant_service.h"

namespace caresync::rpc {

// Beside the services of caresync.v1 it serves grpc.health.v1.Health and gRPC reflection.
class Server {
 public:
  // Listens on `address` ("host:port"; port 0: any free one) without TLS. `edge` must outlive it. Errors:
  // CANNOT_LISTEN.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& address, Edge& edge);
  // Shuts down, if that was not done.
  ~Server();

  // The port that it listens on.
  int port() const { return port_; }

  // Health says whether calls can be expected to succeed: not while the store takes no commits, as on a full disk.
  // Looks at the store and tells health; true where that has changed. At the start: SERVING. By one thread.
  bool TellHealth();

  // Health says NOT_SERVING; calls are told to end (SHUTTING_DOWN), new ones are refused; those that are left after
  // limits::kShutdownGrace are cut. Returns when no call is left; work that calls posted may still be with the
  // executor.
  void Shutdown();

 private:
  explicit Server(Edge& edge);

  Edge& edge_;
  TenantService tenants_;
  ServiceUserService service_users_;
  DeviceService devices_;
  RosterService roster_;
  CareEventService care_events_;
  MismatchService mismatches_;
  DeliveryService deliveries_;
  DeviceSyncService device_sync_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  bool serving_ = true;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_SERVER_H_
