#include "tools/caresync/device_store.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/held_copy.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/sqlite.h"

namespace caresync::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'795'244'520);

TEST(Fingerprint, IsTheFirstEightBytesOfTheSpecifiedDigest) {
  // sha256(00000005 00000002 "ab" "xyz"), worked out with Python's hashlib.
  EXPECT_EQ(Fingerprint(v1::RECORD_KIND_VISIT, "ab", "xyz"), 0x125E71C0D76F5EEAu);
}

TEST(DeviceStore, ANewCopyStaysBesideTheOneInUseUntilItIsComplete) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"a", "A"}, {"b", "B"}})).ok());
  EXPECT_THAT(HeldIds(store), IsEmpty());
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t2", 7)).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("a", "b"));

  ASSERT_TRUE(store.BeginCopy(kCarer, 2).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(2, "t3", {{"c", "C"}})).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("a", "b"));
  EXPECT_EQ((*store.InUse(kCarer))->token, "t2");
  EXPECT_EQ((*store.BeingMade(kCarer))->token, "t3");
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(2, "t4", 9)).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("c"));
  EXPECT_EQ((*store.InUse(kCarer))->token, "t4");
  EXPECT_EQ((*store.InUse(kCarer))->revision, 9u);
  EXPECT_FALSE(store.BeingMade(kCarer)->has_value());
}

TEST(DeviceStore, WhatWasAppliedIsThereWhenOpenedAgain) {
  const StateFolder folder;
  {
    const DeviceStore store = OpenStore(folder);
    ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
    ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"a", "A"}})).ok());
  }
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeingMade(kCarer)->has_value());
  EXPECT_EQ((*store.BeingMade(kCarer))->token, "t1");
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t2", 3)).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("a"));
}

TEST(DeviceStore, ADeltaReplacesAndRemovesInTheCopyInUse) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"a", "A"}, {"b", "B"}})).ok());
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t2", 3)).ok());
  v1::Changes delta = Batch(0, "t3", {{"a", "A2"}});
  v1::Removal& removal = *delta.add_removals();
  removal.set_kind(v1::RECORD_KIND_VISIT);
  removal.set_record_id("b");
  ASSERT_TRUE(store.Apply(kCarer, delta).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("a"));
  EXPECT_EQ(store.Records(kCarer)->front().payload, "A2");
}

TEST(DeviceStore, ABatchForACopyThatIsNotThereIsRefusedAndChangesNothing) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  EXPECT_EQ(ErrorReason(store.Apply(kCarer, Batch(0, "t1", {{"a", "A"}}))), "SERVER_BROKE_PROTOCOL");
  ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
  EXPECT_EQ(ErrorReason(store.Apply(kCarer, Batch(2, "t1", {{"a", "A"}}))), "SERVER_BROKE_PROTOCOL");
  EXPECT_EQ((*store.BeingMade(kCarer))->token, "");
}

TEST(DeviceStore, CountAndSumAreOfTheStoredBytes) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
  ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"a", "A"}, {"b", "B"}})).ok());
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t2", 3)).ok());
  const auto holds = store.Holds(kCarer);
  ASSERT_TRUE(holds.ok()) << holds.status();
  EXPECT_EQ(holds->count(), 2u);
  EXPECT_EQ(holds->sum(), Fingerprint(v1::RECORD_KIND_VISIT, "a", "A") + Fingerprint(v1::RECORD_KIND_VISIT, "b", "B"));
}

// Requirement: S13
TEST(DeviceStore, CarersOfOneDeviceHoldCopiesOfTheirOwn) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginCopy("other", 1).ok());
  ASSERT_TRUE(store.Apply("other", Batch(1, "t1", {{"a", "A"}})).ok());
  ASSERT_TRUE(store.CaughtUp("other", CaughtUpAt(1, "t2", 3)).ok());
  EXPECT_THAT(HeldIds(store), IsEmpty());
}

TEST(DeviceStore, AnEventStaysUntilAResultNamesItsId) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.AddEvent(kCarer, "e1", "one").ok());
  ASSERT_TRUE(store.AddEvent(kCarer, "e2", "two").ok());
  v1::UploadResult results;
  v1::EventResult& result = *results.add_results();
  result.set_event_id("e1");
  result.set_outcome(v1::EVENT_OUTCOME_ACCEPTED);
  ASSERT_TRUE(store.SetResults(results, kNow).ok());
  const auto unsent = store.UnsentEvents(kCarer);
  ASSERT_TRUE(unsent.ok()) << unsent.status();
  ASSERT_EQ(unsent->size(), 1u);
  EXPECT_EQ(unsent->front().event_id(), "e2");
  EXPECT_EQ(unsent->front().event(), "two");
  EXPECT_EQ(unsent->front().sequence(), 2u);
}

