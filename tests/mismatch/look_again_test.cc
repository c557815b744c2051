// A carer's mismatches where the carer's device holds less than was known.
#include "server/mismatch/look_again.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "caresync/v1/mismatches.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/transitions.h"
#include "server/records/record_key.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using storage::Space;
using State = store::Mismatch;

int64_t Us(absl::Time time) { return absl::ToUnixMicros(time); }

commit::Change LookingAgainAt(int carer) {
  return [carer](commit::Transaction& transaction) { return LookAgain(transaction, MismatchBench::Carer(carer)); };
}

// Carers 1 to 3 on devices of the same numbers, each of which has acknowledged all.
class LookAgainTest : public testing::Test {
 protected:
  void SetUp() override { bench_.SignAllIn(); }
  void LookAgainAt(int carer) {
    const auto looked = bench_.Run(LookingAgainAt(carer));
    ASSERT_TRUE(looked.ok()) << looked.status();
  }
  bool IsLookedAtAgainOf(int carer) {
    const absl::StatusOr<bool> is_so =
        IsLookedAtAgain(*bench_.Snapshot(), bench_.tenant(), MismatchBench::Carer(carer), bench_.clock().Now());
    EXPECT_TRUE(is_so.ok()) << is_so.status();
    return is_so.value_or(false);
  }
  // As a session that begins.
  void ChangeDevice(int carer, int device) {
    LookAgainAt(carer);
    bench_.SignIn(carer, device);
  }
  // Visit 1 of carers 1 and 2, which the devices acknowledge in time; it is half past six.
  void SettleOne() {
    bench_.Put({VisitAt(1, At(9), {1, 2})});
    for (const int carer : {1, 2}) bench_.AcknowledgeAll(carer, carer);
    bench_.AdvanceTo(At(6, 30));
    ASSERT_EQ(bench_.Get(1, 1).due_us(), 0);
    ASSERT_EQ(bench_.StateOf(1, 1), State::PENDING);
  }
  // Visit 1 of carer 1 is open; it is half past six.
  void OpenOne() {
    bench_.Put({VisitAt(1, At(9))});
    bench_.AdvanceTo(At(6, 30));
    ASSERT_EQ(bench_.StateOf(1, 1), State::OPEN);
  }
  void Close(int carer, int visit) {
    v1::CloseMismatchRequest request;
    request.set_carer_id(MismatchBench::Carer(carer).ToString());
    request.set_visit_id(records::NameOf(MismatchBench::Visit(visit))->id.ToString());
    const auto closed = bench_.Run([&](commit::Transaction& transaction) {
      return mismatch::Close(transaction, request, "someone", {.opening = bench_.timeline()}).status();
    });
    ASSERT_TRUE(closed.ok()) << closed.status();
  }
  void Snooze(int carer, int visit, absl::Time until) {
    v1::SnoozeMismatchRequest request;
    request.set_carer_id(MismatchBench::Carer(carer).ToString());
    request.set_visit_id(records::NameOf(MismatchBench::Visit(visit))->id.ToString());
    *request.mutable_until_time() = base::ToTimestamp(until);
    const auto snoozed = bench_.Run([&](commit::Transaction& transaction) {
      return mismatch::Snooze(transaction, request, "someone", {.opening = bench_.timeline()}).status();
    });
    ASSERT_TRUE(snoozed.ok()) << snoozed.status();
  }
  size_t CountWaiting(int visits) const {
    size_t waiting = 0;
    for (int visit = 1; visit <= visits; ++visit) waiting += bench_.Get(1, visit).due_us() != 0;
    return waiting;
  }

  MismatchBench bench_;
};

TEST_F(LookAgainTest, WhatWasSettledIsWaitedForAgainWithAGraceOfItsOwn) {
  SettleOne();
  ChangeDevice(1, 3);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 50)));
  bench_.AdvanceTo(At(6, 50) - absl::Microseconds(1));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
  bench_.Advance(absl::Microseconds(1));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(LookAgainTest, OtherCarersAreLeftAlone) {
  SettleOne();
  LookAgainAt(1);
  EXPECT_EQ(bench_.Get(2, 1).due_us(), 0);
}

TEST_F(LookAgainTest, WhatTheDeviceHoldsAfterAllRaisesNone) {
  SettleOne();
  ChangeDevice(1, 3);
  bench_.Sync(1, 3);
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::PENDING);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
}

TEST_F(LookAgainTest, AFarVisitIsDueALeadBeforeIt) {
  bench_.Put({VisitAt(1, At(9) + absl::Hours(48))});
  LookAgainAt(1);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(9) + absl::Hours(24)));
  const base::Revision head = bench_.Head();
  LookAgainAt(1);
  EXPECT_EQ(bench_.Head(), head) << "it was waited for until then already";
}

