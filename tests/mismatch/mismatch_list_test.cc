// Which mismatches are listed, in which order, and what cannot be asked.
#include "tests/mismatch/mismatch_list_test.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/fakes/engine.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using base::keys::DevicePart;
using testing::ElementsAre;
using testing::IsEmpty;

// ---- Which, and in which order

TEST_F(MismatchListTest, WhatIsNotDueIsNotListed) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9 + 72))});
  EXPECT_THAT(All(), IsEmpty());
  bench_.AdvanceTo(At(6, 20));
  EXPECT_THAT(NumbersOf(All()), ElementsAre(1));
}

TEST_F(MismatchListTest, RanksByTheStartThatCounts) {
  PutPixel();
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(8)), VisitAt(3, At(12)), VisitAt(4, At(7, 30)), VisitAt(5, At(13))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9), {1}, "other notes"), VisitAt(2, At(8), {1}, "other notes"), VisitAt(3, At(12), {2}),
              VisitAt(4, At(15)), VisitAt(5, At(8, 30))});
  bench_.AdvanceTo(At(6, 20));
  v1::ListMismatchesRequest request;
  request.set_carer_id(MismatchBench::Carer(1).ToString());
  EXPECT_THAT(NumbersOf(All(request)), ElementsAre(4, 2, 5, 1, 3));
}

TEST_F(MismatchListTest, AFurtherChangeMovesAnOpenOneToItsPlace) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(11))});
  bench_.AdvanceTo(At(6, 20));
  EXPECT_THAT(NumbersOf(All()), ElementsAre(1, 2));
  bench_.Put({VisitAt(2, At(8))});
  EXPECT_THAT(NumbersOf(All()), ElementsAre(2, 1));
}

TEST_F(MismatchListTest, PagesShowEachOnce) {
  std::vector<store::Record> visits;
  std::vector<int> expected;
  for (int i = 1; i <= 25; ++i) {
    visits.push_back(VisitAt(i, At(9, i / 3)));  // Some at the same time.
    expected.push_back(i);
  }
  bench_.Put(visits);
  bench_.AdvanceTo(At(6, 20));
  v1::ListMismatchesRequest request;
  request.set_page_size(4);
  EXPECT_EQ(Paged(request), expected);
  request.set_page_size(5);
  EXPECT_EQ(Paged(request), expected);
  request.set_page_size(25);
  EXPECT_EQ(Paged(request), expected);
}

TEST_F(MismatchListTest, ThoseWhoseVisitIsOverLieBehindTheOthersTheLastFirst) {
  bench_.Put({VisitAt(1, At(7)), VisitAt(2, At(8)), VisitAt(3, At(20))});
  bench_.AdvanceTo(At(8) - absl::Microseconds(1));
  EXPECT_THAT(NumbersOf(All()), ElementsAre(1, 2, 3));
  bench_.AdvanceTo(At(8));
  EXPECT_THAT(NumbersOf(All()), ElementsAre(2, 3, 1));
  bench_.AdvanceTo(At(9));
  EXPECT_THAT(NumbersOf(All()), ElementsAre(3, 2, 1));
  EXPECT_EQ(All()[2].state(), v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
  bench_.Put({VisitAt(1, At(19))});
  EXPECT_THAT(NumbersOf(All()), ElementsAre(1, 3, 2)) << "it takes place after all";
}

TEST_F(MismatchListTest, OneWhoseVisitEndsBetweenTwoPagesKeepsNoOtherFromTheList) {
  bench_.Put({VisitAt(1, At(7)), VisitAt(2, At(8)), VisitAt(3, At(20))});
  bench_.AdvanceTo(At(7, 30));
  v1::ListMismatchesRequest request;
  request.set_page_size(1);
  const auto first = List(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(NumberOf(first->mismatches(0)), 1);
  bench_.AdvanceTo(At(8));
  request.set_page_token(first->next_page_token());
  EXPECT_THAT(Paged(request), ElementsAre(2, 3, 1));
}

TEST_F(MismatchListTest, AGroupsMostUrgentOneIsOfAVisitThatIsNotOver) {
  std::vector<store::Record> visits;
  for (int i = 1; i <= 7; ++i) visits.push_back(VisitAt(i, At(6 + i)));
  bench_.Put(visits);
  bench_.AdvanceTo(At(9));
  const std::vector<v1::MismatchGroup> groups = Groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].count(), 7u);
  EXPECT_EQ(NumberOf(groups[0].most_urgent()), 3);
  EXPECT_EQ(base::FromTimestamp(groups[0].soonest_start_time()), At(9));
  bench_.AdvanceTo(At(14));
  EXPECT_EQ(NumberOf(Groups().at(0).most_urgent()), 7);
  EXPECT_EQ(base::FromTimestamp(Groups().at(0).soonest_start_time()), At(13)) << "of those that are over the last";
}

