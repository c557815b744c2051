// Runs seeds in processes of their own, several at once: one that crashes, or never comes to its end, is a seed that
// failed, and the others go on.
#ifndef CARESYNC_TESTS_SIMULATION_SEED_PROCESSES_H_
#define CARESYNC_TESTS_SIMULATION_SEED_PROCESSES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tests/simulation/seed_run.h"

namespace caresync::simulation {

struct SeedRange {
  uint64_t first = 1;
  uint64_t count = 1;
  // From each to the next one.
  uint64_t step = 1;
};

struct ProcessLimits {
  // At once.
  size_t jobs = 1;
  // A seed that takes longer has failed.
  unsigned seconds_a_seed = 120;
};

// Called in the seed's own process.
using RunInProcess = std::function<SeedOutcome(uint64_t seed)>;
// Called as each ends, in whatever order. False: no further one is begun; those under way are waited for, unheard.
using OnOutcome = std::function<bool(uint64_t seed, const SeedOutcome& outcome)>;

// To be called where no other thread runs. Errors: INTERNAL where the system gives no process or no pipe.
absl::Status RunInProcesses(const SeedRange& seeds, const ProcessLimits& limits, const RunInProcess& run,
                            const OnOutcome& on_outcome);

// How an outcome goes from one process to the other. nullopt where the text is no whole one.
std::string ToText(const SeedOutcome& outcome);
std::optional<SeedOutcome> FromText(std::string_view text);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_SEED_PROCESSES_H_
