#include "server/mismatch/mismatch_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "caresync/v1/devices.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "tests/fakes/engine.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using base::keys::DevicePart;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kNorth[] = "20000000-0000-4000-8000-000000000001";
constexpr char kSouth[] = "20000000-0000-4000-8000-000000000002";

class MismatchListTest : public testing::Test {
 protected:
  devices::AsOf Now() { return {.syncs = {.opening = bench_.timeline()}, .now = bench_.clock().Now()}; }
  absl::StatusOr<v1::ListMismatchesResponse> List(const v1::ListMismatchesRequest& request) {
    return ListMismatches(*bench_.Snapshot(), bench_.tenant(), request, Now());
  }
  // All on the first page.
  std::vector<v1::Mismatch> All(const v1::ListMismatchesRequest& request = {}) {
    const auto response = List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    EXPECT_EQ(response->next_page_token(), "");
    return {response->mismatches().begin(), response->mismatches().end()};
  }
  v1::Mismatch Only(const v1::ListMismatchesRequest& request = {}) {
    const std::vector<v1::Mismatch> all = All(request);
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? v1::Mismatch() : all.front();
  }
  std::string ErrorOf(const v1::ListMismatchesRequest& request) { return base::Reason(List(request).status()); }

  // Which visit it is of.
  static int NumberOf(const v1::Mismatch& mismatch) {
    for (int number = 1; number < 100; ++number) {
      if (mismatch.visit_id() == records::VisitName(number).id.ToString()) return number;
    }
    return 0;
  }
  static std::vector<int> NumbersOf(const std::vector<v1::Mismatch>& mismatches) {
    std::vector<int> numbers;
    for (const v1::Mismatch& mismatch : mismatches) numbers.push_back(NumberOf(mismatch));
    return numbers;
  }
  std::vector<int> Paged(v1::ListMismatchesRequest request) {
    std::vector<int> numbers;
    do {
      const auto page = List(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->mismatches_size(), request.page_size());
      for (const v1::Mismatch& mismatch : page->mismatches()) numbers.push_back(NumberOf(mismatch));
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return numbers;
  }
  // All on the first page.
  std::vector<v1::MismatchGroup> Groups() {
    v1::ListMismatchesRequest request;
    request.set_group(true);
    const auto response = List(request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    EXPECT_EQ(response->next_page_token(), "");
    EXPECT_EQ(response->mismatches_size(), 0);
    return {response->groups().begin(), response->groups().end()};
  }
  // As many rows as one page looks at, of carer 1, and behind them one of carer 2. Without visits.
  void PutMoreThanASearchReaches() {
    const int most = static_cast<int>(limits::kSearchedRows);
    for (int from = 0; from <= most; from += 2'000) {
      const auto put = bench_.Run([&](commit::Transaction& transaction) -> absl::Status {
        for (int i = from; i < std::min(from + 2'000, most + 1); ++i) {
          store::Mismatch row;
          row.set_state(store::Mismatch::OPEN);
          row.mutable_now()->set_start_us(absl::ToUnixMicros(At(9)) + i);
          row.mutable_now()->set_end_us(absl::ToUnixMicros(At(10)) + i);
          row.set_last_change_us(absl::ToUnixMicros(At(6)));
          row.set_opened_us(absl::ToUnixMicros(At(6)));
          RETURN_IF_ERROR(PutMismatch(transaction, MismatchBench::Of(i < most ? 1 : 2, i), std::nullopt, row));
        }
        return absl::OkStatus();
      });
      ASSERT_TRUE(put.ok()) << put.status();
    }
  }
  static v1::ListMismatchesRequest OfResolved() {
    v1::ListMismatchesRequest request;
    request.set_ended(true);
    return request;
  }

  // Carer 1 uses device 1, a Pixel 6 that last synced at 05:00, and called once more at 05:30.
  void PutPixel() {
    bench_.SignIn(1, 1);
    bench_.PutReport(1, [](store::DeviceReport& report) {
      report.set_device_name("Pixel 6");
      report.set_last_success_us(absl::ToUnixMicros(At(5)));
    });
    bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_last_success_us(absl::ToUnixMicros(At(5))); });
    bench_.AcknowledgeAll(1, 1);
    Call(At(5, 30));
  }
  void Call(absl::Time time) {
    store::DeviceCall call;
    call.set_time_us(absl::ToUnixMicros(time));
    call.set_state(v1::CALL_STATE_SUCCEEDED);
    call.set_opening(bench_.timeline());
    bench_.PutDeviceRow(1, DevicePart::kCall, call.SerializeAsString());
  }
  // A visit of carer 1 at nine that the Pixel has acknowledged, moved to eleven at 06:05: open since 06:25.
  void OpenMovedVisit() {
    PutPixel();
    bench_.Put({VisitAt(1, At(9))});
    bench_.AcknowledgeAll(1, 1);
    bench_.AdvanceTo(At(6, 5));
    bench_.Put({VisitAt(1, At(11))});
    bench_.AdvanceTo(At(6, 30));
    ASSERT_EQ(bench_.OpenOf(1), std::set<int>{1});
  }

  MismatchBench bench_;
};

// ---- What it says

// Requirement: M2
TEST_F(MismatchListTest, NamesTheCarerTheVisitTheChangeAndTheDevice) {
  OpenMovedVisit();
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.carer_id(), MismatchBench::Carer(1).ToString());
  EXPECT_EQ(mismatch.carer_name(), "Ann Smith");
  EXPECT_EQ(NumberOf(mismatch), 1);
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().start_time()), At(9));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().end_time()), At(10));
  EXPECT_EQ(mismatch.from().service_user_name(), "Mary White");
  EXPECT_EQ(base::FromTimestamp(mismatch.to().start_time()), At(11));
  EXPECT_EQ(base::FromTimestamp(mismatch.to().end_time()), At(12));
  EXPECT_EQ(mismatch.to().service_user_id(), records::ServiceUserName(1).id.ToString());
  EXPECT_EQ(mismatch.state(), v1::MISMATCH_STATE_AT_RISK);
  EXPECT_EQ(mismatch.device().device_uuid(), MismatchBench::DeviceUuid(1).ToString());
  EXPECT_EQ(mismatch.device().device_name(), "Pixel 6");
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_successful_sync_time()), At(5));
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_api_call_time()), At(5, 30));
  EXPECT_EQ(base::FromTimestamp(mismatch.first_change_time()), At(6, 5));
  EXPECT_EQ(base::FromTimestamp(mismatch.last_change_time()), At(6, 5));
  EXPECT_EQ(base::FromTimestamp(mismatch.open_time()), At(6, 25));
  EXPECT_FALSE(mismatch.has_end_time());
}

