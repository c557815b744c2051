#include "server/mismatch/visit_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

base::Uuid Carer(int number) { return MismatchBench::Carer(number); }

VisitParts Parts(const store::Record& visit) {
  const absl::StatusOr<VisitParts> parts = PartsOf(visit);
  EXPECT_TRUE(parts.ok()) << parts.status();
  return parts.ok() ? *parts : VisitParts();
}

std::set<base::Uuid> HoldersOf(const VisitParts& parts) {
  std::set<base::Uuid> holders;
  for (const auto& [carer, part] : parts.held) holders.insert(carer);
  return holders;
}

void SetTimes(absl::Time start, absl::Time end, v1::Assignment& part) {
  *part.mutable_start_time() = base::ToTimestamp(start);
  *part.mutable_end_time() = base::ToTimestamp(end);
}

TEST(VisitPartsTest, AVisitIsHeldByAllWhoAreAssigned) {
  store::Record visit = VisitAt(1, At(9), {1, 2});
  visit.set_fingerprint(77);
  const VisitParts parts = Parts(visit);
  EXPECT_EQ(HoldersOf(parts), (std::set<base::Uuid>{Carer(1), Carer(2)}));
  EXPECT_EQ(parts.assigned, (std::set<base::Uuid>{Carer(1), Carer(2)}));
  EXPECT_EQ(parts.gone, v1::VISIT_GONE_UNSPECIFIED);
  const store::VisitPart* part = parts.Of(Carer(1));
  ASSERT_NE(part, nullptr);
  EXPECT_EQ(part->start_us(), absl::ToUnixMicros(At(9)));
  EXPECT_EQ(part->end_us(), absl::ToUnixMicros(At(10)));
  EXPECT_EQ(part->service_user_id(), records::ServiceUserName(1).id.ToString());
  EXPECT_EQ(part->fingerprint(), 77u);
}

TEST(VisitPartsTest, EachCarerOfADoubleUpHasItsOwnTimes) {
  const VisitParts parts = Parts(Edited(
      VisitAt(1, At(9), {1, 2}), [](v1::Visit& visit) { SetTimes(At(10), At(12), *visit.mutable_assignments(1)); }));
  EXPECT_EQ(parts.Of(Carer(1))->start_us(), absl::ToUnixMicros(At(9)));
  EXPECT_EQ(parts.Of(Carer(1))->end_us(), absl::ToUnixMicros(At(10)));
  EXPECT_EQ(parts.Of(Carer(2))->start_us(), absl::ToUnixMicros(At(10)));
  EXPECT_EQ(parts.Of(Carer(2))->end_us(), absl::ToUnixMicros(At(12)));
}

TEST(VisitPartsTest, SeveralAssignmentsOfACarerReachFromTheEarliestStartToTheLatestEnd) {
  const VisitParts parts = Parts(Edited(VisitAt(1, At(9), {1, 1, 1}), [](v1::Visit& visit) {
    SetTimes(At(11), At(15), *visit.mutable_assignments(0));
    SetTimes(At(8), At(9), *visit.mutable_assignments(1));
    SetTimes(At(13), At(14), *visit.mutable_assignments(2));
  }));
  ASSERT_EQ(HoldersOf(parts), std::set<base::Uuid>{Carer(1)});
  EXPECT_EQ(parts.Of(Carer(1))->start_us(), absl::ToUnixMicros(At(8)));
  EXPECT_EQ(parts.Of(Carer(1))->end_us(), absl::ToUnixMicros(At(15)));
}

TEST(VisitPartsTest, WhoIsNotAssignedDoesNotHoldItForItWasTakenAway) {
  const VisitParts parts = Parts(VisitAt(1, At(9), {1}));
  EXPECT_EQ(parts.Of(Carer(2)), nullptr);
  EXPECT_EQ(parts.WhyGone(Carer(2)), v1::VISIT_GONE_TAKEN_AWAY);
}

TEST(VisitPartsTest, NobodyHoldsOneThatIsUnpublishedOrCancelledOrOutsideTheWindowAndItSaysWhy) {
  store::Record outside = VisitAt(1, At(9), {1});
  outside.set_outside_window(true);
  const std::vector<std::pair<store::Record, v1::VisitGone>> gone = {
      {Unpublished(VisitAt(1, At(9), {1})), v1::VISIT_GONE_TAKEN_AWAY},
      {Cancelled(VisitAt(1, At(9), {1})), v1::VISIT_GONE_CANCELLED},
      {outside, v1::VISIT_GONE_OUT_OF_WINDOW}};
  for (const auto& [visit, why] : gone) {
    const VisitParts parts = Parts(visit);
    EXPECT_THAT(parts.held, IsEmpty());
    EXPECT_EQ(parts.assigned, std::set<base::Uuid>{Carer(1)});
    EXPECT_EQ(parts.gone, why);
    EXPECT_EQ(parts.Of(Carer(1)), nullptr);
    EXPECT_EQ(parts.WhyGone(Carer(1)), why);
  }
}

TEST(VisitPartsTest, AVisitThatIsNotThereIsHeldByNobody) {
  const absl::StatusOr<VisitParts> parts = PartsOf(std::nullopt);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_THAT(parts->held, IsEmpty());
  EXPECT_THAT(parts->assigned, IsEmpty());
  EXPECT_EQ(parts->WhyGone(Carer(1)), v1::VISIT_GONE_TAKEN_AWAY);
}