TEST_F(MismatchListTest, OneThatResolvesBetweenTwoPagesKeepsNoOtherFromTheList) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(10)), VisitAt(3, At(11), {2})});
  bench_.AdvanceTo(At(6, 20));
  v1::ListMismatchesRequest request;
  request.set_page_size(1);
  const auto first = List(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(NumberOf(first->mismatches(0)), 1);
  bench_.Sync(1, 1);
  request.set_page_token(first->next_page_token());
  EXPECT_THAT(Paged(request), ElementsAre(3));
}

TEST_F(MismatchListTest, FiltersByCarerAndByBranch) {
  const auto at_branch = [](store::Record visit, const char* branch) {
    return Edited(std::move(visit), [branch](v1::Visit& payload) { payload.set_branch_id(branch); });
  };
  bench_.Put({at_branch(VisitAt(1, At(9), {1}), kNorth), at_branch(VisitAt(2, At(10), {1, 2}), kSouth),
              VisitAt(3, At(11), {2})});
  bench_.AdvanceTo(At(6, 20));
  v1::ListMismatchesRequest of_carer;
  of_carer.set_carer_id(MismatchBench::Carer(1).ToString());
  EXPECT_THAT(NumbersOf(All(of_carer)), ElementsAre(1, 2));
  v1::ListMismatchesRequest of_branch;
  of_branch.set_branch_id(kSouth);
  EXPECT_THAT(NumbersOf(All(of_branch)), ElementsAre(2, 2));
  of_branch.set_carer_id(MismatchBench::Carer(2).ToString());
  EXPECT_THAT(NumbersOf(All(of_branch)), ElementsAre(2));
  of_branch.set_branch_id(kNorth);
  EXPECT_THAT(All(of_branch), IsEmpty());
  of_carer.set_page_size(1);
  EXPECT_THAT(Paged(of_carer), ElementsAre(1, 2));
}

TEST_F(MismatchListTest, ResolvedOnesAreAListOfTheirOwnTheLastFirst) {
  bench_.SignIn(1, 1);
  bench_.SignIn(2, 2);
  bench_.Put({VisitAt(1, At(9), {1}), VisitAt(2, At(8), {2}), VisitAt(3, At(10), {3})});
  bench_.AdvanceTo(At(6, 20));
  bench_.Sync(1, 1);
  bench_.AdvanceTo(At(6, 30));
  bench_.Sync(2, 2);
  EXPECT_THAT(NumbersOf(All()), ElementsAre(3));
  const std::vector<v1::Mismatch> resolved = All(OfResolved());
  ASSERT_THAT(NumbersOf(resolved), ElementsAre(2, 1));
  EXPECT_EQ(resolved[0].state(), v1::MISMATCH_STATE_RESOLVED);
  EXPECT_EQ(base::FromTimestamp(resolved[0].end_time()), At(6, 30));
  EXPECT_EQ(base::FromTimestamp(resolved[1].end_time()), At(6, 20));
  EXPECT_EQ(base::FromTimestamp(resolved[1].open_time()), At(6, 20));
  EXPECT_EQ(resolved[0].advice(), "");
  v1::ListMismatchesRequest paged = OfResolved();
  paged.set_page_size(1);
  EXPECT_THAT(Paged(paged), ElementsAre(2, 1));
}

TEST_F(MismatchListTest, AResolvedOneStillSaysWhatChanged) {
  OpenMovedVisit();
  bench_.Sync(1, 1);
  const v1::Mismatch mismatch = Only(OfResolved());
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
  EXPECT_EQ(base::FromTimestamp(mismatch.to().start_time()), At(11));
}

TEST_F(MismatchListTest, WhatASearchDoesNotReachOnOnePageIsOnTheNext) {
  ASSERT_NO_FATAL_FAILURE(PutMoreThanASearchReaches());
  v1::ListMismatchesRequest request;
  request.set_carer_id(MismatchBench::Carer(2).ToString());
  const auto first = List(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->mismatches_size(), 0);
  ASSERT_NE(first->next_page_token(), "");
  request.set_page_token(first->next_page_token());
  const auto second = List(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->mismatches_size(), 1);
  EXPECT_EQ(second->next_page_token(), "");
}

// ---- Rows that cannot be read

TEST_F(MismatchListTest, OneThatCannotBeReadKeepsNoOtherFromTheList) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Write({storage::Space::kRecords,
                base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1)), "\xFF\xFF"});
  EXPECT_THAT(NumbersOf(All()), ElementsAre(2));
}

TEST_F(MismatchListTest, ADeviceThatCannotBeReadKeepsNoneFromTheList) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(6, 20));
  bench_.PutDeviceRow(1, DevicePart::kReport, "\xFF\xFF");
  const std::vector<v1::Mismatch> all = All();
  ASSERT_THAT(NumbersOf(all), ElementsAre(1, 1));
  const int of_first = all[0].carer_id() == MismatchBench::Carer(1).ToString() ? 0 : 1;
  EXPECT_EQ(all[of_first].cause(), v1::MISMATCH_CAUSE_UNSPECIFIED);
  EXPECT_EQ(all[1 - of_first].cause(), v1::MISMATCH_CAUSE_NO_DEVICE);
  EXPECT_EQ(all[of_first].device().device_uuid(), MismatchBench::DeviceUuid(1).ToString());
}

