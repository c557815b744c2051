#include "tools/caresync/connection.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
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

Options To(const std::string& server) {
  Options options;
  options.server = server;
  options.token = "a-token";
  return options;
}

absl::Status Prepared(const Options& options) {
  grpc::ClientContext context;
  return Connection(options).Prepare(Caller(), absl::Seconds(1), context);
}

TEST(Connection, NoCredentialGoesInPlaintextToAnotherMachineUnasked) {
  Options away = To("sync.example.org:443");
  const absl::Status barred = Prepared(away);
  EXPECT_TRUE(IsUsageError(barred));
  for (const char* named : {"sync.example.org:443", "--tls", "--plaintext"}) {
    EXPECT_THAT(std::string(barred.message()), testing::HasSubstr(named));
  }
  away.token.clear();
  EXPECT_TRUE(IsUsageError(Prepared(away))) << "a token that is made here is one as well";
  away = To("10.0.0.1:7443");
  away.plaintext = true;
  EXPECT_TRUE(Prepared(away).ok());
  away.plaintext = false;
  away.tls = true;
  EXPECT_TRUE(Prepared(away).ok());
  EXPECT_TRUE(Prepared(To("127.0.0.1:7443")).ok());
  EXPECT_TRUE(Prepared(To("localhost:7443")).ok());
}

TEST(Connection, CertificatesThatCannotBeReadBarEveryCall) {
  Options away = To("sync.example.org:443");
  away.tls_ca = testing::TempDir() + "/no/such/certificates.pem";
  EXPECT_EQ(ErrorReason(Prepared(away)), "FILE_NOT_READABLE");
}

}  // namespace
}  // namespace caresync::cli
