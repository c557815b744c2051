#include "server/rpc/shed_calls.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "observability/log.h"
#include "server/base/errors.h"
#include "server/base/ids.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "storage/mutex.h"

namespace caresync::rpc {

namespace limits = base::limits;
using base::keys::DevicePart;

// What came since it was written down last.
class ShedCalls::Noted {
 public:
  Noted(storage::Store& store, base::Clock& clock) : store_(store), clock_(clock) {}

  // True where this is the first: WriteDown is due.
  bool Add(const access::Identity& caller, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    const Device device(caller.tenant, *caller.device);
    storage::MutexLock lock(mutex_);
    const bool room = calls_.size() < limits::kShedDevices || calls_.count(device) > 0;
    if (room) calls_[device] = {clock_.Now(), base::Reason(why)};
    return count_++ == 0;
  }

  void WriteDown() ABSL_LOCKS_EXCLUDED(mutex_) {
    Calls calls;
    uint64_t count = 0;
    {
      storage::MutexLock lock(mutex_);
      calls = std::exchange(calls_, {});
      count = std::exchange(count_, 0);
    }
    observability::Log(observability::Level::kWarning, "calls_shed", {{"count", count}});
    storage::Commit commit = RowsOf(calls);
    // Nobody waits for it, and a row that cannot be written is no error of the call.
    if (!commit.writes.empty()) store_.Apply(std::move(commit), [](const storage::CommitResult&) {});
  }

 private:
  using Device = std::pair<base::TenantId, base::Uuid>;
  struct Call {
    absl::Time time;
    std::string reason;
  };
  using Calls = std::map<Device, Call>;

  // Of the devices that are known, and have not come back since.
  storage::Commit RowsOf(const Calls& calls) const {
    storage::Commit commit;
    commit.durability = storage::Durability::kBuffered;
    std::vector<std::string> keys;
    keys.reserve(3 * calls.size());
    for (const auto& [device, call] : calls) {
      keys.push_back(base::keys::DeviceRow(device.first, device.second, DevicePart::kDevice));
      keys.push_back(base::keys::DeviceRow(device.first, device.second, DevicePart::kCall));
      keys.push_back(base::keys::DeviceRow(device.first, device.second, DevicePart::kRefusedCall));
    }
    const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = store_.NewSnapshot();
    if (!snapshot.ok()) return commit;
    const absl::StatusOr<std::vector<std::optional<std::string>>> rows =
        (*snapshot)->MultiGet(storage::Space::kDevices, keys);
    if (!rows.ok()) return commit;
    auto row = rows->begin();
    for (const auto& [device, call] : calls) {
      const bool known = (row++)->has_value();
      const std::optional<std::string>& last_call = *row++;
      const std::optional<std::string>& last_refused = *row++;
      if (!known || CameAfter(last_call, call.time) || CameAfter(last_refused, call.time)) continue;
      commit.writes.push_back(devices::RefusedCallRow(device.first, device.second, call.time, call.reason));
    }
    return commit;
  }

  // Whether a device's row of its last call is of one after `time`, which what is written now would hide.
  static bool CameAfter(const std::optional<std::string>& row, absl::Time time) {
    store::DeviceCall last;
    return row.has_value() && last.ParseFromString(*row) && last.time_us() > base::ToStoredTime(time);
  }

  storage::Store& store_;
  base::Clock& clock_;
  storage::Mutex mutex_;
  Calls calls_ ABSL_GUARDED_BY(mutex_);
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

ShedCalls::ShedCalls(storage::Store& store, base::Clock& clock, base::Executor& executor)
    : executor_(executor), noted_(std::make_shared<Noted>(store, clock)) {}

ShedCalls::~ShedCalls() = default;

void ShedCalls::Note(const access::Identity& caller, const absl::Status& why) {
  if (noted_->Add(caller, why)) executor_.PostAfter(limits::kShedCallsEvery, [noted = noted_] { noted->WriteDown(); });
}

}  // namespace caresync::rpc
