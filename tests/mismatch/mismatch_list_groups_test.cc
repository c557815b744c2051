// Many as one, as the list shows them; which are told as one is in mismatch_groups_test.cc.
#include <cstdint>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/mismatch/mismatch_list_test.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using testing::ElementsAre;
using testing::IsEmpty;

// Requirement: M7
TEST_F(MismatchListTest, ManyOfACarerAreOneGroupAndSayWhatHoldsOfAll) {
  PutPixel();
  std::vector<store::Record> visits = {VisitAt(8, At(9, 30), {2})};
  for (int i = 1; i <= 7; ++i) visits.push_back(VisitAt(i, At(8 + i)));
  bench_.Put(visits);
  bench_.AdvanceTo(At(6, 20));
  const std::vector<v1::MismatchGroup> groups = Groups();
  ASSERT_EQ(groups.size(), 2u);
  const v1::MismatchGroup& of_ann = groups[0];
  EXPECT_EQ(of_ann.kind(), v1::MISMATCH_GROUP_KIND_CARER);
  EXPECT_EQ(of_ann.count(), 7u);
  EXPECT_EQ(of_ann.carer_count(), 1u);
  EXPECT_EQ(NumberOf(of_ann.most_urgent()), 1);
  EXPECT_EQ(base::FromTimestamp(of_ann.soonest_start_time()), At(9));
  EXPECT_EQ(base::FromTimestamp(of_ann.changed_from_time()), At(6));
  EXPECT_EQ(base::FromTimestamp(of_ann.changed_until_time()), At(6));
  EXPECT_EQ(of_ann.most_urgent().device().device_name(), "Pixel 6");
  EXPECT_EQ(of_ann.headline(),
            "7 changes of visits have not reached their carer's phone. The rota changed and Ann Smith has not synced "
            "Pixel 6 since.");
  EXPECT_EQ(of_ann.advice(), "Ask Ann Smith for a manual sync, with the app open and the screen on.");
  const v1::MismatchGroup& alone = groups[1];
  EXPECT_EQ(alone.kind(), v1::MISMATCH_GROUP_KIND_UNSPECIFIED);
  EXPECT_EQ(alone.count(), 1u);
  EXPECT_EQ(NumberOf(alone.most_urgent()), 8);
  EXPECT_EQ(alone.headline(), alone.most_urgent().headline());

  v1::ListMismatchesRequest members;
  members.set_carer_id(of_ann.most_urgent().carer_id());
  members.set_page_size(3);
  EXPECT_THAT(Paged(members), ElementsAre(1, 2, 3, 4, 5, 6, 7));
}

// Requirement: M7
TEST_F(MismatchListTest, WhereTheNetworkIsOutItIsOneGroupWhoseMembersCanBeListed) {
  PutPhone(1, At(5));
  PutPhone(2, At(5, 10));
  std::vector<int> members;
  std::vector<int> of_second;
  for (int i = 1; i <= 26; ++i) {
    // Changed by hand: no burst.
    bench_.Put({VisitAt(i, At(9, i), {1 + i % 2})});
    bench_.Advance(absl::Seconds(20));
    members.push_back(i);
    if (i % 2 == 1) of_second.push_back(i);
  }
  bench_.Put({VisitAt(27, At(8), {3})});
  bench_.AdvanceTo(At(6, 40));
  const std::vector<v1::MismatchGroup> groups = Groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(NumberOf(groups[0].most_urgent()), 27) << "of a carer who has no phone";
  const v1::MismatchGroup& outage = groups[1];
  EXPECT_EQ(outage.kind(), v1::MISMATCH_GROUP_KIND_OUTAGE);
  EXPECT_EQ(outage.count(), 26u);
  EXPECT_EQ(outage.carer_count(), 2u);
  EXPECT_EQ(NumberOf(outage.most_urgent()), 1);
  EXPECT_EQ(base::FromTimestamp(outage.last_sync_from_time()), At(5));
  EXPECT_EQ(base::FromTimestamp(outage.last_sync_until_time()), At(5, 10));
  EXPECT_EQ(
      outage.headline(),
      "26 changes of visits of 2 carers have not reached their phones, none of which has synced since 05:10 on 02 "
      "March 2026.");

  v1::ListMismatchesRequest request;
  request.set_page_size(10);
  *request.mutable_last_sync_from_time() = outage.last_sync_from_time();
  *request.mutable_last_sync_until_time() = outage.last_sync_until_time();
  EXPECT_EQ(Paged(request), members);
  *request.mutable_last_sync_from_time() = base::ToTimestamp(At(5, 5));
  EXPECT_EQ(Paged(request), of_second);
  request.clear_last_sync_from_time();
  *request.mutable_last_sync_until_time() = base::ToTimestamp(At(4));
  EXPECT_THAT(Paged(request), IsEmpty());
}

