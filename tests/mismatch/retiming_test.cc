// A tenant that sets how long its phones have, and how long before a visit the office is told.
#include "server/mismatch/retiming.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

#include "caresync/v1/tenants.pb.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/transitions.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;

constexpr absl::Duration kMoment = absl::Microseconds(1);

// It is 06:00; the tenant has the times of limits.h.
class RetimingTest : public testing::Test {
 protected:
  void Update(const std::function<void(v1::UpdateTenantRequest&)>& write) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(bench_.tenant().text());
    write(request);
    const auto updated = bench_.Run(
        [&request](commit::Transaction& transaction) { return tenants::UpdateTenant(transaction, request).status(); });
    ASSERT_TRUE(updated.ok()) << updated.status();
  }
  void SetGrace(absl::Duration grace) {
    Update([grace](v1::UpdateTenantRequest& request) {
      request.mutable_mismatch_grace()->set_seconds(absl::ToInt64Seconds(grace));
    });
  }
  // And nothing that follows from it.
  void SetGraceAlone(absl::Duration grace) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(bench_.tenant().text());
    request.mutable_mismatch_grace()->set_seconds(absl::ToInt64Seconds(grace));
    bench_.RunAlone(
        [&request](commit::Transaction& transaction) { return tenants::UpdateTenant(transaction, request).status(); });
  }
  void SetLead(absl::Duration lead) {
    Update([lead](v1::UpdateTenantRequest& request) {
      request.mutable_mismatch_lead()->set_seconds(absl::ToInt64Seconds(lead));
    });
  }
  // Visits of carer 1 at nine.
  void ExpectOpensAt(absl::Time time) {
    bench_.AdvanceTo(time - kMoment);
    EXPECT_EQ(bench_.OpenOf(1), std::set<int>());
    bench_.Advance(kMoment);
    EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
  }
  v1::MismatchState StateInTheList() {
    const auto list = ListMismatches(*bench_.Snapshot(), bench_.tenant(), {},
                                     {.syncs = {.opening = bench_.timeline()}, .now = bench_.clock().Now()});
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() && list->mismatches_size() == 1 ? list->mismatches(0).state() : v1::MISMATCH_STATE_UNSPECIFIED;
  }

  MismatchBench bench_;
};

// ---- Changes that come after it

// Requirement: M7
TEST_F(RetimingTest, AChangeIsDueByTheTenantsOwnGrace) {
  SetGrace(absl::Minutes(45));
  bench_.Put({VisitAt(1, At(9))});
  ExpectOpensAt(At(6, 45));
}

// Requirement: M7
TEST_F(RetimingTest, AChangeIsDueByTheTenantsOwnLead) {
  SetLead(absl::Hours(2));
  bench_.Put({VisitAt(1, At(12))});
  ExpectOpensAt(At(10));
}

TEST_F(RetimingTest, AVisitThatIsNearLeavesLessThanTheGrace) {
  SetGrace(absl::Hours(3));
  bench_.Put({VisitAt(1, At(8))});
  ExpectOpensAt(At(7, 30));
}

TEST_F(RetimingTest, ATenantThatIsNotThereHasTheDefaults) {
  const auto timing = ReadTiming(*bench_.Snapshot(), fakes::Tenant("nobody"));
  ASSERT_TRUE(timing.ok()) << timing.status();
  EXPECT_EQ(*timing, Timing());
}

// ---- Changes that wait

TEST_F(RetimingTest, AShorterGraceHoldsOfWhatWaits) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 3));
  SetGrace(absl::Minutes(10));
  ExpectOpensAt(At(6, 10));
}

TEST_F(RetimingTest, WhatIsDueByTheNewTimesIsOpenedAtOnce) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 15));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>());
  SetGrace(absl::Minutes(10));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

TEST_F(RetimingTest, ALongerGraceHoldsOfWhatWaits) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 3));
  SetGrace(absl::Minutes(40));
  ExpectOpensAt(At(6, 40));
}

