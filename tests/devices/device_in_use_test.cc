#include "server/devices/device_in_use.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/devices/session_rows.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"

namespace caresync::devices {
namespace {

using storage::Space;
using testing::Eq;
using testing::Optional;

const base::Uuid kAnn = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000a");
const base::Uuid kBob = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000b");
const base::Uuid kFirst = *base::Uuid::Parse("dddddddd-0000-4000-8000-000000000001");
const base::Uuid kSecond = *base::Uuid::Parse("dddddddd-0000-4000-8000-000000000002");

TEST(SignsInTest, ASyncThatTheCarerStartedDoes) {
  for (const v1::SyncType type : {v1::SYNC_TYPE_STANDARD, v1::SYNC_TYPE_CLEAN}) {
    v1::Start start;
    start.set_sync_type(type);
    start.set_resume_token("token");
    EXPECT_TRUE(SignsIn(start)) << type;
    start.clear_resume_token();
    EXPECT_TRUE(SignsIn(start)) << type;
  }
}

TEST(SignsInTest, AnAutoSyncDoesOnlyWhereTheDeviceHoldsNothingOfTheCarer) {
  v1::Start start;
  start.set_sync_type(v1::SYNC_TYPE_AUTO);
  start.set_resume_token("token");
  EXPECT_FALSE(SignsIn(start));
  start.clear_resume_token();
  EXPECT_TRUE(SignsIn(start));
}

class DeviceInUseTest : public testing::Test {
 protected:
  absl::StatusOr<std::optional<base::Uuid>> Read(const base::Uuid& carer) const {
    return ReadDeviceInUse(**store_.NewSnapshot(), tenant_, carer);
  }
  std::optional<base::Uuid> InUse(const base::Uuid& carer) const {
    const auto device = Read(carer);
    EXPECT_TRUE(device.ok()) << device.status();
    return device.ok() ? *device : std::nullopt;
  }
  void Apply(storage::Commit commit) {
    ASSERT_EQ(fakes::CommitAndWait(store_, std::move(commit)).outcome, storage::CommitOutcome::kCommitted);
  }
  void PutRow(std::string_view bytes) {
    Apply(fakes::PutOf(Space::kDevices, base::keys::DeviceInUse(tenant_, kAnn), bytes));
  }
  // A session's first commit; the carer signs in by it or does not.
  storage::Commit BeginOf(const base::Uuid& carer, const base::Uuid& device, bool signs_in) {
    SessionOwner owner{tenant_, device, carer, absl::StrCat("session-", ++sessions_), "opening"};
    SessionRows rows(std::move(owner), *ReadStartRows(**store_.NewSnapshot(), tenant_, device), {}, now_,
                     /*displaced=*/false, "");
    if (signs_in) rows.SignIn();
    return rows.Begin(storage::Durability::kDurable);
  }

  storage::MemoryStore store_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const absl::Time now_ = absl::FromUnixSeconds(1'772'431'200);
  int sessions_ = 0;
};

TEST_F(DeviceInUseTest, ThereIsNoneBeforeTheFirstSignIn) { EXPECT_EQ(InUse(kAnn), std::nullopt); }

TEST_F(DeviceInUseTest, IsTheOneOnWhichTheCarerLastSignedIn) {
  Apply(BeginOf(kAnn, kFirst, true));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
  Apply(BeginOf(kAnn, kSecond, true));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kSecond)));
  Apply(BeginOf(kAnn, kFirst, true));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
}

TEST_F(DeviceInUseTest, ASyncThatIsNotTheCarersOwnDoingChangesNothing) {
  Apply(BeginOf(kAnn, kFirst, false));
  EXPECT_EQ(InUse(kAnn), std::nullopt);
  Apply(BeginOf(kAnn, kFirst, true));
  Apply(BeginOf(kAnn, kSecond, false));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
}

TEST_F(DeviceInUseTest, OfTwoSessionsThatBeginTheLastOneWins) {
  storage::Commit first = BeginOf(kAnn, kFirst, true);
  storage::Commit second = BeginOf(kAnn, kSecond, true);
  Apply(std::move(second));
  Apply(std::move(first));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
}

TEST_F(DeviceInUseTest, EachCarerHasItsOwnAndTwoMayShareOne) {
  Apply(BeginOf(kAnn, kFirst, true));
  Apply(BeginOf(kBob, kFirst, true));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
  EXPECT_THAT(InUse(kBob), Optional(Eq(kFirst)));
  Apply(BeginOf(kBob, kSecond, true));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
  EXPECT_THAT(InUse(kBob), Optional(Eq(kSecond)));
}

TEST_F(DeviceInUseTest, TheRowSaysWhen) {
  Apply(BeginOf(kAnn, kFirst, true));
  store::DeviceInUse row;
  const auto bytes = fakes::ValueOf(store_, Space::kDevices, base::keys::DeviceInUse(tenant_, kAnn));
  ASSERT_TRUE(bytes.has_value());
  ASSERT_TRUE(row.ParseFromString(*bytes));
  EXPECT_EQ(row.device_uuid(), kFirst.ToString());
  EXPECT_EQ(row.signed_in_us(), absl::ToUnixMicros(now_));
  EXPECT_EQ(DeviceInUseRow(tenant_, kAnn, kFirst, now_).value, bytes);
}

TEST_F(DeviceInUseTest, ARowThatNamesNoDeviceIsDamageUntilTheNextSignIn) {
  store::DeviceInUse no_device;
  no_device.set_device_uuid("Pixel 6");
  for (const std::string& bytes : {std::string("\xFF\xFF"), no_device.SerializeAsString(), std::string()}) {
    PutRow(bytes);
    EXPECT_EQ(base::Reason(Read(kAnn).status()), "DAMAGED_ROW");
    EXPECT_EQ(base::Reason(ParseDeviceInUse(bytes).status()), "DAMAGED_ROW");
  }
  Apply(BeginOf(kAnn, kFirst, true));
  EXPECT_THAT(InUse(kAnn), Optional(Eq(kFirst)));
}

TEST_F(DeviceInUseTest, TenantsHaveTheirOwn) {
  Apply(BeginOf(kAnn, kFirst, true));
  const auto other = ReadDeviceInUse(**store_.NewSnapshot(), fakes::Tenant("acme2"), kAnn);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(*other, std::nullopt);
}

}  // namespace
}  // namespace caresync::devices
