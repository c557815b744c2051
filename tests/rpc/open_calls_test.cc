#include "server/rpc/open_calls.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/errors.h"

namespace caresync::rpc {
namespace {

void Ignore(const absl::Status&) {}

TEST(OpenCalls, RefuseMoreThanTheirBoundUntilOneLeaves) {
  OpenCalls calls(2);
  auto first = calls.Enter(Ignore);
  auto second = calls.Enter(Ignore);
  ASSERT_TRUE(first.ok() && second.ok());
  const auto third = calls.Enter(Ignore);
  EXPECT_EQ(base::Reason(third.status()), "OVERLOADED");
  EXPECT_TRUE(base::RetryDelay(third.status()).has_value());
  *first = OpenCalls::Handle();
  EXPECT_TRUE(calls.Enter(Ignore).ok());
}

TEST(OpenCalls, CountAMovedHandleOnce) {
  OpenCalls calls(1);
  auto first = calls.Enter(Ignore);
  ASSERT_TRUE(first.ok());
  {
    const OpenCalls::Handle moved = *std::move(first);
    EXPECT_FALSE(calls.Enter(Ignore).ok());
  }
  EXPECT_TRUE(calls.Enter(Ignore).ok());
}

TEST(OpenCalls, AreToldToEndAndThenRefused) {
  OpenCalls calls(10);
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

TEST(OpenCalls, MayLeaveWhileTheyAreToldToEnd) {
  OpenCalls calls(10);
  OpenCalls::Handle handle;
  auto entered = calls.Enter([&](const absl::Status&) { handle = OpenCalls::Handle(); });
  ASSERT_TRUE(entered.ok());
  handle = *std::move(entered);
  calls.EndAll(base::errors::ShuttingDown(absl::Seconds(1)));
  EXPECT_FALSE(calls.Enter(Ignore).ok());
}

}  // namespace
}  // namespace caresync::rpc
