#include "loadtest/server_process.h"

#include <sched.h>

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::HasSubstr;

cpu_set_t CoresOf(pid_t process) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  EXPECT_EQ(sched_getaffinity(process, sizeof(cores), &cores), 0);
  return cores;
}

// One that this process may use.
int SomeCore() {
  const cpu_set_t cores = CoresOf(0);
  int core = 0;
  while (core < CPU_SETSIZE - 1 && !CPU_ISSET(static_cast<size_t>(core), &cores)) ++core;
  return core;
}

class ServerProcessTest : public testing::Test {
 protected:
  // What looks like a server, as far as a start can tell.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> StartOn(std::optional<int> core) {
    const auto directory = TemporaryDirectory::Make();
    if (!directory.ok()) return directory.status();
    return ServerProcess::Start("/bin/sh", {"-c", "echo sh listening on 127.0.0.1:1; exec sleep 1000"},
                                (*directory)->path() + "/log", core);
  }
};

TEST_F(ServerProcessTest, StaysOnItsCore) {
  const int core = SomeCore();
  const auto server = StartOn(core);
  ASSERT_TRUE(server.ok()) << server.status();
  const cpu_set_t cores = CoresOf((*server)->pid());
  EXPECT_EQ(CPU_COUNT(&cores), 1);
  EXPECT_TRUE(CPU_ISSET(static_cast<size_t>(core), &cores));
}

TEST_F(ServerProcessTest, WithoutACoreItUsesThoseOfWhoStartsIt) {
  const auto server = StartOn(std::nullopt);
  ASSERT_TRUE(server.ok()) << server.status();
  const cpu_set_t own = CoresOf(0);
  const cpu_set_t cores = CoresOf((*server)->pid());
  EXPECT_TRUE(CPU_EQUAL(&own, &cores));
}

TEST_F(ServerProcessTest, ACoreThatCannotBeUsedIsNamed) {
  const absl::Status status = StartOn(CPU_SETSIZE).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("may not use core 1024"));
}

TEST_F(ServerProcessTest, AThreadStaysOnItsCoreWithThoseThatItStarts) {
  const int core = SomeCore();
  int count = 0;
  absl::Status status;
  std::thread([core, &count, &status] {
    status = StayOnCore(core);
    std::thread([&count] {
      const cpu_set_t cores = CoresOf(0);
      count = CPU_COUNT(&cores);
    }).join();
  }).join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace caresync::loadtest
