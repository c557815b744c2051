#include "loadtest/server_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

constexpr char kListening[] = " listening on ";
constexpr int kNotStarted = 127;
// Of a log that is shown.
constexpr size_t kLogTail = 4096;

std::string TailOf(const std::string& log_file) {
  std::ifstream file(log_file, std::ios::binary);
  std::ostringstream stream;
  stream << file.rdbuf();
  const std::string log = std::move(stream).str();
  return log.size() <= kLogTail ? log : log.substr(log.size() - kLogTail);
}

// The environment without what would configure the server otherwise than its arguments do.
std::vector<char*> EnvironmentOfServer() {
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!absl::StartsWith(*entry, "CARESYNC_")) environment.push_back(*entry);
  }
  environment.push_back(nullptr);
  return environment;
}

// In the child: nothing but system calls.
[[noreturn]] void Become(char** argv, char** environment, int output, int log, pid_t parent, const cpu_set_t& cores) {
  // An interrupt from the terminal is for the load test, which then stops the server in order.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kNotStarted);
  if (sched_setaffinity(0, sizeof(cores), &cores) != 0) _exit(kNotStarted);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execve(argv[0], argv, environment);
  _exit(kNotStarted);
}

// The cores that this process may use, or of them the one that is asked for.
absl::StatusOr<cpu_set_t> CoresFor(std::optional<int> core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) {
    return absl::UnavailableError("cannot tell which cores this process may use");
  }
  if (!core.has_value()) return cores;
  if (*core < 0 || *core >= CPU_SETSIZE || !CPU_ISSET(static_cast<size_t>(*core), &cores)) {
    return absl::InvalidArgumentError(
        absl::StrCat("this process may not use core ", *core, "; nproc and taskset -p $$ tell which there are"));
  }
  CPU_ZERO(&cores);
  CPU_SET(static_cast<size_t>(*core), &cores);
  return cores;
}

// Up to the end of a line, or of the output.
std::string ReadLine(int descriptor) {
  std::string line;
  char byte = 0;
  while (read(descriptor, &byte, 1) == 1 && byte != '\n') line.push_back(byte);
  return line;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TemporaryDirectory>> TemporaryDirectory::Make() {
  std::error_code error;
  std::string path = (std::filesystem::temp_directory_path(error) / "fleetload-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot make a directory such as ", path));
  }
  return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(std::move(path)));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string BesideThisProgram(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

absl::Status StayOnCore(int core) {
  ASSIGN_OR_RETURN(const cpu_set_t cores, CoresFor(core));
  if (sched_setaffinity(0, sizeof(cores), &cores) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot stay on core ", core));
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::string& program,
                                                                    std::vector<std::string> arguments,
                                                                    const std::string& log_file,
                                                                    std::optional<int> core) {
  ASSIGN_OR_RETURN(const cpu_set_t cores, CoresFor(core));
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<char*> environment = EnvironmentOfServer();

  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::array<int, 2> output{};
  if (log < 0 || pipe2(output.data(), O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot write ", log_file));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(argv.data(), environment.data(), output[1], log, parent, cores);
  close(output[1]);
  close(log);
  if (pid < 0) {
    close(output[0]);
    return absl::UnavailableError("cannot start another process");
  }
  std::unique_ptr<ServerProcess> server(new ServerProcess(pid, log_file));
  const std::string line = ReadLine(output[0]);
  close(output[0]);
  const size_t listening = line.find(kListening);
  if (listening == std::string::npos) {
    return absl::UnavailableError(absl::StrCat(program, " did not start: ", line, TailOf(log_file)));
  }
  server->address_ = line.substr(listening + sizeof(kListening) - 1);
  return server;
}

ServerProcess::~ServerProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

absl::Status ServerProcess::Stop() {
  kill(pid_, SIGTERM);
  const int status = Wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the server did not end well (status ", status, "): ", TailOf(log_file_)));
}

int ServerProcess::Wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

}  // namespace caresync::loadtest
