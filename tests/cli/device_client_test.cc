#include "tools/caresync/device_client.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/proto_time.h"
#include "tests/cli/held_copy.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

using ::testing::ElementsAre;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'795'244'520);

SyncPlan Plan() { return {"22222222-2222-4222-8222-222222222222", "Pixel 6", "1.0", kCarer, v1::SYNC_TYPE_STANDARD}; }

v1::SyncResponse Response(const v1::Changes& changes) {
  v1::SyncResponse response;
  *response.mutable_changes() = changes;
  return response;
}

v1::SyncResponse RebuildResponse(uint64_t number) {
  v1::SyncResponse response;
  response.mutable_rebuild()->set_rebuild_number(number);
  response.mutable_rebuild()->set_reason(v1::REBUILD_REASON_NEW_COPY);
  return response;
}

// The token in the `start` of the next sync.
std::string StartToken(const DeviceStore& store) {
  const auto requests = DeviceClient(store, Plan()).Begin(kNow);
  EXPECT_TRUE(requests.ok()) << requests.status();
  return requests->front().start().resume_token();
}

// A store that holds the visit `a`, with the token t2.
void HoldOneVisit(const DeviceStore& store) {
  ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"a", "A"}})).ok());
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t2", 3)).ok());
}

TEST(DeviceClient, ANewInstallStartsWithoutAToken) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  EXPECT_EQ(StartToken(store), "");
}

TEST(DeviceClient, StartsWithTheTokenOfTheUnfinishedCopyElseOfTheOneInUse) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  EXPECT_EQ(StartToken(store), "t2");
  ASSERT_TRUE(store.BeginCopy(kCarer, 2).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(2, "t3", {{"b", "B"}})).ok());
  EXPECT_EQ(StartToken(store), "t3");
}

TEST(DeviceClient, AnUnfinishedCopyWithoutABatchIsDropped) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  ASSERT_TRUE(store.BeginCopy(kCarer, 2).ok());
  EXPECT_EQ(StartToken(store), "t2");
  EXPECT_FALSE(store.BeingMade(kCarer)->has_value());
}

TEST(DeviceClient, AcksABatchWithItsTokenOnceItIsStored) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  const auto none = client.Handle(RebuildResponse(1), kNow);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
  const auto ack = client.Handle(Response(Batch(1, "t1", {{"a", "A"}})), kNow);
  ASSERT_TRUE(ack.ok() && ack->has_value());
  EXPECT_EQ((*ack)->ack().resume_token(), "t1");
  EXPECT_FALSE((*ack)->ack().has_holds());
  EXPECT_EQ((*store.BeingMade(kCarer))->token, "t1");
}

TEST(DeviceClient, NextVisitsAreAckedAndTheirCopyIsGoneOnWith) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  v1::SyncResponse response = RebuildResponse(1);
  *response.mutable_changes() = Batch(1, "beginning", {{"a", "A"}});
  response.mutable_changes()->set_next_visits(true);
  const auto ack = client.Handle(response, kNow);
  ASSERT_TRUE(ack.ok() && ack->has_value());
  EXPECT_EQ((*ack)->ack().resume_token(), "beginning");
  EXPECT_EQ(StartToken(store), "beginning");
  EXPECT_THAT(HeldIds(store), ::testing::IsEmpty());
  EXPECT_EQ(store.NextVisits(kCarer)->size(), 1u);
}

TEST(DeviceClient, AcksCaughtUpWithItsOwnCountAndSum) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  v1::SyncResponse response = RebuildResponse(1);
  *response.mutable_changes() = Batch(1, "t1", {{"a", "A"}});
  *response.mutable_caught_up() = CaughtUpAt(1, "t2", 3);
  const auto ack = client.Handle(response, kNow);
  ASSERT_TRUE(ack.ok() && ack->has_value());
  EXPECT_EQ((*ack)->ack().resume_token(), "t2");
  EXPECT_EQ((*ack)->ack().holds().count(), 1u);
  EXPECT_EQ((*ack)->ack().holds().sum(), Fingerprint(v1::RECORD_KIND_VISIT, "a", "A"));
  EXPECT_THAT(HeldIds(store), ElementsAre("a"));
  EXPECT_FALSE(client.done());
}

