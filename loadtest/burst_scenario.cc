// Very many changes of the rota in one tenant, and how late another tenant is told of its mismatches meanwhile.
#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "loadtest/mismatch_plan.h"
#include "loadtest/open_loop.h"
#include "loadtest/rota_feed.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "loadtest/verification.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

namespace limits = base::limits;

// Of the other tenant.
constexpr size_t kOtherDevices = 8;
constexpr size_t kOtherEachSecond = 5;
// The busy tenant's visits begin so long after its changes do: near enough for each to be due as soon as a change can
// be, and not before the run is over.
constexpr absl::Duration kBusyAhead = absl::Minutes(25);
// Messages that may have no answer: with more a server that cannot keep up would be given more than it reads.
constexpr size_t kUnanswered = 16;

constexpr char kOther[] = "other tenant: ";
constexpr char kBusy[] = "busy tenant: ";

// A tenant beside the run's own, on the same server.
struct OtherTenant {
  std::unique_ptr<Credentials> credentials;
  std::unique_ptr<Agency> agency;
  std::unique_ptr<Fleet> fleet;
};

absl::StatusOr<OtherTenant> OpenOther(const Stage& stage) {
  OtherTenant other;
  const std::string tenant = absl::StrFormat("beside-%x", absl::ToUnixMicros(absl::Now()));
  ASSIGN_OR_RETURN(Credentials credentials, stage.credentials.InTenant(tenant));
  other.credentials = std::make_unique<Credentials>(std::move(credentials));
  Options options = stage.options;
  options.rotas.resize(1);
  ASSIGN_OR_RETURN(other.agency, Agency::Open(tenant, options, *other.credentials, stage.connections));
  ASSIGN_OR_RETURN(other.fleet, Fleet::Make(kOtherDevices, tenant, other.agency->carer_ids(), *other.credentials,
                                            stage.connections, stage.faults));
  return other;
}

// The busy tenant's changes: each message at its time, whatever became of those before, as far as the server takes
// them.
class Burst {
 public:
  explicit Burst(MismatchPlan& plan) : plan_(plan) {}

  // Until the time is over and everything is answered.
  absl::Status Send(RotaFeed& feed, double per_second, const Deadline& deadline) {
    Schedule schedule(per_second);
    while (true) {
      const bool may_send = !deadline.passed() && feed.unanswered() < kUnanswered;
      if (may_send && (schedule.IsDue() || feed.unanswered() == 0)) {
        const std::optional<Instant> due = schedule.WaitForNext();
        if (!due.has_value() || deadline.passed()) continue;
        exchanges_.push_back({plan_.visits().Change(kVisitsOfMessage), {}, *due});
        RETURN_IF_ERROR(feed.Send(exchanges_.back().request));
        continue;
      }
      if (feed.unanswered() == 0) return feed.Close();
      Exchange& first = exchanges_[exchanges_.size() - feed.unanswered()];
      ASSIGN_OR_RETURN(first.response, feed.Receive());
      latencies_.Add(Since(first.due));
    }
  }

  // Lets the model take all that was answered. Errors: the model's.
  absl::Status Tell(Model& model) const {
    for (const Exchange& exchange : exchanges_) RETURN_IF_ERROR(model.Take(exchange.request, exchange.response));
    return absl::OkStatus();
  }

  const Histogram& latencies() const { return latencies_; }
  size_t changes() const { return exchanges_.size() * kVisitsOfMessage; }

 private:
  struct Exchange {
    v1::ApplyChangesRequest request;
    v1::ApplyChangesResponse response;
    Instant due;
  };

  MismatchPlan& plan_;
  std::deque<Exchange> exchanges_;
  Histogram latencies_;
};

// Visits that every device of the busy tenant holds, so that nothing of them is a mismatch before they change.
absl::Status PrepareBusy(Stage& stage, MismatchPlan& plan, absl::Time start, Phase& phase) {
  for (size_t i = 0; i < plan.count(); ++i) plan.visits().MoveTo(i, start);
  RETURN_IF_ERROR(plan.SendAll());
  stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs);
  return absl::OkStatus();
}

// From `first` on so many are due in each second.
absl::Status PrepareOther(MismatchPlan& plan, absl::Time first) {
  for (size_t i = 0; i < plan.count(); ++i) {
    const absl::Duration after = absl::Seconds(static_cast<int64_t>(i / kOtherEachSecond));
    plan.visits().MoveTo(i, first + after + limits::kMismatchLatest);
  }
  return plan.SendAll();
}

absl::Status MeasureBurst(Stage& stage, Burst& burst, Phase& phase) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(0));
  absl::Status sent;
  stage.report.Measure(
      phase, [&] { sent = burst.Send(*feed, stage.options.changes_per_second, Deadline(stage.options.duration)); });
  RETURN_IF_ERROR(sent);
  const double due = stage.options.changes_per_second * absl::ToDoubleSeconds(stage.options.duration);
  phase.others["change due to answered"].Merge(burst.latencies());
  phase.sums["changes taken"] = burst.changes();
  phase.figures["changes due, in a minute"] = 60 * kVisitsOfMessage * stage.options.changes_per_second;
  phase.figures["of the changes that were due, taken"] = static_cast<double>(burst.changes()) / kVisitsOfMessage / due;
  return burst.Tell(stage.agency.model());
}

