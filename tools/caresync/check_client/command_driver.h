// A device that is a command: run by the shell for each step, told everything by environment variables.
// docs/check_client.md lists them.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COMMAND_DRIVER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COMMAND_DRIVER_H_

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

#include "tools/caresync/check_client/driver.h"
#include "tools/caresync/check_client/inbox.h"

namespace caresync::cli::check {

class CommandDriver final : public Driver {
 public:
  // `address` is where the device calls. `inbox` must outlive it.
  CommandDriver(std::string command, std::string address, Inbox& inbox);
  // Ends what still runs.
  ~CommandDriver() override;

  absl::Status BeginScenario(const std::string& name, const std::string& device_uuid) override;
  absl::Status Begin(const Step& step) override;
  void Kill() override;
  void Stop() override;
  void EndScenario() override;
  std::string Output() const override;
  bool by_hand() const override { return false; }

 private:
  std::vector<std::string> Environment(const Step& step) const;
  absl::Status Spawn(const std::vector<std::string>& environment);
  void Signal(int signal);
  void Join();
  std::string OutputFile() const { return folder_ + "/output"; }

  const std::string command_;
  const std::string address_;
  Inbox& inbox_;
  std::string scenario_;
  std::string device_uuid_;
  // Of this scenario; empty: none.
  std::string folder_;
  // Of the running command and its group; 0: none was run.
  pid_t process_ = 0;
  std::thread waits_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_COMMAND_DRIVER_H_
