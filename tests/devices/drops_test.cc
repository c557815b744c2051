#include "server/devices/drops.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/devices/device_registry.h"
#include "server/devices/report.h"
#include "server/devices/session_rows.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const base::Uuid kDevice = *base::Uuid::Parse("3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");

// A device of Ann and Bob.
class DropsTest : public testing::Test {
 protected:
  DropsTest() {
    engine_.CreateTenant(tenant_);
    const auto results = engine_.ApplyChanges(
        tenant_, "rota", {fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::CarerChange("cat")});
    ann_ = results[0].record_id();
    bob_ = results[1].record_id();
    cat_ = results[2].record_id();
    EXPECT_TRUE(Update(Users({ann_, bob_})).ok());
  }

  static v1::UpdateDeviceRequest Request() {
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice.ToString());
    request.set_allow_missing(true);
    return request;
  }
  static v1::UpdateDeviceRequest Users(const std::vector<std::string>& carers) {
    v1::UpdateDeviceRequest request = Request();
    request.set_set_users(true);
    request.mutable_carer_ids()->Assign(carers.begin(), carers.end());
    return request;
  }
  static v1::UpdateDeviceRequest Blocked(bool blocked) {
    v1::UpdateDeviceRequest request = Request();
    request.set_set_blocked(true);
    request.set_blocked(blocked);
    return request;
  }

  absl::Status Update(const v1::UpdateDeviceRequest& request) {
    std::optional<absl::Status> result;
    registry_.Update(tenant_, request, [&](const absl::Status& status) { result = status; });
    engine_.executor().RunAll();
    return result.value_or(absl::InternalError("the update has no end"));
  }

  void Sync(const std::string& carer) {
    v1::Start start;
    start.set_sync_type(v1::SYNC_TYPE_STANDARD);
    SessionRows rows({tenant_, kDevice, *base::Uuid::Parse(carer), "session-" + carer, "now"},
                     *ReadStartRows(*engine_.Snapshot(), tenant_, kDevice), start, engine_.clock().Now(), false, "");
    rows.MarkSuccess(engine_.clock().Now());
    ASSERT_EQ(fakes::CommitAndWait(engine_.store(), rows.Begin(storage::Durability::kDurable)).outcome,
              storage::CommitOutcome::kCommitted);
  }

  // The device says that it dropped these.
  absl::Status Drop(const std::vector<std::string>& carers) {
    std::optional<absl::Status> result;
    RecordDropped(engine_.store(), engine_.executor(), tenant_, kDevice, carers, engine_.clock().Now(),
                  [&](const absl::Status& status) { result = status; });
    engine_.executor().RunAll();
    return result.value_or(absl::InternalError("it has no end"));
  }

  DeviceRows Rows() const { return *ReadDeviceRows(*engine_.Snapshot(), tenant_, kDevice); }
  std::vector<std::string> Pending() const { return *ReadPendingDrops(*engine_.Snapshot(), tenant_, Rows()); }

  v1::Device Shown() const {
    v1::GetDeviceRequest request;
    request.set_device_uuid(kDevice.ToString());
    const auto device =
        GetDevice(*engine_.Snapshot(), tenant_, request, {.syncs = {.opening = "now"}, .now = clock_.Now()});
    EXPECT_TRUE(device.ok()) << device.status();
    return device.value_or(v1::Device());
  }
  v1::DeviceUser ShownUser(const std::string& carer) const {
    const v1::Device device = Shown();
    for (const v1::DeviceUser& user : device.users()) {
      if (user.carer_id() == carer) return user;
    }
    return {};
  }

  void Leave(const std::string& carer, bool left) {
    const base::RecordKey key = records::KeyOf({v1::RECORD_KIND_CARER, *base::Uuid::Parse(carer)});
    std::optional<store::Record> record = *records::GetRecord(*engine_.Snapshot(), tenant_, key);
    record->set_left(left);
    ASSERT_EQ(
        fakes::CommitAndWait(engine_.store(), fakes::PutOf(storage::Space::kRecords, base::keys::Record(tenant_, key),
                                                           record->SerializeAsString()))
            .outcome,
        storage::CommitOutcome::kCommitted);
  }

  fakes::Engine engine_;
  fakes::ManualClock& clock_ = engine_.clock();
  const base::TenantId tenant_ = fakes::Tenant("acme");
  DeviceRegistry registry_{engine_.store(), engine_.clock(), engine_.executor()};
  std::string ann_;
  std::string bob_;
  std::string cat_;
};

