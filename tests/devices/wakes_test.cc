#include "server/devices/wakes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/devices/device_rows.h"
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

  void PutReport(int phone, uint64_t syncs) {
    store::DeviceReport report;
    report.set_syncs(syncs);
    const std::string key = base::keys::DeviceRow(tenant_, Phone(phone), base::keys::DevicePart::kReport);
    const auto put = fakes::PutOf(storage::Space::kDevices, key, report.SerializeAsString());
    EXPECT_EQ(fakes::CommitAndWait(engine_.store(), put).outcome, storage::CommitOutcome::kCommitted);
  }

  void PutSync(int phone, uint64_t number, v1::SyncStage stage, v1::SyncOutcome outcome) {
    store::SyncRow sync;
    sync.set_stage(stage);
    sync.set_outcome(outcome);
    const std::string key = base::keys::Sync(tenant_, Phone(phone), number);
    const auto put = fakes::PutOf(storage::Space::kDevices, key, sync.SerializeAsString());
    EXPECT_EQ(fakes::CommitAndWait(engine_.store(), put).outcome, storage::CommitOutcome::kCommitted);
    PutReport(phone, number);
  }

  void Refuse(int phone, uint64_t number) { PutSync(phone, number, v1::SYNC_STAGE_STARTED, v1::SYNC_OUTCOME_REFUSED); }

  void Interrupt(int phone, uint64_t number) {
    PutSync(phone, number, v1::SYNC_STAGE_CONFIRMING, v1::SYNC_OUTCOME_INTERRUPTED);
  }

  bool ToBeTold(int phone) {
    const auto snapshot = engine_.Snapshot();
    const auto rows = ReadDeviceRows(*snapshot, tenant_, Phone(phone));
    EXPECT_TRUE(rows.ok()) << rows.status();
    const absl::StatusOr<bool> told = IsToBeTold(*snapshot, tenant_, Phone(phone), rows->report);
    EXPECT_TRUE(told.ok()) << told.status();
    return told.value_or(false);
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

TEST_F(WakesTest, WithoutAWebhookTheAskingIsKeptAndNothingIsSent) {
  SetWebhook("", "");
  bool by_push_service = true;
  const auto done = engine_.Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const Asked asked, AskToSync(transaction, Phone(1), engine_.random()));
    by_push_service = asked.by_push_service;
    return absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done.status();
  EXPECT_FALSE(by_push_service);
  EXPECT_EQ(Report(1).wake_asked_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now()));
  EXPECT_EQ(Outbox().waiting(), 0u);
  EXPECT_EQ(sent(), 0u);
}

TEST_F(WakesTest, TheSyncBehindTheAskingIsToBeTold) {
  PutReport(1, 7);
  EXPECT_FALSE(ToBeTold(1));
  AskToWake(1);
  EXPECT_TRUE(ToBeTold(1));
  EXPECT_FALSE(ToBeTold(2)) << "another device was not asked";
  Interrupt(1, 8);
  EXPECT_FALSE(ToBeTold(1)) << "the one behind that was told";
}

TEST_F(WakesTest, TheFirstSyncOfADeviceIsToBeToldToo) {
  AskToWake(1);
  EXPECT_TRUE(ToBeTold(1));
  Interrupt(1, 1);
  EXPECT_FALSE(ToBeTold(1));
}

TEST_F(WakesTest, AClockThatIsPutBackHasTheDeviceToldOnce) {
  AskToWake(1);
  engine_.clock().Advance(-absl::Hours(24));
  EXPECT_TRUE(ToBeTold(1));
  Interrupt(1, 1);
  EXPECT_FALSE(ToBeTold(1));
}

TEST_F(WakesTest, ASyncThatIsRefusedTellsNothingAndTheNextOneIsToBeTold) {
  Interrupt(1, 1);
  AskToWake(1);
  Refuse(1, 2);
  EXPECT_TRUE(ToBeTold(1));
  PutSync(1, 3, v1::SYNC_STAGE_UPLOADING, v1::SYNC_OUTCOME_REFUSED);
  EXPECT_TRUE(ToBeTold(1)) << "its events were taken, and it was refused all the same";
  Interrupt(1, 4);
  EXPECT_FALSE(ToBeTold(1));
  Refuse(1, 5);
  EXPECT_FALSE(ToBeTold(1)) << "the one before was told";
}

}  // namespace
}  // namespace caresync::devices