TEST(DeviceStore, AcceptedEventsAreKeptFor14DaysAndTheirNumbersAreNotUsedAgain) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.AddEvent(kCarer, "e1", "one").ok());
  v1::UploadResult results;
  results.add_results()->set_event_id("e1");
  results.mutable_results(0)->set_outcome(v1::EVENT_OUTCOME_KNOWN);
  ASSERT_TRUE(store.SetResults(results, kNow).ok());
  ASSERT_TRUE(store.ForgetOldEvents(kNow + absl::Hours(24 * 14)).ok());
  EXPECT_EQ(store.KeptEvents(kCarer)->size(), 1u);
  ASSERT_TRUE(store.ForgetOldEvents(kNow + absl::Hours(24 * 14 + 1)).ok());
  EXPECT_THAT(*store.KeptEvents(kCarer), IsEmpty());
  ASSERT_TRUE(store.AddEvent(kCarer, "e2", "two").ok());
  EXPECT_EQ(store.KeptEvents(kCarer)->front().sequence(), 2u);
}

v1::UploadResult ResultOf(const std::string& event_id, v1::EventOutcome outcome) {
  v1::UploadResult results;
  results.add_results()->set_event_id(event_id);
  results.mutable_results(0)->set_outcome(outcome);
  return results;
}

TEST(DeviceStore, AnsweredEventsAreThoseWithAResult) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  for (const char* id : {"e1", "e2", "e3"}) ASSERT_TRUE(store.AddEvent(kCarer, id, "bytes").ok());
  ASSERT_TRUE(store.SetResults(ResultOf("e1", v1::EVENT_OUTCOME_ACCEPTED), kNow).ok());
  ASSERT_TRUE(store.SetResults(ResultOf("e3", v1::EVENT_OUTCOME_FOR_REVIEW), kNow).ok());
  const auto answered = store.AnsweredEvents(kCarer);
  ASSERT_TRUE(answered.ok()) << answered.status();
  ASSERT_EQ(answered->size(), 2u);
  EXPECT_EQ(answered->front().event_id(), "e1");
  EXPECT_EQ(answered->back().event_id(), "e3");
  EXPECT_EQ(store.UnsentEvents(kCarer)->size(), 1u);
  EXPECT_EQ(store.KeptEvents(kCarer)->size(), 3u);
}

TEST(DeviceStore, SendingAnEventAgainDoesNotKeepItLonger) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.AddEvent(kCarer, "e1", "one").ok());
  ASSERT_TRUE(store.SetResults(ResultOf("e1", v1::EVENT_OUTCOME_ACCEPTED), kNow).ok());
  const absl::Time later = kNow + absl::Hours(24 * 10);
  ASSERT_TRUE(store.SetResults(ResultOf("e1", v1::EVENT_OUTCOME_KNOWN), later).ok());
  ASSERT_TRUE(store.SetResults(ResultOf("e1", v1::EVENT_OUTCOME_FOR_REVIEW), later).ok());
  ASSERT_TRUE(store.ForgetOldEvents(kNow + absl::Hours(24 * 14 + 1)).ok());
  EXPECT_THAT(*store.KeptEvents(kCarer), IsEmpty());
}

TEST(DeviceStore, AnUnspecifiedResultIsNone) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.AddEvent(kCarer, "e1", "one").ok());
  v1::UploadResult results;
  results.add_results()->set_event_id("e1");
  ASSERT_TRUE(store.SetResults(results, kNow).ok());
  EXPECT_EQ(store.UnsentEvents(kCarer)->size(), 1u);
}

TEST(DeviceStore, AVisitEventSetsTheOpenVisit) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  EXPECT_EQ(*store.OpenVisit(kCarer), "");
  ASSERT_TRUE(store.AddVisitEvent(kCarer, "e1", "one", "v1").ok());
  EXPECT_EQ(*store.OpenVisit(kCarer), "v1");
  ASSERT_TRUE(store.AddVisitEvent(kCarer, "e2", "two", "").ok());
  EXPECT_EQ(*store.OpenVisit(kCarer), "");
}

TEST(DeviceStore, ASyncThatNeverEndedIsAnInterruptionOfUnknownCause) {
  const StateFolder folder;
  {
    const DeviceStore store = OpenStore(folder);
    EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_UNSPECIFIED);
  }
  const DeviceStore store = OpenStore(folder);
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_UNKNOWN);
  ASSERT_TRUE(store.InterruptionTold().ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_UNSPECIFIED).ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_UNSPECIFIED);
}

TEST(DeviceStore, AFailedConnectionIsTold) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginSync().ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_NO_NETWORK).ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_NO_NETWORK);
}

TEST(DeviceStore, AnInterruptionThatNobodyHeardIsToldOnceMore) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginSync().ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_UNKNOWN).ok());
  ASSERT_TRUE(store.BeginSync().ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_NO_NETWORK).ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_UNKNOWN);
  ASSERT_TRUE(store.InterruptionTold().ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_NO_NETWORK).ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_NO_NETWORK);
}

TEST(DeviceStore, WhatAServerWithoutRoomWasToldIsToldAgain) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginSync().ok());
  ASSERT_TRUE(store.EndSync(v1::INTERRUPTION_CAUSE_NO_NETWORK).ok());
  ASSERT_TRUE(store.BeginSync().ok());
  ASSERT_TRUE(store.EndUnheardSync().ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_NO_NETWORK);
  ASSERT_TRUE(store.InterruptionTold().ok());
  ASSERT_TRUE(store.EndUnheardSync().ok());
  EXPECT_EQ(*store.BeginSync(), v1::INTERRUPTION_CAUSE_UNSPECIFIED);
}

