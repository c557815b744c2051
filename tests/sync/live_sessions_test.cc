#include "server/sync/live_sessions.h"

#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kOtherDevice = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");

// How often a session was told to end, and how.
struct Told {
  int times = 0;
  std::string reason;
  int notices = 0;
  LiveSessions::TellSession AsTell() {
    return [this](const Notice&) { ++notices; };
  }
  LiveSessions::EndSession AsEnd() {
    return [this](const absl::Status& status) {
      ++times;
      reason = base::Reason(status);
    };
  }
};

TEST(LiveSessions, ASecondSessionOfADeviceEndsTheFirst) {
  LiveSessions live;
  Told first;
  Told second;
  const LiveSessions::Handle one =
      live.Enter(kTenant, kDevice, "one", live.NextArrival(), first.AsEnd(), first.AsTell());
  EXPECT_TRUE(live.OpenOf(kTenant, kDevice).has_value());
  const LiveSessions::Handle two =
      live.Enter(kTenant, kDevice, "two", live.NextArrival(), second.AsEnd(), second.AsTell());
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(first.reason, "SESSION_TAKEN_OVER");
  EXPECT_EQ(second.times, 0);
  // The first is at work until it has heard.
  EXPECT_TRUE(live.IsLive("one"));
  EXPECT_TRUE(live.IsLive("two"));
  EXPECT_FALSE(live.IsLive("three"));
  EXPECT_EQ(live.count(), 2u);
}

TEST(LiveSessions, ASessionWhoseStreamCameEarlierIsToldToEndWhenItEnters) {
  LiveSessions live;
  Told first;
  Told second;
  const Arrival earlier = live.NextArrival();
  const Arrival later = live.NextArrival();
  const LiveSessions::Handle two = live.Enter(kTenant, kDevice, "two", later, second.AsEnd(), second.AsTell());
  std::optional<LiveSessions::Handle> one = live.Enter(kTenant, kDevice, "one", earlier, first.AsEnd(), first.AsTell());
  EXPECT_EQ(first.reason, "SESSION_TAKEN_OVER");
  EXPECT_EQ(second.times, 0);
  EXPECT_TRUE(live.IsLive("one"));
  EXPECT_EQ(live.OpenOf(kTenant, kDevice), later);
  EXPECT_TRUE(live.Tell(kTenant, kDevice, SyncAsked{}));
  EXPECT_EQ(second.notices, 1);
  one.reset();
  EXPECT_EQ(live.OpenOf(kTenant, kDevice), later);
}

TEST(LiveSessions, DevicesOfOneUuidInTwoTenantsLeaveEachOtherAlone) {
  LiveSessions live;
  Told first;
  Told second;
  const LiveSessions::Handle one =
      live.Enter(kTenant, kDevice, "one", live.NextArrival(), first.AsEnd(), first.AsTell());
  const LiveSessions::Handle two =
      live.Enter(fakes::Tenant("other"), kDevice, "two", live.NextArrival(), second.AsEnd(), second.AsTell());
  EXPECT_EQ(first.times, 0);
  EXPECT_FALSE(live.OpenOf(kTenant, kOtherDevice).has_value());
}

TEST(LiveSessions, ASessionThatLeftIsNotTold) {
  LiveSessions live;
  Told first;
  Told second;
  std::optional<LiveSessions::Handle> one =
      live.Enter(kTenant, kDevice, "one", live.NextArrival(), first.AsEnd(), first.AsTell());
  one.reset();
  EXPECT_EQ(live.count(), 0u);
  EXPECT_FALSE(live.IsLive("one"));
  EXPECT_FALSE(live.OpenOf(kTenant, kDevice).has_value());
  const LiveSessions::Handle two =
      live.Enter(kTenant, kDevice, "two", live.NextArrival(), second.AsEnd(), second.AsTell());
  EXPECT_EQ(first.times, 0);
}

TEST(LiveSessions, OneThatWasDisplacedAndLeavesDoesNotHideTheOneThatCame) {
  LiveSessions live;
  Told first;
  Told second;
  Told third;
  std::optional<LiveSessions::Handle> one =
      live.Enter(kTenant, kDevice, "one", live.NextArrival(), first.AsEnd(), first.AsTell());
  const LiveSessions::Handle two =
      live.Enter(kTenant, kDevice, "two", live.NextArrival(), second.AsEnd(), second.AsTell());
  one.reset();
  EXPECT_TRUE(live.OpenOf(kTenant, kDevice).has_value());
  const LiveSessions::Handle three =
      live.Enter(kTenant, kDevice, "three", live.NextArrival(), third.AsEnd(), third.AsTell());
  EXPECT_EQ(second.times, 1);
  EXPECT_EQ(first.times, 1);
}

TEST(LiveSessions, AMovedHandleLeavesOnce) {
  LiveSessions live;
  Told told;
  LiveSessions::Handle entrance = live.Enter(kTenant, kDevice, "one", live.NextArrival(), told.AsEnd(), told.AsTell());
  LiveSessions::Handle moved = std::move(entrance);
  EXPECT_EQ(live.count(), 1u);
  moved = LiveSessions::Handle();
  EXPECT_EQ(live.count(), 0u);
}

TEST(LiveSessions, TellsTheSessionThatADeviceHasNow) {
  LiveSessions live;
  Told first;
  Told second;
  EXPECT_FALSE(live.Tell(kTenant, kDevice, SyncAsked{}));
  const LiveSessions::Handle one =
      live.Enter(kTenant, kDevice, "one", live.NextArrival(), first.AsEnd(), first.AsTell());
  EXPECT_TRUE(live.Tell(kTenant, kDevice, SyncAsked{}));
  EXPECT_FALSE(live.Tell(kTenant, kOtherDevice, SyncAsked{}));
  const LiveSessions::Handle two =
      live.Enter(kTenant, kDevice, "two", live.NextArrival(), second.AsEnd(), second.AsTell());
  EXPECT_TRUE(live.Tell(kTenant, kDevice, SyncAsked{}));
  EXPECT_EQ(first.notices, 1);
  EXPECT_EQ(second.notices, 1);
}

TEST(LiveSessions, TellsEveryDeviceOfTheTenantOnceAndNoOther) {
  LiveSessions live;
  Told others;
  const LiveSessions::Handle before =
      live.Enter(fakes::Tenant("a"), kDevice, "a", live.NextArrival(), others.AsEnd(), others.AsTell());
  const LiveSessions::Handle after =
      live.Enter(fakes::Tenant("z"), kDevice, "z", live.NextArrival(), others.AsEnd(), others.AsTell());
  fakes::SeededRandom random(1);
  std::vector<Told> told(1'000);
  std::vector<LiveSessions::Handle> handles;
  for (Told& one : told) {
    const base::Uuid device = base::Uuid::Random(random);
    handles.push_back(live.Enter(kTenant, device, device.ToString(), live.NextArrival(), one.AsEnd(), one.AsTell()));
  }
  live.TellTenant(kTenant, PreferencesChanged{});
  for (const Told& one : told) EXPECT_EQ(one.notices, 1);
  EXPECT_EQ(others.notices, 0);
}

}  // namespace
}  // namespace caresync::sync
