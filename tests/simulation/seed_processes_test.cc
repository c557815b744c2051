// Seeds that crash, hang or fail are told of, and keep nobody else from being run.
#include "tests/simulation/seed_processes.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "server/base/planted_bug.h"
#include "tests/simulation/planted_bugs.h"

namespace caresync::simulation {
namespace {

std::map<uint64_t, SeedOutcome> RunAll(const SeedRange& seeds, const ProcessLimits& limits, const RunInProcess& run) {
  std::map<uint64_t, SeedOutcome> outcomes;
  const absl::Status ran = RunInProcesses(seeds, limits, run, [&](uint64_t seed, const SeedOutcome& outcome) {
    EXPECT_TRUE(outcomes.emplace(seed, outcome).second) << "seed " << seed << " ends twice";
    return true;
  });
  EXPECT_TRUE(ran.ok()) << ran;
  return outcomes;
}

TEST(SeedProcesses, EverySeedIsRunOnceAndItsOutcomeComesWhole) {
  const auto outcomes = RunAll({10, 7}, {3, 60}, [](uint64_t seed) {
    return SeedOutcome{"step 3:\n a \"fault\"", seed * seed, {{"ended OK", seed}, {"\n", 1}, {"a, b: c", 2}}};
  });
  ASSERT_EQ(outcomes.size(), 7u);
  for (const auto& [seed, outcome] : outcomes) {
    EXPECT_EQ(outcome.fault, "step 3:\n a \"fault\"");
    EXPECT_EQ(outcome.trace_hash, seed * seed);
    EXPECT_EQ(outcome.counts, (Counts{{"ended OK", seed}, {"\n", 1}, {"a, b: c", 2}}));
  }
  EXPECT_EQ(outcomes.begin()->first, 10u);
  EXPECT_EQ(outcomes.rbegin()->first, 16u);
}

TEST(SeedProcesses, SeedsMayLieApart) {
  const auto outcomes = RunAll({10, 3, 50}, {2, 60}, [](uint64_t seed) { return SeedOutcome{"", seed, {}}; });
  ASSERT_EQ(outcomes.size(), 3u);
  for (const uint64_t seed : {10, 60, 110}) EXPECT_EQ(outcomes.at(seed).trace_hash, seed);
}

TEST(SeedProcesses, ASeedThatCrashesHasFailedAndTheOthersGoOn) {
  const auto outcomes = RunAll({1, 4}, {2, 60}, [](uint64_t seed) {
    if (seed == 2) std::abort();
    if (seed == 3) _Exit(0);
    return SeedOutcome{};
  });
  ASSERT_EQ(outcomes.size(), 4u);
  EXPECT_EQ(outcomes.at(1).fault, "");
  EXPECT_NE(outcomes.at(2).fault.find("it crashed"), std::string::npos) << outcomes.at(2).fault;
  EXPECT_NE(outcomes.at(3).fault.find("without an outcome"), std::string::npos) << outcomes.at(3).fault;
  EXPECT_EQ(outcomes.at(4).fault, "");
}

TEST(SeedProcesses, ASeedThatDoesNotEndHasFailed) {
  // The alarm rings at once instead of after a minute.
  const auto outcomes = RunAll({1, 1}, {1, 60}, [](uint64_t) {
    std::raise(SIGALRM);
    return SeedOutcome{};
  });
  EXPECT_NE(outcomes.at(1).fault.find("does not come to its end"), std::string::npos) << outcomes.at(1).fault;
}

TEST(SeedProcesses, NoFurtherSeedIsBegunOnceEnoughIsKnown) {
  std::set<uint64_t> heard;
  const absl::Status ran = RunInProcesses(
      {1, 1'000}, {1, 60}, [](uint64_t) { return SeedOutcome{}; },
      [&](uint64_t seed, const SeedOutcome&) {
        heard.insert(seed);
        return seed < 3;
      });
  EXPECT_TRUE(ran.ok()) << ran;
  EXPECT_EQ(heard, (std::set<uint64_t>{1, 2, 3}));
}

TEST(SeedProcesses, HalfAnOutcomeIsNone) {
  const std::string whole = ToText({"", 7, {{"ended OK", 1}}});
  EXPECT_TRUE(FromText(whole).has_value());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(FromText(std::string_view(whole).substr(0, size)).has_value()) << size;
  }
}

TEST(PlantedBugs, HaveANameEachAndAreInNoOrdinaryBuild) {
  std::set<std::string> names;
  std::set<base::PlantedBug> bugs;
  for (const NamedBug& bug : PlantedBugs()) {
    EXPECT_TRUE(names.insert(bug.name).second) << bug.name;
    EXPECT_TRUE(bugs.insert(bug.bug).second) << bug.name;
    EXPECT_EQ(FindPlantedBug(bug.name)->bug, bug.bug);
    EXPECT_FALSE(base::HasPlantedBug(bug.bug)) << bug.name;
  }
  EXPECT_EQ(bugs.size(), 20u);
  EXPECT_FALSE(FindPlantedBug("").has_value());
  EXPECT_FALSE(FindPlantedBug("no such bug").has_value());
}

}  // namespace
}  // namespace caresync::simulation