TEST(DeviceStore, IsForNobodyElseToRead) {
  const StateFolder folder;
  const mode_t before = umask(0);
  const DeviceStore store = OpenStore(folder);
  ASSERT_TRUE(store.BeginSync().ok());
  umask(before);
  const auto mode = [](const std::filesystem::path& path) {
    return std::filesystem::status(path).permissions() & std::filesystem::perms::mask;
  };
  const std::filesystem::path made = std::filesystem::path(folder.file()).parent_path();
  EXPECT_EQ(mode(made), std::filesystem::perms::owner_all);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(made)) {
    EXPECT_EQ(mode(entry.path()), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << entry.path();
    ++files;
  }
  // The database and its log, at least.
  EXPECT_GE(files, 2);
}

TEST(DeviceStore, AFileOfSomethingElseIsLeftAsItIs) {
  const StateFolder folder;
  OpenStore(folder);
  const auto refused = [&] { return ErrorReason(DeviceStore::Open(folder.file(), "demo").status()); };
  std::filesystem::remove(folder.file());
  {
    const auto database = Database::Open(folder.file());
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE(database->RunScript("CREATE TABLE bookmarks (name TEXT)").ok());
  }
  EXPECT_EQ(refused(), "DEVICE_STORE_NOT_VALID");
  {
    const auto database = Database::Open(folder.file());
    ASSERT_TRUE(database.ok()) << database.status();
    int64_t tables = 0;
    ASSERT_TRUE(
        database->Query("SELECT count(*) FROM sqlite_master", {}, [&](const Row& row) { tables = row.Int(0); }).ok());
    EXPECT_EQ(tables, 1);
    ASSERT_TRUE(database->RunScript("PRAGMA user_version = 3").ok());
  }
  EXPECT_EQ(refused(), "DEVICE_STORE_NOT_VALID");
  std::filesystem::remove(folder.file());
  std::ofstream(folder.file()) << std::string(4096, 'x');
  EXPECT_EQ(refused(), "DEVICE_STORE_NOT_VALID");
  std::filesystem::remove(folder.file());
  std::filesystem::create_directory(folder.file());
  EXPECT_EQ(refused(), "DEVICE_STORE_NOT_VALID");
}

TEST(DeviceStore, IsOfNoTenantUntilItIsBound) {
  const StateFolder folder;
  ASSERT_TRUE(DeviceStore::Open(folder.file(), "mistyped").ok());
  const DeviceStore store = OpenStore(folder);
  const auto other = DeviceStore::Open(folder.file(), "mistyped");
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE(store.Bind().ok());
  // The one that was open already, too.
  EXPECT_EQ(ErrorReason(other->Bind()), "DEVICE_OF_OTHER_TENANT");
  EXPECT_TRUE(store.Bind().ok());
}

TEST(DeviceStore, TenantsDoNotShareAFile) {
  const StateFolder folder;
  ASSERT_TRUE(OpenStore(folder).Bind().ok());
  EXPECT_EQ(ErrorReason(DeviceStore::Open(folder.file(), "other").status()), "DEVICE_OF_OTHER_TENANT");
}

TEST(DeviceStore, AFileOfTheFirstFormatIsGoneOnWith) {
  const StateFolder folder;
  {
    const DeviceStore store = OpenStore(folder);
    ASSERT_TRUE(store.BeginCopy(kCarer, 1).ok());
    ASSERT_TRUE(store.Apply(kCarer, Batch(1, "t1", {{"a", "A"}})).ok());
    const auto file = Database::Open(folder.file());
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(file->RunScript("ALTER TABLE records DROP COLUMN next_visit; "
                                "ALTER TABLE carers ADD COLUMN syncing INTEGER NOT NULL DEFAULT 0; "
                                "ALTER TABLE carers ADD COLUMN interruption INTEGER NOT NULL DEFAULT 0; "
                                "PRAGMA user_version = 1")
                    .ok());
  }
  const DeviceStore store = OpenStore(folder);
  EXPECT_THAT(*store.NextVisits(kCarer), IsEmpty());
  v1::Changes soon = Batch(1, "t2", {{"b", "B"}});
  soon.set_next_visits(true);
  ASSERT_TRUE(store.Apply(kCarer, soon).ok());
  ASSERT_EQ(store.NextVisits(kCarer)->size(), 1u);
  ASSERT_TRUE(store.CaughtUp(kCarer, CaughtUpAt(1, "t3", 3)).ok());
  EXPECT_THAT(HeldIds(store), ElementsAre("a", "b"));
}

TEST(DeviceStore, OneProcessSyncsAtATime) {
  const StateFolder folder;
  const DeviceStore store = OpenStore(folder);
  {
    const auto lock = store.LockForSync();
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_EQ(ErrorReason(store.LockForSync().status()), "SYNC_RUNS_ALREADY");
  }
  EXPECT_TRUE(store.LockForSync().ok());
}

}  // namespace
}  // namespace caresync::cli
