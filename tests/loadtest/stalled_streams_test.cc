#include "loadtest/stalled_streams.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/rpc/error_details.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// As a device gets it from the server.
absl::Status Silent() { return cli::errors::FromCall(rpc::ToGrpc(base::errors::DeviceSilent()), "the server"); }
absl::Status Cancelled() {
  return cli::errors::FromCall(grpc::Status(grpc::StatusCode::CANCELLED, "RST_STREAM"), "the server");
}

class StalledStreamsTest : public testing::Test {
 protected:
  // As if it had begun so many seconds after the test.
  void BeginAt(size_t device, StallKind kind, int seconds) { streams_.Begin(device, kind, At(seconds)); }
  Instant At(int seconds) const { return began_ + std::chrono::seconds(seconds); }

  const Instant began_ = Now();
  Faults faults_;
  StalledStreams streams_{faults_};
};

TEST_F(StalledStreamsTest, EndsAreCountedByKindAndReason) {
  BeginAt(1, StallKind::kNeverReads, 0);
  BeginAt(2, StallKind::kNeverReads, 0);
  BeginAt(3, StallKind::kNeverReads, 0);
  BeginAt(4, StallKind::kNeverAcks, 0);
  streams_.End(1, Silent());
  streams_.End(2, Cancelled());
  streams_.End(3, Silent());
  streams_.End(4, Silent());
  EXPECT_THAT(streams_.ends(), ElementsAre(Pair("streams never acknowledged, ended with DEVICE_SILENT", 1),
                                           Pair("streams never read, ended with CANCELLED", 1),
                                           Pair("streams never read, ended with DEVICE_SILENT", 2)));
  EXPECT_EQ(streams_.open(), 0u);
  EXPECT_THAT(faults_.told(), IsEmpty());
}

TEST_F(StalledStreamsTest, OneThatIsOpenForLongIsFoundUntilItEnds) {
  BeginAt(7, StallKind::kNeverAcks, 10);
  BeginAt(5, StallKind::kHalfOpen, 20);
  EXPECT_THAT(streams_.OpenSince(At(9)), IsEmpty());
  EXPECT_THAT(streams_.OpenSince(At(10)), ElementsAre(7));
  EXPECT_THAT(streams_.OpenSince(At(20)), ElementsAre(5, 7));
  streams_.End(7, Silent());
  EXPECT_THAT(streams_.OpenSince(At(20)), ElementsAre(5));
}

// As where it was shed, and has come back since.
TEST_F(StalledStreamsTest, ADevicesLastStreamCounts) {
  BeginAt(1, StallKind::kNeverReads, 0);
  BeginAt(1, StallKind::kNeverReads, 30);
  EXPECT_EQ(streams_.open(), 1u);
  EXPECT_THAT(streams_.OpenSince(At(29)), IsEmpty());
}

TEST_F(StalledStreamsTest, OnlyOneWhoseStreamStalledAndEndedIsOver) {
  EXPECT_FALSE(streams_.IsOver(1));
  BeginAt(1, StallKind::kNeverAcks, 0);
  EXPECT_FALSE(streams_.IsOver(1));
  streams_.End(1, Silent());
  EXPECT_TRUE(streams_.IsOver(1));
  EXPECT_FALSE(streams_.IsOver(2));
}

TEST_F(StalledStreamsTest, OneThatIsStillOpenInTheEndIsAFaultAndNoEnd) {
  BeginAt(3, StallKind::kHalfOpen, 0);
  streams_.GiveUp(3, absl::Seconds(120));
  // It is left then; had the server ended it at that moment, it would be too late.
  streams_.End(3, Silent());
  EXPECT_THAT(faults_.told(), ElementsAre("device 3: a stream half open is still open after 2m"));
  EXPECT_TRUE(streams_.IsOver(3));
  EXPECT_THAT(streams_.ends(), IsEmpty());
  EXPECT_EQ(streams_.open(), 0u);
}

TEST_F(StalledStreamsTest, OneThatEndsWellIsAFault) {
  BeginAt(3, StallKind::kNeverAcks, 0);
  streams_.End(3, absl::OkStatus());
  EXPECT_THAT(faults_.told(), ElementsAre("device 3: a stream never acknowledged ended well"));
}

TEST_F(StalledStreamsTest, TheMostThatWereOpenAtOnceAreKept) {
  BeginAt(1, StallKind::kNeverAcks, 0);
  BeginAt(2, StallKind::kNeverAcks, 0);
  streams_.End(1, Silent());
  BeginAt(3, StallKind::kNeverAcks, 0);
  streams_.End(2, Silent());
  streams_.End(3, Silent());
  EXPECT_EQ(streams_.most_open(), 2u);
}

}  // namespace
}  // namespace caresync::loadtest
