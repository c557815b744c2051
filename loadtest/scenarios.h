// What a fleet can be asked to do.
#ifndef CARESYNC_LOADTEST_SCENARIOS_H_
#define CARESYNC_LOADTEST_SCENARIOS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "loadtest/agency.h"
#include "loadtest/connections.h"
#include "loadtest/credentials.h"
#include "loadtest/faults.h"
#include "loadtest/fleet.h"
#include "loadtest/options.h"
#include "loadtest/report.h"

namespace caresync::loadtest {

// What a scenario works with that a server which does no work will do for. Every device has made its first copy when it
// begins.
struct FleetStage {
  const Options& options;
  Fleet& fleet;
  Report& report;
  Faults& faults;
  const Credentials& credentials;
  const Connections& connections;
};

// What any scenario works with.
struct Stage : FleetStage {
  Agency& agency;
};

// Each returns when the fleet rests; whatever differs from what was to be expected is added to the faults. Errors:
// those of the calls that are none of a device's.

// Devices that are caught up run auto syncs, each the next one as soon as the last is done.
absl::Status RunEmpty(FleetStage& stage);
// Devices run clean syncs, as above.
absl::Status RunClean(FleetStage& stage);
// Rounds: five records of every device change, then all devices sync. Only the syncs are measured.
absl::Status RunDelta(Stage& stage);
// The start of a shift: thirty records of every device change, then all devices come within the duration, each for one
// standard sync, on connections that are open. Only these are measured.
absl::Status RunShift(Stage& stage);
// Every source sends new visits in messages of 100, as fast as the answers come.
absl::Status RunIngest(Stage& stage);
// The same of one source, to a server that keeps nothing of it.
absl::Status RunIngestOnLimit(FleetStage& stage);
// Devices follow; the time from a commit until its devices have it.
absl::Status RunFollow(Stage& stage);
// Devices connect, follow, and nothing happens: what each of them costs the server in memory. The phase "before" tells
// how much it had while none was connected.
absl::Status RunIdle(FleetStage& stage);
// Everything at once: devices sync with cuts at random points, make clean copies and upload care events while the rota
// changes.
absl::Status RunStorm(Stage& stage);
// Rounds as RunDelta's, first while nothing else goes on, then while a large group of other carers is set up, changed
// and dissolved, which takes the server many commits.
absl::Status RunGroup(Stage& stage);
// First a capacity is measured, by devices that sync as soon as the last sync is done; then syncs arrive at once, twice
// and five times that rate, whatever becomes of them. Some are clean ones. Syncs that are shed are no faults. Of each
// level the arrivals' time is a phase, and the time until what has arrived is done is another one, "after" it.
absl::Status RunOverload(Stage& stage);
// Most devices connect anew and come for a new copy at the same moment, and come back when they are told to; the others
// sync once a second, as before, each at a time of its own.
absl::Status RunHerd(Stage& stage);
// Most devices open a stream for a new copy and, a third each, never read, read and never acknowledge, or lose their
// path at a random message, until the server has ended all of these streams; the others sync once a second, as before,
// each at a time of its own. A stream that the server does not end is a fault.
absl::Status RunStalled(Stage& stage);
// Changes of as many visits as --deadlines says, which no device takes, become mismatches at the same second: how late
// the office is told of each. One that is missing is a fault, and so is one too many.
absl::Status RunDeadlines(Stage& stage);
// Mismatches of another tenant fall due in each second, first alone, then while --changes-per-second messages of 100
// changes come in this one; how late they are told, and how late this one's own are.
absl::Status RunBurst(Stage& stage);

// Devices of further fleets, as large as this one, make their first copies until the tenant has --registered.
absl::Status RunRegister(Stage& stage);
// Writes to --dialogues what the server says to a device of each carer in a clean sync and in an empty auto sync.
absl::Status RunRecord(Stage& stage);

// Waits until the server has nothing left to do of what was before, such as putting in order what was stored: that
// takes processor time as well, and is no sync's. Gives up in the end, as a server that is never quiet is to be
// measured too. How long it waited.
absl::Duration AwaitQuiet(Stage& stage);

// From now on every device comes with a connection that is made for it, as a phone that was away. The fleet's first
// ones stay open, and idle. Once a run.
void UseNewConnections(FleetStage& stage);

// The carers who use the fleet's devices, each once, as the first source names them.
std::vector<std::string> CarersWithDevices(const Stage& stage);

std::vector<std::string> ScenarioNames();
// Devices hold streams open in it: they must not wait for one another's.
bool NeedsConnectionForEach(const std::string& scenario);
// It is about connections and makes its own: the first copies come by a single one.
bool MakesConnections(const std::string& scenario);
// False for "store", which is no fleet's: see bare_store.h.
bool NeedsServer(const std::string& scenario);
// A server that does no work will do for it.
bool RunsOnLimit(const std::string& scenario);
// As RunScenario, of a scenario that RunsOnLimit.
absl::Status RunScenarioOnLimit(FleetStage& stage);
// `stage.options.scenario` is one of ScenarioNames.
absl::Status RunScenario(Stage& stage);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_SCENARIOS_H_
