// What the scenarios about mismatches share: visits whose changes no device takes, who watches, and what is compared.
#ifndef CARESYNC_LOADTEST_MISMATCH_PLAN_H_
#define CARESYNC_LOADTEST_MISMATCH_PLAN_H_

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "loadtest/deadlines.h"
#include "loadtest/mismatch_watch.h"
#include "loadtest/report.h"
#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"

namespace caresync::loadtest {

// What has not come by then, after the last was due, counts as lost.
inline constexpr absl::Duration kMismatchesLost = absl::Minutes(1);

// So long a server may take for the changes of so many visits: a slow one, on a busy machine.
absl::Duration TimeToTake(size_t changes);
// The whole second at `time` or after it: visits begin at such ones.
absl::Time NextSecond(absl::Time time);
// When the clock of this machine will show `time`.
Instant InstantOf(absl::Time time);
// Adds both to the phase's series, `whose` before their names.
void AddLateness(const std::string& whose, const Lateness& lateness, Phase& phase);

// Visits of a tenant, each of one carer whose device is one of the fleet's. Used by one thread.
class MismatchPlan {
 public:
  // As many visits for each of these carers, `count` at least. `stage` must outlive it.
  MismatchPlan(Stage& stage, size_t count);

  size_t count() const { return visits_.count(); }
  PrivateVisits& visits() { return visits_; }
  // Sends all of them, with new notes; the first time they are new.
  absl::Status SendAll();
  // Of the first so many visits; all are known to the server.
  Starts StartsOfFirst(size_t count) const;
  // From now on somebody watches the tenant's. Errors: those of credentials.
  absl::Status BeginToWatch();
  const MismatchWatch& watch() const { return *watch_; }
  // The end of the watch: adds the faults of what was told, and of what the office's list shows now; exactly `starts`
  // are open. Errors: those of the calls.
  absl::Status Compare(const Starts& starts);

 private:
  Stage& stage_;
  const std::vector<std::string> carers_;
  PrivateVisits visits_;
  std::unique_ptr<MismatchWatch> watch_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_MISMATCH_PLAN_H_
