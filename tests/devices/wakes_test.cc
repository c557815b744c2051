#include "server/devices/wakes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/devices/report.h"
#include "tests/fakes/commits.h"
#include "tests/outbox/outbox_bench.h"

namespace caresync::devices {
namespace {

using outbox::Phone;
using outbox::SendOutcome;

class WakesTest : public outbox::OutboxBench {
 protected:
  v1::Device Report(int phone) {
    store::Device row;
    row.set_enrolled_time_us(1'000'000);
    const std::string key = base::keys::DeviceRow(tenant_, Phone(phone), base::keys::DevicePart::kDevice);
    const auto put = fakes::PutOf(storage::Space::kDevices, key, row.SerializeAsString());
    EXPECT_EQ(fakes::CommitAndWait(engine_.store(), put).outcome, storage::CommitOutcome::kCommitted);
    v1::GetDeviceRequest request;
    request.set_device_uuid(Phone(phone).ToString());
    const AsOf as_of{.syncs = {.opening = "now"}, .now = engine_.clock().Now()};
    const auto device = GetDevice(*engine_.Snapshot(), tenant_, request, as_of);
    EXPECT_TRUE(device.ok()) << device.status();
    return device.value_or(v1::Device());
  }
};

TEST_F(WakesTest, TheReportSaysWhenItWasAskedForAndWhenItWasWoken) {
  EXPECT_FALSE(Report(1).has_wake_asked_time());
  const int64_t asked = absl::ToUnixSeconds(engine_.clock().Now());
  AskToWake(1);
  EXPECT_EQ(Report(1).wake_asked_time().seconds(), asked);
  EXPECT_FALSE(Report(1).has_last_woken_time());
  engine_.Advance(absl::Seconds(3));
  Answer(0, SendOutcome::kTaken);
  EXPECT_EQ(Report(1).wake_asked_time().seconds(), asked);
  EXPECT_EQ(Report(1).last_woken_time().seconds(), asked + 3);
}

TEST_F(WakesTest, OfADeviceThatIsToBeWokenOneNoticeWaits) {
  AskToWake(1);
  Answer(0, SendOutcome::kFailed, "answered 503");
  engine_.clock().Advance(absl::Milliseconds(1));
  AskToWake(1);
  EXPECT_EQ(Outbox().waiting(), 1u);
  EXPECT_EQ(Wake(1).asked_us(), base::ToStoredTime(engine_.clock().Now()));
  engine_.Advance(base::limits::kNoticePause);
  ASSERT_EQ(sent(), 2u);
  Answer(1, SendOutcome::kTaken);
  EXPECT_EQ(Wake(1).notice(), 0u);
  AskToWake(1);
  EXPECT_EQ(sent(), 3u);
}

TEST_F(WakesTest, AskingAgainCutsALongRestShort) {
  AskToWake(1);
  // By then it rests for more than two minutes.
  for (size_t i = 0; i < 9; ++i) {
    AdvanceUntilSent(i + 1);
    Answer(i, SendOutcome::kFailed, "answered 503");
  }
  EXPECT_EQ(sent(), 9u);
  AskToWake(1);
  EXPECT_EQ(sent(), 10u);
  EXPECT_EQ(Outbox().waiting(), 1u);
  // While it is on its way, asking once more sends nothing.
  AskToWake(1);
  EXPECT_EQ(sent(), 10u);
}

TEST_F(WakesTest, OneThatWasGivenUpWokeNobodyAndIsInNobodysWay) {
  AskToWake(1);
  FailUntilGivenUp("answered 500");
  EXPECT_EQ(Wake(1).woken_us(), 0);
  EXPECT_EQ(Wake(1).notice(), 0u);
  AskToWake(1);
  EXPECT_EQ(sent(), base::limits::kNoticeTries + 1);
}

TEST_F(WakesTest, ADamagedRowIsWrittenAnewWhenTheNoticeWasTaken) {
  AskToWake(1);
  const auto damage = fakes::PutOf(storage::Space::kDevices, base::keys::DeviceWake(tenant_, Phone(1)), "\xff");
  ASSERT_EQ(fakes::CommitAndWait(engine_.store(), damage).outcome, storage::CommitOutcome::kCommitted);
  Answer(0, SendOutcome::kTaken);
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_EQ(Wake(1).woken_us(), base::ToStoredTime(engine_.clock().Now()));
}

TEST_F(WakesTest, ADamagedRowIsInNobodysWay) {
  const auto damage = fakes::PutOf(storage::Space::kDevices, base::keys::DeviceWake(tenant_, Phone(1)), "\xff");
  ASSERT_EQ(fakes::CommitAndWait(engine_.store(), damage).outcome, storage::CommitOutcome::kCommitted);
  EXPECT_FALSE(Report(1).has_wake_asked_time());
  EXPECT_EQ(AskToWake(1), "");
  EXPECT_EQ(sent(), 1u);
  EXPECT_TRUE(Report(1).has_wake_asked_time());
}

TEST_F(WakesTest, WithoutAWebhookNothingIsWritten) {
  SetWebhook("", "");
  const base::Revision before = engine_.Head(tenant_);
  bool asked = true;
  const auto done = engine_.Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const auto wake, devices::AskToWake(transaction, Phone(1), engine_.random()));
    asked = wake.has_value();
    return absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done.status();
  EXPECT_FALSE(asked);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

}  // namespace
}  // namespace caresync::devices
