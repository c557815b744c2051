#include "server/devices/assigned_devices.h"

#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "storage/memory_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"

namespace caresync::devices {
namespace {

using base::keys::DevicePart;
using testing::ElementsAre;
using testing::IsEmpty;

const base::Uuid kAnn = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000a");
const base::Uuid kBob = *base::Uuid::Parse("00000000-0000-4000-8000-00000000000b");
const base::Uuid kFirst = *base::Uuid::Parse("dddddddd-0000-4000-8000-000000000001");
const base::Uuid kSecond = *base::Uuid::Parse("dddddddd-0000-4000-8000-000000000002");
const base::Uuid kThird = *base::Uuid::Parse("dddddddd-0000-4000-8000-000000000003");

class AssignedDevicesTest : public testing::Test {
 protected:
  void Put(const base::TenantId& tenant, const base::Uuid& device, DevicePart part, const std::string& bytes) {
    const storage::CommitResult result = fakes::CommitAndWait(
        store_, fakes::PutOf(storage::Space::kDevices, base::keys::DeviceRow(tenant, device, part), bytes));
    ASSERT_EQ(result.outcome, storage::CommitOutcome::kCommitted);
  }
  void Assign(const base::Uuid& device, const std::vector<base::Uuid>& carers, bool blocked = false) {
    store::Device row;
    for (const base::Uuid& carer : carers) row.add_carer_ids(carer.ToString());
    row.set_blocked(blocked);
    Put(tenant_, device, DevicePart::kDevice, row.SerializeAsString());
  }
  AssignedDevices Read(const base::Uuid& carer, size_t most) const {
    const auto snapshot = store_.NewSnapshot();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    const auto assigned = ReadAssignedDevices(**snapshot, tenant_, carer, most);
    EXPECT_TRUE(assigned.ok()) << assigned.status();
    return assigned.value_or(AssignedDevices());
  }
  std::vector<AssignedDevice> Of(const base::Uuid& carer, size_t most = 10) const { return Read(carer, most).devices; }
  std::vector<base::Uuid> UuidsOf(const base::Uuid& carer, size_t most = 10) const {
    std::vector<base::Uuid> uuids;
    for (const AssignedDevice& device : Of(carer, most)) uuids.push_back(device.uuid);
    return uuids;
  }

  const base::TenantId tenant_ = fakes::Tenant("acme");
  storage::MemoryStore store_;
};

TEST_F(AssignedDevicesTest, AreThoseOfWhichTheCarerIsAUser) {
  Assign(kSecond, {kBob, kAnn}, true);
  Assign(kFirst, {kAnn});
  Assign(kThird, {kBob});
  EXPECT_THAT(UuidsOf(kAnn), ElementsAre(kFirst, kSecond));
  EXPECT_FALSE(Of(kAnn)[0].blocked);
  EXPECT_TRUE(Of(kAnn)[1].blocked);
  EXPECT_THAT(UuidsOf(kAnn, 1), ElementsAre(kFirst));
}

TEST_F(AssignedDevicesTest, AnotherTenantsAreNone) {
  store::Device row;
  row.add_carer_ids(kAnn.ToString());
  Put(fakes::Tenant("other"), kFirst, DevicePart::kDevice, row.SerializeAsString());
  EXPECT_THAT(UuidsOf(kAnn), IsEmpty());
}

TEST_F(AssignedDevicesTest, OneThatIsNotBlockedComesBeforeAllThatAre) {
  Assign(kFirst, {kAnn}, true);
  Assign(kSecond, {kAnn}, true);
  Assign(kThird, {kAnn});
  EXPECT_THAT(UuidsOf(kAnn), ElementsAre(kThird, kFirst, kSecond));
  EXPECT_THAT(UuidsOf(kAnn, 2), ElementsAre(kThird, kFirst));
  EXPECT_THAT(UuidsOf(kAnn, 1), ElementsAre(kThird));
}

TEST_F(AssignedDevicesTest, OneThatCannotBeReadIsLeftOutAndItIsSaid) {
  EXPECT_FALSE(Read(kAnn, 10).damaged);
  Assign(kFirst, {kAnn});
  Put(tenant_, kFirst, DevicePart::kReport, "\xFF\xFF");
  Put(tenant_, kSecond, DevicePart::kDevice, "\xFF\xFF");
  Assign(kThird, {kAnn});
  EXPECT_THAT(UuidsOf(kAnn), ElementsAre(kFirst, kThird));
  EXPECT_TRUE(Read(kAnn, 10).damaged);
}

}  // namespace
}  // namespace caresync::devices
