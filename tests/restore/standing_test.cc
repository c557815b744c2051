#include "server/restore/standing.h"

#include <functional>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::restore {
namespace {

constexpr absl::Duration kBound = absl::Minutes(60);

class StandingTest : public testing::Test {
 protected:
  StandingTest() { engine_->CreateTenant(tenant_); }

  absl::Time Now() { return engine_->clock().Now(); }
  Standing StandingNow() {
    return StandingOf(*engine_->Snapshot(), tenant_, engine_->opening(), kBound, Now()).value();
  }
  // A commit of `source`, with what it says beside.
  void Commit(const std::string& source, const std::function<absl::Status(commit::Transaction&)>& says) {
    const auto committed = engine_->Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
      transaction.Put(storage::Space::kRecords, "a record of " + source, std::to_string(++value_));
      const absl::Status said = says(transaction);
      return said.ok() ? NoteActivity(transaction, source) : said;
    });
    ASSERT_TRUE(committed.ok()) << committed.status();
  }
  void Send(const std::string& source) {
    Commit(source, [](commit::Transaction&) { return absl::OkStatus(); });
  }
  // A commit of none.
  void CommitOther() {
    const auto committed = engine_->Run(tenant_, [&](commit::Transaction& transaction) {
      transaction.Put(storage::Space::kRecords, "a care event", std::to_string(++value_));
      return absl::OkStatus();
    });
    ASSERT_TRUE(committed.ok());
  }
  void NameKnown(const std::string& source) {
    Commit(source, [&](commit::Transaction& t) { return ConfirmKnown(t, source, engine_->opening().timeline); });
  }
  void SayResent(const std::string& source) {
    Commit(source, [&](commit::Transaction& t) { return ConfirmResent(t, source, engine_->opening().timeline); });
  }
  commit::PastCommit NameForeign(const std::string& source, const base::CommitPoint& seen) {
    commit::PastCommit common;
    Commit(source, [&](commit::Transaction& t) {
      const auto known = NoteForeign(t, source, engine_->opening().timeline, seen);
      common = known.value_or(commit::PastCommit());
      return known.status();
    });
    return common;
  }
  absl::Time ReleaseNow() {
    absl::Time released;
    const auto committed = engine_->Run(tenant_, [&](commit::Transaction& transaction) {
      const absl::StatusOr<absl::Time> time = Release(transaction, engine_->opening().timeline);
      released = time.value_or(absl::InfinitePast());
      return time.status();
    });
    EXPECT_TRUE(committed.ok());
    return released;
  }
  void NoteLostNow(const std::string& timeline) {
    const auto committed = engine_->Run(tenant_, [&](commit::Transaction& transaction) {
      return NoteLost(transaction, engine_->opening().timeline, timeline);
    });
    ASSERT_TRUE(committed.ok());
  }
  base::CommitPoint Head() { return commit::ReadHead(*engine_->Snapshot(), tenant_).value(); }

  void TakeBackup() { backup_ = engine_->memory().Copy(); }
  // Opens `memory` in place of what is open, `later`.
  void Open(std::unique_ptr<storage::MemoryStore> memory, absl::Duration later = absl::ZeroDuration()) {
    const absl::Time now = Now() + later;
    engine_ = std::make_unique<fakes::Engine>(std::move(memory), ++openings_, now);
  }
  void Restore(absl::Duration later = absl::ZeroDuration()) { Open(backup_->Copy(), later); }
  void Restart() { Open(engine_->memory().Copy()); }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  int value_ = 0;
  uint64_t openings_ = 1;
  std::unique_ptr<fakes::Engine> engine_ = std::make_unique<fakes::Engine>();
  std::unique_ptr<storage::MemoryStore> backup_;
};

TEST_F(StandingTest, ASourceThatWasActiveIsWaitedForUntilItNamesAKnownCommit) {
  Send("rota");
  Restart();
  const absl::Time opened = Now();
  EXPECT_TRUE(StandingNow().waiting);
  EXPECT_EQ(StandingNow().released_time, opened + kBound);
  engine_->Advance(absl::Minutes(7));
  NameKnown("rota");
  EXPECT_FALSE(StandingNow().waiting);
  EXPECT_EQ(StandingNow().released_time, opened + absl::Minutes(7));
}

