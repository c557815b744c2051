// caresync-sim: runs seeds of the simulation, several at once, says what happened in them, and measures by how many of
// them each planted bug is found.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "observability/log.h"
#include "server/base/planted_bug.h"
#include "tests/simulation/planted_bugs.h"
#include "tests/simulation/seed_processes.h"
#include "tests/simulation/seed_run.h"

namespace caresync::simulation {
namespace {

constexpr int kWrong = 1;
constexpr int kBadOptions = 2;

struct Options {
  // As this program was called, so that a seed's replay can be called likewise.
  std::string program;
  SeedRange seeds{1, kSeedsForAllFaults};
  ProcessLimits limits{std::max(1u, std::thread::hardware_concurrency()), 120};
  // Empty: none.
  std::string bug;
  bool list_bugs = false;
  bool planted = false;
  bool until_found = false;
  bool echo = false;
};

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--seeds", options.seeds.count, "How many")->check(CLI::Range(1, 10'000'000))->capture_default_str();
  app.add_option("--first", options.seeds.first, "The first of them")->capture_default_str();
  app.add_option("--jobs", options.limits.jobs, "So many at once")->check(CLI::Range(1, 1'024))->capture_default_str();
  app.add_option("--seconds-a-seed", options.limits.seconds_a_seed, "A seed that takes longer has failed")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_flag("--echo", options.echo, "Print each step");
  app.add_option("--bug", options.bug, "Plant this bug; only in a build with planted bugs");
  app.add_flag("--list-bugs", options.list_bugs, "Name the bugs that can be planted");
  app.add_flag("--planted", options.planted, "Plant each bug in turn, and say by how many of the seeds it is found");
  app.add_flag("--until-found", options.until_found, "With --planted: each bug until one seed has found it");
}

// What is wrong with the options together; empty where nothing is.
std::string Check(const Options& options) {
  if (options.planted && !options.bug.empty()) return "--planted plants every bug; leave --bug out";
  if (options.until_found && !options.planted) return "--until-found goes with --planted";
  if (!options.bug.empty() && !FindPlantedBug(options.bug).has_value()) {
    return absl::StrCat("there is no bug ", options.bug, "; --list-bugs names them");
  }
  if ((options.planted || !options.bug.empty()) && !base::kHasPlantedBugs) {
    return "no bug is planted in this build; build the preset `planted` and use its caresync-sim";
  }
  return "";
}

int TellError(const std::string& what) {
  std::cerr << "error: " << what << "\n";
  return kBadOptions;
}

std::string ReplayOf(uint64_t seed, const Options& options) {
  const std::string bug = options.bug.empty() ? "" : absl::StrCat(" --bug ", options.bug);
  return absl::StrCat(options.program, " --seeds 1 --first ", seed, " --echo", bug);
}

int ListBugs() {
  for (const NamedBug& bug : PlantedBugs()) std::printf("%-26s %s\n", bug.name, bug.what);
  return 0;
}

// ---- Seeds as they are

// What the seeds of a run came to.
struct SeedsRun {
  Counts counts;
  uint64_t failed = 0;
  // Of those that are to run once more.
  std::map<uint64_t, uint64_t> traces;
};

SeedOutcome RunOne(uint64_t seed, const Options& options) {
  if (const std::optional<NamedBug> bug = FindPlantedBug(options.bug); bug.has_value()) base::PlantBug(bug->bug);
  return RunSeed(seed, options.echo);
}

void TellFault(uint64_t seed, const SeedOutcome& outcome, const Options& options) {
  std::printf("seed %" PRIu64 ": %s\n  trace %016" PRIx64 "\n  replay: %s\n", seed, outcome.fault.c_str(),
              outcome.trace_hash, ReplayOf(seed, options).c_str());
}

absl::Status RunOnce(const Options& options, SeedsRun& run) {
  return RunInProcesses(
      options.seeds, options.limits, [&options](uint64_t seed) { return RunOne(seed, options); },
      [&](uint64_t seed, const SeedOutcome& outcome) {
        AddTo(run.counts, outcome.counts);
        if (!outcome.fault.empty()) {
          ++run.failed;
          TellFault(seed, outcome, options);
          return true;
        }
        if (options.seeds.count == 1) std::printf("trace %016" PRIx64 "\n", outcome.trace_hash);
        if (IsInSample(seed, options.seeds.first)) run.traces[seed] = outcome.trace_hash;
        return true;
      });
}

// Runs those of the sample once more, in other processes, where addresses are others: what is committed and sent then
// must be the same.
absl::Status RunSampleAgain(const Options& options, SeedsRun& run) {
  SeedRange sample = options.seeds;
  sample.step = kSampled;
  sample.count = (options.seeds.count + kSampled - 1) / kSampled;
  return RunInProcesses(
      sample, options.limits, [&options](uint64_t seed) { return RunOne(seed, options); },
      [&](uint64_t seed, SeedOutcome outcome) {
        const auto first = run.traces.find(seed);
        if (first == run.traces.end() || first->second == outcome.trace_hash) return true;
        ++run.failed;
        outcome.fault = absl::StrFormat("the seed does not repeat itself: its trace was %016x", first->second);
        TellFault(seed, outcome, options);
        return true;
      });
}

int RunSeeds(const Options& options) {
  SeedsRun run;
  absl::Status ran = RunOnce(options, run);
  // A replay that is read need not be there twice.
  if (ran.ok() && !options.echo) ran = RunSampleAgain(options, run);
  if (!ran.ok()) return TellError(std::string(ran.message()));
  for (const auto& [what, count] : run.counts) std::printf("%10" PRIu64 "  %s\n", count, what.c_str());
  const std::vector<std::string> missing = NeverHappened(run.counts, options.seeds.count);
  for (const std::string& what : missing) std::printf("never happened: %s\n", what.c_str());
  const std::vector<std::string> too_often = TooOften(run.counts, options.seeds.count);
  for (const std::string& what : too_often) std::printf("happened too often: %s\n", what.c_str());
  std::printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", options.seeds.count, run.failed);
  return run.failed == 0 && missing.empty() && too_often.empty() ? 0 : kWrong;
}

// ---- Planted bugs

struct Finding {
  uint64_t seeds = 0;
  uint64_t found = 0;
  // The lowest seed that found it, and what it said.
  uint64_t first = 0;
  std::string fault;
};

absl::Status Measure(const Options& options, const NamedBug& bug, Finding& finding) {
  return RunInProcesses(
      options.seeds, options.limits,
      [&bug](uint64_t seed) {
        base::PlantBug(bug.bug);
        return RunSeed(seed, false);
      },
      [&](uint64_t seed, const SeedOutcome& outcome) {
        ++finding.seeds;
        if (outcome.fault.empty()) return true;
        if (++finding.found == 1 || seed < finding.first) {
          finding.first = seed;
          finding.fault = outcome.fault;
        }
        return !options.until_found;
      });
}

int RunPlanted(const Options& options) {
  bool all_found = true;
  std::printf("%-26s %13s  %s\n", "planted bug", "found by", "first found");
  for (const NamedBug& bug : PlantedBugs()) {
    Finding finding;
    const absl::Status measured = Measure(options, bug, finding);
    if (!measured.ok()) return TellError(std::string(measured.message()));
    all_found = all_found && finding.found > 0;
    const std::string by = absl::StrCat(finding.found, " of ", finding.seeds);
    const std::string first =
        finding.found > 0 ? absl::StrCat("seed ", finding.first, ", ", finding.fault) : "NOT FOUND";
    std::printf("%-26s %13s  %s\n", bug.name, by.c_str(), first.c_str());
    std::fflush(stdout);
  }
  return all_found ? 0 : kWrong;
}

int Main(int argc, char** argv) {
  Options options;
  options.program = argv[0];
  CLI::App app("Random schedules of rotas, devices, faults and restores against a naive model.");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadOptions;
  }
  if (options.list_bugs) return ListBugs();
  if (const std::string wrong = Check(options); !wrong.empty()) return TellError(wrong);
  // What the server says of each of thousands of syncs is looked at in a replay only.
  if (!options.echo) observability::SetLevel(observability::Level::kError);
  return options.planted ? RunPlanted(options) : RunSeeds(options);
}

}  // namespace
}  // namespace caresync::simulation

int main(int argc, char** argv) { return caresync::simulation::Main(argc, argv); }
