// What a power cut may take from a store: nothing that was answered as durable, and no part of a commit.
#include "tests/fault/power_cuts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::fault {
namespace {

using fakes::CommitAndWait;
using fakes::Rows;
using fakes::TemporaryDirectory;
using storage::Commit;
using storage::CommitOutcome;
using storage::CommitResult;
using storage::Durability;
using storage::Space;

constexpr Space kSpaces[] = {Space::kRecords, Space::kFeeds, Space::kDevices};
constexpr char kLast[] = "last";
constexpr uint64_t kRowsKept = 20;
constexpr uint64_t kCommitsOfALife = 30;

std::string KeyOf(uint64_t number) { return absl::StrFormat("row/%08d", number); }

std::string BytesOf(uint64_t number) {
  return absl::StrCat(number, std::string(200 + number * 7'919 % 4'000, static_cast<char>('a' + number % 26)));
}

// Each stands on the one before, and goes to every space. One of three is buffered.
Commit CommitOf(uint64_t number) {
  Commit commit;
  commit.durability = number % 3 == 1 ? Durability::kBuffered : Durability::kDurable;
  const std::optional<std::string> before = number == 1 ? std::nullopt : std::optional(absl::StrCat(number - 1));
  commit.preconditions.push_back({Space::kRecords, kLast, before});
  for (const Space space : kSpaces) {
    commit.writes.push_back({space, kLast, absl::StrCat(number)});
    commit.writes.push_back({space, KeyOf(number), BytesOf(number)});
    if (number > kRowsKept) commit.writes.push_back({space, KeyOf(number - kRowsKept), std::nullopt});
  }
  return commit;
}

// What a space holds after the first `last` commits.
Rows RowsAfter(uint64_t last) {
  Rows rows;
  if (last > 0) rows.emplace_back(kLast, absl::StrCat(last));
  for (uint64_t number = last > kRowsKept ? last - kRowsKept + 1 : 1; number <= last; ++number) {
    rows.emplace_back(KeyOf(number), BytesOf(number));
  }
  return rows;
}

void CommitMany(storage::Store& store, uint64_t count, Reached& reached) {
  const uint64_t first = reached.begun + 1;
  for (uint64_t number = first; number < first + count; ++number) {
    reached.begun = number;
    const Commit commit = CommitOf(number);
    const CommitResult result = CommitAndWait(store, commit);
    ASSERT_EQ(result.outcome, CommitOutcome::kCommitted) << result.detail;
    if (commit.durability == Durability::kDurable) reached.durable = number;
  }
}

// What a store has after a power cut.
struct Found {
  // Why that cannot be; empty: it may.
  std::string fault;
  // The commits that are there.
  uint64_t last = 0;
  // Why it cannot be read.
  absl::Status unread = absl::OkStatus();
};

Found Unread(const absl::Status& why) { return {.fault = std::string(why.message()), .unread = why}; }

Found LookInto(const storage::Store& store, const PowerCut& cut) {
  const auto snapshot = store.NewSnapshot();
  if (!snapshot.ok()) return Unread(snapshot.status());
  const auto last = (*snapshot)->Get(Space::kRecords, kLast);
  if (!last.ok()) return Unread(last.status());
  Found found;
  if (last->has_value() && !absl::SimpleAtoi(**last, &found.last)) return {.fault = "the last is no number"};
  if (found.last < cut.durable || found.last > cut.begun) {
    found.fault = absl::StrCat("it ends at ", found.last, ", not from ", cut.durable, " to ", cut.begun);
  }
  for (const Space space : kSpaces) {
    Rows rows;
    const absl::Status scanned = (*snapshot)->Scan(space, {}, SIZE_MAX, [&](std::string_view key, std::string_view v) {
      rows.emplace_back(key, v);
      return true;
    });
    if (!scanned.ok()) return Unread(scanned);
    if (rows != RowsAfter(found.last)) {
      absl::StrAppend(&found.fault, " space ", static_cast<int>(space), " does not hold the first ", found.last);
    }
  }
  return found;
}

// Starts anew with what the cut left, and goes on. Empty: as it should be.
std::string FaultAfter(const PowerCut& cut) {
  const TemporaryDirectory parent;
  Restore(cut, parent / "store");
  StoreWithPower again(parent / "store");
  if (!again.opened().ok()) return absl::StrCat("it does not open: ", again.opened().status().message());
  const Found found = LookInto(again.store(), cut);
  if (!found.fault.empty()) return found.fault;
  const CommitResult next = CommitAndWait(again.store(), CommitOf(found.last + 1));
  return next.outcome == CommitOutcome::kCommitted ? "" : absl::StrCat("it takes no commits: ", next.detail);
}

// Whether something that was answered as durable is missing: the store ends before it, or says of itself that it has
// lost it. No other fault is a loss.
bool HasLost(const PowerCut& cut) {
  const TemporaryDirectory parent;
  Restore(cut, parent / "store");
  StoreWithPower again(parent / "store");
  if (!again.opened().ok()) return absl::IsDataLoss(again.opened().status());
  const Found found = LookInto(again.store(), cut);
  return found.unread.ok() ? found.last < cut.durable : absl::IsDataLoss(found.unread);
}

std::string Told(const PowerCut& cut, uint64_t seed) {
  std::string files;
  for (const auto& [name, bytes] : cut.database) absl::StrAppend(&files, " ", name, " (", bytes.size(), ")");
  return absl::StrCat("after step ", cut.step, ", leaving ", static_cast<int>(cut.leaves),
                      " of what was not flushed: ", files, "; CARESYNC_POWER_CUT_SEED=", seed);
}

// A store from its making on, opened again and again; the power cut after every step of its disk.
TEST(PowerCuts, AtEveryStepTakeNothingThatWasAnsweredAndNoPartOfACommit) {
  size_t rounds = 0;
  for (uint64_t seed = SeedOfPowerCuts(); rounds < RoundsOfPowerCuts(); ++seed) {
    const TemporaryDirectory parent;
    Reached reached;
    PowerCuts cuts(parent / "store", reached, seed);
    for (int life = 0; life < 3; ++life) {
      StoreWithPower store(parent / "store", cuts.AfterEachStep());
      ASSERT_TRUE(store.opened().ok()) << store.opened().status();
      ASSERT_NO_FATAL_FAILURE(CommitMany(store.store(), kCommitsOfALife, reached));
    }
    for (const PowerCut& cut : cuts.cuts()) {
      EXPECT_EQ(FaultAfter(cut), "") << Told(cut, seed);
      if (HasFailure()) return;
      ++rounds;
    }
  }
}

// Each life begins with what the cut of the last one left, and the power may go again while it is read.
TEST(PowerCuts, OneAfterAnotherTakeNothingThatWasAnswered) {
  std::mt19937_64 seeds(SeedOfPowerCuts());
  PowerCut cut;
  for (size_t round = 0; round < RoundsOfPowerCuts() / 5; ++round) {
    const TemporaryDirectory parent;
    if (round > 0) Restore(cut, parent / "store");
    Reached reached;
    reached.begun = cut.begun;
    reached.durable = cut.durable;
    PowerCuts cuts(parent / "store", reached, seeds());
    {
      StoreWithPower store(parent / "store", cuts.AfterOneStep());
      ASSERT_TRUE(store.opened().ok()) << store.opened().status() << Told(cut, SeedOfPowerCuts());
      const Found found = LookInto(store.store(), cut);
      ASSERT_EQ(found.fault, "") << "round " << round << " " << Told(cut, SeedOfPowerCuts());
      // What is read after a start is on the disk: no later cut takes it.
      reached.begun = found.last;
      reached.durable = found.last;
      ASSERT_NO_FATAL_FAILURE(CommitMany(store.store(), kCommitsOfALife / 2, reached));
    }
    ASSERT_EQ(cuts.cuts().size(), 1u);
    cut = cuts.cuts()[0];
  }
}

std::string NameOf(const testing::TestParamInfo<Flush>& of) {
  switch (of.param) {
    case Flush::kLogs:
      return "Logs";
    case Flush::kManifest:
      return "Manifest";
    case Flush::kTables:
      return "Tables";
    case Flush::kNames:
      break;
  }
  return "Names";
}

class WithoutFlushes : public testing::TestWithParam<Flush> {};

// The cuts find what they are made to find: every kind of flush is one that something answered stands on.
TEST_P(WithoutFlushes, PowerCutsFindLosses) {
  const TemporaryDirectory parent;
  Reached reached;
  PowerCuts cuts(parent / "store", reached, SeedOfPowerCuts());
  for (int life = 0; life < 2; ++life) {
    StoreWithPower store(parent / "store", cuts.AfterEachStep(), {GetParam()});
    ASSERT_TRUE(store.opened().ok()) << store.opened().status();
    ASSERT_NO_FATAL_FAILURE(CommitMany(store.store(), kCommitsOfALife, reached));
  }
  // From the end: there most has been answered.
  EXPECT_TRUE(std::any_of(cuts.cuts().rbegin(), cuts.cuts().rend(), HasLost));
}

INSTANTIATE_TEST_SUITE_P(Of, WithoutFlushes,
                         testing::Values(Flush::kLogs, Flush::kManifest, Flush::kTables, Flush::kNames), NameOf);

}  // namespace
}  // namespace caresync::fault
