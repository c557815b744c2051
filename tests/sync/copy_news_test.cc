#include "server/sync/copy_news.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "server/feed/feed_entry.h"

namespace caresync::sync {
namespace {

using store::CopyMark;
using testing::ElementsAre;
using testing::IsEmpty;

const base::Uuid kAnn = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kBob = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");

// The carer's records up to the end of the revision, or to its beginning, of which the cursor is that revision.
NewMark MarkOf(const base::Uuid& carer, CopyMark::Kind kind, base::Revision revision, bool whole, int64_t sent_us) {
  NewMark mark{carer, CopyMark()};
  mark.row.set_kind(kind);
  mark.row.set_revision(revision);
  mark.row.set_position_revision(revision);
  if (whole) mark.row.set_position_record(feed::Position::EndOf(revision).record.bytes);
  mark.row.set_sent_us(sent_us);
  return mark;
}

// When what is held by them was sent.
std::vector<int64_t> SentOf(const std::vector<NewMark>& marks) {
  std::vector<int64_t> sent;
  for (const NewMark& mark : marks) sent.push_back(mark.row.sent_us());
  return sent;
}

TEST(CopyNews, WhereNothingWasLearntNothingIsToBeDone) {
  CopyNews news;
  EXPECT_THAT(news.TakeAlong(), IsEmpty());
  EXPECT_THAT(news.TakeFollowUps(), IsEmpty());
}

TEST(CopyNews, WhatACommitTookAlongIsFollowedUpOnce) {
  CopyNews news;
  news.AddCarer(kBob);
  news.AddCarer(kAnn);
  news.AddApplied({{.made = absl::UnixEpoch(), .start = absl::UnixEpoch()}});
  news.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, true, 1));
  EXPECT_THAT(news.TakeFollowUps(), IsEmpty()) << "no commit has taken it along";
  EXPECT_THAT(SentOf(news.TakeAlong()), ElementsAre(1));
  const std::vector<SessionAction> actions = news.TakeFollowUps();
  ASSERT_EQ(actions.size(), 2u);
  const auto* look = std::get_if<LookAtMismatchesAction>(&actions[0]);
  ASSERT_NE(look, nullptr);
  EXPECT_THAT(look->carers, ElementsAre(kAnn.ToString(), kBob.ToString()));
  EXPECT_EQ(look->applied.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<TellMarksAction>(actions[1]));
  EXPECT_THAT(news.TakeFollowUps(), IsEmpty());
  EXPECT_THAT(news.TakeAlong(), IsEmpty());
}

TEST(CopyNews, WhatIsLearntWhileACommitIsUnderWayGoesWithTheNext) {
  CopyNews news;
  news.AddCarer(kAnn);
  news.TakeAlong();
  news.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, true, 1));
  std::vector<SessionAction> actions = news.TakeFollowUps();
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<LookAtMismatchesAction>(actions[0]));
  EXPECT_THAT(SentOf(news.TakeAlong()), ElementsAre(1));
  actions = news.TakeFollowUps();
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<TellMarksAction>(actions[0]));
}

TEST(CopyNews, WhatWasForgottenGoesWithNoCommit) {
  CopyNews news;
  news.AddCarer(kAnn);
  news.AddApplied({{.made = absl::UnixEpoch(), .start = absl::UnixEpoch()}});
  news.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, true, 1));
  news.Forget();
  EXPECT_THAT(news.TakeAlong(), IsEmpty());
  EXPECT_THAT(news.TakeFollowUps(), IsEmpty());
}

TEST(CopyNews, TheStepOnTheWayToAWholeCopyIsOneMarkWithIt) {
  CopyNews news;
  news.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, false, 1));
  news.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, true, 2));
  const std::vector<NewMark> marks = news.TakeAlong();
  EXPECT_THAT(SentOf(marks), ElementsAre(1)) << "when the first of it was sent";
  EXPECT_EQ(marks.front().row.position_record(), feed::Position::EndOf(5).record.bytes);
}

TEST(CopyNews, NoOtherMarkTakesThePlaceOfTheOneBeforeIt) {
  CopyNews steps;
  steps.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, false, 1));
  steps.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 6, false, 2));
  EXPECT_THAT(SentOf(steps.TakeAlong()), ElementsAre(1, 2));

  CopyNews of_two_carers;
  of_two_carers.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, false, 1));
  of_two_carers.AddMark(MarkOf(kBob, CopyMark::APPLIED, 5, true, 2));
  EXPECT_THAT(SentOf(of_two_carers.TakeAlong()), ElementsAre(1, 2));

  CopyNews of_two_kinds;
  of_two_kinds.AddMark(MarkOf(kAnn, CopyMark::FELL_BACK, 5, false, 1));
  of_two_kinds.AddMark(MarkOf(kAnn, CopyMark::APPLIED, 5, true, 2));
  of_two_kinds.AddMark(MarkOf(kAnn, CopyMark::SWAPPED, 6, true, 3));
  EXPECT_THAT(SentOf(of_two_kinds.TakeAlong()), ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace caresync::sync
