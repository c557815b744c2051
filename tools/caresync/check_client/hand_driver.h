// A device in a person's hands: the person is told what to make it do, and presses Enter where nothing else shows that
// it was done.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_HAND_DRIVER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_HAND_DRIVER_H_

#include <atomic>
#include <string>
#include <thread>

#include "tools/caresync/check_client/driver.h"
#include "tools/caresync/check_client/inbox.h"

namespace caresync::cli::check {

class HandDriver final : public Driver {
 public:
  // `keys` is a file descriptor, such as the standard input's; `inbox` must outlive it.
  HandDriver(int keys, Inbox& inbox);
  ~HandDriver() override;

  absl::Status BeginScenario(const std::string& name, const std::string& device_uuid) override;
  absl::Status Begin(const Step& step) override;
  void Kill() override;
  void Stop() override {}
  void EndScenario() override { awaits_enter_ = false; }
  std::string Output() const override { return ""; }
  bool by_hand() const override { return true; }

  // What the person is told.
  static std::string Instruction(const Step& step);

 private:
  void Say(const std::string& text) const;
  void ReadKeys();

  Inbox& inbox_;
  const int keys_;
  // Readable when the thread is to end.
  int end_;
  // Enter means that the step was done.
  std::atomic<bool> awaits_enter_ = false;
  std::thread thread_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_HAND_DRIVER_H_
