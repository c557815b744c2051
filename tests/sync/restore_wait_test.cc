#include "server/sync/restore_wait.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/restore/standing.h"
#include "server/sync/session_driver.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/sync_peer.h"

namespace caresync::sync {
namespace {

namespace limits = base::limits;
using testing::HasSubstr;
using testing::Not;

const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
const absl::Time kNow = absl::FromUnixSeconds(1'772'431'200);

class CheckWaitTest : public testing::Test {
 protected:
  CheckWaitTest() {
    token_.emplace();
    facts_.token_standing = commit::CursorStanding::kForeign;
    facts_.restore.standing = {true, kNow + absl::Minutes(30)};
  }
  absl::Status Check(absl::Time now, const base::Uuid& device = kDevice) {
    return CheckWait({fakes::Tenant("agency"), device, kCarer}, token_, facts_, now);
  }
  // After how long the device is to come back; nullopt: it does not wait.
  std::optional<absl::Duration> After(absl::Time now, const base::Uuid& device = kDevice) {
    const absl::Status status = Check(now, device);
    EXPECT_EQ(base::Reason(status), status.ok() ? "" : "WAITING_AFTER_RESTORE");
    return base::RetryDelay(status);
  }

  std::optional<ResumeToken> token_;
  StartFacts facts_;
};

TEST_F(CheckWaitTest, OnlyAForeignCursorWaits) {
  EXPECT_FALSE(Check(kNow).ok());
  facts_.token_standing = commit::CursorStanding::kExpired;
  EXPECT_TRUE(Check(kNow).ok()) << "an expired one is rebuilt at once";
  facts_.token_standing = commit::CursorStanding::kKnown;
  EXPECT_TRUE(Check(kNow).ok());
  facts_.token_standing = commit::CursorStanding::kForeign;
  token_.reset();
  EXPECT_TRUE(Check(kNow).ok()) << "a device that holds nothing";
}

TEST_F(CheckWaitTest, AnUnfinishedRebuildWaitsToo) {
  token_->rebuild_began = 7;
  EXPECT_FALSE(Check(kNow).ok());
}

TEST_F(CheckWaitTest, WhileItsEndIsOpenADeviceComesBackNowAndThen) {
  EXPECT_EQ(After(kNow), limits::kRestoreRetryAfter);
  facts_.restore.standing.released_time = kNow + absl::Seconds(1);
  EXPECT_LE(After(kNow), limits::kRestoreRetryAfter);
}

TEST_F(CheckWaitTest, EachDeviceHasItsOwnPlaceAfterTheEnd) {
  facts_.restore.standing = {false, kNow};
  fakes::SeededRandom random(1);
  std::set<int64_t> minutes;
  for (int i = 0; i < 500; ++i) {
    const base::Uuid device = base::Uuid::Random(random);
    const std::optional<absl::Duration> after = After(kNow, device);
    if (!after.has_value()) continue;
    EXPECT_GT(*after, absl::ZeroDuration());
    EXPECT_LT(*after, limits::kRebuildSpread);
    EXPECT_FALSE(Check(kNow + *after - absl::Seconds(1), device).ok());
    EXPECT_TRUE(Check(kNow + *after, device).ok());
    minutes.insert(absl::ToInt64Minutes(*after));
  }
  EXPECT_EQ(minutes.size(), 15u) << "the fleet does not spread";
}

TEST_F(CheckWaitTest, OfADeviceWhoseTurnIsToComeItIsNotSaidThatTheRotaIsWaitedFor) {
  EXPECT_THAT(std::string(Check(kNow).message()), HasSubstr("waits until the rota was sent again"));
  facts_.restore.standing = {false, kNow};
  fakes::SeededRandom random(1);
  base::Uuid device = base::Uuid::Random(random);
  while (!After(kNow, device).has_value()) device = base::Uuid::Random(random);
  const std::string turn(Check(kNow, device).message());
  EXPECT_THAT(turn, HasSubstr("each at its own time"));
  EXPECT_THAT(turn, Not(HasSubstr("rota")));
}

TEST_F(CheckWaitTest, AClockThatIsSetBackKeepsNoDeviceWaiting) {
  facts_.restore.standing = {false, kNow};
  EXPECT_TRUE(Check(kNow - absl::Seconds(1)).ok());
}

TEST(OpeningTest, TheWaitLastsAsLongAsItShouldHoweverTheClockIsSet) {
  fakes::Engine engine;
  const fakes::SyncServer server(engine);
  const base::TenantId tenant = fakes::Tenant("agency");
  engine.CreateTenant(tenant);
  const auto is_waiting = [&] {
    return restore::StandingOf(*engine.Snapshot(), tenant, OpeningOf(server.parts()), absl::Hours(1),
                               engine.clock().Now())
        ->waiting;
  };
  EXPECT_TRUE(is_waiting());
  const absl::Time right = engine.clock().Now();
  engine.clock().SetNow(right + absl::Hours(24 * 365));
  EXPECT_TRUE(is_waiting()) << "a clock that is ahead for a minute ends it";
  engine.clock().SetNow(right - absl::Hours(24 * 365));
  engine.Advance(absl::Minutes(59));
  EXPECT_TRUE(is_waiting());
  engine.Advance(absl::Minutes(1));
  EXPECT_FALSE(is_waiting()) << "a clock that was set back draws it out";
}

}  // namespace
}  // namespace caresync::sync