TEST_F(LookAgainTest, IsNotDoneOnceMoreWhileItIsTimeEnoughUntilAllIsLookedAt) {
  SettleOne();
  EXPECT_FALSE(IsLookedAtAgainOf(1));
  LookAgainAt(1);
  EXPECT_TRUE(IsLookedAtAgainOf(1));
  const base::Revision head = bench_.Head();
  bench_.AdvanceTo(At(6, 50) - limits::kLookedAtAnyway);
  EXPECT_TRUE(IsLookedAtAgainOf(1));
  LookAgainAt(1);
  EXPECT_EQ(bench_.Head(), head);
  bench_.Advance(absl::Seconds(1));
  EXPECT_FALSE(IsLookedAtAgainOf(1)) << "what is settled then may be so by what the device held before";
}

TEST_F(LookAgainTest, IsNotDoneWhereTheCarerHasNoneThatIsToCome) {
  EXPECT_TRUE(IsLookedAtAgainOf(1));
  SettleOne();
  EXPECT_TRUE(IsLookedAtAgainOf(3));
  bench_.AdvanceTo(At(18));
  EXPECT_TRUE(IsLookedAtAgainOf(1));
}

TEST_F(LookAgainTest, AChangeThatFindsItAcknowledgedHasAGraceOfItsOwn) {
  bench_.Put({VisitAt(1, At(12))});
  bench_.AdvanceTo(At(6, 20));
  LookAgainAt(1);
  bench_.Sync(1, 1);
  ASSERT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  bench_.AdvanceTo(At(6, 39));
  bench_.Put({VisitAt(1, At(13))});
  bench_.AdvanceTo(At(6, 58));
  EXPECT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  bench_.AdvanceTo(At(6, 59));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(LookAgainTest, WhatIsOverWhenItIsLookedAtAgainIsNotRaised) {
  bench_.Put({VisitAt(1, At(7))});
  bench_.Sync(1, 1);
  bench_.AdvanceTo(At(7, 30));
  LookAgainAt(1);
  bench_.Acknowledge(1, 1, feed::Position::EndOf(1));
  // The server comes to it hours late.
  bench_.clock().Advance(absl::Hours(3));
  bench_.AdvanceTo(At(11));
  EXPECT_EQ(bench_.CountOpen(), 0u);
}

TEST_F(LookAgainTest, OnesThatWereResolvedOrClosedOpenAgain) {
  bench_.Put({VisitAt(1, At(12)), VisitAt(2, At(12))});
  bench_.AdvanceTo(At(6, 20));
  Close(1, 2);
  bench_.Sync(1, 1);
  ASSERT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  bench_.AdvanceTo(At(8));
  LookAgainAt(1);
  // The phone was put back to what it held before.
  bench_.Acknowledge(1, 1, feed::Position::EndOf(1));
  for (const int visit : {1, 2}) EXPECT_NE(bench_.StateOf(1, visit), State::OPEN);
  bench_.AdvanceTo(At(8, 20));
  for (const int visit : {1, 2}) EXPECT_EQ(bench_.StateOf(1, visit), State::OPEN);
}

TEST_F(LookAgainTest, WhatIsDueEarlierStaysSo) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 10));
  ChangeDevice(1, 3);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 20)));
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

// It may be by what the device held before: the session's own commit comes after.
TEST_F(LookAgainTest, WhatIsFoundSettledWithinTheGraceIsLookedAtOnceMore) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(6, 10));
  LookAgainAt(1);
  bench_.AdvanceTo(At(6, 20));
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 30)));
  bench_.SignIn(1, 3);
  bench_.AdvanceTo(At(6, 30));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(LookAgainTest, AnOpenOneStaysOpenAndIsLookedAtOnceMoreWhereItIsResolvedWithinTheGrace) {
  OpenOne();
  LookAgainAt(1);
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
  EXPECT_EQ(bench_.Get(1, 1).opened_us(), Us(At(6, 20)));
  // An ack of the first device.
  bench_.Sync(1, 1);
  EXPECT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), Us(At(6, 50)));
  bench_.SignIn(1, 3);
  bench_.AdvanceTo(At(6, 50));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(LookAgainTest, OneThatTheDeviceResolvesLaterIsWaitedForNoMore) {
  OpenOne();
  LookAgainAt(1);
  bench_.AdvanceTo(At(6, 50));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
  bench_.Sync(1, 1);
  EXPECT_EQ(bench_.StateOf(1, 1), State::RESOLVED);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
}

