#include "tools/caresync/check_client/command_driver.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace caresync::cli::check {
namespace {

// What is shown of a device that says what `command` says.
std::string OutputOf(const std::string& command) {
  Inbox inbox;
  CommandDriver driver(command, "127.0.0.1:1", inbox);
  EXPECT_TRUE(driver.BeginScenario("any", "device").ok());
  EXPECT_TRUE(driver.Begin(Step()).ok());
  const auto ended = inbox.Pop(absl::Now() + absl::Seconds(60));
  EXPECT_TRUE(ended && ended->kind == Arrival::Kind::kStepEnded);
  return driver.Output();
}

TEST(CommandDriver, ShowsTheLastLines) {
  EXPECT_EQ(OutputOf("echo one; echo two"), "one\ntwo");
  EXPECT_EQ(OutputOf("seq 20"), "9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20");
  EXPECT_EQ(OutputOf("true"), "");
}

TEST(CommandDriver, ShowsTheEndOfWhateverTheDeviceWrote) {
  const std::string output = OutputOf("yes a long story | tr -d '\\n' | head -c 3000000; echo; echo the end");
  EXPECT_LT(output.size(), 100'000u);
  EXPECT_TRUE(absl::EndsWith(output, "\nthe end"));
}

TEST(Inbox, GivesNothingOnceItIsStopped) {
  Inbox inbox;
  inbox.Push(Arrival());
  EXPECT_FALSE(inbox.stopped());
  inbox.Stop();
  EXPECT_TRUE(inbox.stopped());
  EXPECT_FALSE(inbox.Pop(absl::InfiniteFuture()).has_value());
}

}  // namespace
}  // namespace caresync::cli::check