TEST_F(MismatchListTest, ACarerOrAServiceUserWhoCannotBeReadKeepsNoneFromTheList) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9), {1, 2})});
  bench_.AdvanceTo(At(6, 20));
  for (const records::RecordName& name : {records::CarerName(1), records::ServiceUserName(1)}) {
    bench_.Write({storage::Space::kRecords, base::keys::Record(bench_.tenant(), records::KeyOf(name)), "\xFF\xFF"});
  }
  const std::vector<v1::Mismatch> all = All();
  ASSERT_THAT(NumbersOf(all), ElementsAre(1, 1));
  const int of_first = all[0].carer_id() == MismatchBench::Carer(1).ToString() ? 0 : 1;
  EXPECT_EQ(all[of_first].carer_name(), "");
  EXPECT_EQ(all[of_first].to().service_user_name(), "");
  EXPECT_EQ(all[of_first].cause(), v1::MISMATCH_CAUSE_UNSPECIFIED) << "the carer may have left";
  EXPECT_NE(all[1 - of_first].carer_name(), "");
  EXPECT_EQ(all[1 - of_first].cause(), v1::MISMATCH_CAUSE_NO_DEVICE);
}

TEST_F(MismatchListTest, OfADeviceInUseThatCannotBeReadNobodySaysThatThereIsNone) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  bench_.Write(
      {storage::Space::kDevices, base::keys::DeviceInUse(bench_.tenant(), MismatchBench::Carer(1)), "\xFF\xFF"});
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_UNSPECIFIED);
  EXPECT_FALSE(Only().has_device());
}

// ---- Wrong questions

TEST_F(MismatchListTest, ATokenOfAnotherListIsRefused) {
  bench_.Put({VisitAt(1, At(9), {1, 2}), VisitAt(2, At(9), {1, 2})});
  bench_.AdvanceTo(At(6, 20));
  v1::ListMismatchesRequest request;
  request.set_page_size(1);
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_NE(page->next_page_token(), "");
  request.set_page_token(page->next_page_token());
  EXPECT_TRUE(List(request).ok());
  v1::ListMismatchesRequest resolved = request;
  resolved.set_ended(true);
  EXPECT_EQ(ErrorOf(resolved), "PAGE_TOKEN_NOT_VALID");
  v1::ListMismatchesRequest of_carer = request;
  of_carer.set_carer_id(MismatchBench::Carer(1).ToString());
  EXPECT_EQ(ErrorOf(of_carer), "PAGE_TOKEN_NOT_VALID");
  v1::ListMismatchesRequest of_branch = request;
  of_branch.set_branch_id(kNorth);
  EXPECT_EQ(ErrorOf(of_branch), "PAGE_TOKEN_NOT_VALID");
  v1::ListMismatchesRequest of_groups = request;
  of_groups.set_group(true);
  EXPECT_EQ(ErrorOf(of_groups), "PAGE_TOKEN_NOT_VALID");
  v1::ListMismatchesRequest of_times = request;
  *of_times.mutable_changed_from_time() = base::ToTimestamp(At(6));
  EXPECT_EQ(ErrorOf(of_times), "PAGE_TOKEN_NOT_VALID");
  v1::ListMismatchesRequest of_silent = request;
  *of_silent.mutable_last_sync_from_time() = base::ToTimestamp(At(6));
  EXPECT_EQ(ErrorOf(of_silent), "PAGE_TOKEN_NOT_VALID");
  request.set_page_token("x");
  EXPECT_EQ(ErrorOf(request), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(MismatchListTest, WrongQuestionsAreNamed) {
  v1::ListMismatchesRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.set_page_size(limits::kPageSizeMost + 1);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  request.set_carer_id("Ann");
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  request.set_branch_id("north");
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  request.mutable_changed_from_time()->set_nanos(-1);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  request.mutable_changed_until_time()->set_nanos(-1);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  request.mutable_last_sync_from_time()->set_nanos(-1);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  *request.mutable_last_sync_until_time() = base::ToTimestamp(At(6));
  request.set_ended(true);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
  request.Clear();
  request.set_group(true);
  request.set_ended(true);
  EXPECT_EQ(ErrorOf(request), "INVALID_FIELD");
}

TEST_F(MismatchListTest, NeverShowsAnotherTenants) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const auto other = ListMismatches(*bench_.Snapshot(), fakes::Tenant("acme2"), {}, Now());
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->mismatches_size(), 0);
}

}  // namespace
}  // namespace caresync::mismatch
