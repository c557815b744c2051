// Who makes the device do what a scenario needs: a person, or a command.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_DRIVER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "caresync/v1/device_sync.pb.h"

namespace caresync::cli::check {

// One thing that the device is to do.
struct Step {
  enum class Kind { kSync, kRecord };
  Kind kind = Kind::kSync;
  // Names for people, IDs for the device.
  std::string carer_name;
  std::string carer_id;
  // Of a sync.
  v1::SyncType type = v1::SYNC_TYPE_UNSPECIFIED;
  bool follow = false;
  uint32_t level = 2;
  // The device may refuse it by itself.
  bool or_refuses = false;
  // Of a recording.
  size_t events = 0;
  std::string visit_name;
  std::string visit_id;
};

// Used by one thread. That a step has ended comes to the Inbox that it was made with.
class Driver {
 public:
  virtual ~Driver() = default;

  // A newly installed device: it holds nothing. Errors: FILE_NOT_WRITABLE.
  virtual absl::Status BeginScenario(const std::string& name, const std::string& device_uuid) = 0;
  // Begins the step; the one before has ended. Errors: COMMAND_NOT_RUN.
  virtual absl::Status Begin(const Step& step) = 0;
  // Ends the device in the middle of what it does, as if its battery were taken out. The step's end is told as ever.
  virtual void Kill() = 0;
  // Asks it to end the step; the end is told as ever.
  virtual void Stop() = 0;
  virtual void EndScenario() = 0;

  // What the device said meanwhile, for people: its last lines.
  virtual std::string Output() const = 0;
  // A person cannot tell when a sync has ended, and needs more time.
  virtual bool by_hand() const = 0;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_DRIVER_H_