void CheckLateness(const Stage& stage, const Lateness& lateness) {
  if (!stage.options.latest_mismatch.has_value() || StopWished()) return;
  if (lateness.told.max() <= absl::Seconds(*stage.options.latest_mismatch)) return;
  stage.faults.Add(absl::StrFormat("burst: the other tenant was told of a mismatch %s after it was due, past %g s",
                                   absl::FormatDuration(lateness.told.max()), *stage.options.latest_mismatch));
}

// From when on the other tenant's are due: first alone, and from when on beside the burst.
struct Times {
  absl::Time alone;
  absl::Time burst;
};

Times PlanTimes(const Stage& stage, size_t changes) {
  const absl::Duration preparing = TimeToTake(changes) + TimeToTake(stage.fleet.size());
  const absl::Time alone = NextSecond(absl::Now() + preparing + limits::kMismatchSoonest);
  return {alone, alone + stage.options.duration};
}

absl::Status Prepare(Stage& stage, Stage& beside, MismatchPlan& busy, MismatchPlan& quiet, const Times& times) {
  Phase& phase = stage.report.AddPhase("before");
  absl::Status prepared;
  stage.report.Measure(phase, [&] {
    beside.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs);
    prepared = PrepareOther(quiet, times.alone);
    if (prepared.ok()) prepared = PrepareBusy(stage, busy, NextSecond(times.burst + kBusyAhead), phase);
  });
  if (absl::Now() > times.alone) {
    stage.faults.Add("before: it took so long that nothing is known of what comes alone");
  }
  return prepared;
}

// Both tenants' figures and faults, once all has come that comes.
absl::Status Conclude(const Stage& stage, MismatchPlan& busy, MismatchPlan& quiet, size_t changes, const Times& times,
                      Phase& alone, Phase& burst) {
  // Its own come when the devices have had their two minutes.
  const Starts changed = busy.StartsOfFirst(std::min(busy.count(), changes));
  const Starts of_other = quiet.StartsOfFirst(quiet.count());
  Phase& after = stage.report.AddPhase("after");
  stage.report.Measure(after, [&] {
    const absl::Time lost = absl::Now() + limits::kMismatchSoonest + kMismatchesLost;
    busy.watch().WaitFor(changed, lost);
    quiet.watch().WaitFor(of_other, lost);
  });
  const ToldMismatches told = quiet.watch().told();
  AddLateness(kOther, LatenessOf(of_other, told, times.alone, times.burst), alone);
  const Lateness lateness = LatenessOf(of_other, told, times.burst, times.burst + stage.options.duration);
  AddLateness(kOther, lateness, burst);
  AddLateness(kBusy, LatenessOf(changed, busy.watch().told()), after);
  CheckLateness(stage, lateness);
  RETURN_IF_ERROR(quiet.Compare(of_other));
  return busy.Compare(changed);
}

absl::Status VerifyOther(Stage& beside) {
  Verified compared;
  absl::Status verified;
  Phase& last = beside.report.AddPhase("other tenant's last syncs");
  beside.report.Measure(last,
                        [&] { verified = Verify(beside.agency, beside.fleet, last.syncs, beside.faults, compared); });
  return verified;
}

}  // namespace

absl::Status RunBurst(Stage& stage) {
  ASSIGN_OR_RETURN(const OtherTenant other, OpenOther(stage));
  Stage beside{{stage.options, *other.fleet, stage.report, stage.faults, *other.credentials, stage.connections},
               *other.agency};
  MismatchPlan busy(stage, stage.options.deadlines);
  const absl::Duration seconds = absl::Ceil(2 * stage.options.duration, absl::Seconds(1));
  MismatchPlan quiet(beside, kOtherEachSecond * static_cast<size_t>(absl::ToInt64Seconds(seconds)));
  const Times times = PlanTimes(stage, busy.count() + quiet.count());
  RETURN_IF_ERROR(Prepare(stage, beside, busy, quiet, times));
  RETURN_IF_ERROR(busy.BeginToWatch());
  RETURN_IF_ERROR(quiet.BeginToWatch());

  WaitUntil(InstantOf(times.alone));
  Phase& alone = stage.report.AddPhase("alone");
  stage.report.Measure(alone, [&] { WaitUntil(InstantOf(times.burst)); });
  Phase& phase = stage.report.AddPhase("burst");
  Burst burst(busy);
  RETURN_IF_ERROR(MeasureBurst(stage, burst, phase));
  RETURN_IF_ERROR(Conclude(stage, busy, quiet, burst.changes(), times, alone, phase));
  return VerifyOther(beside);
}

}  // namespace caresync::loadtest
