#include "loadtest/virtual_device.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kUuid[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";
constexpr char kCarer[] = "11111111-1111-4111-8111-111111111111";

RecordName Visit(const std::string& id) { return {v1::RECORD_KIND_VISIT, id}; }

v1::CopySum SumOf(const std::vector<std::pair<std::string, std::string>>& visits) {
  HeldCopy copy;
  for (const auto& [id, payload] : visits) copy.Put(Visit(id), payload);
  return copy.Sum();
}

v1::SyncResponse Rebuild(uint64_t number) {
  v1::SyncResponse response;
  response.mutable_rebuild()->set_rebuild_number(number);
  return response;
}

v1::SyncResponse Batch(uint64_t number, const std::string& token,
                       const std::vector<std::pair<std::string, std::string>>& visits) {
  v1::SyncResponse response;
  v1::Changes& changes = *response.mutable_changes();
  changes.set_rebuild_number(number);
  changes.set_resume_token(token);
  for (const auto& [id, payload] : visits) {
    v1::Upsert& upsert = *changes.add_upserts();
    upsert.set_kind(v1::RECORD_KIND_VISIT);
    upsert.set_record_id(id);
    upsert.set_payload(payload);
  }
  return response;
}

v1::SyncResponse CaughtUp(uint64_t number, const std::string& token, const v1::CopySum& holds) {
  v1::SyncResponse response;
  response.mutable_caught_up()->set_rebuild_number(number);
  response.mutable_caught_up()->set_resume_token(token);
  *response.mutable_caught_up()->mutable_holds() = holds;
  return response;
}

v1::SyncResponse Recorded() {
  v1::SyncResponse response;
  response.mutable_sync_recorded();
  return response;
}

v1::SyncResponse Results(const std::vector<std::string>& ids) {
  v1::SyncResponse response;
  for (const std::string& id : ids) {
    v1::EventResult& result = *response.mutable_upload_result()->add_results();
    result.set_event_id(id);
    result.set_outcome(v1::EVENT_OUTCOME_ACCEPTED);
  }
  return response;
}

std::vector<std::string> HeldBy(const VirtualDevice& device) {
  std::vector<std::string> ids;
  for (const auto& [name, held] : device.copy().records()) ids.push_back(name.id + "=" + held.payload);
  return ids;
}

class VirtualDeviceTest : public testing::Test {
 protected:
  v1::Start BeginSync(v1::SyncType type = v1::SYNC_TYPE_STANDARD) { return device_.Begin(type, false).front().start(); }

  // A first copy with the visit a, of the number 1 and with the token "t".
  void MakeFirstCopy() {
    BeginSync();
    device_.Handle(Rebuild(1));
    device_.Handle(Batch(1, "b", {{"a", "1"}}));
    device_.Handle(CaughtUp(1, "t", SumOf({{"a", "1"}})));
    device_.Handle(Recorded());
    ASSERT_THAT(device_.TakeFaults(), IsEmpty());
  }

  VirtualDevice device_{kUuid, "Pixel", kCarer};
};

