#include "tools/caresync/connection.h"

#include <map>
#include <string>

#include "gtest/gtest.h"
#include "server/base/limits.h"

namespace caresync::cli {
namespace {

// The whole numbers among the arguments.
std::map<std::string, int> NumbersOf(const grpc::ChannelArguments& arguments) {
  const grpc_channel_args all = arguments.c_channel_args();
  std::map<std::string, int> numbers;
  for (size_t i = 0; i < all.num_args; ++i) {
    if (all.args[i].type == GRPC_ARG_INTEGER) numbers[all.args[i].key] = all.args[i].value.integer;
  }
  return numbers;
}

TEST(HowToConnect, NoticesWithinAMinuteThatTheNetworkIsGone) {
  std::map<std::string, int> numbers = NumbersOf(HowToConnect());
  const int every = numbers[GRPC_ARG_KEEPALIVE_TIME_MS];
  const int answer = numbers[GRPC_ARG_KEEPALIVE_TIMEOUT_MS];
  EXPECT_GT(answer, 0);
  EXPECT_LE(every + answer, 60'000);
  // The server ends connections that ping more often.
  EXPECT_GT(every, absl::ToInt64Milliseconds(base::limits::kPingsAtLeastApart));
  // Else only the first two would go out on a connection on which nothing else is sent.
  ASSERT_TRUE(numbers.contains(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA));
  EXPECT_EQ(numbers[GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA], 0);
}

}  // namespace
}  // namespace caresync::cli
