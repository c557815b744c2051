// Devices that follow: they go on with changes as they commit, or stay connected while there are none.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/arrivals.h"
#include "loadtest/open_loop.h"
#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"
#include "storage/mutex.h"

namespace caresync::loadtest {
namespace {

constexpr int kVisitsOfCarer = 5;
// How long a change that has committed may take to its last device before it counts as lost.
constexpr absl::Duration kLost = absl::Seconds(10);
constexpr std::chrono::milliseconds kLookEvery{100};

// What the devices saw. Safe from any thread.
class Watch {
 public:
  // What the device `index` has applied.
  void Take(size_t index, const v1::SyncResponse& response, Instant came) {
    storage::MutexLock lock(mutex_);
    if (response.has_sync_recorded()) following_.insert(index);
    for (const v1::Upsert& upsert : response.changes().upserts()) {
      if (news_) arrivals_.push_back({index, upsert.record_id(), upsert.revision(), came});
    }
    changed_.NotifyAll();
  }

  // How many devices have been caught up once.
  size_t following() const {
    storage::MutexLock lock(mutex_);
    return following_.size();
  }
  // From now on arrivals count: what came before is no news.
  void BeginNews() {
    storage::MutexLock lock(mutex_);
    news_ = true;
  }
  void WaitABit() {
    storage::MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, kLookEvery);
  }
  std::vector<Arrival> arrivals() const {
    storage::MutexLock lock(mutex_);
    return arrivals_;
  }

 private:
  mutable storage::Mutex mutex_;
  storage::CondVar changed_;
  std::set<size_t> following_ ABSL_GUARDED_BY(mutex_);
  bool news_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Arrival> arrivals_ ABSL_GUARDED_BY(mutex_);
};

// Every device begins to follow. False where not all of them do.
bool BeginToFollow(FleetStage& stage, Watch& watch, Phase& phase) {
  const auto begun = std::make_shared<std::vector<char>>(stage.fleet.size());
  stage.fleet.Start(
      [begun, &watch](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
        if (std::exchange((*begun)[index], 1) != 0) return std::nullopt;
        SyncPlan plan;
        plan.follow = true;
        plan.on_applied = [&watch, index](const v1::SyncResponse& response, Instant came) {
          watch.Take(index, response, came);
        };
        return plan;
      },
      phase.syncs);
  const size_t count = stage.fleet.size();
  while (!StopWished() && stage.fleet.resting() == 0 && watch.following() < count) watch.WaitABit();
  return stage.fleet.resting() == 0 && watch.following() == count;
}

absl::Status NotAllFollow() { return absl::InternalError("not every device could follow"); }

void LeaveAndRest(Fleet& fleet) {
  fleet.LeaveAll();
  fleet.Wait();
}

// By carer ID.
std::map<std::string, size_t> DevicesOfCarers(const Fleet& fleet) {
  std::map<std::string, size_t> devices;
  for (size_t i = 0; i < fleet.size(); ++i) ++devices[fleet.device(i).carer_id()];
  return devices;
}

// Changes one visit after the other, each of one carer; every change by its revision.
absl::StatusOr<SentChanges> ChangeVisits(Stage& stage, PrivateVisits& visits, RotaFeed& feed) {
  const std::map<std::string, size_t> devices = DevicesOfCarers(stage.fleet);
  SentChanges changes;
  Schedule schedule(stage.options.changes_per_second);
  const Deadline deadline(stage.options.duration);
  while (!deadline.passed()) {
    const std::optional<Instant> due = schedule.WaitForNext();
    if (!due.has_value()) break;
    const v1::ApplyChangesRequest request = visits.ChangeOne();
    const v1::RosterChange& change = request.changes(0);
    const std::string carer =
        stage.agency.model().IdOf({change.source(), v1::RECORD_KIND_CARER, change.visit().assignments(0).carer()});
    ASSIGN_OR_RETURN(const v1::ApplyChangesResponse response, stage.agency.Apply(feed, request));
    changes[response.commit().revision()] = {response.results(0).record_id(), devices.at(carer), *due, Now()};
  }
  return changes;
}

// How often a device lacks something, once nothing is lacking or too much time has passed.
size_t LackingInTheEnd(const SentChanges& changes, const Watch& watch) {
  const Deadline deadline(kLost);
  size_t lacking = LackingOf(changes, watch.arrivals());
  while (lacking > 0 && !deadline.passed() && WaitUntil(Now() + kLookEvery)) {
    lacking = LackingOf(changes, watch.arrivals());
  }
  return lacking;
}

void Evaluate(const SentChanges& changes, const std::vector<Arrival>& arrivals, Stage& stage, Phase& phase) {
  for (std::string& fault : FaultsOfArrivals(changes, arrivals)) stage.faults.Add(std::move(fault));
  for (const Arrival& arrival : arrivals) {
    const auto change = changes.find(arrival.revision);
    if (change == changes.end()) continue;
    // The commit lies between the two; an arrival before the answer counts as 0 after it.
    phase.others["sent to device"].Add(Between(change->second.due, arrival.came));
    phase.others["answered to device"].Add(Between(change->second.answered, arrival.came));
  }
}

// What every visit comes to must come to every device that it concerns.
absl::Status ChangeWhileFollowing(Stage& stage, PrivateVisits& visits, RotaFeed& feed, Watch& watch, Phase& phase) {
  watch.BeginNews();
  ASSIGN_OR_RETURN(const auto changes, ChangeVisits(stage, visits, feed));
  if (const size_t lacking = LackingInTheEnd(changes, watch); lacking > 0) {
    stage.faults.Add(absl::StrCat(lacking, " times a follower lacks what a visit came to, ",
                                  absl::FormatDuration(kLost), " after the last change"));
  }
  phase.sums["changes"] = changes.size();
  Evaluate(changes, watch.arrivals(), stage, phase);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunFollow(Stage& stage) {
  PrivateVisits visits(stage.agency.imported(0), CarersWithDevices(stage), kVisitsOfCarer);
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(0));
  for (const v1::ApplyChangesRequest& request : visits.ChangeAll()) {
    RETURN_IF_ERROR(stage.agency.Apply(*feed, request).status());
  }
  Watch watch;
  absl::Status status;
  bool follow = false;
  Phase& phase = stage.report.AddPhase("follow");
  stage.report.Measure(phase, [&] {
    follow = BeginToFollow(stage, watch, phase);
    if (follow) status = ChangeWhileFollowing(stage, visits, *feed, watch, phase);
    LeaveAndRest(stage.fleet);
  });
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(feed->Close());
  return follow ? absl::OkStatus() : NotAllFollow();
}

absl::Status RunIdle(FleetStage& stage) {
  Phase& before = stage.report.AddPhase("before");
  stage.report.Measure(before, [] {});
  UseNewConnections(stage);
  Watch watch;
  bool follow = false;
  Phase& phase = stage.report.AddPhase("idle");
  stage.report.Measure(phase, [&] { follow = BeginToFollow(stage, watch, phase); });
  LeaveAndRest(stage.fleet);
  return follow ? absl::OkStatus() : NotAllFollow();
}

}  // namespace caresync::loadtest
