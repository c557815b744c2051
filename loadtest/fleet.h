// Many virtual devices that sync at once, each one sync after the other.
#ifndef CARESYNC_LOADTEST_FLEET_H_
#define CARESYNC_LOADTEST_FLEET_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/alarm.h"
#include "loadtest/connections.h"
#include "loadtest/credentials.h"
#include "loadtest/faults.h"
#include "loadtest/sync_call.h"
#include "loadtest/tally.h"
#include "loadtest/virtual_device.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// What the `index`-th device does next; nullopt: it rests. Called for many devices at once, for each one by one, by any
// thread. A device whose sync failed rests without being asked.
using NextSync = std::function<std::optional<SyncPlan>(size_t index, VirtualDevice& device)>;

// Use, Run, Start and Wait are one thread's, and so are the devices while no run is under way.
class Fleet {
 public:
  // `count` devices with credentials of their own, and UUIDs that no fleet of another `name` has. The carers (record
  // IDs) are given to them in turn: where there are more devices, a carer uses several. `connections` and `faults` must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<Fleet>> Make(size_t count, const std::string& name,
                                                     const std::vector<std::string>& carer_ids,
                                                     const Credentials& credentials, const Connections& connections,
                                                     Faults& faults);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  size_t size() const { return members_.size(); }
  VirtualDevice& device(size_t index) { return members_[index]->device; }
  const VirtualDevice& device(size_t index) const { return members_[index]->device; }

  // From now on the devices use these connections, which must outlive it.
  void Use(const Connections& connections) { connections_ = &connections; }

  // Lets every device sync until all rest and nothing of their calls is left. What goes wrong is added to the faults;
  // every sync to `tally`.
  void Run(NextSync next, Tally& tally);
  // One sync of `type` on every device.
  void RunOnce(v1::SyncType type, Tally& tally);

  // Run in two halves.
  void Start(NextSync next, Tally& tally);
  void Wait();
  // As Wait, but for so long at most. False: not all rest yet.
  bool WaitFor(std::chrono::milliseconds most);
  // Between them, also from within NextSync: a device that rests is asked anew what it does next.
  void Rouse(size_t index);
  // Between them: all devices leave the syncs that they follow, or in which they stall. Devices that rest are not
  // concerned.
  void LeaveAll();
  // The same of one device, and for one whose sync is not read to be read to its end.
  void Leave(size_t index);
  void LetRead(size_t index);
  // Between them: how many rest.
  size_t resting() const;

 private:
  struct Member {
    Member(VirtualDevice device, std::string authorization)
        : device(std::move(device)), authorization(std::move(authorization)) {}
    VirtualDevice device;
    const std::string authorization;
    // The last that was begun, for another try, with the time of its first.
    SyncPlan plan;
    // Of the pause before the next sync.
    std::shared_ptr<grpc::Alarm> alarm;
    // Of the fleet's mutex. The last that followed or stalled.
    std::shared_ptr<SyncCall> call;
    // The server has not heard that the last sync was cut: one such stream a device at a time.
    bool unheard_open = false;
  };

  Fleet(const Connections& connections, Faults& faults) : connections_(&connections), faults_(faults) {}

  // Begins the device's next sync, at once or after its pause, or lets it rest.
  void Advance(size_t index);
  // After its pause.
  void BeginLater(size_t index, SyncPlan plan);
  void BeginSync(size_t index, SyncPlan plan);
  void OnEnd(size_t index, const SyncEnd& end);
  void OnShed(size_t index, absl::Duration retry_after);
  void OnGone(size_t index, const std::optional<absl::Status>& unheard);
  void Rest();
  bool AllRest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null where the device neither follows nor stalls.
  std::shared_ptr<SyncCall> CallOf(size_t index) const;
  void Tell(size_t index, const std::string& fault);

  const Connections* connections_;
  Faults& faults_;
  std::vector<std::unique_ptr<Member>> members_;
  // Of the run under way.
  NextSync next_;
  Tally* tally_ = nullptr;

  mutable storage::Mutex mutex_;
  storage::CondVar changed_;
  size_t resting_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_FLEET_H_