// Requirement: M7
TEST_F(MismatchListTest, ARotaThatIsPublishedAgainIsOneGroupWhoseMembersCanBeListed) {
  std::vector<store::Record> visits;
  std::vector<int> members;
  for (int i = 1; i <= 26; ++i) {
    visits.push_back(VisitAt(i, At(9, i), {1 + i % 2}));
    members.push_back(i);
  }
  bench_.Put(visits);
  bench_.AdvanceTo(At(6, 5));
  bench_.Put({VisitAt(27, At(8), {3}), VisitAt(28, At(9, 10), {1})});
  bench_.AdvanceTo(At(6, 30));
  const std::vector<v1::MismatchGroup> groups = Groups();
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(NumberOf(groups[0].most_urgent()), 27) << "the most urgent first";
  EXPECT_EQ(NumberOf(groups[2].most_urgent()), 28);
  const v1::MismatchGroup& burst = groups[1];
  EXPECT_EQ(burst.kind(), v1::MISMATCH_GROUP_KIND_BURST);
  EXPECT_EQ(burst.count(), 26u);
  EXPECT_EQ(burst.carer_count(), 2u);
  EXPECT_EQ(NumberOf(burst.most_urgent()), 1);
  EXPECT_EQ(base::FromTimestamp(burst.soonest_start_time()), At(9, 1));
  EXPECT_EQ(burst.headline(),
            "The rota changed at once in many places, and 26 changes of visits of 2 carers have not reached their "
            "phones.");
  EXPECT_EQ(burst.carers_without_device(), 2u);
  EXPECT_NE(burst.advice(), "");

  v1::ListMismatchesRequest request;
  request.set_page_size(10);
  *request.mutable_changed_from_time() = burst.changed_from_time();
  *request.mutable_changed_until_time() = burst.changed_until_time();
  EXPECT_EQ(Paged(request), members);
  request.clear_changed_until_time();
  EXPECT_EQ(Paged(request).size(), 28u);
  *request.mutable_changed_from_time() = base::ToTimestamp(At(6, 5));
  EXPECT_THAT(Paged(request), ElementsAre(27, 28));
}

TEST_F(MismatchListTest, OfABurstItIsToldHowManyCarersHaveNoDevice) {
  PutPixel();
  std::vector<store::Record> visits;
  for (int i = 1; i <= 27; ++i) visits.push_back(VisitAt(i, At(9, i), {1 + i % 3}));
  bench_.Put(visits);
  bench_.AdvanceTo(At(6, 30));
  std::vector<v1::MismatchGroup> groups = Groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].carer_count(), 3u);
  EXPECT_EQ(groups[0].carers_without_device(), 2u);
  EXPECT_THAT(groups[0].advice(), testing::EndsWith("2 of them have not signed in on any device, and must be told by "
                                                    "phone."));
  // Which device carer 2 uses cannot be read: that is not none.
  bench_.Write(
      {storage::Space::kDevices, base::keys::DeviceInUse(bench_.tenant(), MismatchBench::Carer(2)), "\xFF\xFF"});
  groups = Groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].carers_without_device(), 1u);
}

TEST_F(MismatchListTest, PagesOfGroupsGoOnBehindTheLast) {
  std::vector<store::Record> visits;
  for (int i = 1; i <= 26; ++i) visits.push_back(VisitAt(i, At(9, i), {1 + i % 2}));
  bench_.Put(visits);
  bench_.AdvanceTo(At(6, 5));
  bench_.Put({VisitAt(27, At(9, 10), {3}), VisitAt(28, At(8), {3})});
  bench_.AdvanceTo(At(6, 30));
  v1::ListMismatchesRequest request;
  request.set_group(true);
  request.set_page_size(2);
  std::vector<std::pair<int, uint32_t>> told;
  do {
    const auto page = List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->groups_size(), 2);
    for (const v1::MismatchGroup& group : page->groups()) {
      told.emplace_back(NumberOf(group.most_urgent()), group.count());
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  // Of the burst some are left behind 27: they are told once more, and are no burst by themselves.
  EXPECT_THAT(told, ElementsAre(std::pair(28, 1u), std::pair(1, 26u), std::pair(27, 1u), std::pair(11, 8u),
                                std::pair(12, 8u), std::pair(13, 7u)));
}

TEST_F(MismatchListTest, WhatGroupingDoesNotReachOnOnePageIsOnTheNext) {
  ASSERT_NO_FATAL_FAILURE(PutMoreThanASearchReaches());
  v1::ListMismatchesRequest request;
  request.set_group(true);
  const auto first = List(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->groups_size(), 1);
  EXPECT_EQ(first->groups(0).kind(), v1::MISMATCH_GROUP_KIND_CARER);
  EXPECT_EQ(first->groups(0).count(), limits::kSearchedRows);
  ASSERT_NE(first->next_page_token(), "");
  request.set_page_token(first->next_page_token());
  const auto second = List(request);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(second->groups_size(), 1);
  EXPECT_EQ(second->groups(0).most_urgent().carer_id(), MismatchBench::Carer(2).ToString());
  EXPECT_EQ(second->next_page_token(), "");
}

}  // namespace
}  // namespace caresync::mismatch