TEST(DeviceClient, ARebuildKeepsTheOldCopyUntilCaughtUp) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  v1::SyncResponse response = RebuildResponse(2);
  *response.mutable_changes() = Batch(2, "t3", {{"b", "B"}});
  ASSERT_TRUE(client.Handle(response, kNow).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("a"));
  v1::SyncResponse end;
  *end.mutable_caught_up() = CaughtUpAt(2, "t4", 5);
  ASSERT_TRUE(client.Handle(end, kNow).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("b"));
}

TEST(DeviceClient, AnEmptySyncIsDoneWithOneMessageAndNoAck) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  v1::SyncResponse response;
  response.mutable_started()->mutable_policy()->set_time_zone("Europe/Rome");
  *response.mutable_caught_up() = CaughtUpAt(0, "t5", 9);
  *response.mutable_caught_up()->mutable_holds() = *store.Holds(kCarer);
  response.mutable_sync_recorded();
  const auto ack = client.Handle(response, kNow);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_FALSE(ack->has_value());
  EXPECT_TRUE(client.done());
  EXPECT_EQ(StartToken(store), "t5");
  EXPECT_EQ(*store.Setting("time_zone"), "Europe/Rome");
}

// Requirement: S8
TEST(DeviceClient, ShowsThatAManualSyncIsDueUntilOneIsRecorded) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  v1::SyncResponse response;
  *response.mutable_started()->mutable_manual_sync_due_since_time() = base::ToTimestamp(kNow);
  *response.mutable_caught_up() = CaughtUpAt(0, "t5", 9);
  *response.mutable_sync_recorded()->mutable_manual_sync_due_since_time() = base::ToTimestamp(kNow);
  SyncPlan plan = Plan();
  plan.type = v1::SYNC_TYPE_AUTO;
  DeviceClient in_background(store, plan);
  ASSERT_TRUE(in_background.Begin(kNow).ok());
  ASSERT_TRUE(in_background.Handle(response, kNow).ok());
  EXPECT_EQ(*store.ManualSyncDueSince(kCarer), kNow);
  EXPECT_EQ(*store.ManualSyncDueSince("another"), std::nullopt);

  DeviceClient by_carer(store, Plan());
  ASSERT_TRUE(by_carer.Begin(kNow).ok());
  response.clear_sync_recorded();
  ASSERT_TRUE(by_carer.Handle(response, kNow).ok());
  EXPECT_EQ(*store.ManualSyncDueSince(kCarer), kNow) << "it is not recorded yet";
  v1::SyncResponse recorded;
  recorded.mutable_sync_recorded();
  ASSERT_TRUE(by_carer.Handle(recorded, kNow).ok());
  EXPECT_EQ(*store.ManualSyncDueSince(kCarer), std::nullopt);
  // A follower, when a visit has ended.
  *recorded.mutable_sync_recorded()->mutable_manual_sync_due_since_time() = base::ToTimestamp(kNow + absl::Hours(1));
  ASSERT_TRUE(by_carer.Handle(recorded, kNow).ok());
  EXPECT_EQ(*store.ManualSyncDueSince(kCarer), kNow + absl::Hours(1));
}

TEST(DeviceClient, ADroppedCopyAsksForNoManualSync) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  ASSERT_TRUE(store.SetManualSyncDueSince(kCarer, kNow).ok());
  ASSERT_TRUE(store.DropCopies(kCarer).ok());
  EXPECT_EQ(*store.ManualSyncDueSince(kCarer), std::nullopt);
}

TEST(DeviceClient, StartsWithTheCountAndSumOfTheCopyInUse) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  const auto requests = DeviceClient(store, Plan()).Begin(kNow);
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->front().start().holds().count(), 1u);
  EXPECT_EQ(requests->front().start().holds().sum(), Fingerprint(v1::RECORD_KIND_VISIT, "a", "A"));
}

