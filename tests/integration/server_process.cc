#include "tests/integration/server_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/base/internal/raw_logging.h"

extern char** environ;

namespace caresync::integration {
namespace {

constexpr char kReady[] = "caresyncd listening on ";

struct Child {
  pid_t pid = 0;
  // What it writes to the stream that was asked for.
  int output = -1;
};

Child Spawn(const std::vector<std::string>& arguments, int stream) {
  std::array<int, 2> ends{};
  ABSL_RAW_CHECK(pipe(ends.data()) == 0, "no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], stream);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> argv = {const_cast<char*>(CARESYNCD)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Child child;
  ABSL_RAW_CHECK(posix_spawn(&child.pid, CARESYNCD, &actions, nullptr, argv.data(), environ) == 0, "no caresyncd");
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  child.output = ends[0];
  return child;
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

}  // namespace

Ended RunToItsEnd(const std::vector<std::string>& arguments) {
  const Child child = Spawn(arguments, STDERR_FILENO);
  Ended ended;
  ended.error_output = ReadAll(child.output);
  close(child.output);
  ended.exit_code = ExitCodeOf(child.pid).value_or(-1);
  return ended;
}

ServerProcess::ServerProcess(std::string data_dir, std::vector<std::string> arguments)
    : data_dir_(std::move(data_dir)) {
  arguments.insert(arguments.end(), {"--data-dir", data_dir_, "--grpc-listen", "127.0.0.1:0"});
  const Child child = Spawn(arguments, STDOUT_FILENO);
  pid_ = child.pid;
  const std::string line = ReadLine(child.output);
  close(child.output);
  ABSL_RAW_CHECK(line.rfind(kReady, 0) == 0, "caresyncd did not start");
  address_ = line.substr(sizeof(kReady) - 1);
}

ServerProcess::~ServerProcess() { Kill(); }

std::optional<int> ServerProcess::Stop() {
  if (pid_ == 0) return std::nullopt;
  kill(pid_, SIGTERM);
  return Wait();
}

void ServerProcess::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

std::optional<int> ServerProcess::Wait() { return ExitCodeOf(std::exchange(pid_, 0)); }

}  // namespace caresync::integration
