// What the uploads token in a start shows of events that had their result.
#include <string>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "server/base/sealed_token.h"
#include "server/commit/timeline.h"
#include "server/sync/resume_token.h"
#include "server/sync/session.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

using commit::CursorStanding;

const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
const base::Uuid kOther = *base::Uuid::Parse("33333333-3333-4333-8333-333333333333");
const base::CommitPoint kHead = {"timeline", 20};
const absl::Time kNow = absl::FromUnixSeconds(1'772'431'200);

// Whether a device that starts with `uploads`, whose cursor stands so, is asked for its events again. The test is the
// session's store, feed and stream.
bool IsAskedAgain(const UploadsToken& uploads, CursorStanding standing) {
  const base::TenantId tenant = fakes::Tenant("agency");
  const base::TokenSealer sealer(std::string(32, 'k'));
  Session session({tenant, kDevice, kCarer}, "session", kHead.timeline, sealer);
  fakes::TestDevice device(kDevice);
  device.of(kCarer).uploads_token = SealUploadsToken(sealer, tenant, uploads);
  session.Handle(OpenedEvent{}, kNow);
  session.Handle(MessageEvent{device.Start(kCarer, v1::SYNC_TYPE_STANDARD)}, kNow);
  StartFacts facts;
  facts.carer_branch_id = "";
  facts.head = kHead;
  facts.uploads_standing = standing;
  session.Handle(LoadedEvent{std::move(facts), false}, kNow);
  DownloadBatch batch;
  batch.head = kHead;
  batch.feed.nothing_left = true;
  session.Handle(BatchReadEvent{std::move(batch)}, kNow);
  for (const SessionAction& action : session.Handle(RowsWrittenEvent{{storage::CommitOutcome::kCommitted, ""}}, kNow)) {
    const SendAction* sent = std::get_if<SendAction>(&action);
    if (sent != nullptr && sent->response.has_started()) return sent->response.started().resend_events();
  }
  ADD_FAILURE() << "nothing is said to the device";
  return false;
}

TEST(UploadsTokens, OneThatIsKnownShowsThatNothingIsLost) {
  EXPECT_FALSE(IsAskedAgain({kDevice, kCarer, kHead}, CursorStanding::kKnown));
}

TEST(UploadsTokens, OneOfTheLostStateOrTooOldToTellIsALoss) {
  EXPECT_TRUE(IsAskedAgain({kDevice, kCarer, kHead}, CursorStanding::kForeign));
  EXPECT_TRUE(IsAskedAgain({kDevice, kCarer, kHead}, CursorStanding::kExpired));
}

TEST(UploadsTokens, OneOfAnotherDeviceOrCarerSpeaksForNothing) {
  EXPECT_TRUE(IsAskedAgain({kOther, kCarer, kHead}, CursorStanding::kKnown));
  EXPECT_TRUE(IsAskedAgain({kDevice, kOther, kHead}, CursorStanding::kKnown));
}

}  // namespace
}  // namespace caresync::sync