TEST(DeviceClient, DeclaresAndSendsItsEventsAHundredAMessage) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  for (int i = 0; i < 101; ++i) ASSERT_TRUE(store.AddEvent(kCarer, "e" + std::to_string(i), "event").ok());
  ASSERT_TRUE(store.AddVisitEvent(kCarer, "last", "event", "v1").ok());
  const auto requests = DeviceClient(store, Plan()).Begin(kNow);
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 3u);
  EXPECT_EQ((*requests)[0].start().unsent_events(), 102u);
  EXPECT_EQ((*requests)[0].start().open_visit_id(), "v1");
  EXPECT_EQ((*requests)[1].upload().events_size(), 100);
  EXPECT_EQ((*requests)[2].upload().events_size(), 2);
  EXPECT_EQ((*requests)[2].upload().events(1).sequence(), 102u);
}

TEST(DeviceClient, AnUploadMessageStaysBelowItsBound) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  const std::string form(200 * 1024, 'x');
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(store.AddEvent(kCarer, "e" + std::to_string(i), form).ok());
  const auto requests = DeviceClient(store, Plan()).Begin(kNow);
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 3u);
  for (const v1::SyncRequest& request : *requests) EXPECT_LT(request.ByteSizeLong(), 1024u * 1024u);
}

TEST(DeviceClient, ALastInterruptionIsToldUntilTheServerHasHeardIt) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginSync().ok());
  DeviceClient client(store, Plan());
  const auto requests = client.Begin(kNow);
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->front().start().last_interruption(), v1::INTERRUPTION_CAUSE_UNKNOWN);
  v1::SyncResponse response;
  response.mutable_started();
  ASSERT_TRUE(client.Handle(response, kNow).ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_UNSPECIFIED).ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_UNSPECIFIED);
}

TEST(DeviceClient, TellsOfAnInterruptionWhicheverCarersSyncItWas) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(DeviceClient(store, Plan()).Begin(kNow).ok());
  SyncPlan other = Plan();
  other.carer_id = "another";
  DeviceClient client(store, other);
  const auto requests = client.Begin(kNow);
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->front().start().last_interruption(), v1::INTERRUPTION_CAUSE_UNKNOWN);
  // A sync that is recorded was not interrupted, though its process dies a moment later.
  v1::SyncResponse response;
  response.mutable_started();
  response.mutable_sync_recorded();
  ASSERT_TRUE(client.Handle(response, kNow).ok());
  EXPECT_EQ(DeviceClient(store, Plan()).Begin(kNow)->front().start().last_interruption(),
            v1::INTERRUPTION_CAUSE_UNSPECIFIED);
}

TEST(DeviceClient, SendsItsAnsweredEventsAgainWhereItIsAskedTo) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  v1::SyncResponse results;
  for (int i = 0; i < 150; ++i) {
    const std::string id = absl::StrCat("e", i);
    ASSERT_TRUE(store.AddEvent(kCarer, id, "bytes").ok());
    v1::EventResult& result = *results.mutable_upload_result()->add_results();
    result.set_event_id(id);
    result.set_outcome(v1::EVENT_OUTCOME_ACCEPTED);
  }
  ASSERT_TRUE(store.AddEvent(kCarer, "unsent", "bytes").ok());
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  ASSERT_TRUE(client.Handle(results, kNow).ok());
  v1::SyncResponse started;
  started.mutable_started();
  EXPECT_TRUE(client.Resend(started)->empty()) << "it was not asked";
  started.mutable_started()->set_resend_events(true);
  const auto requests = client.Resend(started);
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 2u);
  EXPECT_EQ(requests->front().upload().events_size(), 100);
  EXPECT_FALSE(requests->front().upload().resend_complete());
  EXPECT_EQ(requests->back().upload().events_size(), 50);
  EXPECT_TRUE(requests->back().upload().resend_complete());
}

TEST(DeviceClient, SaysThatThereIsNothingToSendAgain) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  DeviceClient client(store, Plan());
  v1::SyncResponse started;
  started.mutable_started()->set_resend_events(true);
  const auto requests = client.Resend(started);
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_EQ(requests->front().upload().events_size(), 0);
  EXPECT_TRUE(requests->front().upload().resend_complete());
}

