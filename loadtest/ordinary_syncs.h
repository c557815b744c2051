// The devices of a fleet that sync as on any day while the others do something else.
#ifndef CARESYNC_LOADTEST_ORDINARY_SYNCS_H_
#define CARESYNC_LOADTEST_ORDINARY_SYNCS_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "loadtest/scenarios.h"

namespace caresync::loadtest {

// One device in ten is such a one.
bool SyncsAsOrdinary(size_t device);
// How many are not.
size_t CountOthers(const Fleet& fleet);

// Their syncs, each a second after the last. The first is after a random part of that time, else all would come in the
// same instant, once a second: a small herd. Used for one device by one thread at a time.
class OrdinarySyncs {
 public:
  explicit OrdinarySyncs(const FleetStage& stage);

  SyncPlan Next(size_t device);

 private:
  // Each device's before its next one.
  std::vector<absl::Duration> pauses_;
};

// What they take while the others do nothing: the phase "quiet", for as long as the scenario lasts.
void RunQuiet(FleetStage& stage);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_ORDINARY_SYNCS_H_
