#include "tests/simulation/sync_phase.h"

#include <gtest/gtest.h>

namespace caresync::simulation {
namespace {

StreamFacts Answered() {
  StreamFacts facts;
  facts.policy.emplace();
  return facts;
}

TEST(SyncPhase, BeginsUnanswered) { EXPECT_EQ(PhaseOf(StreamFacts()), SyncPhase::kUnanswered); }

TEST(SyncPhase, IsUploadingWhileEventsOrResultsAreToCome) {
  StreamFacts facts = Answered();
  facts.start.set_unsent_events(1);
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kUploading);
  facts.events_answered = 1;
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kOther);
  facts.unanswered.emplace_back();
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kUploading);
}

TEST(SyncPhase, TellsBatchesOfANewCopyFromThoseOfADelta) {
  StreamFacts facts = Answered();
  facts.mid_download = true;
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kDelta);
  facts.of_new_copy = true;
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kNewCopy);
}

TEST(SyncPhase, IsCaughtUpUntilTheAckComes) {
  StreamFacts facts = Answered();
  facts.caught_up.emplace();
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kCaughtUp);
  facts.confirmed = true;
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kOther);
}

TEST(SyncPhase, IsFollowingBetweenRounds) {
  StreamFacts facts = Answered();
  facts.recorded = true;
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kOther);
  facts.start.set_follow(true);
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kFollowing);
  facts.mid_download = true;
  EXPECT_EQ(PhaseOf(facts), SyncPhase::kDelta);
}

}  // namespace
}  // namespace caresync::simulation