TEST_F(RetimingTest, AShorterLeadHoldsOfWhatWaits) {
  bench_.Put({VisitAt(1, At(48 + 9))});
  bench_.AdvanceTo(At(7));
  SetLead(absl::Hours(2));
  ExpectOpensAt(At(48 + 7));
}

TEST_F(RetimingTest, ALongerLeadHoldsOfWhatWaits) {
  bench_.Put({VisitAt(1, At(72 + 9))});
  bench_.AdvanceTo(At(7));
  SetLead(absl::Hours(72));
  ExpectOpensAt(At(9));
}

TEST_F(RetimingTest, TheFirstOfSeveralChangesCounts) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 5));
  bench_.Put({VisitAt(1, At(10))});
  SetGrace(absl::Minutes(15));
  ExpectOpensAt(At(6, 15));
}

TEST_F(RetimingTest, WhatAPersonPutOffWaitsByTheChangeThatCameAfterIt) {
  bench_.Put({VisitAt(1, At(12))});
  bench_.AdvanceTo(At(6, 20));
  const auto snoozed = bench_.Run([&](commit::Transaction& transaction) {
    v1::SnoozeMismatchRequest request;
    request.set_carer_id(MismatchBench::Carer(1).ToString());
    request.set_visit_id(records::VisitName(1).id.ToString());
    *request.mutable_until_time() = base::ToTimestamp(At(11));
    return Snooze(transaction, request, "alice", {.opening = bench_.timeline()}).status();
  });
  ASSERT_TRUE(snoozed.ok()) << snoozed.status();
  bench_.AdvanceTo(At(7));
  bench_.Put({VisitAt(1, At(13))});
  SetGrace(absl::Minutes(10));
  bench_.AdvanceTo(At(7, 10) - kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::SNOOZED);
  bench_.Advance(kMoment);
  EXPECT_EQ(bench_.StateOf(1, 1), store::Mismatch::OPEN);
}

TEST_F(RetimingTest, WhatTheCarersStartResolvedWaitsByTheChangeThatCameAfterIt) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const auto started = bench_.Run([](commit::Transaction& transaction) {
    return NoteSign(transaction, MismatchBench::Of(1, 1), {.occurred = At(6, 15), .received = At(6, 20)});
  });
  ASSERT_TRUE(started.ok()) << started.status();
  ASSERT_EQ(bench_.StateOf(1, 1), store::Mismatch::RESOLVED);
  bench_.AdvanceTo(At(7));
  bench_.Put({VisitAt(1, At(13))});
  SetGrace(absl::Minutes(10));
  ExpectOpensAt(At(7, 10));
}

TEST_F(RetimingTest, WhatIsNotWaitedForStaysAsItIs) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9), {2})});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(6, 20));
  ASSERT_EQ(bench_.OpenOf(2), std::set<int>{2});
  SetGrace(absl::Hours(1));
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>()) << "the device has it";
  EXPECT_EQ(bench_.OpenOf(2), std::set<int>{2}) << "the office was told";
}

TEST_F(RetimingTest, TheLeadSaysAtOnceWhatIsAtRisk) {
  bench_.Put({VisitAt(1, At(20))});
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(StateInTheList(), v1::MISMATCH_STATE_AT_RISK);
  SetLead(absl::Hours(2));
  EXPECT_EQ(StateInTheList(), v1::MISMATCH_STATE_CHANGED);
}

TEST_F(RetimingTest, OtherPreferencesTimeNothingAnew) {
  bench_.Put({VisitAt(1, At(9))});
  const size_t looks = bench_.looks();
  Update([](v1::UpdateTenantRequest& request) { request.set_display_name("An Agency"); });
  SetGrace(limits::kMismatchGrace);
  EXPECT_EQ(bench_.looks(), looks);
  EXPECT_FALSE(bench_.Looks().retiming());
}