TEST(DeviceClient, AFollowerIsNotDoneWhenItIsRecorded) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  SyncPlan plan = Plan();
  plan.follow = true;
  DeviceClient client(store, plan);
  const auto requests = client.Begin(kNow);
  ASSERT_TRUE(requests.ok());
  EXPECT_TRUE(requests->front().start().follow());
  EXPECT_FALSE(client.recorded());
  v1::SyncResponse recorded;
  recorded.mutable_sync_recorded();
  ASSERT_TRUE(client.Handle(recorded, kNow).ok());
  EXPECT_TRUE(client.recorded());
  EXPECT_FALSE(client.done());
}

TEST(DeviceClient, DropsTheCopiesThatTheServerNamesAndSaysSo) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  ASSERT_TRUE(store.BeginCopy(kCarer, 2).ok());
  ASSERT_TRUE(store.AddEvent(kCarer, "e1", "bytes").ok());
  SyncPlan other = Plan();
  other.carer_id = "another";
  DeviceClient client(store, other);
  ASSERT_TRUE(client.Begin(kNow).ok());
  v1::SyncResponse response;
  response.mutable_started()->add_drop_now_carer_ids(kCarer);
  const auto ack = client.Handle(response, kNow);
  ASSERT_TRUE(ack.ok() && ack->has_value());
  EXPECT_THAT((*ack)->ack().dropped_carer_ids(), ElementsAre(kCarer));
  EXPECT_EQ((*ack)->ack().resume_token(), "");
  EXPECT_FALSE(store.InUse(kCarer)->has_value());
  EXPECT_FALSE(store.BeingMade(kCarer)->has_value());
  EXPECT_EQ(store.UnsentEvents(kCarer)->size(), 1u);
  // Once is enough.
  v1::SyncResponse begun = RebuildResponse(1);
  *begun.mutable_changes() = Batch(1, "t9", {{"a", "A"}});
  const auto next = client.Handle(begun, kNow);
  ASSERT_TRUE(next.ok() && next->has_value());
  EXPECT_THAT((*next)->ack().dropped_carer_ids(), ::testing::IsEmpty());
}

TEST(DeviceClient, NamesDroppedCopiesInTheAckOfWhatCameWithTheNotice) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  DeviceClient client(store, Plan());
  ASSERT_TRUE(client.Begin(kNow).ok());
  v1::SyncResponse response = RebuildResponse(1);
  *response.mutable_changes() = Batch(1, "t1", {{"a", "A"}});
  response.mutable_notice()->mutable_drop_now()->add_carer_ids("another");
  const auto ack = client.Handle(response, kNow);
  ASSERT_TRUE(ack.ok() && ack->has_value());
  EXPECT_EQ((*ack)->ack().resume_token(), "t1");
  EXPECT_THAT((*ack)->ack().dropped_carer_ids(), ElementsAre("another"));
}

TEST(DeviceClient, StartsWithoutATokenThatWasRefusedAndKeepsItsCopy) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  HoldOneVisit(store);
  ASSERT_TRUE(store.BeginCopy(kCarer, 2).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(2, "t3", {{"b", "B"}})).ok());
  ASSERT_TRUE(store.ForgetTokens(kCarer).ok());
  const auto requests = DeviceClient(store, Plan()).Begin(kNow);
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->front().start().resume_token(), "");
  EXPECT_FALSE(requests->front().start().has_holds());
  EXPECT_FALSE(store.BeingMade(kCarer)->has_value());
  EXPECT_THAT(HeldIds(store), ElementsAre("a"));
}

TEST(DeviceClient, SaysItsDataLevel) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  SyncPlan plan = Plan();
  EXPECT_EQ(DeviceClient(store, plan).Begin(kNow)->front().start().data_level(), 2u);
  plan.data_level = 1;
  EXPECT_EQ(DeviceClient(store, plan).Begin(kNow)->front().start().data_level(), 1u);
}

}  // namespace
}  // namespace caresync::cli
