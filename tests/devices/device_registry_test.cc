#include "server/devices/device_registry.h"

#include <optional>
#include <string>

#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kDevice[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

class DeviceRegistryTest : public testing::Test {
 protected:
  DeviceRegistryTest() : registry_(engine_.store(), engine_.clock(), engine_.executor()) {
    engine_.CreateTenant(tenant_);
    const auto results = engine_.ApplyChanges(
        tenant_, "rota", {fakes::BranchChange("north"), fakes::CarerChange("ann"), fakes::CarerChange("bob")});
    branch_ = results[0].record_id();
    ann_ = results[1].record_id();
    bob_ = results[2].record_id();
  }

  static v1::UpdateDeviceRequest Enrol() {
    v1::UpdateDeviceRequest request;
    request.set_device_uuid(kDevice);
    request.set_allow_missing(true);
    return request;
  }

  v1::UpdateDeviceRequest WithUsers(const std::vector<std::string>& carers) const {
    v1::UpdateDeviceRequest request = Enrol();
    request.set_set_users(true);
    request.mutable_carer_ids()->Assign(carers.begin(), carers.end());
    return request;
  }

  absl::Status Update(const v1::UpdateDeviceRequest& request) {
    std::optional<absl::Status> result;
    registry_.Update(tenant_, request, [&](const absl::Status& status) { result = status; });
    engine_.executor().RunAll();
    EXPECT_TRUE(result.has_value());
    return result.value_or(absl::OkStatus());
  }

