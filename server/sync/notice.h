// What the server has to say to a device that is connected, as it is passed to the device's session.
#ifndef CARESYNC_SERVER_SYNC_NOTICE_H_
#define CARESYNC_SERVER_SYNC_NOTICE_H_

#include <string>
#include <variant>
#include <vector>

namespace caresync::sync {

// The office asks for a sync.
struct SyncAsked {};
// The tenant's preferences have changed, or the device has come to another branch: the session reads them anew, so that
// the last one told of is the present one.
struct PreferencesChanged {};
// These carers' copies are to be dropped at once.
struct DropAsked {
  std::vector<std::string> carer_ids;
};
using Notice = std::variant<SyncAsked, PreferencesChanged, DropAsked>;

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_NOTICE_H_
