#include "server/commit/timeline.h"

#include <gtest/gtest.h>

#include "caresync/store/stored.pb.h"
#include "server/base/limits.h"
#include "tests/commit/commit_bench.h"

namespace caresync::commit {
namespace {

class TimelineTest : public ::testing::Test {
 protected:
  // Opens the store anew and commits `commits` times.
  base::CommitPoint Open(storage::Store& store, const std::string& timeline, int commits) {
    CommitBench bench(store, timeline);
    base::CommitPoint head;
    for (int i = 0; i < commits; ++i) head = bench.RunPut("key", std::to_string(++value_)).value().head;
    return head;
  }

  CursorStanding StandingOf(storage::Store& store, const base::CommitPoint& cursor) {
    return Standing(*store.NewSnapshot().value(), tenant_, cursor).value();
  }

  base::CommitPoint HeadOf(storage::Store& store) { return ReadHead(*store.NewSnapshot().value(), tenant_).value(); }

  const base::TenantId tenant_ = TenantNamed("acme");
  int value_ = 0;
  storage::MemoryStore store_;
};

TEST_F(TimelineTest, AreNeverTheSameTwice) {
  fakes::SeededRandom random(1);
  const std::string one = NewTimeline(random);
  EXPECT_FALSE(one.empty());
  EXPECT_NE(one, NewTimeline(random));
}

TEST_F(TimelineTest, ATenantWithoutCommitsStandsAtRevision0OnNoTimeline) {
  EXPECT_EQ(HeadOf(store_), base::CommitPoint{});
  EXPECT_EQ(StandingOf(store_, {}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"first", 1}), CursorStanding::kForeign);
}

TEST_F(TimelineTest, ACursorFromBeforeTheFirstCommitStaysKnown) {
  Open(store_, "first", 3);
  EXPECT_EQ(StandingOf(store_, {}), CursorStanding::kKnown);
}

TEST_F(TimelineTest, EachReachesToTheRevisionBeforeTheNext) {
  EXPECT_EQ(Open(store_, "first", 3), (base::CommitPoint{"first", 3}));
  EXPECT_EQ(Open(store_, "second", 2), (base::CommitPoint{"second", 5}));
  EXPECT_EQ(HeadOf(store_), (base::CommitPoint{"second", 5}));
  EXPECT_EQ(StandingOf(store_, {"first", 1}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"first", 3}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"first", 4}), CursorStanding::kForeign);
  EXPECT_EQ(StandingOf(store_, {"second", 3}), CursorStanding::kForeign);
  EXPECT_EQ(StandingOf(store_, {"second", 4}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"second", 5}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"second", 6}), CursorStanding::kForeign);
}

TEST_F(TimelineTest, AnOpeningThatCommitsNothingLeavesNone) {
  Open(store_, "first", 2);
  Open(store_, "idle", 0);
  EXPECT_EQ(HeadOf(store_), (base::CommitPoint{"first", 2}));
  EXPECT_EQ(StandingOf(store_, {"idle", 2}), CursorStanding::kForeign);
}

TEST_F(TimelineTest, AfterARestoreCursorsIssuedSinceTheBackupAreForeign) {
  Open(store_, "first", 3);
  std::unique_ptr<storage::MemoryStore> restored = store_.Copy();
  const base::CommitPoint lost = Open(store_, "second", 4);
  const base::CommitPoint kept{"first", 3};
  Open(*restored, "third", 9);
  EXPECT_EQ(StandingOf(store_, lost), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(*restored, lost), CursorStanding::kForeign);
  EXPECT_EQ(StandingOf(*restored, kept), CursorStanding::kKnown);
}

TEST_F(TimelineTest, ARevisionTakenAnewSinceARestoreDoesNotMakeTheOldCursorKnown) {
  Open(store_, "first", 3);
  std::unique_ptr<storage::MemoryStore> restored = store_.Copy();
  const base::CommitPoint lost = Open(store_, "first", 4);
  Open(*restored, "third", 9);
  // The head is past its revision again, but that revision was taken by another commit.
  EXPECT_EQ(HeadOf(*restored).revision, 12u);
  EXPECT_EQ(StandingOf(*restored, lost), CursorStanding::kForeign);
}

TEST_F(TimelineTest, TheOldestIsForgottenPastTheBoundAndItsCursorsExpire) {
  base::Revision last = 0;
  for (size_t i = 0; i < base::limits::kTimelines + 2; ++i) {
    last = Open(store_, "timeline-" + std::to_string(i), 1).revision;
  }
  EXPECT_EQ(last, base::limits::kTimelines + 2);
  EXPECT_EQ(StandingOf(store_, {"timeline-0", 1}), CursorStanding::kExpired);
  EXPECT_EQ(StandingOf(store_, {"timeline-1", 2}), CursorStanding::kExpired);
  EXPECT_EQ(StandingOf(store_, {"timeline-2", 3}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"timeline-2", 2}), CursorStanding::kForeign);
  EXPECT_EQ(StandingOf(store_, {"never", 3}), CursorStanding::kForeign);
}

TEST_F(TimelineTest, TwoProcessesThatTakeTurnsKeepEachOthersCursorsKnown) {
  CommitBench one(store_, "one");
  CommitBench two(store_, "two");
  ASSERT_TRUE(one.RunPut("k", "1").ok());
  ASSERT_TRUE(two.RunPut("k", "2").ok());
  ASSERT_TRUE(one.RunPut("k", "3").ok());
  EXPECT_EQ(StandingOf(store_, {"one", 1}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"one", 2}), CursorStanding::kForeign);
  EXPECT_EQ(StandingOf(store_, {"two", 2}), CursorStanding::kKnown);
  EXPECT_EQ(StandingOf(store_, {"one", 3}), CursorStanding::kKnown);
}

}  // namespace
}  // namespace caresync::commit
