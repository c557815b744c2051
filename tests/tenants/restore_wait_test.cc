#include <gtest/gtest.h>

#include <optional>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"

namespace caresync::tenants {
namespace {

class RestoreWaitTest : public testing::Test {
 protected:
  absl::Status Create(const v1::Tenant& request) {
    return engine_
        .Run(tenant_, [&](commit::Transaction& transaction) { return CreateTenant(transaction, request).status(); })
        .status();
  }
  std::string Set(int64_t seconds, int32_t nanos = 0) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant_.text());
    request.mutable_restore_wait()->set_seconds(seconds);
    request.mutable_restore_wait()->set_nanos(nanos);
    return base::Reason(
        engine_
            .Run(tenant_, [&](commit::Transaction& transaction) { return UpdateTenant(transaction, request).status(); })
            .status());
  }
  int64_t Seconds() { return ToProto(tenant_, *GetTenant(*engine_.Snapshot(), tenant_)).restore_wait().seconds(); }
  std::optional<v1::RestoreProgress> Progress() {
    const auto snapshot = engine_.Snapshot();
    const auto progress =
        RestoreProgressOf(*snapshot, tenant_, *GetTenant(*snapshot, tenant_), engine_.opening(), engine_.clock().Now());
    EXPECT_TRUE(progress.ok()) << progress.status();
    return progress.value_or(std::nullopt);
  }
  absl::StatusOr<v1::ReleaseRebuildsResponse> Release(const std::string& tenant) {
    v1::ReleaseRebuildsRequest request;
    request.set_tenant_id(tenant);
    absl::StatusOr<v1::ReleaseRebuildsResponse> response;
    const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      response = ReleaseRebuilds(transaction, request, engine_.opening());
      return response.status();
    });
    if (!committed.ok()) return committed.status();
    return response;
  }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  fakes::Engine engine_;
};

TEST_F(RestoreWaitTest, IsAnHourUnlessTheTenantSaysOtherwise) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  ASSERT_TRUE(Create(request).ok());
  EXPECT_EQ(Seconds(), 3600);
  EXPECT_EQ(Set(0), "");
  EXPECT_EQ(Seconds(), 0);
  EXPECT_EQ(Set(24 * 3600), "");
  EXPECT_EQ(Seconds(), 24 * 3600);
}

TEST_F(RestoreWaitTest, MayBeGivenAtCreation) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  request.mutable_restore_wait()->set_seconds(-1);
  EXPECT_EQ(base::Reason(Create(request)), "INVALID_FIELD");
  request.mutable_restore_wait()->set_seconds(0);
  ASSERT_TRUE(Create(request).ok());
  EXPECT_EQ(Seconds(), 0);
}

TEST_F(RestoreWaitTest, KeepsItsBounds) {
  engine_.CreateTenant(tenant_);
  EXPECT_EQ(Set(-1), "INVALID_FIELD");
  EXPECT_EQ(Set(24 * 3600 + 1), "INVALID_FIELD");
  EXPECT_EQ(Set(60, 1), "INVALID_FIELD");
  EXPECT_EQ(Seconds(), 3600);
}

TEST_F(RestoreWaitTest, ReleasingIsHarmlessToRepeat) {
  engine_.CreateTenant(tenant_);
  engine_.Advance(absl::Minutes(5));
  const int64_t released = absl::ToUnixSeconds(engine_.clock().Now());
  EXPECT_EQ(Release("acme")->release_time().seconds(), released);
  const base::Revision head = engine_.Head(tenant_);
  engine_.Advance(absl::Minutes(5));
  EXPECT_EQ(Release("acme")->release_time().seconds(), released);
  EXPECT_EQ(engine_.Head(tenant_), head);
}

TEST_F(RestoreWaitTest, ReleasingTellsWhenTheWaitingHadEndedBefore) {
  engine_.CreateTenant(tenant_);
  const base::Revision head = engine_.Head(tenant_);
  const int64_t bound = absl::ToUnixSeconds(engine_.clock().Now() + base::limits::kRestoreWaitDefault);
  engine_.Advance(absl::Hours(3));
  EXPECT_EQ(Release("acme")->release_time().seconds(), bound);
  EXPECT_EQ(engine_.Head(tenant_), head);
}

TEST_F(RestoreWaitTest, ReleasingTellsByWhenTheLastDeviceMayComeBack) {
  engine_.CreateTenant(tenant_);
  const auto released = Release("acme");
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(released->last_return_time().seconds() - released->release_time().seconds(),
            absl::ToInt64Seconds(base::limits::kRebuildSpread));
}

TEST_F(RestoreWaitTest, ItsProgressIsToldOnceADeviceShowedTheRestoreUntilAllMayHaveComeBack) {
  engine_.CreateTenant(tenant_);
  const absl::Time opened = engine_.clock().Now();
  EXPECT_FALSE(Progress().has_value()) << "nothing shows that the store was put back";
  ASSERT_TRUE(engine_
                  .Run(tenant_,
                       [&](commit::Transaction& transaction) {
                         return restore::NoteLost(transaction, engine_.opening().timeline, "lost");
                       })
                  .ok());
  ASSERT_TRUE(Progress().has_value());
  EXPECT_TRUE(Progress()->waiting());
  EXPECT_EQ(Progress()->release_time().seconds(), absl::ToUnixSeconds(opened + base::limits::kRestoreWaitDefault));

  engine_.Advance(absl::Minutes(5));
  const absl::Time released = engine_.clock().Now();
  ASSERT_TRUE(Release("acme").ok());
  ASSERT_TRUE(Progress().has_value()) << "devices come back one by one";
  EXPECT_FALSE(Progress()->waiting());
  EXPECT_EQ(Progress()->last_return_time().seconds(), absl::ToUnixSeconds(released + base::limits::kRebuildSpread));
  engine_.Advance(base::limits::kRebuildSpread);
  EXPECT_FALSE(Progress().has_value());
}

TEST_F(RestoreWaitTest, ReleasingNamesItsTenant) {
  EXPECT_EQ(base::Reason(Release("acme").status()), base::Reason(base::errors::TenantUnknown("acme")));
  engine_.CreateTenant(tenant_);
  EXPECT_EQ(base::Reason(Release("other").status()), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::tenants
