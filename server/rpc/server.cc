#include "server/rpc/server.h"

#include <chrono>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/rpc/listen_fault.h"
#include "server/rpc/server_settings.h"

namespace caresync::rpc {
namespace {

namespace limits = base::limits;

}  // namespace

Server::Server(Edge& edge)
    : edge_(edge),
      tenants_(edge),
      service_users_(edge),
      devices_(edge),
      roster_(edge),
      care_events_(edge),
      mismatches_(edge),
      deliveries_(edge),
      device_sync_(edge) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::string& address, Edge& edge) {
  SetUpProcess();
  std::unique_ptr<Server> server(new Server(edge));
  grpc::ServerBuilder builder;
  SetBounds(builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &server->port_);
  builder.RegisterService(&server->tenants_);
  builder.RegisterService(&server->service_users_);
  builder.RegisterService(&server->devices_);
  builder.RegisterService(&server->roster_);
  builder.RegisterService(&server->care_events_);
  builder.RegisterService(&server->mismatches_);
  builder.RegisterService(&server->deliveries_);
  builder.RegisterService(&server->device_sync_);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || server->port_ == 0) {
    return base::errors::CannotListen(address, WhyNothingListens(address));
  }
  return server;
}

Server::~Server() { Shutdown(); }

bool Server::TellHealth() {
  const bool serving = edge_.store.Health().ok();
  if (serving == serving_) return false;
  serving_ = serving;
  server_->GetHealthCheckService()->SetServingStatus(serving);
  return true;
}

void Server::Shutdown() {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  const absl::Status away = base::errors::ShuttingDown(limits::kReconnectAfter);
  edge_.sessions.EndAll(away);
  edge_.other_calls.EndAll(away);
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limits::kShutdownGrace));
  server_.reset();
}

}  // namespace caresync::rpc