TEST_F(VirtualDeviceTest, BeginsWithNothing) {
  const v1::Start start = BeginSync(v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(start.device_uuid(), kUuid);
  EXPECT_EQ(start.carer_id(), kCarer);
  EXPECT_EQ(start.sync_type(), v1::SYNC_TYPE_AUTO);
  EXPECT_EQ(start.resume_token(), "");
  EXPECT_FALSE(start.has_holds());
}

TEST_F(VirtualDeviceTest, TakesTheNewCopyIntoUseWhenItIsComplete) {
  BeginSync();
  device_.Handle(Rebuild(1));
  const auto ack = device_.Handle(Batch(1, "b", {{"a", "1"}}));
  ASSERT_TRUE(ack.has_value());
  EXPECT_EQ(ack->ack().resume_token(), "b");
  EXPECT_FALSE(ack->ack().has_holds());
  EXPECT_THAT(HeldBy(device_), IsEmpty());
  EXPECT_TRUE(device_.is_rebuilding());

  const auto last_ack = device_.Handle(CaughtUp(1, "t", SumOf({{"a", "1"}})));
  ASSERT_TRUE(last_ack.has_value());
  EXPECT_EQ(last_ack->ack().resume_token(), "t");
  EXPECT_EQ(last_ack->ack().holds().count(), 1u);
  EXPECT_THAT(HeldBy(device_), ElementsAre("a=1"));
  EXPECT_FALSE(device_.is_rebuilding());
  EXPECT_FALSE(device_.recorded());
  EXPECT_FALSE(device_.Handle(Recorded()).has_value());
  EXPECT_TRUE(device_.recorded());
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, GoesOnFromItsTokenWithWhatItHolds) {
  MakeFirstCopy();
  const v1::Start start = BeginSync();
  EXPECT_EQ(start.resume_token(), "t");
  EXPECT_EQ(start.holds().SerializeAsString(), SumOf({{"a", "1"}}).SerializeAsString());
  EXPECT_EQ(start.last_interruption(), v1::INTERRUPTION_CAUSE_UNSPECIFIED);

  v1::SyncResponse delta = Batch(0, "d", {{"b", "2"}});
  v1::Removal& removal = *delta.mutable_changes()->add_removals();
  removal.set_kind(v1::RECORD_KIND_VISIT);
  removal.set_record_id("a");
  device_.Handle(delta);
  EXPECT_THAT(HeldBy(device_), ElementsAre("b=2"));
  EXPECT_EQ(BeginSync().resume_token(), "d");
}

TEST_F(VirtualDeviceTest, ASyncThatWasRefusedWithAReasonWasNotInterrupted) {
  MakeFirstCopy();
  BeginSync();
  device_.Refused();
  EXPECT_EQ(BeginSync().last_interruption(), v1::INTERRUPTION_CAUSE_UNSPECIFIED);
  EXPECT_EQ(BeginSync().last_interruption(), v1::INTERRUPTION_CAUSE_UNKNOWN);
}

TEST_F(VirtualDeviceTest, KeepsTheCopyInUseUntilTheNewOneIsComplete) {
  MakeFirstCopy();
  BeginSync(v1::SYNC_TYPE_CLEAN);
  device_.Handle(Rebuild(2));
  device_.Handle(Batch(2, "b", {{"x", "1"}}));
  EXPECT_THAT(HeldBy(device_), ElementsAre("a=1"));

  // Cut here: the next sync goes on with the new copy, whose sum nobody knows yet.
  const v1::Start start = BeginSync();
  EXPECT_EQ(start.resume_token(), "b");
  EXPECT_FALSE(start.has_holds());
  EXPECT_EQ(start.last_interruption(), v1::INTERRUPTION_CAUSE_UNKNOWN);
  device_.Handle(Batch(2, "c", {{"y", "2"}}));
  device_.Handle(CaughtUp(2, "t2", SumOf({{"x", "1"}, {"y", "2"}})));
  EXPECT_THAT(HeldBy(device_), ElementsAre("x=1", "y=2"));
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, DropsANewCopyThatGotNoBatch) {
  MakeFirstCopy();
  BeginSync(v1::SYNC_TYPE_CLEAN);
  device_.Handle(Rebuild(2));
  EXPECT_EQ(BeginSync().resume_token(), "t");
  EXPECT_FALSE(device_.is_rebuilding());
  device_.Handle(Batch(0, "d", {{"b", "2"}}));
  EXPECT_THAT(HeldBy(device_), ElementsAre("a=1", "b=2"));
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, ARebuildDropsAnUnfinishedOne) {
  MakeFirstCopy();
  BeginSync(v1::SYNC_TYPE_CLEAN);
  device_.Handle(Rebuild(2));
  device_.Handle(Batch(2, "b", {{"old", "1"}}));
  BeginSync();
  device_.Handle(Rebuild(3));
  device_.Handle(Batch(3, "c", {{"new", "1"}}));
  device_.Handle(CaughtUp(3, "t3", SumOf({{"new", "1"}})));
  EXPECT_THAT(HeldBy(device_), ElementsAre("new=1"));
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, NextVisitsGoIntoTheNewCopyWhichIsGoneOnWith) {
  BeginSync();
  device_.Handle(Rebuild(1));
  v1::SyncResponse next = Batch(1, "beginning", {{"b", "2"}});
  next.mutable_changes()->set_next_visits(true);
  const auto ack = device_.Handle(next);
  ASSERT_TRUE(ack.has_value());
  EXPECT_EQ(ack->ack().resume_token(), "beginning");
  EXPECT_EQ(BeginSync().resume_token(), "beginning");
  device_.Handle(Batch(1, "t", {{"a", "1"}, {"b", "2"}}));
  device_.Handle(CaughtUp(1, "t", SumOf({{"a", "1"}, {"b", "2"}})));
  EXPECT_THAT(HeldBy(device_), ElementsAre("a=1", "b=2"));
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, FindsNextVisitsThatComeLateOrToOneThatHoldsACopy) {
  BeginSync();
  device_.Handle(Rebuild(1));
  device_.Handle(Batch(1, "b", {{"a", "1"}}));
  v1::SyncResponse next = Batch(1, "beginning", {{"b", "2"}});
  next.mutable_changes()->set_next_visits(true);
  device_.Handle(next);
  EXPECT_THAT(device_.TakeFaults(), ElementsAre(HasSubstr("next visits")));
}

TEST_F(VirtualDeviceTest, FindsACopyThatIsNotWhatTheServerSays) {
  BeginSync();
  device_.Handle(Rebuild(1));
  device_.Handle(Batch(1, "b", {{"a", "1"}}));
  const auto ack = device_.Handle(CaughtUp(1, "t", SumOf({{"a", "other"}})));
  // It says what it holds, not what it was told.
  EXPECT_EQ(ack->ack().holds().sum(), SumOf({{"a", "1"}}).sum());
  EXPECT_THAT(device_.TakeFaults(), ElementsAre(HasSubstr("holds 1 records")));
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, FindsBatchesOfTheWrongCopy) {
  MakeFirstCopy();
  BeginSync(v1::SYNC_TYPE_CLEAN);
  device_.Handle(Rebuild(2));
  device_.Handle(Batch(0, "b", {{"x", "1"}}));
  device_.Handle(Batch(3, "c", {{"y", "1"}}));
  device_.Handle(CaughtUp(0, "d", SumOf({{"a", "1"}})));
  EXPECT_THAT(device_.TakeFaults(),
              ElementsAre(HasSubstr("copy in use"), HasSubstr("copy 3"), HasSubstr("copy in use")));
  EXPECT_THAT(HeldBy(device_), ElementsAre("a=1"));
}

TEST_F(VirtualDeviceTest, NeedsNoAckWhereTheStartWasIt) {
  MakeFirstCopy();
  BeginSync();
  v1::SyncResponse response = CaughtUp(0, "t2", SumOf({{"a", "1"}}));
  response.mutable_started();
  response.mutable_sync_recorded();
  EXPECT_FALSE(device_.Handle(response).has_value());
  EXPECT_TRUE(device_.recorded());
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
  EXPECT_EQ(BeginSync().resume_token(), "t2");
}

TEST_F(VirtualDeviceTest, FindsWhatComesAfterTheEnd) {
  MakeFirstCopy();
  BeginSync();
  device_.Handle(Recorded());
  device_.Handle(Batch(0, "d", {}));
  EXPECT_THAT(device_.TakeFaults(), ElementsAre(HasSubstr("after the sync was recorded")));
}

TEST_F(VirtualDeviceTest, AcksEveryRoundWhileItFollows) {
  EXPECT_TRUE(device_.Begin(v1::SYNC_TYPE_AUTO, true).front().start().follow());
  device_.Handle(Rebuild(1));
  device_.Handle(CaughtUp(1, "t", SumOf({})));
  device_.Handle(Recorded());
  for (const std::string token : {"1", "2"}) {
    const auto batch_ack = device_.Handle(Batch(0, "d" + token, {{"a", token}}));
    ASSERT_TRUE(batch_ack.has_value());
    EXPECT_EQ(batch_ack->ack().resume_token(), "d" + token);
    const auto ack = device_.Handle(CaughtUp(0, "t" + token, SumOf({{"a", token}})));
    ASSERT_TRUE(ack.has_value());
    EXPECT_EQ(ack->ack().holds().sum(), SumOf({{"a", token}}).sum());
    EXPECT_FALSE(device_.Handle(Recorded()).has_value());
  }
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
  EXPECT_EQ(BeginSync().resume_token(), "t2");
}

TEST_F(VirtualDeviceTest, TakesANoticeAtAnyTime) {
  MakeFirstCopy();
  v1::SyncResponse notice;
  notice.mutable_notice()->mutable_sync_now();
  EXPECT_FALSE(device_.Handle(notice).has_value());
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, KeepsAnEventUntilAResultNamesIt) {
  v1::CareEvent note;
  note.mutable_note()->set_text("Had breakfast");
  device_.Record(Visit("a"), note);
  device_.Record({v1::RECORD_KIND_SERVICE_USER, "s"}, note);
  const auto requests = device_.Begin(v1::SYNC_TYPE_STANDARD, false);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].start().unsent_events(), 2u);
  const v1::Upload& upload = requests[1].upload();
  ASSERT_EQ(upload.events_size(), 2);
  EXPECT_EQ(upload.events(0).sequence(), 1u);
  EXPECT_NE(upload.events(0).event_id(), upload.events(1).event_id());
  v1::CareEvent of_visit;
  ASSERT_TRUE(of_visit.ParseFromString(upload.events(0).event()));
  EXPECT_EQ(of_visit.carer_id(), kCarer);
  EXPECT_EQ(of_visit.visit_id(), "a");
  v1::CareEvent of_service_user;
  ASSERT_TRUE(of_service_user.ParseFromString(upload.events(1).event()));
  EXPECT_EQ(of_service_user.service_user_id(), "s");

  // The result of the second is lost: the same bytes go out again.
  device_.Handle(Results({upload.events(0).event_id()}));
  EXPECT_EQ(device_.unsent(), 1u);
  const auto again = device_.Begin(v1::SYNC_TYPE_STANDARD, false);
  ASSERT_EQ(again[1].upload().events_size(), 1);
  EXPECT_EQ(again[1].upload().events(0).SerializeAsString(), upload.events(1).SerializeAsString());
  device_.Handle(Results({upload.events(1).event_id()}));
  EXPECT_EQ(device_.unsent(), 0u);
  EXPECT_EQ(device_.settled().size(), 2u);
  EXPECT_THAT(device_.TakeFaults(), IsEmpty());
}

TEST_F(VirtualDeviceTest, SplitsUploadsAtAHundredEvents) {
  v1::CareEvent note;
  note.mutable_note()->set_text("x");
  for (int i = 0; i < 101; ++i) device_.Record(Visit("a"), note);
  const auto requests = device_.Begin(v1::SYNC_TYPE_STANDARD, false);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].upload().events_size(), 100);
  EXPECT_EQ(requests[2].upload().events_size(), 1);
}

TEST_F(VirtualDeviceTest, FindsResultsOfOtherEventsAndSuccessWithoutThem) {
  v1::CareEvent note;
  note.mutable_note()->set_text("x");
  device_.Record(Visit("a"), note);
  BeginSync();
  device_.Handle(Results({"5f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f"}));
  device_.Handle(Recorded());
  EXPECT_THAT(device_.TakeFaults(), ElementsAre(HasSubstr("not the next event"), HasSubstr("before every event")));
  EXPECT_EQ(device_.unsent(), 1u);
}

}  // namespace
}  // namespace caresync::loadtest