// Requirement: M2
TEST_F(MismatchListTest, SaysToDoAManualSync) {
  OpenMovedVisit();
  EXPECT_EQ(Only().headline(), "The rota changed and Ann Smith has not synced Pixel 6 since.");
  EXPECT_EQ(Only().advice(), "Ask Ann Smith for a manual sync, with the app open and the screen on.");
}

TEST_F(MismatchListTest, OfAVisitThatIsNewThereIsNothingThatItChangedFrom) {
  PutPixel();
  bench_.Put({Edited(VisitAt(1, At(9)), [](v1::Visit& visit) { visit.set_branch_id(kNorth); })});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
  EXPECT_FALSE(mismatch.has_from());
  EXPECT_TRUE(mismatch.has_to());
  EXPECT_EQ(mismatch.branch_id(), kNorth);
}

TEST_F(MismatchListTest, OfAVisitThatIsGoneThereIsNothingThatItChangedTo) {
  OpenMovedVisit();
  bench_.Put({Cancelled(VisitAt(1, At(11)))});
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().start_time()), At(9));
  EXPECT_FALSE(mismatch.has_to());
  EXPECT_EQ(mismatch.state(), v1::MISMATCH_STATE_UNNEEDED_JOURNEY);
}

// The device may have it though it never said so: the office must know of which hours the talk is.
TEST_F(MismatchListTest, OfOneThatCameAndWentUnacknowledgedItSaysWhenItWas) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().start_time()), At(9));
  EXPECT_FALSE(mismatch.has_to());
}

TEST_F(MismatchListTest, AnotherServiceUserIsNamedOnBothSides) {
  PutPixel();
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Edited(VisitAt(1, At(9)),
                     [](v1::Visit& visit) { visit.set_service_user_id(records::ServiceUserName(2).id.ToString()); })});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER));
  EXPECT_EQ(mismatch.from().service_user_name(), "Mary White");
  EXPECT_EQ(mismatch.to().service_user_name(), "John Green");
}

TEST_F(MismatchListTest, ACarerWhoHasSignedInNowhereHasNoDevice) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_FALSE(mismatch.has_device());
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_NO_DEVICE);
  EXPECT_EQ(mismatch.carer_name(), "Ann Smith");
  EXPECT_EQ(mismatch.headline(), "The rota changed and Ann Smith has not signed in on any device.");
  EXPECT_NE(mismatch.advice(), "");
}

TEST_F(MismatchListTest, ADeviceThatNeverCompletedASyncSaysSo) {
  bench_.SignIn(1, 1);
  bench_.PutReport(1, [](store::DeviceReport& report) { report.set_device_name("Pixel 6"); });
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.device().device_name(), "Pixel 6");
  EXPECT_FALSE(mismatch.device().has_last_successful_sync_time());
  EXPECT_FALSE(mismatch.device().has_last_api_call_time());
  EXPECT_FALSE(mismatch.device().has_last_contact_time());
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_NEVER_SYNCED);
}

TEST_F(MismatchListTest, ItsStateGoesByTheTimeAndTheDevicesCalls) {
  PutPixel();
  bench_.Put({VisitAt(1, At(9 + 24))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(10 + 24))});
  bench_.AdvanceTo(At(9));
  EXPECT_EQ(Only().state(), v1::MISMATCH_STATE_AT_RISK);
  bench_.AdvanceTo(At(9 + 24, 5));
  EXPECT_EQ(Only().state(), v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT);
  Call(At(9 + 24, 2));
  EXPECT_EQ(Only().state(), v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
}

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

// ---- Many as one

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
