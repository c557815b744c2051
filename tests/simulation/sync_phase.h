// How far a sync has come, as far as can be told from outside: what the faults that meet it are counted by.
#ifndef CARESYNC_TESTS_SIMULATION_SYNC_PHASE_H_
#define CARESYNC_TESTS_SIMULATION_SYNC_PHASE_H_

#include <cstddef>

#include "tests/simulation/simulated_stream.h"

namespace caresync::simulation {

enum class SyncPhase {
  kUnanswered,  // `start` has no answer.
  kUploading,   // The device owes events, or the server results.
  kNewCopy,     // A batch of a new copy was sent, and no `caught_up` since.
  kDelta,       // Likewise of a delta.
  kCaughtUp,    // `caught_up` was sent, and its ack has not come.
  kFollowing,   // It is recorded, and nothing has begun since.
  kOther,       // It waits, is refused, is acknowledged and not recorded, or has ended.
};
// Those before kOther: a fault may be wanted in each of them.
inline constexpr size_t kPhasesOfSyncs = 6;

SyncPhase PhaseOf(const SimulatedStream& stream);
// Of one whose session is there.
SyncPhase PhaseOf(const StreamFacts& facts);

// In a few words, as counts name it.
const char* NameOf(SyncPhase phase);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SYNC_PHASE_H_
