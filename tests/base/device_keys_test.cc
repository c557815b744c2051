// The keys of Space::kDevices.
#include <cstdint>
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "tests/base/sample_keys.h"

namespace caresync::base::keys {
namespace {

TEST(Keys, ADevicesRowsLieSideBySide) {
  EXPECT_TRUE(In(OneDevice(kTenant, kDevice), DeviceRow(kTenant, kDevice, DevicePart::kDevice)));
  EXPECT_TRUE(In(OneDevice(kTenant, kDevice), DeviceRow(kTenant, kDevice, DevicePart::kReport)));
  EXPECT_FALSE(In(OneDevice(kTenant, kDevice), DeviceRow(kTenant, kLastDevice, DevicePart::kDevice)));
  EXPECT_FALSE(In(OneDevice(kTenant, kDevice), Sync(kTenant, kDevice, 1)));
  Uuid device;
  DevicePart part = DevicePart::kDevice;
  ASSERT_TRUE(ParseDeviceRow(DeviceRow(kTenant, kDevice, DevicePart::kCall), &device, &part));
  EXPECT_EQ(device, kDevice);
  EXPECT_EQ(part, DevicePart::kCall);
  EXPECT_FALSE(ParseDeviceRow(Sync(kTenant, kDevice, 1), &device, &part));
}

TEST(Keys, DevicesAreListedAfterTheOneNamed) {
  const std::string row = DeviceRow(kTenant, kDevice, DevicePart::kReport);
  const std::string last = DeviceRow(kTenant, kLastDevice, DevicePart::kDevice);
  EXPECT_TRUE(In(DeviceRows(kTenant, nullptr), row));
  EXPECT_TRUE(In(DeviceRows(kTenant, nullptr), last));
  EXPECT_FALSE(In(DeviceRows(kTenant, &kDevice), row));
  EXPECT_TRUE(In(DeviceRows(kTenant, &kDevice), last));
  EXPECT_FALSE(In(DeviceRows(kTenant, &kLastDevice), last));
  EXPECT_FALSE(In(DeviceRows(kTenant, &kLastDevice), Sync(kTenant, kDevice, 1)));
}

TEST(Keys, SyncsAreNewestFirst) {
  EXPECT_LT(Sync(kTenant, kDevice, 256), Sync(kTenant, kDevice, 255));
  EXPECT_TRUE(In(SyncsBefore(kTenant, kDevice, 0), Sync(kTenant, kDevice, 1)));
  EXPECT_TRUE(In(SyncsBefore(kTenant, kDevice, 0), Sync(kTenant, kDevice, ~uint64_t{0})));
  EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 5), Sync(kTenant, kDevice, 5)));
  EXPECT_TRUE(In(SyncsBefore(kTenant, kDevice, 5), Sync(kTenant, kDevice, 4)));
  EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 1), Sync(kTenant, kDevice, 1)));
  EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 0), Sync(kTenant, kLastDevice, 1)));
  Uuid device;
  uint64_t number = 0;
  ASSERT_TRUE(ParseSync(Sync(kTenant, kDevice, 256), &device, &number));
  EXPECT_EQ(device, kDevice);
  EXPECT_EQ(number, 256u);
}

TEST(Keys, ACarersSyncsLieNewestFirstAndAreReadBack) {
  const std::string newer = SyncOfCarer(kTenant, kDevice, 9, kLastDevice, 3);
  const std::string older = SyncOfCarer(kTenant, kDevice, 8, kLastDevice, 7);
  EXPECT_LT(newer, older);
  EXPECT_TRUE(In(SyncsOfCarer(kTenant, kDevice, ""), newer));
  EXPECT_FALSE(In(SyncsOfCarer(kTenant, kDevice, newer), newer));
  EXPECT_TRUE(In(SyncsOfCarer(kTenant, kDevice, newer), older));
  Uuid carer;
  Uuid device;
  int64_t start = 0;
  uint64_t number = 0;
  ASSERT_TRUE(ParseSyncOfCarer(newer, &carer, &start, &device, &number));
  EXPECT_EQ(std::tuple(carer, start, device, number), std::tuple(kDevice, 9, kLastDevice, 3));
}

}  // namespace
}  // namespace caresync::base::keys
