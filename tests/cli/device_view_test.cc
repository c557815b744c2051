#include "tools/caresync/device_view.h"

#include "gtest/gtest.h"
#include "tests/cli/held_copy.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

v1::Visit VisitAt(int64_t start, int64_t end) {
  v1::Visit visit;
  visit.set_service_user_id("user");
  v1::Assignment& assignment = *visit.add_assignments();
  assignment.set_carer_id(kCarer);
  assignment.mutable_start_time()->set_seconds(start);
  assignment.mutable_end_time()->set_seconds(end);
  return visit;
}

void Put(const DeviceStore& store, v1::RecordKind kind, const std::string& id, const std::string& payload) {
  v1::Changes changes = Batch(0, "t", {{id, payload}});
  changes.mutable_upserts(0)->set_kind(kind);
  ASSERT_TRUE(store.Apply(kCarer, changes).ok());
}

// A store whose copy in use is empty.
DeviceStore EmptyCopy(const StateFolder& folder) {
  DeviceStore store = OpenStore(folder);
  EXPECT_TRUE(store.BeginCopy(kCarer, 1).ok());
  EXPECT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t", 4)).ok());
  return store;
}

DeviceView Read(const DeviceStore& store) {
  auto view = ReadDeviceView(store, kCarer);
  EXPECT_TRUE(view.ok()) << view.status();
  return *std::move(view);
}

std::string Event(void (*what)(v1::CareEvent&), const std::string& carer = kCarer) {
  v1::CareEvent event;
  event.set_carer_id(carer);
  event.set_visit_id("aa1");
  what(event);
  return event.SerializeAsString();
}

void Started(v1::CareEvent& event) { event.mutable_visit_started(); }
void Finished(v1::CareEvent& event) { event.mutable_visit_finished(); }

TEST(DeviceView, ListsVisitsByTheirStartWithTheirServiceUser) {
  const StateFolder folder;
  const DeviceStore store = EmptyCopy(folder);
  v1::ServiceUser user;
  user.set_name("Ada Shaw");
  Put(store, v1::RECORD_KIND_SERVICE_USER, "user", user.SerializeAsString());
  Put(store, v1::RECORD_KIND_VISIT, "aa1", VisitAt(200, 300).SerializeAsString());
  Put(store, v1::RECORD_KIND_VISIT, "bb1", VisitAt(100, 150).SerializeAsString());
  const DeviceView view = Read(store);
  ASSERT_EQ(view.visits.size(), 2u);
  EXPECT_EQ(view.visits[0].id, "bb1");
  EXPECT_EQ(view.visits[0].service_user.name(), "Ada Shaw");
  EXPECT_EQ(view.visits[1].start, absl::FromUnixSeconds(200));
  EXPECT_EQ(view.visits[1].end, absl::FromUnixSeconds(300));
  EXPECT_EQ(view.records, 3u);
  EXPECT_EQ(view.revision, 4u);
}

TEST(DeviceView, StatusFollowsWhatItsOwnCarerRecordedSentOrNot) {
  const StateFolder folder;
  const DeviceStore store = EmptyCopy(folder);
  Put(store, v1::RECORD_KIND_VISIT, "aa1", VisitAt(200, 300).SerializeAsString());
  EXPECT_EQ(Read(store).visits[0].status, "planned");
  Put(store, v1::RECORD_KIND_CARE_EVENT, "e0", Event(Finished, "somebody else"));
  EXPECT_EQ(Read(store).visits[0].status, "planned");
  ASSERT_TRUE(store.AddEvent(kCarer, "e1", Event(Started)).ok());
  EXPECT_EQ(Read(store).visits[0].status, "started");
  EXPECT_EQ(Read(store).unsent_events, 1u);
  Put(store, v1::RECORD_KIND_CARE_EVENT, "a0", Event(Finished));
  EXPECT_EQ(Read(store).visits[0].status, "finished");
}

TEST(DeviceView, FindsAVisitByTheBeginningOfItsId) {
  const StateFolder folder;
  const DeviceStore store = EmptyCopy(folder);
  Put(store, v1::RECORD_KIND_VISIT, "aa1", VisitAt(200, 300).SerializeAsString());
  Put(store, v1::RECORD_KIND_VISIT, "aa2", VisitAt(400, 500).SerializeAsString());
  const DeviceView view = Read(store);
  EXPECT_EQ(FindVisit(view, "aa2")->id, "aa2");
  EXPECT_EQ(ErrorReason(FindVisit(view, "aa").status()), "VISIT_AMBIGUOUS");
  EXPECT_EQ(ErrorReason(FindVisit(view, "b").status()), "VISIT_NOT_HELD");
  EXPECT_EQ(ErrorReason(FindVisit(view, "").status()), "VISIT_NOT_HELD");
}