TEST_F(DropsTest, ADeviceThatNeverCalledHasNothingToDrop) {
  ASSERT_TRUE(Update(Users({ann_})).ok());
  ASSERT_TRUE(Update(Blocked(true)).ok());
  EXPECT_THAT(Pending(), IsEmpty());
  EXPECT_EQ(Shown().users_size(), 1);
  EXPECT_TRUE(Shown().blocked());
}

// Requirement: S12
TEST_F(DropsTest, AUserWhoIsTakenOffIsToBeDroppedAndShownUntilThen) {
  Sync(ann_);
  Sync(bob_);
  ASSERT_TRUE(Update(Users({ann_})).ok());
  EXPECT_THAT(Pending(), ElementsAre(bob_));
  EXPECT_EQ(ShownUser(bob_).drop_state(), v1::DROP_STATE_PENDING);
  EXPECT_FALSE(ShownUser(bob_).is_user());
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_UNSPECIFIED);
  EXPECT_TRUE(ShownUser(ann_).is_user());

  engine_.clock().Advance(absl::Minutes(3));
  ASSERT_TRUE(Drop({bob_, ann_, "nobody", cat_}).ok());
  EXPECT_THAT(Pending(), IsEmpty());
  EXPECT_EQ(ShownUser(bob_).drop_state(), v1::DROP_STATE_DROPPED);
  EXPECT_EQ(ShownUser(bob_).dropped_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now()));
  // What it was not told to drop is not marked.
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_UNSPECIFIED);
  EXPECT_EQ(Shown().users_size(), 2);
}

TEST_F(DropsTest, GrantingAgainTakesADropAway) {
  Sync(ann_);
  ASSERT_TRUE(Update(Users({ann_})).ok());
  ASSERT_TRUE(Update(Users({ann_, bob_})).ok());
  EXPECT_THAT(Pending(), IsEmpty());
  // One that comes too late marks nothing.
  ASSERT_TRUE(Drop({bob_}).ok());
  EXPECT_EQ(ShownUser(bob_).drop_state(), v1::DROP_STATE_UNSPECIFIED);
}

// Requirement: A3
TEST_F(DropsTest, ABlockedDeviceIsToDropAllAndWhetherItDidIsShown) {
  Sync(ann_);
  Sync(bob_);
  ASSERT_TRUE(Update(Users({ann_})).ok());
  ASSERT_TRUE(Update(Blocked(true)).ok());
  EXPECT_THAT(Pending(), UnorderedElementsAre(ann_, bob_));
  EXPECT_EQ(Shown().state(), v1::DEVICE_STATE_BLOCKED);
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_PENDING);

  ASSERT_TRUE(Drop({ann_}).ok());
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_DROPPED);
  EXPECT_EQ(ShownUser(bob_).drop_state(), v1::DROP_STATE_PENDING);
  // Harmless to repeat: what is dropped stays so.
  ASSERT_TRUE(Update(Blocked(true)).ok());
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_DROPPED);
}

TEST_F(DropsTest, WhileBlockedChangingTheUsersUndoesNoDrop) {
  Sync(ann_);
  ASSERT_TRUE(Update(Blocked(true)).ok());
  ASSERT_TRUE(Drop({ann_}).ok());
  ASSERT_TRUE(Update(Users({bob_})).ok());
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_DROPPED);
  EXPECT_EQ(ShownUser(bob_).drop_state(), v1::DROP_STATE_PENDING);
  ASSERT_TRUE(Update(Users({ann_, bob_})).ok());
  EXPECT_THAT(Pending(), ElementsAre(bob_));
}

TEST_F(DropsTest, UnblockingTakesBackTheDropsOfUsersAndNoOthers) {
  Sync(ann_);
  Sync(bob_);
  ASSERT_TRUE(Update(Users({ann_})).ok());
  ASSERT_TRUE(Update(Blocked(true)).ok());
  ASSERT_TRUE(Drop({ann_}).ok());
  ASSERT_TRUE(Update(Blocked(false)).ok());
  EXPECT_THAT(Pending(), ElementsAre(bob_));
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_UNSPECIFIED);
  EXPECT_NE(Shown().state(), v1::DEVICE_STATE_BLOCKED);
}

