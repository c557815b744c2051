#include "loadtest/group_member.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// Under which the UUIDs of members' devices are derived.
constexpr char kMemberSpace[] = "4b0f3a7e-52c9-4d63-8b7e-2f9a1d6c0e35";

}  // namespace

absl::StatusOr<std::unique_ptr<GroupMember>> GroupMember::Make(const Stage& stage, const std::string& carer) {
  const std::string uuid = base::Uuid::Derived(*base::Uuid::Parse(kMemberSpace), carer).ToString();
  ASSIGN_OR_RETURN(std::string authorization, stage.credentials.OfDevice(carer, uuid));
  return std::unique_ptr<GroupMember>(
      new GroupMember(stage, VirtualDevice(uuid, "Member", carer), std::move(authorization)));
}

GroupMember::GroupMember(const Stage& stage, VirtualDevice device, std::string authorization)
    : stage_(stage), device_(std::move(device)), authorization_(std::move(authorization)) {}

GroupMember::~GroupMember() {
  if (call_ != nullptr) call_->Leave();
  storage::MutexLock lock(mutex_);
  while (!gone_) changed_.Wait(mutex_);
}

void GroupMember::BeginSync() {
  {
    storage::MutexLock lock(mutex_);
    end_.reset();
    gone_ = false;
  }
  SyncWiring wiring;
  wiring.stub = stage_.connections.OfDevice(0);
  wiring.device = &device_;
  wiring.authorization = authorization_;
  wiring.server = stage_.connections.server();
  wiring.on_end = [this](const SyncEnd& end) {
    storage::MutexLock lock(mutex_);
    end_ = end;
  };
  wiring.on_gone = [this](const std::optional<absl::Status>&) {
    storage::MutexLock lock(mutex_);
    gone_ = true;
    changed_.NotifyAll();
  };
  SyncPlan plan;
  plan.type = v1::SYNC_TYPE_STANDARD;
  call_ = SyncCall::Begin(std::move(wiring), std::move(plan));
}

absl::StatusOr<bool> GroupMember::HasSynced() {
  absl::Status status;
  {
    storage::MutexLock lock(mutex_);
    if (!gone_ || !end_.has_value()) return false;
    status = end_->status;
    if (status.ok() && !end_->recorded) status = absl::InternalError("a member's sync ended well and was not recorded");
  }
  for (const std::string& fault : device_.TakeFaults())
    stage_.faults.Add(absl::StrCat("a member of the group: ", fault));
  if (status.ok()) return true;
  if (cli::ErrorReason(status) != "FAN_OUT_UNDER_WAY") return status;
  BeginSync();
  return false;
}

}  // namespace caresync::loadtest
