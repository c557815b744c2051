// One seed from its beginning to its end, and what a run of many seeds must have met.
#ifndef CARESYNC_TESTS_SIMULATION_SEED_RUN_H_
#define CARESYNC_TESTS_SIMULATION_SEED_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

// Fewer seeds than this need not meet every fault: of most there are one or two in a hundred, of the rarest fewer.
inline constexpr uint64_t kSeedsForAllFaults = 300;
inline constexpr uint64_t kSeedsForTheRarest = 2'000;
// One seed of so many is run twice.
inline constexpr uint64_t kSampled = 50;

struct SeedOutcome {
  // The first rule that was broken; empty: none.
  std::string fault;
  // Over all that was committed and sent.
  uint64_t trace_hash = 0;
  Counts counts;
};

// Runs the seed's schedule, all in this thread. `echo`: each step is printed.
SeedOutcome RunSeed(uint64_t seed, bool echo);

// Likewise, and a seed of the sample runs twice: it is a fault where its second run is not the first one over again.
// The counts are those of one run.
SeedOutcome RunSeedOfMany(uint64_t seed, bool in_sample);

// Whether a seed of a run that begins with `first` is run twice.
bool IsInSample(uint64_t seed, uint64_t first);

// Faults and transitions without which a run of so many seeds has not tried what it is for: those of which `counts` has
// none.
std::vector<std::string> NeverHappened(const Counts& counts, uint64_t seeds);

// What may happen, and in a run of so many seeds has happened more often than it may.
std::vector<std::string> TooOften(const Counts& counts, uint64_t seeds);

void AddTo(Counts& sums, const Counts& counts);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SEED_RUN_H_
