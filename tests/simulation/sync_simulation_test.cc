// Random schedules of rotas, devices, cuts, crashes and restores, each repeated by its seed. Few of them: caresync-sim
// runs many, several at once.
//
// CARESYNC_SIM_FIRST is the first seed, CARESYNC_SIM_SEEDS how many are run; CARESYNC_SIM_ECHO=1 prints every step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "observability/log.h"
#include "tests/simulation/seed_run.h"

namespace caresync::simulation {
namespace {

constexpr uint64_t kSeeds = 50;

// Each failed once; what was wrong is mended. Their schedules change with the simulation, so what a seed found has a
// test of its own wherever it can have one.
constexpr uint64_t kKnownSeeds[] = {1184};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The command as it stands, wherever it is called from.
std::string ReplayOf(uint64_t seed) {
  return absl::StrCat("CARESYNC_SIM_FIRST=", seed, " CARESYNC_SIM_SEEDS=1 CARESYNC_SIM_ECHO=1 ",
                      std::filesystem::read_symlink("/proc/self/exe").string(),
                      " --gtest_filter=SyncSimulation.EverySchedule*");
}

TEST(SyncSimulation, SeedsThatOnceFailedEndWell) {
  observability::SetLevel(observability::Level::kError);
  for (const uint64_t seed : kKnownSeeds) EXPECT_EQ(RunSeed(seed, false).fault, "") << "replay: " << ReplayOf(seed);
}

TEST(SyncSimulation, EveryScheduleEndsWithWhatTheNaiveModelSays) {
  const uint64_t first = FromEnvironment("CARESYNC_SIM_FIRST", 1);
  const uint64_t seeds = FromEnvironment("CARESYNC_SIM_SEEDS", kSeeds);
  const bool echo = FromEnvironment("CARESYNC_SIM_ECHO", 0) != 0;
  // What the server says of each of thousands of syncs is looked at in a replay only.
  if (!echo) observability::SetLevel(observability::Level::kError);
  Counts counts;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const SeedOutcome outcome = echo ? RunSeed(seed, true) : RunSeedOfMany(seed, IsInSample(seed, first));
    ASSERT_EQ(outcome.fault, "") << "replay: " << ReplayOf(seed);
    AddTo(counts, outcome.counts);
  }
  for (const auto& [what, count] : counts) std::printf("%10" PRIu64 "  %s\n", count, what.c_str());
  EXPECT_THAT(NeverHappened(counts, seeds), testing::IsEmpty());
  EXPECT_THAT(TooOften(counts, seeds), testing::IsEmpty());
}

}  // namespace
}  // namespace caresync::simulation
