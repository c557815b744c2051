#include "server/base/host_port.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::base {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(WrongHostPort, TakesNamesAddressesAndPorts) {
  for (const char* address : {"127.0.0.1:7443", "localhost:1", "sync.example.org:65535", "caresync_server-1:443",
                              "[::1]:7443", "[fe80::1%eth0]:7443"}) {
    EXPECT_EQ(WrongHostPort(address, 1), "") << address;
  }
  EXPECT_EQ(WrongHostPort("0.0.0.0:0", 0), "");
}

TEST(WrongHostPort, RefusesWhatGrpcWouldTakeForSomethingElse) {
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:", ":7443", "127.0.0.1:99999", "127.0.0.1:65536", "127.0.0.1:4294967297",
        "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:http", "http://127.0.0.1:27443", "dns:///host:7443",
        "unix:/tmp/socket", "::1:7443", "[::1]", "[]:7443", "[example.org]:7443", "two words:7443", "[%eth0]:7443"}) {
    EXPECT_THAT(WrongHostPort(address, 1), AllOf(HasSubstr(address), HasSubstr("HOST:PORT"))) << address;
  }
  EXPECT_THAT(WrongHostPort("127.0.0.1:0", 1), HasSubstr("1 to 65535")) << "nobody listens on port 0";
}

TEST(StaysOnThisMachine, OnlyWhatIsSurelyIts) {
  for (const char* address :
       {"127.0.0.1:7443", "127.8.9.10:1", "localhost:7443", "LOCALHOST:1", "0.0.0.0:7443", "[::1]:7443", "[::]:7443"}) {
    EXPECT_TRUE(StaysOnThisMachine(address)) << address;
  }
  for (const char* address : {"10.0.0.1:7443", "128.0.0.1:7443", "localhost.example.org:7443", "127.0.0.1.nip.io:7443",
                              "sync.example.org:443", "[fe80::1]:7443", "[2001:db8::1]:7443"}) {
    EXPECT_FALSE(StaysOnThisMachine(address)) << address;
  }
}

}  // namespace
}  // namespace caresync::base