TEST_F(StandingTest, ConfirmingInAnEarlierOpeningSaysNothing) {
  NameKnown("rota");
  EXPECT_FALSE(StandingNow().waiting);
  Restart();
  EXPECT_TRUE(StandingNow().waiting);
}

TEST_F(StandingTest, EverySourceIsWaitedFor) {
  Send("rota");
  Send("planner");
  Restart();
  NameKnown("rota");
  EXPECT_TRUE(StandingNow().waiting);
  engine_->Advance(absl::Minutes(1));
  SayResent("planner");
  EXPECT_FALSE(StandingNow().waiting);
  EXPECT_EQ(StandingNow().released_time, Now());
}

TEST_F(StandingTest, SendingIsNotConfirming) {
  Send("rota");
  Restart();
  Send("rota");
  EXPECT_TRUE(StandingNow().waiting);
}

TEST_F(StandingTest, ASourceThatSentNothingFor7DaysIsNotWaitedFor) {
  Send("planner");
  engine_->Advance(base::limits::kSourceActive + absl::Seconds(1));
  Send("rota");
  Restart();
  NameKnown("rota");
  EXPECT_FALSE(StandingNow().waiting);
}

TEST_F(StandingTest, ASourceThatSentSomething7DaysAgoIsWaitedFor) {
  Send("planner");
  engine_->Advance(base::limits::kSourceActive);
  Send("rota");
  Restart();
  NameKnown("rota");
  EXPECT_TRUE(StandingNow().waiting);
}

TEST_F(StandingTest, WhereNoSourceWasActiveNobodyWaits) {
  Send("planner");
  engine_->Advance(base::limits::kSourceActive + absl::Seconds(1));
  CommitOther();
  Restart();
  EXPECT_FALSE(StandingNow().waiting);
  EXPECT_EQ(StandingNow().released_time, Now());
}

TEST_F(StandingTest, AnOldBackupIsWaitedForLikeOneOfYesterday) {
  Send("rota");
  Send("planner");
  TakeBackup();
  Restore(absl::Hours(24 * 30));
  EXPECT_TRUE(StandingNow().waiting);
  NameKnown("rota");
  EXPECT_TRUE(StandingNow().waiting) << "the other source is a month behind";
  NameKnown("planner");
  EXPECT_FALSE(StandingNow().waiting);
}

TEST_F(StandingTest, AStoreThatKnowsNoSourceWaitsForTheBound) {
  Restart();
  EXPECT_TRUE(StandingNow().waiting);
  engine_->Advance(kBound - absl::Seconds(1));
  EXPECT_TRUE(StandingNow().waiting);
  engine_->Advance(absl::Seconds(1));
  EXPECT_FALSE(StandingNow().waiting);
}

TEST_F(StandingTest, TheBoundEndsIt) {
  Send("rota");
  Restart();
  const absl::Time opened = Now();
  engine_->Advance(kBound);
  EXPECT_FALSE(StandingNow().waiting);
  engine_->Advance(absl::Hours(1));
  EXPECT_EQ(StandingNow().released_time, opened + kBound);
  NameKnown("rota");
  EXPECT_EQ(StandingNow().released_time, opened + kBound) << "it had ended before";
}

TEST_F(StandingTest, AReleaseHoldsForItsOpening) {
  Send("rota");
  Restart();
  engine_->Advance(absl::Minutes(5));
  const absl::Time released = ReleaseNow();
  EXPECT_EQ(released, Now());
  EXPECT_FALSE(StandingNow().waiting);
  engine_->Advance(absl::Minutes(5));
  const base::Revision before = Head().revision;
  EXPECT_EQ(ReleaseNow(), released);
  EXPECT_EQ(Head().revision, before) << "repeating it takes a revision";
  EXPECT_EQ(StandingNow().released_time, released);
  Restart();
  EXPECT_TRUE(StandingNow().waiting);
}

TEST_F(StandingTest, WhicheverIsFirstEndsIt) {
  Send("rota");
  Restart();
  engine_->Advance(absl::Minutes(1));
  NameKnown("rota");
  const absl::Time confirmed = Now();
  engine_->Advance(absl::Minutes(1));
  ReleaseNow();
  EXPECT_EQ(StandingNow().released_time, confirmed);

  Restart();
  EXPECT_TRUE(StandingNow().waiting);
  engine_->Advance(absl::Minutes(1));
  const absl::Time released = ReleaseNow();
  engine_->Advance(absl::Minutes(1));
  NameKnown("rota");
  EXPECT_EQ(StandingNow().released_time, released);
}

