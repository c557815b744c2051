// The keys of notifications.
#include <string>

#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "tests/base/sample_keys.h"

namespace caresync::base::keys {
namespace {

TEST(Keys, NotificationSettingsLieByBranchTheDefaultFirst) {
  EXPECT_LT(NotificationSettings(kTenant, ""), NotificationSettings(kTenant, "a"));
  EXPECT_FALSE(
      In(AllNotificationSettings(kTenant, NotificationSettings(kTenant, "")), NotificationSettings(kTenant, "")));
  EXPECT_TRUE(
      In(AllNotificationSettings(kTenant, NotificationSettings(kTenant, "")), NotificationSettings(kTenant, "a")));
  std::string branch;
  ASSERT_TRUE(ParseNotificationSettings(NotificationSettings(kTenant, "a"), &branch));
  EXPECT_EQ(branch, "a");
  EXPECT_FALSE(ParseNotificationSettings(Outbox(kTenant), &branch));
}

TEST(Keys, RaisedMismatchesLieByBranch) {
  const std::string none;
  const std::string first = "a";
  EXPECT_TRUE(In(RaisedMismatchesOf(kTenant, none), RaisedMismatch(kTenant, none, kDevice, kVisit)));
  EXPECT_FALSE(In(RaisedMismatchesOf(kTenant, none), RaisedMismatch(kTenant, first, kDevice, kVisit)));
  EXPECT_TRUE(In(RaisedMismatchesAfter(kTenant, nullptr), RaisedMismatch(kTenant, none, kDevice, kVisit)));
  EXPECT_FALSE(In(RaisedMismatchesAfter(kTenant, &none), RaisedMismatch(kTenant, none, kLastDevice, kVisit)));
  EXPECT_TRUE(In(RaisedMismatchesAfter(kTenant, &none), RaisedMismatch(kTenant, first, kDevice, kVisit)));
  EXPECT_FALSE(In(RaisedMismatchesAfter(kTenant, &first), RaisedMismatch(kTenant, first, kLastDevice, kVisit)));
  std::string branch;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseRaisedMismatch(RaisedMismatch(kTenant, first, kDevice, kVisit), &branch, &carer, &visit));
  EXPECT_EQ(branch, first);
  EXPECT_EQ(carer, kDevice);
  EXPECT_EQ(visit, kVisit);
  EXPECT_FALSE(ParseRaisedMismatch(OpenMismatch(kTenant, kDevice, kVisit), &branch, &carer, &visit));
}

TEST(Keys, HeldMismatchesLieByBranch) {
  const std::string none;
  const std::string first = "a";
  EXPECT_TRUE(In(HeldMismatchesOf(kTenant, none), HeldMismatch(kTenant, none, kDevice, kVisit)));
  EXPECT_FALSE(In(HeldMismatchesOf(kTenant, none), HeldMismatch(kTenant, first, kDevice, kVisit)));
  EXPECT_TRUE(In(HeldMismatchesAfter(kTenant, nullptr), HeldMismatch(kTenant, none, kDevice, kVisit)));
  EXPECT_FALSE(In(HeldMismatchesAfter(kTenant, &none), HeldMismatch(kTenant, none, kLastDevice, kVisit)));
  EXPECT_TRUE(In(HeldMismatchesAfter(kTenant, &none), HeldMismatch(kTenant, first, kDevice, kVisit)));
  EXPECT_FALSE(In(HeldMismatchesAfter(kTenant, &first), HeldMismatch(kTenant, first, kLastDevice, kVisit)));
  std::string branch;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseHeldMismatch(HeldMismatch(kTenant, first, kDevice, kVisit), &branch, &carer, &visit));
  EXPECT_EQ(branch, first);
  EXPECT_EQ(carer, kDevice);
  EXPECT_EQ(visit, kVisit);
  EXPECT_FALSE(ParseHeldMismatch(RaisedMismatch(kTenant, first, kDevice, kVisit), &branch, &carer, &visit));
}

}  // namespace
}  // namespace caresync::base::keys
