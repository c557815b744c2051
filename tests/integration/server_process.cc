#include "tests/integration/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/output.h"

extern char** environ;

namespace caresync::integration {
namespace {

constexpr char kReady[] = "caresyncd listening on ";

struct Pipe {
  int out = -1;
  int in = -1;
};

// No other process that is started meanwhile keeps it open.
Pipe MakePipe() {
  std::array<int, 2> ends{};
  ABSL_RAW_CHECK(pipe2(ends.data(), O_CLOEXEC) == 0, "no pipe");
  return {ends[0], ends[1]};
}

std::vector<std::string> Variables(const Environment& environment) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "CARESYNC_")) variables.emplace_back(*variable);
  }
  for (const auto& [name, value] : environment) variables.push_back(absl::StrCat(name, "=", value));
  return variables;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Starts caresyncd. A stream whose pipe is -1 stays the test's own.
pid_t Spawn(const std::vector<std::string>& arguments, const Environment& environment, int output, int error_output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (error_output >= 0) posix_spawn_file_actions_adddup2(&actions, error_output, STDERR_FILENO);
  std::vector<std::string> words = {CARESYNCD};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::vector<std::string> variables = Variables(environment);
  pid_t pid = 0;
  ABSL_RAW_CHECK(
      posix_spawn(&pid, CARESYNCD, &actions, nullptr, Pointers(words).data(), Pointers(variables).data()) == 0,
      "no caresyncd");
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// Up to the end of a line, or of the output.
std::string ReadLine(int output) {
  std::string line;
  char byte = 0;
  while (read(output, &byte, 1) == 1 && byte != '\n') line.push_back(byte);
  return line;
}

std::string ReadAll(int output) {
  std::string all;
  std::array<char, 4096> buffer{};
  ssize_t length = 0;
  while ((length = read(output, buffer.data(), buffer.size())) > 0) all.append(buffer.data(), length);
  return all;
}

std::optional<int> ExitCodeOf(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) ABSL_RAW_CHECK(errno == EINTR, "no such child");
  if (!WIFEXITED(status)) return std::nullopt;
  return WEXITSTATUS(status);
}

std::vector<std::string> OnAFreePort(const std::string& data_dir, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--data-dir", data_dir, "--grpc-listen", "127.0.0.1:0"});
  return arguments;
}

}  // namespace

Ended RunToItsEnd(const std::vector<std::string>& arguments, const Environment& environment) {
  const Pipe error_output = MakePipe();
  const pid_t pid = Spawn(arguments, environment, -1, error_output.in);
  close(error_output.in);
  Ended ended;
  ended.error_output = ReadAll(error_output.out);
  close(error_output.out);
  ended.exit_code = ExitCodeOf(pid).value_or(-1);
  return ended;
}

ServerProcess::ServerProcess(std::string data_dir, std::vector<std::string> arguments)
    : ServerProcess(data_dir, OnAFreePort(data_dir, std::move(arguments)), Environment()) {}

ServerProcess::ServerProcess(std::string data_dir, const std::vector<std::string>& arguments,
                             const Environment& environment)
    : data_dir_(std::move(data_dir)) {
  const Pipe output = MakePipe();
  const Pipe log = MakePipe();
  pid_ = Spawn(arguments, environment, output.in, log.in);
  close(output.in);
  close(log.in);
  log_ = std::make_unique<Output>(log.out);
  const std::string line = ReadLine(output.out);
  close(output.out);
  const bool started = line.rfind(kReady, 0) == 0;
  // Its error is shown before the test dies.
  if (!started) log_.reset();
  ABSL_RAW_CHECK(started, "caresyncd did not start");
  address_ = line.substr(sizeof(kReady) - 1);
}

ServerProcess::~ServerProcess() { Kill(); }

std::string ServerProcess::LogLine(const std::vector<std::string>& parts) const { return log_->FindLine(parts); }

void ServerProcess::AskToStop() {
  if (pid_ != 0) kill(pid_, SIGTERM);
}

std::optional<int> ServerProcess::Stop() {
  if (pid_ == 0) return std::nullopt;
  AskToStop();
  return Wait();
}

void ServerProcess::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

std::optional<int> ServerProcess::Wait() { return ExitCodeOf(std::exchange(pid_, 0)); }

}  // namespace caresync::integration
