#include <gtest/gtest.h>

#include <string>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"

namespace caresync::tenants {
namespace {

namespace limits = base::limits;

constexpr int64_t kDay = 24 * 60 * 60;

class DeliveriesKeptTest : public testing::Test {
 protected:
  std::string Set(int64_t seconds, int32_t nanos = 0) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant_.text());
    request.mutable_deliveries_kept()->set_seconds(seconds);
    request.mutable_deliveries_kept()->set_nanos(nanos);
    const auto update = [&](commit::Transaction& transaction) { return UpdateTenant(transaction, request).status(); };
    return base::Reason(engine_.Run(tenant_, update).status());
  }
  int64_t Shown() { return ToProto(tenant_, *GetTenant(*engine_.Snapshot(), tenant_)).deliveries_kept().seconds(); }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  fakes::Engine engine_;
};

TEST_F(DeliveriesKeptTest, IsNinetyDaysUnlessTheTenantSaysOtherwise) {
  engine_.CreateTenant(tenant_);
  EXPECT_EQ(Shown(), 90 * kDay);
  EXPECT_EQ(Set(30 * kDay), "");
  EXPECT_EQ(Shown(), 30 * kDay);
  EXPECT_EQ(DeliveriesKept(*GetTenant(*engine_.Snapshot(), tenant_)), absl::Hours(24 * 30));
}

TEST_F(DeliveriesKeptTest, MayBeGivenAtCreation) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  const auto create = [&](commit::Transaction& transaction) { return CreateTenant(transaction, request).status(); };
  request.mutable_deliveries_kept()->set_seconds(kDay);
  EXPECT_EQ(base::Reason(engine_.Run(tenant_, create).status()), "INVALID_FIELD");
  request.mutable_deliveries_kept()->set_seconds(365 * kDay);
  ASSERT_TRUE(engine_.Run(tenant_, create).ok());
  EXPECT_EQ(Shown(), 365 * kDay);
}

TEST_F(DeliveriesKeptTest, KeepsItsBounds) {
  engine_.CreateTenant(tenant_);
  const int64_t least = absl::ToInt64Seconds(limits::kDeliveriesKeptLeast);
  const int64_t most = absl::ToInt64Seconds(limits::kDeliveriesKeptMost);
  for (const int64_t wrong : {int64_t{-1}, int64_t{0}, least - 1, most + 1}) {
    EXPECT_EQ(Set(wrong), "INVALID_FIELD") << wrong;
  }
  EXPECT_EQ(Set(least, 1), "INVALID_FIELD");
  EXPECT_EQ(Shown(), 90 * kDay);
  for (const int64_t right : {least, most}) EXPECT_EQ(Set(right), "") << right;
}

}  // namespace
}  // namespace caresync::tenants
