// fleetload: a fleet of virtual devices against a caresyncd; what every device holds is checked at the end.
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "loadtest/agency.h"
#include "loadtest/bare_store.h"
#include "loadtest/connections.h"
#include "loadtest/credentials.h"
#include "loadtest/dialogues.h"
#include "loadtest/faults.h"
#include "loadtest/fleet.h"
#include "loadtest/options.h"
#include "loadtest/report.h"
#include "loadtest/scenarios.h"
#include "loadtest/server_process.h"
#include "loadtest/stopwatch.h"
#include "loadtest/verification.h"
#include "server/access/signing_key.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/output.h"

namespace caresync::loadtest {
namespace {

constexpr int kWrong = 1;
// As a shell tells of what Ctrl-C ended: what was to be shown was not.
constexpr int kStopped = 130;

// The server under load: this program's own, or one that runs already.
struct Target {
  std::unique_ptr<TemporaryDirectory> directory;
  std::unique_ptr<ServerProcess> own;
  std::string address;
  std::string data_dir;
};

absl::StatusOr<Target> OpenTarget(const Options& options) {
  Target target;
  target.address = options.server;
  target.data_dir = options.data_dir;
  if (!options.server.empty()) return target;
  if (target.data_dir.empty()) {
    ASSIGN_OR_RETURN(target.directory, TemporaryDirectory::Make());
    target.data_dir = target.directory->path();
  }
  std::error_code error;
  std::filesystem::create_directories(target.data_dir, error);
  std::vector<std::string> arguments = {"--grpc-listen", "127.0.0.1:0"};
  if (!options.limit.empty()) {
    arguments.insert(arguments.end(), {"--dialogues", options.limit});
  } else {
    arguments.insert(arguments.end(), {"--data-dir", target.data_dir});
  }
  if (options.batch_bytes != 0) arguments.insert(arguments.end(), {"--batch-bytes", absl::StrCat(options.batch_bytes)});
  if (options.server_threads != 0) {
    arguments.insert(arguments.end(), {"--threads", absl::StrCat(options.server_threads)});
  }
  ASSIGN_OR_RETURN(
      target.own,
      ServerProcess::Start(BesideThisProgram(options.limit.empty() ? "caresyncd" : "caresync-limit"),
                           std::move(arguments), absl::StrCat(target.data_dir, "/server.log"), options.server_core));
  target.address = target.own->address();
  return target;
}

// A tenant that no run before this one had: the model begins with nothing.
std::string NewTenant() { return absl::StrFormat("fleet-%x", absl::ToUnixMicros(absl::Now())); }

// Never destroyed: where gRPC 1.51's last channel goes with a call's end, which is on a thread of its own, it joins
// that thread with itself and frees what that still uses.
const Connections& FirstConnections(const Target& target, const Options& options) {
  static const Connections& connections =
      *new Connections(target.address, MakesConnections(options.scenario) ? 1 : options.connections);
  return connections;
}

void MakeFirstCopies(Fleet& fleet, Report& report) {
  Phase& first = report.AddPhase("first copies");
  report.Measure(first, [&] { fleet.RunOnce(v1::SYNC_TYPE_STANDARD, first.syncs); });
}

// The carers whose syncs the server can say, in the order in which they were recorded.
absl::StatusOr<std::vector<std::string>> CarersOf(const std::string& dialogues) {
  ASSIGN_OR_RETURN(const std::vector<Dialogue> recorded, ReadDialogues(dialogues));
  std::vector<std::string> carers;
  std::set<std::string> known;
  for (const Dialogue& dialogue : recorded) {
    if (known.insert(dialogue.carer_id).second) carers.push_back(dialogue.carer_id);
  }
  return carers;
}

// It looks at no credential, but one is sent: it takes its bytes. Nothing can be compared with a model at the end: the
// devices hold what was recorded, and have checked count and sum of it.
absl::Status RunOnLimit(const Target& target, const Options& options, Report& report, Faults& faults) {
  const std::string tenant = NewTenant();
  std::error_code error;
  std::filesystem::create_directories(absl::StrCat(target.data_dir, "/keys"), error);
  RETURN_IF_ERROR(access::SigningKey::OpenOrCreate(absl::StrCat(target.data_dir, "/keys/signing_key.json")).status());
  ASSIGN_OR_RETURN(const Credentials credentials, Credentials::Open(target.data_dir, tenant));
  ASSIGN_OR_RETURN(const std::vector<std::string> carers, CarersOf(options.limit));
  const Connections& connections = FirstConnections(target, options);
  ASSIGN_OR_RETURN(const std::unique_ptr<Fleet> fleet,
                   Fleet::Make(options.devices, tenant, carers, credentials, connections, faults));
  report.settings() = {options.scenario, fleet->size(), options.connections, carers.size()};
  MakeFirstCopies(*fleet, report);
  FleetStage stage{options, *fleet, report, faults, credentials, connections};
  return RunScenarioOnLimit(stage);
}

absl::Status RunOn(const Target& target, const Options& options, Report& report, Faults& faults) {
  const std::string tenant = NewTenant();
  ASSIGN_OR_RETURN(const Credentials credentials, Credentials::Open(target.data_dir, tenant));
  const Connections& connections = FirstConnections(target, options);
  ASSIGN_OR_RETURN(const std::unique_ptr<Agency> agency, Agency::Open(tenant, options, credentials, connections));
  ASSIGN_OR_RETURN(const std::unique_ptr<Fleet> fleet,
                   Fleet::Make(options.devices, tenant, agency->carer_ids(), credentials, connections, faults));
  report.settings() = {options.scenario, fleet->size(), options.connections, agency->carer_ids().size()};

  MakeFirstCopies(*fleet, report);
  Stage stage{{options, *fleet, report, faults, credentials, connections}, *agency};
  RETURN_IF_ERROR(RunScenario(stage));
  absl::Status verified;
  Phase& last = report.AddPhase("last syncs");
  report.Measure(last, [&] { verified = Verify(*agency, *fleet, last.syncs, faults, report.verified()); });
  return verified;
}

absl::Status WriteJson(const std::string& file, const nlohmann::ordered_json& json) {
  std::ofstream stream(file);
  stream << json.dump(2) << std::endl;
  return stream ? absl::OkStatus() : cli::errors::FileNotWritable(file);
}

void Tell(const absl::Status& status) {
  std::cerr << "fleetload: " << cli::ErrorReason(status) << ": " << status.message() << "\n";
}

// The scenario without a server.
absl::Status RunWithoutServer(const Options& options, Report& report) {
  report.settings() = {options.scenario, options.devices, options.connections, 0};
  if (!options.data_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.data_dir, error);
    return RunBareStore(options, BareStoreDirectory(options.data_dir), report);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<TemporaryDirectory> temporary, TemporaryDirectory::Make());
  return RunBareStore(options, BareStoreDirectory(temporary->path()), report);
}

// Says what was measured and what went wrong; the exit code.
int Conclude(const Options& options, const Report& report, Faults& faults, absl::Status status) {
  if (options.most_rss_mb.has_value()) report.CheckMemory(*options.most_rss_mb * 1'000'000, faults);
  if (report.settings().devices > 0) report.PrintTable(std::cout, faults);
  if (!options.json.empty()) status.Update(WriteJson(options.json, report.ToJson(faults)));
  status.Update(cli::FlushOutput());
  if (!status.ok()) Tell(status);
  if (!status.ok() || faults.count() > 0) return kWrong;
  if (!StopWished()) return 0;
  std::cerr << "fleetload: stopped before its time: what it was to do is not done\n";
  return kStopped;
}

int Main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> code = ParseOptions(argc, argv, options); code.has_value()) return *code;
  StopOnSignals();
  Faults faults;
  if (!NeedsServer(options.scenario)) {
    Report report(getpid());
    const absl::Status status = RunWithoutServer(options, report);
    return Conclude(options, report, faults, status);
  }
  absl::StatusOr<Target> target = OpenTarget(options);
  absl::Status status = target.status();
  // Before there are other threads, but for the server, which has its core by now.
  if (status.ok() && options.fleet_core.has_value()) status = StayOnCore(*options.fleet_core);
  if (!status.ok()) {
    Tell(status);
    return kWrong;
  }
  Report report(target->own == nullptr ? options.server_pid : target->own->pid());
  status = (options.limit.empty() ? RunOn : RunOnLimit)(*target, options, report, faults);
  if (target->own != nullptr) status.Update(target->own->Stop());
  return Conclude(options, report, faults, status);
}

}  // namespace
}  // namespace caresync::loadtest

int main(int argc, char** argv) {
  // A peer that went away is an error of the call, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  return caresync::loadtest::Main(argc, argv);
}
