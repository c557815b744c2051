#include <gtest/gtest.h>

#include <string>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"

namespace caresync::tenants {
namespace {

namespace limits = base::limits;

constexpr int64_t kMinute = 60;
constexpr int64_t kHour = 60 * kMinute;

class MismatchTimesTest : public testing::Test {
 protected:
  std::string Create(const v1::Tenant& request) {
    return base::Reason(
        engine_
            .Run(tenant_, [&](commit::Transaction& transaction) { return CreateTenant(transaction, request).status(); })
            .status());
  }
  std::string Set(const v1::UpdateTenantRequest& request) {
    return base::Reason(
        engine_
            .Run(tenant_, [&](commit::Transaction& transaction) { return UpdateTenant(transaction, request).status(); })
            .status());
  }
  std::string SetGrace(int64_t seconds, int32_t nanos = 0) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant_.text());
    request.mutable_mismatch_grace()->set_seconds(seconds);
    request.mutable_mismatch_grace()->set_nanos(nanos);
    return Set(request);
  }
  std::string SetLead(int64_t seconds, int32_t nanos = 0) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant_.text());
    request.mutable_mismatch_lead()->set_seconds(seconds);
    request.mutable_mismatch_lead()->set_nanos(nanos);
    return Set(request);
  }
  v1::Tenant Shown() { return ToProto(tenant_, *GetTenant(*engine_.Snapshot(), tenant_)); }
  int64_t Grace() { return Shown().mismatch_grace().seconds(); }
  int64_t Lead() { return Shown().mismatch_lead().seconds(); }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  fakes::Engine engine_;
};

TEST_F(MismatchTimesTest, AreTwentyMinutesAndADayUnlessTheTenantSaysOtherwise) {
  engine_.CreateTenant(tenant_);
  EXPECT_EQ(Grace(), 20 * kMinute);
  EXPECT_EQ(Lead(), 24 * kHour);
  EXPECT_EQ(SetGrace(45 * kMinute), "");
  EXPECT_EQ(Grace(), 45 * kMinute);
  EXPECT_EQ(Lead(), 24 * kHour) << "the other stays";
  EXPECT_EQ(SetLead(2 * kHour), "");
  EXPECT_EQ(Grace(), 45 * kMinute);
  EXPECT_EQ(Lead(), 2 * kHour);
}

TEST_F(MismatchTimesTest, MayBeGivenAtCreation) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  request.mutable_mismatch_grace()->set_seconds(-1);
  EXPECT_EQ(Create(request), "INVALID_FIELD");
  request.mutable_mismatch_grace()->set_seconds(30 * kMinute);
  request.mutable_mismatch_lead()->set_seconds(kMinute);
  EXPECT_EQ(Create(request), "INVALID_FIELD");
  request.mutable_mismatch_lead()->set_seconds(48 * kHour);
  EXPECT_EQ(Create(request), "");
  EXPECT_EQ(Grace(), 30 * kMinute);
  EXPECT_EQ(Lead(), 48 * kHour);
}

TEST_F(MismatchTimesTest, KeepTheirBounds) {
  engine_.CreateTenant(tenant_);
  const int64_t grace_least = absl::ToInt64Seconds(limits::kMismatchGraceLeast);
  const int64_t grace_most = absl::ToInt64Seconds(limits::kMismatchGraceMost);
  for (const int64_t wrong : {int64_t{-1}, int64_t{0}, grace_least - 1, grace_most + 1, int64_t{315'576'000'000}}) {
    EXPECT_EQ(SetGrace(wrong), "INVALID_FIELD") << wrong;
  }
  EXPECT_EQ(SetGrace(grace_least, 1), "INVALID_FIELD");
  const int64_t lead_least = absl::ToInt64Seconds(limits::kMismatchLeadLeast);
  const int64_t lead_most = absl::ToInt64Seconds(limits::kMismatchLeadMost);
  for (const int64_t wrong : {int64_t{-1}, int64_t{0}, lead_least - 1, lead_most + 1, int64_t{315'576'000'000}}) {
    EXPECT_EQ(SetLead(wrong), "INVALID_FIELD") << wrong;
  }
  EXPECT_EQ(SetLead(lead_least, 1), "INVALID_FIELD");
  EXPECT_EQ(Grace(), 20 * kMinute);
  EXPECT_EQ(Lead(), 24 * kHour);
  for (const int64_t right : {grace_least, grace_most}) EXPECT_EQ(SetGrace(right), "") << right;
  for (const int64_t right : {lead_least, lead_most}) EXPECT_EQ(SetLead(right), "") << right;
}

}  // namespace
}  // namespace caresync::tenants