TEST(VisitPartsTest, TheActivitiesDigestTellsWhetherTheSameIsPlanned) {
  const auto digest = [](const store::Record& visit) { return Parts(visit).Of(Carer(1))->activities_digest(); };
  const auto plan = [](const std::string& description) {
    return [description](v1::Visit& visit) {
      v1::PlannedActivity& activity = *visit.add_planned_activities();
      activity.set_activity_id("a");
      activity.set_activity_kind("Breakfast");
      activity.set_description(description);
    };
  };
  const store::Record visit = VisitAt(1, At(9), {1});
  const store::Record planned = Edited(visit, plan("Porridge"));
  EXPECT_NE(digest(planned), digest(visit));
  EXPECT_EQ(digest(planned), digest(Edited(visit, plan("Porridge"))));
  EXPECT_NE(digest(planned), digest(Edited(visit, plan("Toast"))));
  EXPECT_NE(digest(planned), digest(Edited(planned, plan("Porridge")))) << "it is planned twice";
  EXPECT_EQ(digest(planned), digest(Edited(planned, [](v1::Visit& other) { other.set_notes("other notes"); })));
}

TEST(VisitPartsTest, WhatNoVisitCanHoldIsDamage) {
  store::Record unreadable = VisitAt(1, At(9), {1});
  unreadable.set_payload("\xFF\xFF");
  EXPECT_EQ(base::Reason(PartsOf(unreadable).status()), "DAMAGED_ROW");
  const store::Record of_nobody =
      Edited(VisitAt(1, At(9), {1}), [](v1::Visit& visit) { visit.mutable_assignments(0)->set_carer_id("Ann"); });
  EXPECT_EQ(base::Reason(PartsOf(of_nobody).status()), "DAMAGED_ROW");
  const store::Record never = Edited(VisitAt(1, At(9), {1}), [](v1::Visit& visit) {
    visit.mutable_assignments(0)->mutable_start_time()->set_seconds(std::numeric_limits<int64_t>::max());
  });
  EXPECT_EQ(base::Reason(PartsOf(never).status()), "DAMAGED_ROW");
}

// ---- Difference

store::VisitPart Part() {
  store::VisitPart part;
  part.set_start_us(absl::ToUnixMicros(At(9)));
  part.set_end_us(absl::ToUnixMicros(At(10)));
  part.set_service_user_id(records::ServiceUserName(1).id.ToString());
  part.set_fingerprint(1);
  part.set_activities_digest(1);
  return part;
}

// From what Part() shows to the same with what `change` makes of it.
std::vector<v1::VisitChangeKind> Changed(const std::function<void(store::VisitPart&)>& change) {
  store::Mismatch row;
  *row.mutable_acknowledged() = Part();
  *row.mutable_now() = Part();
  row.mutable_now()->set_fingerprint(2);
  change(*row.mutable_now());
  return Difference(row);
}

TEST(VisitDifferenceTest, NamesEachKindOfChange) {
  EXPECT_THAT(Changed([](store::VisitPart& now) { now.set_start_us(now.start_us() + 1); }),
              ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
  EXPECT_THAT(Changed([](store::VisitPart& now) { now.set_end_us(now.end_us() + 1); }),
              ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
  EXPECT_THAT(Changed([](store::VisitPart& now) { now.set_service_user_id("other"); }),
              ElementsAre(v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER));
  EXPECT_THAT(Changed([](store::VisitPart& now) { now.set_activities_digest(2); }),
              ElementsAre(v1::VISIT_CHANGE_KIND_ACTIVITIES));
  EXPECT_THAT(Changed([](store::VisitPart&) {}), ElementsAre(v1::VISIT_CHANGE_KIND_DETAILS));
}

TEST(VisitDifferenceTest, NamesAllThatChangedAtOnce) {
  EXPECT_THAT(Changed([](store::VisitPart& now) {
                now.set_start_us(now.start_us() + 1);
                now.set_service_user_id("other");
                now.set_activities_digest(2);
              }),
              UnorderedElementsAre(v1::VISIT_CHANGE_KIND_MOVED, v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER,
                                   v1::VISIT_CHANGE_KIND_ACTIVITIES));
}

TEST(VisitDifferenceTest, AVisitThatTheDeviceNeverHadIsNew) {
  store::Mismatch row;
  *row.mutable_now() = Part();
  EXPECT_THAT(Difference(row), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
}

TEST(VisitDifferenceTest, OneThatIsGoneSaysHow) {
  const auto gone = [](v1::VisitGone why) {
    store::Mismatch row;
    *row.mutable_acknowledged() = Part();
    row.set_gone(why);
    return Difference(row);
  };
  EXPECT_THAT(gone(v1::VISIT_GONE_TAKEN_AWAY), ElementsAre(v1::VISIT_CHANGE_KIND_TAKEN_AWAY));
  EXPECT_THAT(gone(v1::VISIT_GONE_CANCELLED), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
  EXPECT_THAT(gone(v1::VISIT_GONE_OUT_OF_WINDOW), ElementsAre(v1::VISIT_CHANGE_KIND_OUT_OF_WINDOW));
}

TEST(VisitDifferenceTest, OneThatCameAndWentUnseenIsGoneToo) {
  store::Mismatch row;
  *row.mutable_withdrawn() = Part();
  row.set_gone(v1::VISIT_GONE_CANCELLED);
  EXPECT_THAT(Difference(row), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
}

TEST(VisitDifferenceTest, IsNeverEmpty) {
  store::Mismatch moved_back;
  *moved_back.mutable_acknowledged() = Part();
  *moved_back.mutable_now() = Part();
  EXPECT_THAT(Difference(moved_back), Not(IsEmpty()));
}

}  // namespace
}  // namespace caresync::mismatch
