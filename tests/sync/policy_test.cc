#include "server/sync/policy.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>

#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::sync {
namespace {

store::Tenant TenantWith(int64_t interval_s) {
  store::Tenant tenant;
  tenant.set_time_zone("Europe/London");
  tenant.set_auto_sync_interval_s(interval_s);
  return tenant;
}

constexpr int64_t kNow = 1'772'431'200;

int64_t NextOf(const base::Uuid& device, int64_t interval_s, int64_t now) {
  return PolicyFor(TenantWith(interval_s), "", device, absl::FromUnixSeconds(now)).next_auto_sync_time().seconds();
}

// Requirement: S7
TEST(Policy, CarriesTheTenantsIntervalAndTimeZone) {
  const v1::Policy policy = PolicyFor(TenantWith(1'800), "", base::Uuid(), absl::FromUnixSeconds(kNow));
  EXPECT_EQ(policy.auto_sync_interval().seconds(), 1'800);
  EXPECT_EQ(policy.time_zone(), "Europe/London");
}

// Requirement: S7
TEST(Policy, HasTheIntervalOfTheDevicesBranch) {
  store::Tenant tenant = TenantWith(1'800);
  store::BranchAutoSync& north = *tenant.add_branch_auto_syncs();
  north.set_branch_id("north");
  north.set_auto_sync_interval_s(300);
  tenant.add_branch_auto_syncs()->set_branch_id("south");
  const auto policy_of = [&tenant](std::string_view branch) {
    return PolicyFor(tenant, branch, base::Uuid(), absl::FromUnixSeconds(kNow));
  };
  EXPECT_EQ(policy_of("north").auto_sync_interval().seconds(), 300);
  EXPECT_LE(policy_of("north").next_auto_sync_time().seconds(), kNow + 300);
  EXPECT_EQ(policy_of("south").auto_sync_interval().seconds(), 0);
  EXPECT_FALSE(policy_of("south").has_next_auto_sync_time());
  EXPECT_EQ(policy_of("west").auto_sync_interval().seconds(), 1'800);
  EXPECT_EQ(policy_of("").auto_sync_interval().seconds(), 1'800);
}

TEST(Policy, NamesTheLeastAppVersion) {
  store::Tenant tenant = TenantWith(1'800);
  EXPECT_EQ(PolicyFor(tenant, "", base::Uuid(), absl::FromUnixSeconds(kNow)).least_app_version(), "");
  tenant.set_least_app_version("4.10");
  EXPECT_EQ(PolicyFor(tenant, "", base::Uuid(), absl::FromUnixSeconds(kNow)).least_app_version(), "4.10");
}

TEST(Policy, HasNoNextTimeWhereAutoSyncIsOff) {
  const v1::Policy policy = PolicyFor(TenantWith(0), "", base::Uuid(), absl::FromUnixSeconds(kNow));
  EXPECT_EQ(policy.auto_sync_interval().seconds(), 0);
  EXPECT_FALSE(policy.has_next_auto_sync_time());
}

TEST(Policy, NextTimeIsHalfAnIntervalAheadToOneAndAHalf) {
  fakes::SeededRandom random(1);
  for (int i = 0; i < 1'000; ++i) {
    const int64_t next = NextOf(base::Uuid::Random(random), 1'800, kNow + i);
    EXPECT_GT(next, kNow + i + 900);
    EXPECT_LE(next, kNow + i + 2'700);
  }
}

TEST(Policy, ADeviceKeepsItsPlaceInTheInterval) {
  fakes::SeededRandom random(2);
  const base::Uuid device = base::Uuid::Random(random);
  const int64_t next = NextOf(device, 1'800, kNow);
  EXPECT_EQ(NextOf(device, 1'800, next - 901), next);
  // Who comes a little before its place, as by a clock that is ahead, has been there.
  EXPECT_EQ(NextOf(device, 1'800, next - 900), next + 1'800);
  EXPECT_EQ(NextOf(device, 1'800, next - 1), next + 1'800);
  EXPECT_EQ(NextOf(device, 1'800, next), next + 1'800);
  EXPECT_EQ(NextOf(device, 1'800, next + 899), next + 1'800);
}

TEST(Policy, APhoneWhoseClockIsOffSyncsOnceAnInterval) {
  fakes::SeededRandom random(5);
  for (const int64_t ahead : {120, -120}) {
    const base::Uuid device = base::Uuid::Random(random);
    int64_t now = kNow;
    int syncs = 0;
    while (now < kNow + 24 * 3'600) {
      // What is past by the phone's clock it does at once: a sync takes a second.
      now = std::max(now + 1, NextOf(device, 1'800, now) - ahead);
      ++syncs;
    }
    EXPECT_GE(syncs, 47) << ahead;
    EXPECT_LE(syncs, 49) << ahead;
  }
}

// Requirement: S7
TEST(Policy, IsBroughtForwardToTheDevicesPlaceInTheLeastInterval) {
  fakes::SeededRandom random(4);
  std::set<int64_t> seconds;
  for (int i = 0; i < 1'000; ++i) {
    const base::Uuid device = base::Uuid::Random(random);
    v1::Policy policy = PolicyFor(TenantWith(24 * 3600), "", device, absl::FromUnixSeconds(kNow));
    const int64_t regular = policy.next_auto_sync_time().seconds();
    BringForward(policy, device, absl::FromUnixSeconds(kNow));
    const int64_t soon = policy.next_auto_sync_time().seconds();
    EXPECT_GT(soon, kNow + 60);
    EXPECT_LE(soon, std::min(regular, kNow + 360));
    seconds.insert(soon);
  }
  EXPECT_GT(seconds.size(), 200u) << "a fleet comes at once";
}

TEST(Policy, IsNotPutOffByBeingBroughtForward) {
  fakes::SeededRandom random(6);
  for (int i = 0; i < 1'000; ++i) {
    const base::Uuid device = base::Uuid::Random(random);
    v1::Policy policy = PolicyFor(TenantWith(300), "", device, absl::FromUnixSeconds(kNow));
    const int64_t regular = policy.next_auto_sync_time().seconds();
    BringForward(policy, device, absl::FromUnixSeconds(kNow));
    EXPECT_LE(policy.next_auto_sync_time().seconds(), regular);
  }
}

TEST(Policy, IsNotBroughtForwardWhereAutoSyncIsOff) {
  v1::Policy policy = PolicyFor(TenantWith(0), "", base::Uuid(), absl::FromUnixSeconds(kNow));
  BringForward(policy, base::Uuid(), absl::FromUnixSeconds(kNow));
  EXPECT_FALSE(policy.has_next_auto_sync_time());
}

TEST(Policy, AFleetIsSpreadOverTheInterval) {
  fakes::SeededRandom random(3);
  std::set<int64_t> minutes;
  for (int i = 0; i < 1'000; ++i) minutes.insert((NextOf(base::Uuid::Random(random), 1'800, kNow) - kNow - 1) / 60);
  EXPECT_EQ(minutes.size(), 30u);
}

TEST(Policy, DevicesComeBackSpreadOut) {
  fakes::SeededRandom random(1);
  std::set<int64_t> seconds;
  for (int i = 0; i < 1'000; ++i) {
    const base::Uuid device = base::Uuid::Random(random);
    const absl::Duration after = ReconnectAfter(device);
    EXPECT_GE(after, base::limits::kReconnectAfter);
    EXPECT_LT(after, base::limits::kReconnectAfter + base::limits::kReconnectSpread);
    EXPECT_EQ(after, ReconnectAfter(device));
    seconds.insert(absl::ToInt64Seconds(after));
  }
  EXPECT_EQ(seconds.size(), static_cast<size_t>(absl::ToInt64Seconds(base::limits::kReconnectSpread)));
}

}  // namespace
}  // namespace caresync::sync