TEST_F(DropsTest, ACarerWhoLeftIsToBeDroppedWhileTheDeviceHoldsACopy) {
  Sync(ann_);
  Leave(ann_, true);
  Leave(bob_, true);
  EXPECT_THAT(Pending(), ElementsAre(ann_));
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_PENDING);
  EXPECT_EQ(ShownUser(ann_).state(), v1::DEVICE_STATE_NO_USER);
  EXPECT_EQ(Shown().state(), v1::DEVICE_STATE_NO_USER);

  v1::Start start;
  start.set_sync_type(v1::SYNC_TYPE_STANDARD);
  SessionRows rows({tenant_, kDevice, *base::Uuid::Parse(bob_), "last", "now"},
                   *ReadStartRows(*engine_.Snapshot(), tenant_, kDevice), start, engine_.clock().Now(), false, "");
  rows.ForgetCopy(ann_);
  ASSERT_EQ(fakes::CommitAndWait(engine_.store(), rows.Begin(storage::Durability::kDurable)).outcome,
            storage::CommitOutcome::kCommitted);
  ASSERT_TRUE(Drop({ann_}).ok());
  EXPECT_THAT(Pending(), IsEmpty());
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_DROPPED);

  // Back, and gone again: there is a copy again.
  Leave(ann_, false);
  Sync(ann_);
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_UNSPECIFIED);
  Leave(ann_, true);
  EXPECT_THAT(Pending(), ElementsAre(ann_));
  EXPECT_EQ(ShownUser(ann_).drop_state(), v1::DROP_STATE_PENDING);
}

TEST_F(DropsTest, ThePendingDropsOfNonUsersAreBounded) {
  Sync(ann_);
  std::vector<v1::RosterChange> changes;
  for (size_t i = 0; i <= base::limits::kDeviceDrops; ++i)
    changes.push_back(fakes::CarerChange(absl::StrFormat("c%d", i)));
  std::vector<std::string> carers;
  for (const auto& result : engine_.ApplyChanges(tenant_, "rota", std::move(changes))) {
    carers.push_back(result.record_id());
  }
  for (size_t i = 0; i < base::limits::kDeviceDrops; ++i) {
    ASSERT_TRUE(Update(Users({carers[i]})).ok()) << i;
    // What is done is forgotten, the longest ago first.
    ASSERT_TRUE(Drop(Pending()).ok());
    engine_.clock().Advance(absl::Seconds(1));
  }
  EXPECT_LE(static_cast<size_t>(Rows().device->drops_size()), base::limits::kDeviceDrops);

  const std::vector<std::string> half(carers.begin(), carers.begin() + base::limits::kDeviceUsers);
  ASSERT_TRUE(Update(Users(half)).ok());
  ASSERT_TRUE(Update(Users({ann_})).ok());
  EXPECT_EQ(Pending().size(), base::limits::kDeviceDrops);
  EXPECT_EQ(base::Reason(Update(Users({bob_}))), "TOO_MANY_DROPS");
  EXPECT_THAT(Rows().device->carer_ids(), ElementsAre(ann_));
}

TEST_F(DropsTest, RecordsADropThoughAnAdministratorWritesMeanwhile) {
  Sync(ann_);
  ASSERT_TRUE(Update(Users({ann_})).ok());
  engine_.store().FailNext(fakes::Fault::kConflict, 2);
  ASSERT_TRUE(Drop({bob_}).ok());
  EXPECT_EQ(ShownUser(bob_).drop_state(), v1::DROP_STATE_DROPPED);
}

TEST_F(DropsTest, SettlesAnUnknownOutcomeAndNamesWhatTheStoreDidNotTake) {
  Sync(ann_);
  ASSERT_TRUE(Update(Users({})).ok());
  engine_.store().FailNext(fakes::Fault::kUnknownApplied);
  ASSERT_TRUE(Drop({bob_}).ok());
  EXPECT_THAT(Pending(), ElementsAre(ann_));
  engine_.store().FailNext(fakes::Fault::kFull);
  EXPECT_EQ(base::Reason(Drop({ann_})), "STORE_FULL");
  EXPECT_THAT(Pending(), ElementsAre(ann_));
}

}  // namespace
}  // namespace caresync::devices
