#include "tests/simulation/naive_mismatches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/records/record_key.h"
#include "tests/fakes/rota.h"

namespace caresync::simulation {
namespace {

absl::Time At(int hour, int minute = 0) {
  return absl::FromUnixSeconds(fakes::AtHour(hour).seconds()) + absl::Minutes(minute);
}

TEST(DueOf, IsTheGraceInsideTheLead) { EXPECT_EQ(DueOf(At(8), At(12)), At(8, 20)); }

TEST(DueOf, IsTheLeadBeforeAVisitThatIsFurtherAway) { EXPECT_EQ(DueOf(At(8), At(8) + absl::Hours(40)), At(24)); }

TEST(DueOf, LeavesTheOfficeHalfAnHourAndTheDeviceTwoMinutes) {
  EXPECT_EQ(DueOf(At(8), At(8, 45)), At(8, 15));
  EXPECT_EQ(DueOf(At(8), At(8, 25)), At(8, 2));
}

// One visit of one carer, whose device has said what it holds.
class NaiveMismatchesTest : public ::testing::Test {
 protected:
  NaiveMismatchesTest() {
    Commit({fakes::CarerChange("ann"), fakes::ServiceUserChange("person")}, At(6));
    Commit({Visit(14)}, At(7));
  }

  static v1::RosterChange Visit(int hour) {
    v1::RosterChange change = fakes::VisitChange("visit", "person", {"ann"});
    v1::RosterAssignment& part = *change.mutable_visit()->mutable_assignments(0);
    *part.mutable_start_time() = fakes::AtHour(hour);
    *part.mutable_end_time() = fakes::AtHour(hour + 1);
    return change;
  }

  Name VisitName() const {
    return {v1::RECORD_KIND_VISIT, records::IntegratedId(tenant_, kSource, v1::RECORD_KIND_VISIT, "visit").ToString()};
  }

  void Commit(const std::vector<v1::RosterChange>& changes, absl::Time made) {
    Look(made);
    State state = model_.NextState();
    for (v1::RosterChange change : changes) {
      change.set_source(kSource);
      model_.Apply(state, change);
    }
    Commit(std::move(state), made);
  }

  // What starts from then on is outside the window.
  void MoveOpening(absl::Time opening, absl::Time made) {
    State state = model_.NextState();
    store::WindowEdges edges;
    edges.mutable_opening()->set_time_us(absl::ToUnixMicros(opening));
    model_.MoveEdges(state, edges);
    Commit(std::move(state), made);
  }

  // The feed says at once what the carer may see.
  void Commit(State state, absl::Time made) {
    Look(made);
    Feed feed;
    for (const auto& [name, version] : state.ViewOf(ann_).versions) {
      const auto before = model_.head().feeds.at(ann_)->find(name);
      const bool as_before = before != model_.head().feeds.at(ann_)->end() && before->second.version == version;
      feed[name] = as_before ? before->second : FeedItem{state.revision, false, version};
    }
    for (const auto& [name, item] : *model_.head().feeds.at(ann_)) {
      if (!feed.contains(name)) feed[name] = item.removal ? item : FeedItem{state.revision, true, 0};
    }
    state.feeds[ann_] = std::make_shared<const Feed>(std::move(feed));
    mismatches_.OnCommit(model_, state, made, false, copies_);
    model_.Commit(std::move(state), "opening");
    Look(made);
  }

  void Look(absl::Time now) { mismatches_.Look(model_, now, false, copies_, was_sent_); }

  // All that there is.
  void Acknowledge(absl::Time now) {
    Look(now);
    copy_.emplace();
    copy_->cursor = {"opening", model_.head().revision};
    copy_->position = feed::Position::EndOf(model_.head().revision);
    mismatches_.Look(model_, now, true, copies_, was_sent_);
  }

  NaiveMismatch& Row() { return mismatches_.rows().at({ann_, VisitName()}); }

