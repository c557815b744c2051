#include "server/records/closing_edge_allowance.h"

#include <gtest/gtest.h>

#include "server/base/limits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/manual_clock.h"

namespace caresync::records {
namespace {

using base::limits::kClosingEdgeStep;

class ClosingEdgeAllowanceTest : public testing::Test {
 protected:
  fakes::ManualClock clock_;
  ClosingEdgeAllowance allowance_{clock_};
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(ClosingEdgeAllowanceTest, IsOneStepAtAStartAndNeverMore) {
  EXPECT_EQ(allowance_.Available(tenant_), kClosingEdgeStep);
  clock_.Advance(absl::Hours(1'000));
  EXPECT_EQ(allowance_.Available(tenant_), kClosingEdgeStep);
}

TEST_F(ClosingEdgeAllowanceTest, ComesBackInAnHourOfTheMonotonicClock) {
  allowance_.Spend(tenant_, kClosingEdgeStep);
  EXPECT_EQ(allowance_.Available(tenant_), absl::ZeroDuration());
  clock_.Advance(absl::Minutes(30));
  EXPECT_EQ(allowance_.Available(tenant_), kClosingEdgeStep / 2);
  clock_.Advance(absl::Minutes(30));
  EXPECT_EQ(allowance_.Available(tenant_), kClosingEdgeStep);
}

TEST_F(ClosingEdgeAllowanceTest, AWallClockThatIsSetGivesNothing) {
  allowance_.Spend(tenant_, kClosingEdgeStep);
  clock_.SetNow(clock_.Now() + absl::Hours(24 * 3650));
  EXPECT_EQ(allowance_.Available(tenant_), absl::ZeroDuration());
}

TEST_F(ClosingEdgeAllowanceTest, EachTenantHasItsOwn) {
  allowance_.Spend(tenant_, kClosingEdgeStep);
  EXPECT_EQ(allowance_.Available(fakes::Tenant("other")), kClosingEdgeStep);
}

TEST_F(ClosingEdgeAllowanceTest, IsNeverLessThanNothing) {
  allowance_.Spend(tenant_, 5 * kClosingEdgeStep);
  clock_.Advance(absl::Minutes(30));
  EXPECT_EQ(allowance_.Available(tenant_), kClosingEdgeStep / 2);
}

}  // namespace
}  // namespace caresync::records