TEST_F(StandingTest, AClockThatIsSetBackDoesNotUndoARelease) {
  Send("rota");
  Restart();
  ReleaseNow();
  engine_->clock().SetNow(Now() - absl::Hours(1));
  EXPECT_FALSE(StandingNow().waiting);
}

TEST_F(StandingTest, ASourceThatWasToldOfTheRestoreConfirmsByResentAlone) {
  Send("rota");
  TakeBackup();
  Send("rota");
  const base::CommitPoint lost = Head();
  Restore();
  NameForeign("rota", lost);
  NameKnown("rota");
  EXPECT_TRUE(StandingNow().waiting);
  Restart();
  NameKnown("rota");
  EXPECT_TRUE(StandingNow().waiting) << "it has still not sent all";
  SayResent("rota");
  EXPECT_FALSE(StandingNow().waiting);
  Restart();
  NameKnown("rota");
  EXPECT_FALSE(StandingNow().waiting);
}

TEST_F(StandingTest, WhatTheSourceAndTheStoreHaveInCommonIsTold) {
  Send("rota");
  engine_->Advance(absl::Minutes(1));
  Send("rota");
  const base::CommitPoint kept = Head();
  const absl::Time kept_time = Now();
  TakeBackup();
  engine_->Advance(absl::Minutes(1));
  Send("rota");
  const base::CommitPoint lost = Head();
  Restore(absl::Hours(1));
  // Others commit before the source comes.
  Send("planner");
  Send("planner");
  const commit::PastCommit common = NameForeign("rota", lost);
  EXPECT_EQ(common.point, kept);
  EXPECT_EQ(common.time, kept_time);
}

TEST_F(StandingTest, WhatALostTimelineHasInCommonIsTheHeadAtTheOpening) {
  Send("rota");
  const base::CommitPoint kept = Head();
  TakeBackup();
  Restart();
  Send("rota");
  const base::CommitPoint lost = Head();
  Restore();
  EXPECT_EQ(NameForeign("rota", lost).point, kept);
}

TEST_F(StandingTest, AServerThatWasStartedAgainSinceTheRestoreTellsNoLaterCommit) {
  NameKnown("rota");
  const base::CommitPoint kept = Head();
  TakeBackup();
  Restart();
  NameKnown("rota");
  const base::CommitPoint lost = Head();
  Restore();
  Send("planner");
  Restart();
  Send("planner");
  EXPECT_EQ(NameForeign("rota", lost).point, kept);
}

TEST_F(StandingTest, AStoreWithoutAPastHasNothingInCommon) {
  TakeBackup();
  engine_ = std::make_unique<fakes::Engine>(9);
  engine_->CreateTenant(tenant_);
  const commit::PastCommit common = NameForeign("rota", {"0123456789abcdef0123456789abcdef", 7});
  EXPECT_EQ(common.point, base::CommitPoint{});
  EXPECT_EQ(common.time, absl::InfinitePast());
}

// What such a source cancels after a backup is lost by the restore like anybody's.
TEST_F(StandingTest, ASourceThatOnlySendsWhatIsThereAlreadyIsWaitedFor) {
  const auto send_rota = [&] {
    return engine_->ApplyChanges(tenant_, "rota", {fakes::CarerChange("ann")}).at(0).outcome();
  };
  EXPECT_EQ(send_rota(), v1::CHANGE_OUTCOME_CREATED);
  for (int night = 0; night < 8; ++night) {
    engine_->Advance(absl::Hours(24));
    EXPECT_EQ(send_rota(), v1::CHANGE_OUTCOME_UNCHANGED);
    CommitOther();
  }
  Restart();
  EXPECT_TRUE(StandingNow().waiting);
}

