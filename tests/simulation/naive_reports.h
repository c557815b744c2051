// What the user device relationship report must say of each device, worked out from what devices and the server said to
// each other, from what people said of the devices, and from all records. Of the report's rows nothing is believed but
// the instant at which something was written, and that only after it was judged (oracle_reports.cc).
#ifndef CARESYNC_TESTS_SIMULATION_NAIVE_REPORTS_H_
#define CARESYNC_TESTS_SIMULATION_NAIVE_REPORTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/feed/feed_entry.h"
#include "tests/simulation/naive_model.h"
#include "tests/simulation/permissions.h"

namespace caresync::simulation {

// Versions as numbers parted by dots: whether `app` is older than `least`.
bool IsOlderApp(const std::string& app, const std::string& least);

// A carer's copy on a device, as far as the device has said that it has it.
struct NaiveCopy {
  std::optional<absl::Time> last_success;
  // When the last sync began that the carer started and that succeeded.
  std::optional<absl::Time> last_manual;
  base::CommitPoint cursor;
  feed::Position position;
  // Of the app that last succeeded; 0: none has.
  uint32_t level = 0;
  bool diverged = false;
};

// One sync of a device's history.
struct NaiveSync {
  std::string session_id;
  std::string carer;
  v1::SyncType type = v1::SYNC_TYPE_UNSPECIFIED;
  absl::Time start;
  v1::SyncOutcome outcome = v1::SYNC_OUTCOME_UNDER_WAY;
  std::string reason;
  uint64_t confirmations = 0;
  // The next sync ended it, since nothing else had.
  bool ended_by_next = false;
};

// One device. A value: a copy goes with a copy of the store. Used by one thread.
struct NaiveDevice {
  struct Call {
    absl::Time time;
    v1::CallState state = v1::CALL_STATE_UNSPECIFIED;
    std::string reason;
  };
  struct Success {
    int64_t day = 0;
    bool clean = false;
  };

  std::optional<absl::Time> enrolled;
  std::string name;
  std::string app_version;
  // Oldest first.
  std::vector<NaiveSync> syncs;
  // The last call, where that was refused before it had a session.
  std::optional<Call> refused;
  std::optional<absl::Time> last_success;
  std::vector<Success> successes;
  // Calls that failed since the last success, and how many of them before the last sync.
  uint32_t failures = 0;
  uint32_t failures_before = 0;
  // The phone's system allows the next sync from then on.
  std::optional<absl::Time> next_allowed;
  // By carer.
  std::map<std::string, NaiveCopy> copies;

  // A sync of the carer began, nothing is known of its end.
  void Begin(NaiveSync sync);
  // It is confirmed: for the first time, or once more by a device that follows.
  void Succeed(absl::Time now, uint32_t level, uint64_t confirmations);
  void FailLast(v1::SyncOutcome outcome, const std::string& reason);
};

// What a moment's report is worked out from. Everything must outlive it.
struct ReportMoment {
  const NaiveModel& model;
  const Permissions& permissions;
  absl::Time now;
  // Whether a session is still there to write down its end.
  std::function<bool(const std::string& session_id)> is_open;
};

// The history's last syncs first, as they must be listed: session, carer, type, start, outcome and reason.
std::vector<v1::SyncSummary> ExpectedSyncs(const NaiveDevice& device, const ReportMoment& moment);

// How many changes wait for a copy; nullptr: the device holds none.
uint64_t ChangesBehind(const NaiveModel& model, const std::string& carer, const NaiveCopy* copy);

// The row of a device that is known: what the model says of it. `users` has the users alone.
v1::Device ExpectedRow(const NaiveDevice& device, const base::Uuid& uuid, const ReportMoment& moment);

// In what the row is not as expected; empty: in nothing that the model says.
std::string DifferenceOf(const v1::Device& expected, const v1::Device& row);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_NAIVE_REPORTS_H_