TEST(DeviceView, ComparingTellsWhatWasAddedChangedAndRemoved) {
  const StateFolder folder;
  const DeviceStore store = EmptyCopy(folder);
  Put(store, v1::RECORD_KIND_VISIT, "gone", VisitAt(1, 2).SerializeAsString());
  Put(store, v1::RECORD_KIND_VISIT, "moved", VisitAt(3, 4).SerializeAsString());
  Put(store, v1::RECORD_KIND_VISIT, "same", VisitAt(5, 6).SerializeAsString());
  const DeviceView before = Read(store);
  v1::Changes removal;
  removal.set_resume_token("t");
  removal.add_removals()->set_kind(v1::RECORD_KIND_VISIT);
  removal.mutable_removals(0)->set_record_id("gone");
  ASSERT_TRUE(store.Apply(kCarer, removal).ok());
  Put(store, v1::RECORD_KIND_VISIT, "moved", VisitAt(30, 40).SerializeAsString());
  Put(store, v1::RECORD_KIND_VISIT, "new", VisitAt(7, 8).SerializeAsString());
  const ViewChanges changes = Compare(before, Read(store));
  ASSERT_EQ(changes.added.size(), 1u);
  EXPECT_EQ(changes.added[0].id, "new");
  ASSERT_EQ(changes.changed.size(), 1u);
  EXPECT_EQ(changes.changed[0].id, "moved");
  ASSERT_EQ(changes.removed.size(), 1u);
  EXPECT_EQ(changes.removed[0].id, "gone");
}

// A copy that is being made and began with the next visits.
void BeginWithNextVisits(const DeviceStore& store, uint64_t rebuild_number) {
  ASSERT_TRUE(store.BeginCopy(kCarer, rebuild_number).ok());
  v1::Changes changes = Batch(rebuild_number, "beginning", {{"aa1", VisitAt(200, 300).SerializeAsString()}});
  changes.set_next_visits(true);
  ASSERT_TRUE(store.Apply(kCarer, changes).ok());
}

// Requirement: S1
TEST(DeviceView, ShowsTheNextVisitsWhileThereIsNoCompleteCopy) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  BeginWithNextVisits(store, 1);
  DeviceView view = Read(store);
  EXPECT_TRUE(view.incomplete);
  EXPECT_TRUE(view.never_synced);
  ASSERT_EQ(view.visits.size(), 1u);
  EXPECT_EQ(view.visits[0].id, "aa1");
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"bb1", VisitAt(100, 150).SerializeAsString()}})).ok());
  view = Read(store);
  EXPECT_TRUE(view.incomplete);
  ASSERT_EQ(view.visits.size(), 1u) << "a part of the rest looks like the whole of it";
  EXPECT_EQ(view.visits[0].id, "aa1");
  // Those of the next visits come again.
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t2", {{"aa1", VisitAt(210, 310).SerializeAsString()}})).ok());
  view = Read(store);
  ASSERT_EQ(view.visits.size(), 1u);
  EXPECT_EQ(view.visits[0].start, absl::FromUnixSeconds(210));
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t3", 4)).ok());
  view = Read(store);
  EXPECT_FALSE(view.incomplete);
  EXPECT_FALSE(view.never_synced);
  EXPECT_EQ(view.visits.size(), 2u);
}

TEST(DeviceView, ACopyBeingMadeThatDidNotBeginWithThemIsNotShown) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  BeginWithNextVisits(store, 1);
  // Begun anew, under the same number as a restored server may use.
  ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"bb1", VisitAt(100, 150).SerializeAsString()}})).ok());
  const DeviceView view = Read(store);
  EXPECT_FALSE(view.incomplete);
  EXPECT_TRUE(view.visits.empty());
}

TEST(DeviceView, TheCopyInUseIsShownWhileAnotherIsMade) {
  const StateFolder folder;
  const DeviceStore store = EmptyCopy(folder);
  BeginWithNextVisits(store, 2);
  const DeviceView view = Read(store);
  EXPECT_FALSE(view.incomplete);
  EXPECT_TRUE(view.visits.empty());
}

}  // namespace
}  // namespace caresync::cli