  const std::string kSource = "north";
  const base::TenantId tenant_ = *base::TenantId::Parse("acme");
  const std::string ann_ = records::IntegratedId(tenant_, kSource, v1::RECORD_KIND_CARER, "ann").ToString();
  NaiveModel model_{tenant_, {ann_}};
  std::optional<NaiveCopy> copy_;
  const NaiveMismatches::CopyInUse copies_ = [this](const std::string&) {
    return copy_.has_value() ? &*copy_ : nullptr;
  };
  // When something of the visit was sent to the device.
  std::vector<base::Revision> sent_;
  const NaiveMismatches::WasSent was_sent_ = [this](const NaiveMismatches::Of&, base::Revision from,
                                                    base::Revision until) {
    return std::any_of(sent_.begin(), sent_.end(),
                       [&](base::Revision revision) { return revision >= from && revision < until; });
  };
  NaiveMismatches mismatches_;
};

TEST_F(NaiveMismatchesTest, AChangeWaitsUntilItIsAcknowledgedBeforeItIsDue) {
  EXPECT_EQ(Row().waits, Known::kYes);
  EXPECT_EQ(Row().due_from, At(7, 20));
  EXPECT_EQ(Row().due_until, At(7, 20));
  Acknowledge(At(7, 10));
  Commit({Visit(15)}, At(7, 30));
  // The first change is none any more.
  EXPECT_EQ(Row().due_from, At(7, 50));
  EXPECT_EQ(Row().due_until, At(7, 50));
}

TEST_F(NaiveMismatchesTest, ChangesThatNobodyAcknowledgedAreDueWhenTheFirstWas) {
  Commit({Visit(15)}, At(7, 10));
  EXPECT_EQ(Row().due_from, At(7, 20));
  EXPECT_EQ(Row().due_until, At(7, 20));
}

TEST_F(NaiveMismatchesTest, TheEarlierStartCountsOfWhatTheDeviceShowsAndOfWhatIsPlanned) {
  Acknowledge(At(7, 10));
  Commit({Visit(20)}, At(13, 20));
  EXPECT_EQ(Row().due_from, At(13, 30));
  EXPECT_EQ(Row().due_until, At(13, 30));
}

TEST_F(NaiveMismatchesTest, AVisitThatIsMovedBackWaitsAsWell) {
  Acknowledge(At(7, 10));
  Commit({Visit(15)}, At(8));
  Commit({Visit(14)}, At(8, 10));
  EXPECT_EQ(Row().waits, Known::kYes);
  EXPECT_EQ(Row().due_from, At(8, 20));
  EXPECT_EQ(Row().due_until, At(8, 20));
  Acknowledge(At(8, 15));
  Look(At(8, 21));
  EXPECT_EQ(Row().settled, Known::kYes);
}

TEST_F(NaiveMismatchesTest, AVisitThatIsMovedBackMayBeSettledWhereTheDeviceWasSentNothingInBetween) {
  Acknowledge(At(7, 10));
  Commit({Visit(15)}, At(8));
  Commit({Visit(14)}, At(8, 10));
  EXPECT_FALSE(Row().may_be_taken_back) << "nobody looks at it before it is due";
  Look(At(8, 20));
  EXPECT_TRUE(Row().may_be_taken_back);
  EXPECT_EQ(Row().waits, Known::kYes);
  Commit({Visit(16)}, At(9));
  EXPECT_FALSE(Row().may_be_taken_back);
  EXPECT_EQ(Row().due_until, At(9, 20)) << "where it was settled, it has a grace of its own";
  EXPECT_EQ(Row().due_from, At(8, 20));
}

TEST_F(NaiveMismatchesTest, AVisitThatIsMovedBackIsNotSettledWhereTheDeviceWasSentTheMove) {
  Acknowledge(At(7, 10));
  Commit({Visit(15)}, At(8));
  sent_ = {model_.head().revision};
  Commit({Visit(14)}, At(8, 10));
  Look(At(8, 20));
  EXPECT_FALSE(Row().may_be_taken_back);
  // What was sent after it was moved back is what the device showed before.
  sent_ = {model_.head().revision};
  Look(At(8, 21));
  EXPECT_TRUE(Row().may_be_taken_back);
}

TEST_F(NaiveMismatchesTest, AVisitThatIsMovedBackIsNotSettledByADeviceThatHasFallenBack) {
  Acknowledge(At(7, 10));
  Commit({Visit(15)}, At(8));
  Commit({Visit(14)}, At(8, 10));
  copy_->position = feed::Position::EndOf(1);
  Look(At(8, 20));
  EXPECT_FALSE(Row().may_be_taken_back);
}

TEST_F(NaiveMismatchesTest, WhetherOneStillWaitsThatWasSettledWhenItWasDueCannotBeTold) {
  Acknowledge(At(7, 25));
  EXPECT_EQ(Row().waits, Known::kMaybe);
  copy_.reset();
  Look(At(7, 30));
  EXPECT_EQ(Row().waits, Known::kMaybe);
}

TEST_F(NaiveMismatchesTest, AChangeOfTimesThatAreOverIsNone) {
  Acknowledge(At(7, 10));
  Look(At(7, 25));
  v1::RosterChange visit = Visit(14);
  visit.mutable_visit()->set_notes("bring gloves");
  Commit({visit}, At(16));
  EXPECT_EQ(Row().last_change, At(7));
}

TEST_F(NaiveMismatchesTest, AVisitThatComesBackIntoTheWindowCancelledIsAChangeForADeviceThatFellBackMeanwhile) {
  Acknowledge(At(7, 10));
  MoveOpening(At(12), At(7, 20));
  Acknowledge(At(7, 25));
  v1::RosterChange cancelled = Visit(14);
  cancelled.mutable_visit()->set_cancelled(true);
  Commit({cancelled}, At(7, 30));
  EXPECT_EQ(Row().last_change, At(7)) << "the device held it no more";
  copy_->position = feed::Position::EndOf(1);
  MoveOpening(At(20), At(8));
  EXPECT_EQ(Row().last_change, At(8));
  EXPECT_FALSE(Row().held);
}

TEST_F(NaiveMismatchesTest, WhatADeviceSaysOfOneThatIsOpenResolvesIt) {
  Row().open = true;
  Acknowledge(At(7, 25));
  EXPECT_TRUE(Row().owed);
  EXPECT_FALSE(Row().must_resolve);
  Commit({Visit(15)}, At(7, 30));
  EXPECT_TRUE(Row().must_resolve);
  EXPECT_TRUE(Row().settled_at_commit);
}

TEST_F(NaiveMismatchesTest, AVisitThatIsGoneIsSettledByTheAckOfItsRemoval) {
  Acknowledge(At(7, 10));
  v1::RosterChange visit = Visit(14);
  visit.mutable_visit()->set_cancelled(true);
  Commit({visit}, At(8));
  EXPECT_FALSE(Row().held);
  EXPECT_EQ(Row().due_from, At(8, 20));
  Look(At(8, 20));
  EXPECT_EQ(Row().settled, Known::kNo);
  Acknowledge(At(8, 21));
  EXPECT_EQ(Row().settled, Known::kYes);
}

TEST_F(NaiveMismatchesTest, ACopyThatDivergedHasAcknowledgedNothing) {
  Acknowledge(At(7, 10));
  const std::string visit = records::IntegratedId(tenant_, kSource, v1::RECORD_KIND_VISIT, "visit").ToString();
  const Name name{v1::RECORD_KIND_VISIT, visit};
  EXPECT_EQ(IsSettled(model_, ann_, name, &*copy_), Known::kYes);
  Row().looked_again = false;
  copy_->diverged = true;
  EXPECT_EQ(IsSettled(model_, ann_, name, &*copy_), Known::kNo);
  Look(At(7, 11));
  EXPECT_TRUE(Row().looked_again);
}

}  // namespace
}  // namespace caresync::simulation