TEST_F(LookAgainTest, ASnoozedOneStaysSnoozed) {
  OpenOne();
  Snooze(1, 1, At(8));
  ChangeDevice(1, 3);
  bench_.AdvanceTo(At(7, 59));
  EXPECT_EQ(bench_.StateOf(1, 1), State::SNOOZED);
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::OPEN);
}

TEST_F(LookAgainTest, OneThatAPersonClosesWithinTheGraceStaysClosed) {
  OpenOne();
  ChangeDevice(1, 3);
  Close(1, 1);
  bench_.AdvanceTo(At(8));
  EXPECT_EQ(bench_.StateOf(1, 1), State::CLOSED);
}

TEST_F(LookAgainTest, AVisitThatIsOverIsLeft) {
  OpenOne();
  bench_.Sync(1, 1);
  bench_.AdvanceTo(At(10, 1));
  const base::Revision head = bench_.Head();
  ChangeDevice(1, 3);
  EXPECT_EQ(bench_.Head(), head);
  EXPECT_EQ(bench_.Get(1, 1).due_us(), 0);
}

TEST_F(LookAgainTest, OfACarerWhoHasNoneItWritesNothing) {
  const base::Revision head = bench_.Head();
  LookAgainAt(1);
  EXPECT_EQ(bench_.Head(), head);
}

TEST_F(LookAgainTest, DoneTwiceAtATimeItWritesOnce) {
  SettleOne();
  LookAgainAt(1);
  const base::Revision head = bench_.Head();
  LookAgainAt(1);
  EXPECT_EQ(bench_.Head(), head);
}

TEST_F(LookAgainTest, OneThatCannotBeReadHoldsNoOtherUp) {
  bench_.Put({VisitAt(1, At(9)), VisitAt(2, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.AdvanceTo(At(6, 30));
  const std::string key = base::keys::Mismatch(bench_.tenant(), MismatchBench::Carer(1), MismatchBench::Visit(1));
  bench_.Write({Space::kRecords, key, "\xFF\xFF"});
  // No visit's key ends so.
  bench_.Write({Space::kRecords, key + "x", ""});
  LookAgainAt(1);
  EXPECT_EQ(bench_.Get(1, 2).due_us(), Us(At(6, 50)));
}

// ---- Many

class ManyAgainTest : public LookAgainTest {
 protected:
  static constexpr int kMany = 2 * static_cast<int>(limits::kMismatchesLookedAt) + 50;

  void SetUp() override {
    LookAgainTest::SetUp();
    bench_.PutMany(kMany, At(12));
    bench_.AcknowledgeAll(1, 1);
    bench_.AdvanceTo(At(6, 30));
    ASSERT_EQ(CountWaiting(kMany), 0u);
  }
};

TEST_F(ManyAgainTest, AreLookedAtInSteps) {
  bench_.RunAlone(LookingAgainAt(1));
  EXPECT_EQ(CountWaiting(kMany), limits::kMismatchesLookedAt);
  bench_.RunAll();
  EXPECT_EQ(CountWaiting(kMany), static_cast<size_t>(kMany));
}

TEST_F(ManyAgainTest, AreNeverTakenForLookedAtAgain) {
  LookAgainAt(1);
  EXPECT_EQ(CountWaiting(kMany), static_cast<size_t>(kMany));
  EXPECT_FALSE(IsLookedAtAgainOf(1)) << "of the first of them nothing follows";
}

TEST_F(ManyAgainTest, AreLookedAtThoughTheServerCrashesAndTheirGraceBeganBeforeIt) {
  bench_.RunAlone(LookingAgainAt(1));
  bench_.Stop();
  bench_.clock().Advance(absl::Minutes(5));
  bench_.Start();
  EXPECT_EQ(CountWaiting(kMany), static_cast<size_t>(kMany));
  for (const int visit : {1, kMany}) EXPECT_EQ(bench_.Get(1, visit).due_us(), Us(At(6, 50)));
}

TEST(LookAgainStepTest, WorkThatNamesNobodyIsDamage) {
  MismatchBench bench;
  store::LookAgain nobody;
  nobody.set_carer_id("Ann Smith");
  for (const std::string& payload : {std::string("\xFF\xFF"), nobody.SerializeAsString()}) {
    const auto looked =
        bench.Run([&](commit::Transaction& transaction) { return LookAgainStep(transaction, payload); });
    EXPECT_EQ(base::Reason(looked.status()), "DAMAGED_ROW");
  }
}

}  // namespace
}  // namespace caresync::mismatch
