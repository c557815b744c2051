// The real caresyncd, as a process of its own on a free port.
#ifndef CARESYNC_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define CARESYNC_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace caresync::integration {

// What a caresyncd that ends by itself came to.
struct Ended {
  int exit_code = 0;
  std::string error_output;
};

// Runs caresyncd with these arguments until it ends by itself.
Ended RunToItsEnd(const std::vector<std::string>& arguments);

// Used by one thread. The test dies where the server does not start.
class ServerProcess {
 public:
  // Starts on `data_dir`, which must outlive it, and returns when the server listens.
  explicit ServerProcess(std::string data_dir, std::vector<std::string> arguments = {});
  // Kills it, if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& data_dir() const { return data_dir_; }
  // "127.0.0.1:port".
  const std::string& address() const { return address_; }

  // Asks it to stop and waits; returns its exit code, nullopt where a signal ended it.
  std::optional<int> Stop();
  // As a crash: SIGKILL.
  void Kill();

 private:
  std::optional<int> Wait();

  const std::string data_dir_;
  std::string address_;
  pid_t pid_ = 0;
};

}  // namespace caresync::integration

#endif  // CARESYNC_TESTS_INTEGRATION_SERVER_PROCESS_H_
