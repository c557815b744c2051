// A server under load, as a process of its own on a free port. It ends with the load test, however that ends.
#ifndef CARESYNC_LOADTEST_SERVER_PROCESS_H_
#define CARESYNC_LOADTEST_SERVER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace caresync::loadtest {

// A directory that is removed with everything in it. Not thread-safe.
class TemporaryDirectory {
 public:
  // Under TMPDIR, else /tmp. Errors: kUnavailable.
  static absl::StatusOr<std::unique_ptr<TemporaryDirectory>> Make();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// The file `name` beside the program that runs.
std::string BesideThisProgram(const std::string& name);

// From now on the calling thread runs on this core of the machine and on no other, and so does every thread and process
// that it starts. Errors: kInvalidArgument where this process may not use such a core.
absl::Status StayOnCore(int core);

// Used by one thread, which outlives it.
class ServerProcess {
 public:
  // Starts `program` with `arguments` and returns when it has printed "... listening on HOST:PORT". Its log, what it
  // writes to its standard error, goes to `log_file`. It stays on `core` where that is set. Called before this process
  // has other threads. Errors: kUnavailable, with the end of the log; kInvalidArgument for the core.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const std::string& program,
                                                              std::vector<std::string> arguments,
                                                              const std::string& log_file,
                                                              std::optional<int> core = std::nullopt);
  // Kills it, if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // HOST:PORT.
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // Asks it to stop, and waits. Errors: kInternal where it does not end well, with the end of the log.
  absl::Status Stop();

 private:
  ServerProcess(pid_t pid, std::string log_file) : pid_(pid), log_file_(std::move(log_file)) {}
  // What waitpid says.
  int Wait();

  pid_t pid_;
  const std::string log_file_;
  std::string address_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_SERVER_PROCESS_H_
