// The phone of a carer who is in a large group: it syncs until the server lets it, which is when no fan-out concerns
// the carer any more.
#ifndef CARESYNC_LOADTEST_GROUP_MEMBER_H_
#define CARESYNC_LOADTEST_GROUP_MEMBER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "loadtest/scenarios.h"
#include "loadtest/sync_call.h"
#include "loadtest/virtual_device.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// Used by one thread.
class GroupMember {
 public:
  // `carer`: a record ID; the device is named after it. `stage` must outlive it. Errors: those of making a credential.
  static absl::StatusOr<std::unique_ptr<GroupMember>> Make(const Stage& stage, const std::string& carer);
  // Leaves the sync under way.
  ~GroupMember();
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // Begins to sync; none may be under way.
  void BeginSync();
  // Whether a sync has gone through since BeginSync; from then on it stays so. One that was refused because of a
  // fan-out is begun anew. Errors: whatever else a sync came to.
  absl::StatusOr<bool> HasSynced();
  // How many records the copy in use holds; while no sync is under way.
  size_t held() const { return device_.copy().records().size(); }

 private:
  GroupMember(const Stage& stage, VirtualDevice device, std::string authorization);

  const Stage& stage_;
  VirtualDevice device_;
  const std::string authorization_;
  std::shared_ptr<SyncCall> call_;
  storage::Mutex mutex_;
  storage::CondVar changed_;
  std::optional<SyncEnd> end_ ABSL_GUARDED_BY(mutex_);
  bool gone_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_GROUP_MEMBER_H_
