// The keys of the outbox.
#include <cstdint>

#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "tests/base/sample_keys.h"

namespace caresync::base::keys {
namespace {

TEST(Keys, NoticesLieInTheirOrderAndAreReadOnBehindOne) {
  EXPECT_LT(Notice(kTenant, 9), Notice(kTenant, 10));
  EXPECT_FALSE(In(Notices(kTenant, 9), Notice(kTenant, 9)));
  EXPECT_TRUE(In(Notices(kTenant, 9), Notice(kTenant, 10)));
  EXPECT_FALSE(In(DeadNotices(kTenant, 9), DeadNotice(kTenant, 9)));
  EXPECT_TRUE(In(DeadNotices(kTenant, 9), DeadNotice(kTenant, 10)));
  uint64_t number = 0;
  ASSERT_TRUE(ParseNotice(Notice(kTenant, 10), &number));
  EXPECT_EQ(number, 10u);
  EXPECT_FALSE(ParseNotice(DeadNotice(kTenant, 10), &number));
  ASSERT_TRUE(ParseDeadNotice(DeadNotice(kTenant, 11), &number));
  EXPECT_EQ(number, 11u);
}

TEST(Keys, NoticesFallDueInTheOrderOfTheirTimes) {
  EXPECT_LT(NoticeDue(kTenant, -7, 9), NoticeDue(kTenant, 5, 1));
  EXPECT_LT(NoticeDue(kTenant, 5, 1), NoticeDue(kTenant, 5, 2));
  int64_t due = 0;
  uint64_t number = 0;
  ASSERT_TRUE(ParseNoticeDue(NoticeDue(kTenant, -7, 9), &due, &number));
  EXPECT_EQ(due, -7);
  EXPECT_EQ(number, 9u);
  EXPECT_FALSE(ParseNoticeDue(Notice(kTenant, 9), &due, &number));
}

}  // namespace
}  // namespace caresync::base::keys
