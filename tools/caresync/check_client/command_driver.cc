#include "tools/caresync/check_client/command_driver.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

constexpr char kOurs[] = "CARESYNC_";
constexpr size_t kLinesShown = 12;
// Where these hold fewer lines, fewer are shown: a device may have written any amount.
constexpr std::streamoff kBytesShown = std::streamoff{16} * 1024;
// From SIGTERM to SIGKILL.
constexpr std::chrono::seconds kGrace(2);

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In a group of its own, with the signals as they are by default, its output at the end of a file.
int SpawnShell(std::vector<std::string> words, std::vector<std::string> environment, const std::string& output,
               pid_t& process) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  const int failed =
      posix_spawn(&process, "/bin/sh", &files, &attributes, Pointers(words).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

}  // namespace

CommandDriver::CommandDriver(std::string command, std::string address, Inbox& inbox)
    : command_(std::move(command)), address_(std::move(address)), inbox_(inbox) {}

CommandDriver::~CommandDriver() { EndScenario(); }

absl::Status CommandDriver::BeginScenario(const std::string& name, const std::string& device_uuid) {
  EndScenario();
  scenario_ = name;
  device_uuid_ = device_uuid;
  std::error_code failed;
  const std::filesystem::path temporary = std::filesystem::temp_directory_path(failed);
  std::string pattern = (failed ? std::string("/tmp") : temporary.string()) + "/caresync-check-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return errors::FileNotWritable(pattern);
  folder_ = pattern;
  std::filesystem::create_directory(folder_ + "/state", failed);
  return failed ? errors::FileNotWritable(folder_ + "/state") : absl::OkStatus();
}

std::vector<std::string> CommandDriver::Environment(const Step& step) const {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    // What points this command at a server or a token says nothing to the device.
    if (!absl::StartsWith(*variable, kOurs)) environment.emplace_back(*variable);
  }
  const bool sync = step.kind == Step::Kind::kSync;
  const auto add = [&](const char* name, const std::string& value) {
    environment.push_back(absl::StrCat(kOurs, "CHECK_", name, "=", value));
  };
  add("STEP", sync ? "sync" : "record");
  add("SCENARIO", scenario_);
  add("ADDR", address_);
  add("TENANT", "check");
  add("TOKEN", absl::StrCat("check-", scenario_));
  add("DEVICE_UUID", device_uuid_);
  add("CARER_ID", step.carer_id);
  add("STATE_DIR", folder_ + "/state");
  add("SYNC_TYPE", sync ? v1::SyncType_Name(step.type).substr(sizeof("SYNC_TYPE_") - 1) : "");
  add("FOLLOW", !sync ? "" : step.follow ? "1" : "0");
  add("DATA_LEVEL", sync ? absl::StrCat(step.level) : "");
  add("RECORD_EVENTS", sync ? "" : absl::StrCat(step.events));
  add("VISIT_ID", step.visit_id);
  return environment;
}

absl::Status CommandDriver::Begin(const Step& step) {
  Join();
  return Spawn(Environment(step));
}

absl::Status CommandDriver::Spawn(const std::vector<std::string>& environment) {
  if (SpawnShell({"sh", "-c", command_}, environment, OutputFile(), process_) != 0) {
    process_ = 0;
    return errors::CommandNotRun(command_);
  }
  waits_ = std::thread([process = process_, &inbox = inbox_] {
    siginfo_t info;
    // Left to be reaped by Join: until then the number is of no other process.
    waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOWAIT);
    Arrival ended;
    ended.kind = Arrival::Kind::kStepEnded;
    ended.how = absl::StrCat(info.si_code == CLD_EXITED ? "exit status " : "signal ", info.si_status);
    inbox.Push(std::move(ended));
  });
  return absl::OkStatus();
}

void CommandDriver::Signal(int signal) {
  if (process_ != 0) kill(-process_, signal);
}

void CommandDriver::Kill() { Signal(SIGKILL); }

void CommandDriver::Stop() {
  if (process_ == 0) return;
  Signal(SIGTERM);
  const std::future<void> ended = std::async(std::launch::async, [this] { waits_.join(); });
  if (ended.wait_for(kGrace) != std::future_status::ready) Signal(SIGKILL);
}

void CommandDriver::Join() {
  if (process_ == 0) return;
  // What it left running would meet the next step.
  Signal(SIGKILL);
  if (waits_.joinable()) waits_.join();
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

void CommandDriver::EndScenario() {
  Join();
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  folder_.clear();
}

std::string CommandDriver::Output() const {
  std::ifstream file(OutputFile(), std::ios::binary | std::ios::ate);
  const std::streamoff size = std::max<std::streamoff>(file.tellg(), 0);
  file.seekg(std::max<std::streamoff>(size - kBytesShown, 0));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  const size_t from = lines.size() > kLinesShown ? lines.size() - kLinesShown : 0;
  return absl::StrJoin(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.end(), "\n");
}

}  // namespace caresync::cli::check