TEST_F(RetimingTest, GoesThroughManyInSteps) {
  constexpr int kMany = 2 * static_cast<int>(limits::kMismatchesLookedAt) + 10;
  bench_.PutMany(kMany, At(9));
  bench_.AdvanceTo(At(6, 5));
  const size_t looks = bench_.looks();
  SetGrace(absl::Minutes(30));
  EXPECT_GE(bench_.looks(), looks + 3);
  EXPECT_FALSE(bench_.Looks().retiming());
  bench_.AdvanceTo(At(6, 30) - kMoment);
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.AdvanceTo(At(6, 31));
  EXPECT_EQ(bench_.CountOpen(), static_cast<size_t>(kMany));
}

TEST_F(RetimingTest, NothingIsOpenedByTheOldTimesBeforeItIsThrough) {
  constexpr int kMany = static_cast<int>(limits::kMismatchesLookedAt) + 10;
  bench_.PutMany(kMany, At(9));
  // The old grace goes by, and nothing has run when the new one is set.
  bench_.clock().Advance(absl::Minutes(25));
  SetGraceAlone(absl::Minutes(40));
  bench_.RunAll();
  EXPECT_EQ(bench_.CountOpen(), 0u);
  bench_.AdvanceTo(At(6, 41));
  EXPECT_EQ(bench_.CountOpen(), static_cast<size_t>(kMany));
}

TEST_F(RetimingTest, GoesOnWhereTheServerStoppedInTheMidst) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 5));
  SetGraceAlone(absl::Minutes(10));
  EXPECT_TRUE(bench_.Looks().retiming());
  bench_.Stop();
  bench_.Start();
  bench_.RunAll();
  EXPECT_FALSE(bench_.Looks().retiming());
  ExpectOpensAt(At(6, 10));
}

// ---- A clock that was ahead, and is put right

TEST_F(RetimingTest, WhatCameWhileTheClockWasAheadIsDueByTheRightOne) {
  bench_.clock().SetNow(At(24 + 6));
  bench_.Put({VisitAt(1, At(24 + 9))});
  ASSERT_EQ(bench_.Get(1, 1).due_us(), absl::ToUnixMicros(At(24 + 6, 20)));
  bench_.clock().SetNow(At(6));
  // A lead before it: in a day the visit may be over.
  ExpectOpensAt(At(9));
}

TEST_F(RetimingTest, WhatCameBeforeTheClockWasAheadIsDueAsItWas) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.clock().SetNow(At(6, 10));
  // Each brings the look forward, which is when the clock is noted.
  bench_.Put({VisitAt(2, At(6, 20), {2})});
  ASSERT_EQ(bench_.Get(2, 2).due_us(), absl::ToUnixMicros(At(6, 12)));
  bench_.clock().SetNow(At(6, 5));
  bench_.Put({VisitAt(3, At(6, 10), {3})});
  EXPECT_EQ(bench_.Get(1, 1).due_us(), absl::ToUnixMicros(At(6, 20)));
  EXPECT_EQ(bench_.Get(2, 2).due_us(), absl::ToUnixMicros(At(6, 7))) << "it came now at the latest";
  EXPECT_FALSE(bench_.Looks().retiming());
  EXPECT_FALSE(bench_.Looks().set_back());
}

TEST_F(RetimingTest, WhatWaitsAgainSinceTheClockWasAheadIsDueByTheRightOne) {
  bench_.SignIn(1, 1);
  bench_.Put({VisitAt(1, At(24 + 9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(9));
  ASSERT_EQ(bench_.Get(1, 1).due_us(), 0);
  // By then the clock was noted.
  bench_.AdvanceTo(At(24 + 6));
  const auto looked =
      bench_.Run([](commit::Transaction& transaction) { return LookAgain(transaction, MismatchBench::Carer(1)); });
  ASSERT_TRUE(looked.ok()) << looked.status();
  bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.clear_timeline(); });
  bench_.clock().SetNow(At(9));
  // Whoever's change brings the look forward, which is when the clock is noted.
  bench_.Put({VisitAt(2, At(24 + 9), {2})});
  bench_.AdvanceTo(At(10, 30));
  EXPECT_EQ(bench_.OpenOf(1), std::set<int>{1});
}

}  // namespace
}  // namespace caresync::mismatch
