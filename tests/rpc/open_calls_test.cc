#include "server/rpc/open_calls.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/seeded_random.h"

namespace caresync::rpc {
namespace {

void Ignore(const absl::Status&) {}

class OpenCallsTest : public testing::Test {
 protected:
  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  fakes::SeededRandom random_{1};
  const sync::Admission admission_{executor_, random_, clock_};
};

TEST_F(OpenCallsTest, RefuseMoreThanTheirBoundUntilOneLeaves) {
  OpenCalls calls(2, &admission_);
  auto first = calls.Enter(Ignore);
  auto second = calls.Enter(Ignore);
  ASSERT_TRUE(first.ok() && second.ok());
  const auto third = calls.Enter(Ignore);
  EXPECT_EQ(base::Reason(third.status()), "OVERLOADED");
  EXPECT_TRUE(base::RetryDelay(third.status()).has_value());
  *first = OpenCalls::Handle();
  EXPECT_TRUE(calls.Enter(Ignore).ok());
}

TEST_F(OpenCallsTest, AreRefusedWhileTheServerHasTooMuchToDo) {
  OpenCalls calls(2, &admission_);
  auto before = calls.Enter(Ignore);
  ASSERT_TRUE(before.ok());
  executor_.SetDelay(base::limits::kCallDelay);
  const auto refused = calls.Enter(Ignore);
  EXPECT_EQ(base::Reason(refused.status()), "OVERLOADED");
  EXPECT_TRUE(base::RetryDelay(refused.status()).has_value());
  executor_.SetDelay(absl::ZeroDuration());
  EXPECT_TRUE(calls.Enter(Ignore).ok());
}

TEST_F(OpenCallsTest, CountAMovedHandleOnce) {
  OpenCalls calls(1, &admission_);
  auto first = calls.Enter(Ignore);
  ASSERT_TRUE(first.ok());
  {
    const OpenCalls::Handle moved = *std::move(first);
    EXPECT_FALSE(calls.Enter(Ignore).ok());
  }
  EXPECT_TRUE(calls.Enter(Ignore).ok());
}

TEST_F(OpenCallsTest, AreToldToEndAndThenRefused) {
  OpenCalls calls(10, &admission_);
  std::vector<std::string> told;
  const auto open = calls.Enter([&](const absl::Status& status) { told.push_back(base::Reason(status)); });
  {
    const auto gone = calls.Enter([&](const absl::Status&) { told.push_back("gone"); });
    ASSERT_TRUE(open.ok() && gone.ok());
  }
  calls.EndAll(base::errors::ShuttingDown(absl::Seconds(1)));
  EXPECT_EQ(told, std::vector<std::string>{"SHUTTING_DOWN"});
  EXPECT_EQ(base::Reason(calls.Enter(Ignore).status()), "SHUTTING_DOWN");
}

TEST_F(OpenCallsTest, MayLeaveWhileTheyAreToldToEnd) {
  OpenCalls calls(10, &admission_);
  OpenCalls::Handle handle;
  auto entered = calls.Enter([&](const absl::Status&) { handle = OpenCalls::Handle(); });
  ASSERT_TRUE(entered.ok());
  handle = *std::move(entered);
  calls.EndAll(base::errors::ShuttingDown(absl::Seconds(1)));
  EXPECT_FALSE(calls.Enter(Ignore).ok());
}

}  // namespace
}  // namespace caresync::rpc