TEST_F(StandingTest, ActivityIsWrittenOnceAnHourAndAloneOnceADay) {
  const auto written_alone = [&] {
    return engine_->Run(tenant_, [](commit::Transaction& transaction) { return NoteActivity(transaction, "rota"); })
        ->wrote;
  };
  EXPECT_FALSE(written_alone()) << "nothing was ever taken of it";
  Send("rota");
  const auto row = [&] {
    return *engine_->Snapshot()->Get(storage::Space::kRecords, base::keys::SourceStanding(tenant_, "rota"));
  };
  const auto first = row();
  engine_->Advance(base::limits::kSourceActivityEvery - absl::Seconds(1));
  Send("rota");
  EXPECT_EQ(row(), first);
  engine_->Advance(absl::Seconds(1));
  Send("rota");
  EXPECT_NE(row(), first);
  EXPECT_FALSE(written_alone());
  engine_->Advance(kActivityAloneEvery - absl::Seconds(1));
  EXPECT_FALSE(written_alone());
  engine_->Advance(absl::Seconds(1));
  EXPECT_TRUE(written_alone());
  EXPECT_FALSE(written_alone());
}

TEST_F(StandingTest, ConfirmingAgainTakesNoRevision) {
  NameKnown("rota");
  const auto again = engine_->Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
    const std::string& opening = engine_->opening().timeline;
    if (absl::Status known = ConfirmKnown(transaction, "rota", opening); !known.ok()) return known;
    return ConfirmResent(transaction, "rota", opening);
  });
  EXPECT_FALSE(again->wrote);
}

TEST_F(StandingTest, TenantsAreApart) {
  const base::TenantId other = fakes::Tenant("other");
  engine_->CreateTenant(other);
  Send("rota");
  NameKnown("rota");
  EXPECT_FALSE(StandingNow().waiting);
  EXPECT_TRUE(StandingOf(*engine_->Snapshot(), other, engine_->opening(), kBound, Now())->waiting);
}

// ---- Losses

TEST_F(StandingTest, ALossIsNotedOnceForATimeline) {
  EXPECT_EQ(LossesOf(*engine_->Snapshot(), tenant_, "lost")->noted, 0u);
  NoteLostNow("lost");
  const base::Revision noted = Head().revision;
  const Losses losses = *LossesOf(*engine_->Snapshot(), tenant_, "lost");
  EXPECT_EQ(losses.noted, noted);
  EXPECT_TRUE(losses.is_noted);
  EXPECT_FALSE(LossesOf(*engine_->Snapshot(), tenant_, "another")->is_noted);
  NoteLostNow("lost");
  EXPECT_EQ(Head().revision, noted);
}

TEST_F(StandingTest, AnotherTimelineOfTheSameLossDoesNotAskTheFleetAgain) {
  NoteLostNow("lost");
  const base::Revision noted = Head().revision;
  NoteLostNow("another");
  EXPECT_TRUE(LossesOf(*engine_->Snapshot(), tenant_, "another")->is_noted);
  EXPECT_EQ(LossesOf(*engine_->Snapshot(), tenant_, "another")->noted, noted);
  Restart();
  NoteLostNow("lost");
  EXPECT_EQ(LossesOf(*engine_->Snapshot(), tenant_, "lost")->noted, noted);
  NoteLostNow("of another restore");
  EXPECT_EQ(LossesOf(*engine_->Snapshot(), tenant_, "lost")->noted, Head().revision);
}

TEST_F(StandingTest, LostTimelinesAreBounded) {
  for (int i = 0; i <= base::limits::kLostTimelines; ++i) NoteLostNow("lost " + std::to_string(i));
  EXPECT_FALSE(LossesOf(*engine_->Snapshot(), tenant_, "lost 0")->is_noted);
  EXPECT_TRUE(LossesOf(*engine_->Snapshot(), tenant_, "lost 1")->is_noted);
}

TEST_F(StandingTest, AReleaseWithoutATimeIsDamage) {
  ReleaseNow();
  store::RebuildRelease release;
  release.set_opening(engine_->opening().timeline);
  const absl::Status status = engine_
                                  ->Run(tenant_,
                                        [&](commit::Transaction& transaction) {
                                          transaction.Put(storage::Space::kRecords, base::keys::RebuildRelease(tenant_),
                                                          release.SerializeAsString());
                                          return Release(transaction, engine_->opening().timeline).status();
                                        })
                                  .status();
  EXPECT_EQ(base::Reason(status), "DAMAGED_ROW");
}

}  // namespace
}  // namespace caresync::restore
