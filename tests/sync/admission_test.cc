#include "server/sync/admission.h"

#include <set>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::sync {
namespace {

namespace limits = base::limits;

class AdmissionTest : public testing::Test {
 protected:
  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  fakes::SeededRandom random_{1};
};

TEST_F(AdmissionTest, CopiesAreRefusedAtAShorterDelayThanCalls) {
  const Admission admission(executor_, random_, clock_);
  EXPECT_TRUE(admission.RoomForCall().ok());
  EXPECT_TRUE(admission.RoomForCopy().ok());
  executor_.SetDelay(limits::kCopyDelay);
  EXPECT_TRUE(admission.RoomForCall().ok());
  EXPECT_EQ(base::Reason(admission.RoomForCopy()), "OVERLOADED");
  executor_.SetDelay(limits::kCallDelay);
  EXPECT_EQ(base::Reason(admission.RoomForCall()), "OVERLOADED");
  executor_.SetDelay(absl::ZeroDuration());
  EXPECT_TRUE(admission.RoomForCall().ok());
  EXPECT_TRUE(admission.RoomForCopy().ok());
}

TEST_F(AdmissionTest, WhereWorkWaitsWithoutABreakLessWaitingIsBorneThanInABurst) {
  const Admission admission(executor_, random_, clock_);
  const absl::Duration burst = limits::kStandingWork - absl::Milliseconds(1);
  executor_.SetDelay(limits::kCopyDelay - absl::Milliseconds(1), burst);
  EXPECT_TRUE(admission.RoomForCall().ok());
  EXPECT_TRUE(admission.RoomForCopy().ok());
  executor_.SetDelay(limits::kStandingCallDelay, limits::kStandingWork);
  EXPECT_EQ(base::Reason(admission.RoomForCall()), "OVERLOADED");
  EXPECT_EQ(base::Reason(admission.RoomForCopy()), "OVERLOADED");
  executor_.SetDelay(limits::kStandingCopyDelay, limits::kStandingWork);
  EXPECT_TRUE(admission.RoomForCall().ok());
  EXPECT_EQ(base::Reason(admission.RoomForCopy()), "OVERLOADED");
  executor_.SetDelay(limits::kStandingCopyDelay - absl::Milliseconds(1), limits::kStandingWork);
  EXPECT_TRUE(admission.RoomForCopy().ok());
}

TEST_F(AdmissionTest, WhoeverComesSoonAfterSomebodyWasRefusedIsNoBurst) {
  const Admission admission(executor_, random_, clock_);
  executor_.SetDelay(limits::kCallDelay);
  EXPECT_EQ(base::Reason(admission.RoomForCall()), "OVERLOADED");
  executor_.SetDelay(limits::kStandingCallDelay);
  clock_.Advance(limits::kCalm);
  EXPECT_EQ(base::Reason(admission.RoomForCall()), "OVERLOADED");
  clock_.Advance(limits::kCalm + absl::Milliseconds(1));
  EXPECT_TRUE(admission.RoomForCall().ok());
}

TEST_F(AdmissionTest, CallsWhoseWorkHasNotComeYetCountAsIfItWaited) {
  Admission admission(executor_, random_, clock_);
  executor_.SetPace(limits::kCallDelay / 2);
  Admission::Call first = admission.BeginCall();
  EXPECT_TRUE(admission.RoomForCall().ok());
  {
    const Admission::Call second = admission.BeginCall();
    EXPECT_EQ(base::Reason(admission.RoomForCall()), "OVERLOADED");
  }
  clock_.Advance(limits::kCalm + absl::Milliseconds(1));
  EXPECT_TRUE(admission.RoomForCall().ok());
  const Admission::Call second = admission.BeginCall();
  first = Admission::Call();
  EXPECT_TRUE(admission.RoomForCall().ok());
}

TEST_F(AdmissionTest, CopiesAreCountedUntilTheyAreMadeAndCallsAreNotInTheirWay) {
  Admission admission(executor_, random_, clock_, {.copies = 2});
  Admission::Copy first = admission.BeginCopy();
  {
    Admission::Copy second = admission.BeginCopy();
    const Admission::Copy moved = std::move(second);
    EXPECT_TRUE(moved.counts());
    EXPECT_EQ(admission.copies(), 2u);
    EXPECT_EQ(base::Reason(admission.RoomForCopy()), "OVERLOADED");
    EXPECT_TRUE(admission.RoomForCall().ok());
  }
  EXPECT_EQ(admission.copies(), 1u);
  EXPECT_TRUE(admission.RoomForCopy().ok());
  first = Admission::Copy();
  EXPECT_EQ(admission.copies(), 0u);
}

TEST_F(AdmissionTest, ThoseThatAreRefusedComeBackSpreadOut) {
  const Admission admission(executor_, random_, clock_);
  std::set<int64_t> seconds;
  for (int i = 0; i < 1'000; ++i) {
    const absl::Duration after = *base::RetryDelay(admission.Refusal());
    EXPECT_GE(after, limits::kOverloadRetryAfter);
    EXPECT_LT(after, limits::kOverloadRetryAfter + limits::kOverloadRetrySpread);
    seconds.insert(absl::ToInt64Seconds(after));
  }
  EXPECT_EQ(seconds.size(), static_cast<size_t>(absl::ToInt64Seconds(limits::kOverloadRetrySpread)));
}

}  // namespace
}  // namespace caresync::sync
