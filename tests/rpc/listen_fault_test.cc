#include "server/rpc/listen_fault.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/loopback_address.h"

namespace caresync::rpc {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ListenFault, APortThatAnotherProgramListensOnIsSaidToBe) {
  const int listener = fakes::ListenOnLoopback(1);
  const std::string address = absl::StrCat("127.0.0.1:", fakes::PortOf(listener));
  EXPECT_THAT(WhyNothingListens(address), StartsWith("another program uses the port"));
  close(listener);
  EXPECT_THAT(WhyNothingListens(address), HasSubstr("nothing is in the way"));
}

// Where this machine has no IPv6, that address of localhost is not what is in the way.
TEST(ListenFault, OfANameWithSeveralAddressesThePortThatIsUsedIsSaidToBe) {
  const int listener = fakes::ListenOnLoopback(1);
  EXPECT_THAT(WhyNothingListens(absl::StrCat("localhost:", fakes::PortOf(listener))),
              StartsWith("another program uses the port"));
  close(listener);
}

TEST(ListenFault, AnAddressOfAnotherMachineIsSaidToBe) {
  // Of documents: no machine has it.
  EXPECT_THAT(WhyNothingListens("192.0.2.1:0"), StartsWith("the address is none of this machine's"));
}

TEST(ListenFault, AHostThatNobodyKnowsIsSaidToBe) {
  EXPECT_THAT(WhyNothingListens("no-such-host.invalid:7443"), StartsWith("the host is not known here ("));
}

TEST(ListenFault, TheBracketsOfAnAddressAreNoPartOfIt) {
  EXPECT_THAT(WhyNothingListens("[127.0.0.1]:0"), HasSubstr("nothing is in the way"));
}

}  // namespace
}  // namespace caresync::rpc
