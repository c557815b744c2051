// DeviceSyncService as a scenario plays it: streams are given to the inbox, and written by the player.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_LISTENER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_LISTENER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tools/caresync/check_client/inbox.h"

namespace caresync::cli::check {

class Listener {
 public:
  // `inbox` must outlive it. Errors: CANNOT_LISTEN.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(const std::string& address, Inbox& inbox);
  // Ends what is still open.
  virtual ~Listener() = default;

  // With the port that the system chose where 0 was given.
  virtual const std::string& address() const = 0;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_LISTENER_H_