  std::optional<store::Device> Stored() const {
    return ReadDeviceRows(*engine_.Snapshot(), tenant_, *base::Uuid::Parse(kDevice))->device;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  DeviceRegistry registry_;
  std::string branch_;
  std::string ann_;
  std::string bob_;
};

TEST_F(DeviceRegistryTest, EnrolsADeviceOnlyWhereThatWasAskedFor) {
  v1::UpdateDeviceRequest request = Enrol();
  request.set_allow_missing(false);
  EXPECT_EQ(base::Reason(Update(request)), "DEVICE_UNKNOWN");
  EXPECT_FALSE(Stored().has_value());
  ASSERT_TRUE(Update(Enrol()).ok());
  EXPECT_EQ(Stored()->enrolled_time_us(), base::ToStoredTime(engine_.clock().Now()));
}

TEST_F(DeviceRegistryTest, SetsOnlyWhatItIsToldToSet) {
  ASSERT_TRUE(Update(WithUsers({ann_, bob_, ann_})).ok());
  v1::UpdateDeviceRequest request = Enrol();
  request.set_set_branch(true);
  request.set_branch_id(branch_);
  ASSERT_TRUE(Update(request).ok());
  EXPECT_THAT(Stored()->carer_ids(), ElementsAre(ann_, bob_));
  EXPECT_EQ(Stored()->branch_id(), branch_);

  request.clear_branch_id();
  ASSERT_TRUE(Update(request).ok());
  EXPECT_THAT(Stored()->branch_id(), IsEmpty());
  EXPECT_THAT(Stored()->carer_ids(), ElementsAre(ann_, bob_));
}

TEST_F(DeviceRegistryTest, KeepsTheTimeOfEnrolment) {
  ASSERT_TRUE(Update(Enrol()).ok());
  const int64_t enrolled = Stored()->enrolled_time_us();
  engine_.Advance(absl::Hours(1));
  ASSERT_TRUE(Update(WithUsers({ann_})).ok());
  EXPECT_EQ(Stored()->enrolled_time_us(), enrolled);
}

TEST_F(DeviceRegistryTest, RefusesWhatIsNotKnown) {
  v1::UpdateDeviceRequest request = Enrol();
  request.set_set_branch(true);
  request.set_branch_id(ann_);
  EXPECT_EQ(base::Reason(Update(request)), "BRANCH_UNKNOWN");
  EXPECT_EQ(base::Reason(Update(WithUsers({branch_}))), "CARER_UNKNOWN");
  EXPECT_FALSE(Stored().has_value());
}

TEST_F(DeviceRegistryTest, RefusesWhatIsNoRequest) {
  v1::UpdateDeviceRequest request = Enrol();
  request.set_device_uuid("phone");
  EXPECT_EQ(base::Reason(Update(request)), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(Update(WithUsers({"ann"}))), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(Update(WithUsers(std::vector<std::string>(base::limits::kDeviceUsers + 1, ann_)))),
            "INVALID_FIELD");
  request = WithUsers({ann_});
  request.set_set_users(false);
  EXPECT_EQ(base::Reason(Update(request)), "INVALID_FIELD");
  request = Enrol();
  request.set_blocked(true);
  EXPECT_EQ(base::Reason(Update(request)), "INVALID_FIELD");
  EXPECT_FALSE(Stored().has_value());
}

TEST_F(DeviceRegistryTest, BlocksAndUnblocks) {
  v1::UpdateDeviceRequest request = WithUsers({ann_});
  request.set_set_blocked(true);
  request.set_blocked(true);
  ASSERT_TRUE(Update(request).ok());
  EXPECT_TRUE(Stored()->blocked());
  ASSERT_TRUE(Update(WithUsers({bob_})).ok());
  EXPECT_TRUE(Stored()->blocked());
  request = Enrol();
  request.set_set_blocked(true);
  ASSERT_TRUE(Update(request).ok());
  EXPECT_FALSE(Stored()->blocked());
}

TEST_F(DeviceRegistryTest, ClearsTheMarkOfAClonedDevice) {
  ASSERT_TRUE(Update(WithUsers({ann_})).ok());
  v1::UpdateDeviceRequest request = Enrol();
  request.set_clear_cloned(true);
  const store::Device before = *Stored();
  ASSERT_TRUE(Update(request).ok());
  EXPECT_EQ(Stored()->SerializeAsString(), before.SerializeAsString());

  store::Device cloned = before;
  cloned.set_cloned(true);
  fakes::CommitAndWait(engine_.store(), fakes::PutOf(storage::Space::kDevices,
                                                     base::keys::DeviceRow(tenant_, *base::Uuid::Parse(kDevice),
                                                                           base::keys::DevicePart::kDevice),
                                                     cloned.SerializeAsString()));
  ASSERT_TRUE(Update(request).ok());
  EXPECT_FALSE(Stored()->cloned());
  EXPECT_EQ(Stored()->clone_cleared_us(), base::ToStoredTime(engine_.clock().Now()));
}

TEST_F(DeviceRegistryTest, TriesAgainWhereAnotherUpdateCameBetween) {
  engine_.store().FailNext(fakes::Fault::kConflict, 2);
  ASSERT_TRUE(Update(WithUsers({ann_})).ok());
  EXPECT_THAT(Stored()->carer_ids(), ElementsAre(ann_));
}

TEST_F(DeviceRegistryTest, SettlesAnUnknownOutcomeByWhatIsStored) {
  engine_.store().FailNext(fakes::Fault::kUnknownApplied);
  ASSERT_TRUE(Update(WithUsers({ann_})).ok());
  engine_.store().FailNext(fakes::Fault::kUnknownNotApplied);
  ASSERT_TRUE(Update(WithUsers({bob_})).ok());
  EXPECT_THAT(Stored()->carer_ids(), ElementsAre(bob_));
}

TEST_F(DeviceRegistryTest, SaysThatTheStoreTookNothing) {
  engine_.store().FailNext(fakes::Fault::kFull);
  EXPECT_EQ(base::Reason(Update(WithUsers({ann_}))), "STORE_FULL");
  engine_.store().FailNext(fakes::Fault::kUnavailable);
  EXPECT_EQ(base::Reason(Update(WithUsers({ann_}))), "STORE_UNAVAILABLE");
  engine_.store().FailNext(fakes::Fault::kConflict, base::limits::kConflictTries);
  EXPECT_EQ(base::Reason(Update(WithUsers({ann_}))), "COMMIT_CONFLICT");
  EXPECT_FALSE(Stored().has_value());
}

}  // namespace
}  // namespace caresync::devices
