#include "loadtest/process_usage.h"

#include <time.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

absl::Duration OwnCpu() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

TEST(ProcessUsage, TellsOfARunningProcess) {
  const absl::Duration until = OwnCpu() + absl::Milliseconds(100);
  while (OwnCpu() < until) {
  }
  const auto usage = ReadUsage(getpid());
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GE(usage->cpu, absl::Milliseconds(80));
  EXPECT_LE(usage->cpu, OwnCpu() + absl::Milliseconds(20));
  EXPECT_GT(usage->rss_bytes, 1'000'000u);
  EXPECT_GE(usage->peak_rss_bytes, usage->rss_bytes);
}

// Ticks of a hundredth of a second would not tell most of these apart.
TEST(ProcessUsage, TellsOfAMillisecond) {
  for (int i = 0; i < 5; ++i) {
    const auto before = ReadUsage(getpid());
    ASSERT_TRUE(before.ok()) << before.status();
    const absl::Duration until = OwnCpu() + absl::Milliseconds(1);
    while (OwnCpu() < until) {
    }
    const auto after = ReadUsage(getpid());
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_GE(after->cpu - before->cpu, absl::Milliseconds(1));
  }
}

TEST(ProcessUsage, KnowsWhereThereIsNone) { EXPECT_TRUE(absl::IsNotFound(ReadUsage(0x7fffffff).status())); }

}  // namespace
}  // namespace caresync::loadtest
