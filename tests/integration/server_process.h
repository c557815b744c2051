// The real caresyncd, as a process of its own on a free port.
#ifndef CARESYNC_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define CARESYNC_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace caresync::integration {

// Variables by name, beside the test's own environment without its CARESYNC_ ones.
using Environment = std::vector<std::pair<std::string, std::string>>;

// What a caresyncd that ends by itself came to.
struct Ended {
  int exit_code = 0;
  std::string error_output;
};

// Runs caresyncd with these arguments until it ends by itself.
Ended RunToItsEnd(const std::vector<std::string>& arguments, const Environment& environment = {});

// What a process writes, as it comes.
class Output;

// Used by one thread. The test dies where the server does not start.
class ServerProcess {
 public:
  // Starts on `data_dir`, which must outlive it, and on a free port; returns when the server listens.
  explicit ServerProcess(std::string data_dir, std::vector<std::string> arguments = {});
  // The same with these options and no others: the server is expected to use `data_dir`.
  ServerProcess(std::string data_dir, const std::vector<std::string>& arguments, const Environment& environment);
  // Kills it, if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& data_dir() const { return data_dir_; }
  // "127.0.0.1:port".
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // The first line of its log that holds each of `parts`, waited for; empty where none comes.
  std::string LogLine(const std::vector<std::string>& parts) const;

  // Asks it to stop (SIGTERM) and returns at once. Who holds a stream reads it to its end before Wait: a stream that
  // nobody reads is cut when the server's patience ends, and what it was told goes with it.
  void AskToStop();
  // Asks it to stop and waits; returns its exit code, nullopt where a signal ended it.
  std::optional<int> Stop();
  // As a crash: SIGKILL.
  void Kill();
  // Waits until it ends by itself; what it returns is that of Stop.
  std::optional<int> Wait();

 private:
  const std::string data_dir_;
  std::string address_;
  pid_t pid_ = 0;
  std::unique_ptr<Output> log_;
};

}  // namespace caresync::integration

#endif  // CARESYNC_TESTS_INTEGRATION_SERVER_PROCESS_H_
