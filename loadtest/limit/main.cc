// caresync-limit: a gRPC server with the settings of caresyncd that does no work. What it can do is the limit that
// caresyncd is measured against.
#include <signal.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "loadtest/dialogues.h"
#include "loadtest/limit/limit_services.h"
#include "loadtest/limit/ready_syncs.h"
#include "server/base/limits.h"
#include "server/base/signals.h"
#include "server/rpc/server_settings.h"

namespace caresync::loadtest {
namespace {

constexpr int kCannotStart = 1;
constexpr int kBadOptions = 2;

// Until somebody asks it to stop. The exit code.
int Serve(const ReadySyncs& syncs, const std::string& address, const sigset_t& signals) {
  rpc::SetUpProcess();
  LimitSyncService device_sync(syncs);
  LimitRosterService roster;
  grpc::ServerBuilder builder;
  rpc::SetBounds(builder);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&device_sync);
  builder.RegisterService(&roster);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::cerr << "caresync-limit: cannot listen on " << address << "; choose another port with --grpc-listen\n";
    return kCannotStart;
  }
  std::cout << "caresync-limit listening on " << address.substr(0, address.rfind(':')) << ":" << port << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(base::limits::kShutdownGrace));
  return 0;
}

int Run(int argc, char** argv) {
  std::string file;
  std::string address = "127.0.0.1:0";
  CLI::App app("caresync-limit: a server that says what caresyncd said, and does nothing else", "caresync-limit");
  app.add_option("--dialogues", file, "What it says, as fleetload --scenario record has written it")->required();
  app.add_option("--grpc-listen", address, "HOST:PORT for gRPC; port 0: any free one")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadOptions;
  }
  const absl::StatusOr<std::vector<Dialogue>> dialogues = ReadDialogues(file);
  if (!dialogues.ok()) {
    std::cerr << "caresync-limit: " << dialogues.status().message() << "\n";
    return kCannotStart;
  }
  const sigset_t signals = base::BlockSignals();
  return Serve(ReadySyncs(*dialogues), address, signals);
}

}  // namespace
}  // namespace caresync::loadtest

int main(int argc, char** argv) { return caresync::loadtest::Run(argc, argv); }
