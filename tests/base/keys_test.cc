#include "server/base/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>
#include <vector>

#include "storage/tuple.h"

namespace caresync::base::keys {
namespace {

using namespace std::string_literals;
using storage::KeyRange;

const TenantId kTenant = *TenantId::Parse("a");
// Its name begins with the other's.
const TenantId kLonger = *TenantId::Parse("ab");
const ReceiverId kReceiver{"r"};
const RecordKey kVisit{"\0visit\xFF"s};
const RecordKey kOther{"other"};
const Uuid kDevice = *Uuid::Parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
const Uuid kLastDevice = *Uuid::Parse("ffffffff-ffff-ffff-ffff-ffffffffffff");

bool In(const KeyRange& range, std::string_view key) {
  return key >= range.begin && (range.end.empty() || key < range.end);
}

// A key of every layout of a space.
std::vector<std::string> RecordsKeys(const TenantId& tenant) {
  return {TenantHead(tenant),
          Timeline(tenant, 1),
          Task(tenant, 5, "task"),
          Record(tenant, kVisit),
          Grant(tenant, kVisit, kReceiver, "assigned"),
          Child(tenant, kVisit, kOther),
          EventIdentity(tenant, "event"),
          ReviewItem(tenant, "event", "digest"),
          ReviewOf(tenant, kOther, kVisit, 5, 1, "event", "digest"),
          ExternalId(tenant, "source", 3, "external"),
          Waiting(tenant, kVisit),
          WaitingFor(tenant, kOther, kVisit),
          SourceState(tenant, "source"),
          Member(tenant, kVisit, kOther),
          GroupOf(tenant, kVisit, kOther),
          GroupRecord(tenant, kVisit, kOther),
          FanOutScope(tenant, "scope", "task"),
          VisitByStart(tenant, 5, kVisit),
          VisitByEnd(tenant, 5, kVisit),
          VisitEnd(tenant, kDevice, 5, kVisit),
          WindowEdges(tenant),
          ReviewByRevision(tenant, false, 5, "event", "digest"),
          SourceStanding(tenant, "source"),
          RebuildRelease(tenant),
          Mismatch(tenant, kDevice, kVisit),
          MismatchLook(tenant, 5, kDevice, kVisit),
          OpenMismatch(tenant, kDevice, kVisit),
          ListedMismatch(tenant, MismatchGroup::kOpen, 5, kDevice, kVisit),
          MismatchLooks(tenant),
          ToldMismatch(tenant, 5, kDevice, kVisit),
          Notice(tenant, 5),
          DeadNotice(tenant, 5),
          NoticeDue(tenant, 5, 5),
          Outbox(tenant),
          NotificationSettings(tenant, "branch"),
          RaisedMismatch(tenant, "branch", kDevice, kVisit),
          Notifications(tenant),
          OverdueLook(tenant),
          OverdueBranch(tenant, "branch"),
          VisitEntry(tenant, kDevice, 5, kVisit),
          VisitEntryByVisit(tenant, kVisit, kDevice, 5),
          VisitEntryByRevision(tenant, 5, kDevice, kVisit),
          ToldMark(tenant, 5, 1),
          Keeping(tenant),
          Tenant(tenant)};
}

std::vector<std::string> FeedsKeys(const TenantId& tenant) {
  return {FeedEntry(tenant, kReceiver, 7, kVisit), FeedPlace(tenant, kReceiver, kVisit), FeedHead(tenant, kReceiver)};
}

std::vector<std::string> DevicesKeys(const TenantId& tenant) {
  return {DeviceRow(tenant, kDevice, DevicePart::kDevice),
          DeviceRow(tenant, kDevice, DevicePart::kReport),
          Sync(tenant, kDevice, 1),
          SyncOfCarer(tenant, kDevice, 5, kLastDevice, 1),
          DeviceInUse(tenant, kDevice),
          DeviceWake(tenant, kDevice),
          CopyMark(tenant, kDevice, kLastDevice, 1),
          UntoldMark(tenant, kDevice, kLastDevice, 1)};
}

// Every range of a tenant over kRecords.
std::vector<KeyRange> RecordsRanges(const TenantId& tenant) {
  return {Timelines(tenant),
          TasksDueAfter(tenant, 4),
          AllTasks(tenant),
          Records(tenant, "", RecordKey()),
          GrantsOfRecord(tenant, kVisit),
          GrantsOfReceiver(tenant, kVisit, kReceiver),
          Children(tenant, kVisit),
          AllReviewItems(tenant),
          Members(tenant, kVisit, RecordKey()),
          GroupsOf(tenant, kVisit),
          GroupRecords(tenant, kVisit, RecordKey()),
          FanOutScopes(tenant, "scope"),
          VisitsByStart(tenant, 5, RecordKey()),
          VisitsByEnd(tenant, 5, RecordKey()),
          VisitEndsAfter(tenant, kDevice, 4),
          ReviewsByRevision(tenant, ""),
          SourceStandings(tenant),
          ReviewsOf(tenant, kOther, kVisit),
          MismatchesOf(tenant, kDevice, RecordKey()),
          AllMismatchLooks(tenant, ""),
          OpenMismatchesOf(tenant, kDevice),
          AllOpenMismatches(tenant, ""),
          ListedMismatches(tenant, false, ""),
          Notices(tenant, 0),
          DeadNotices(tenant, 0),
          AllNoticesDue(tenant),
          AllNotificationSettings(tenant, ""),
          RaisedMismatchesOf(tenant, "branch"),
          RaisedMismatchesAfter(tenant, nullptr),
          AllOverdueBranches(tenant),
          VisitEntriesOf(tenant, kDevice, 0, RecordKey()),
          VisitEntriesOfVisit(tenant, kVisit),
          AllVisitEntriesByVisit(tenant, ""),
          AllVisitEntriesByRevision(tenant, ""),
          ToldMarks(tenant, ""),
          AllWaitingFor(tenant, kOther)};
}

TEST(Keys, NoTwoLayoutsOfASpaceShareAKey) {
  for (auto keys_of : {&RecordsKeys, &FeedsKeys, &DevicesKeys}) {
    std::set<std::string> keys = {StoreIdentity(), TenantListing(kTenant), TenantListing(kLonger)};
    size_t expected = keys.size();
    for (const TenantId& tenant : {kTenant, kLonger}) {
      for (const std::string& key : keys_of(tenant)) keys.insert(key);
      expected += keys_of(tenant).size();
    }
    EXPECT_EQ(keys.size(), expected);
  }
}

TEST(Keys, EveryKeyBeginsWithItsTenant) {
  for (const TenantId& tenant : {kTenant, kLonger}) {
    const std::string prefix = storage::TupleWriter().String(tenant.text()).Take();
    for (auto keys_of : {&RecordsKeys, &FeedsKeys, &DevicesKeys}) {
      for (const std::string& key : keys_of(tenant)) EXPECT_EQ(key.substr(0, prefix.size()), prefix);
    }
  }
}

TEST(Keys, RangesHoldTheirOwnTenantOnly) {
  for (const KeyRange& range : RecordsRanges(kTenant)) {
    for (const std::string& key : RecordsKeys(kLonger)) EXPECT_FALSE(In(range, key));
    EXPECT_FALSE(In(range, StoreIdentity()));
    EXPECT_FALSE(In(range, TenantListing(kTenant)));
  }
  for (const std::string& key : FeedsKeys(kLonger)) {
    EXPECT_FALSE(In(FeedEntriesAfter(kTenant, kReceiver, 0, RecordKey()), key));
  }
  for (const std::string& key : DevicesKeys(kLonger)) {
    EXPECT_FALSE(In(DeviceRows(kTenant, nullptr), key));
    EXPECT_FALSE(In(OneDevice(kTenant, kDevice), key));
    EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 0), key));
  }
}

TEST(Keys, EachRangeHoldsKeysOfOneLayoutOnly) {
  for (const KeyRange& range : RecordsRanges(kTenant)) {
    int held = 0;
    for (const std::string& key : RecordsKeys(kTenant)) held += In(range, key) ? 1 : 0;
    EXPECT_EQ(held, 1);
  }
}

TEST(Keys, TenantsAreListedInOrderAndPaged) {
  EXPECT_TRUE(In(AllTenants(""), TenantListing(kTenant)));
  EXPECT_FALSE(In(AllTenants(""), StoreIdentity()));
  EXPECT_FALSE(In(AllTenants("a"), TenantListing(kTenant)));
  EXPECT_TRUE(In(AllTenants("a"), TenantListing(kLonger)));
  for (const std::string& key : RecordsKeys(kTenant)) EXPECT_FALSE(In(AllTenants(""), key));
  std::string tenant;
  ASSERT_TRUE(ParseTenantListing(TenantListing(kLonger), &tenant));
  EXPECT_EQ(tenant, "ab");
  EXPECT_FALSE(ParseTenantListing(StoreIdentity(), &tenant));
  EXPECT_FALSE(ParseTenantListing(Tenant(kTenant), &tenant));
}

TEST(Keys, TimelinesComeBackInTheOrderOfTheirRevisions) {
  EXPECT_LT(Timeline(kTenant, 255), Timeline(kTenant, 256));
  EXPECT_TRUE(In(Timelines(kTenant), Timeline(kTenant, std::numeric_limits<Revision>::max())));
  Revision revision = 0;
  ASSERT_TRUE(ParseTimeline(Timeline(kTenant, 256), &revision));
  EXPECT_EQ(revision, 256u);
  EXPECT_FALSE(ParseTimeline(TenantHead(kTenant), &revision));
}

TEST(Keys, TasksAreInDueOrderTimesBeforeTheEpochIncluded) {
  constexpr int64_t kTimes[] = {std::numeric_limits<int64_t>::min(), -1, 0, 1, 1'772'431'200'000'000};
  for (size_t i = 0; i + 1 < std::size(kTimes); ++i) {
    EXPECT_LT(Task(kTenant, kTimes[i], "z"), Task(kTenant, kTimes[i + 1], "a"));
    EXPECT_FALSE(In(TasksDueAfter(kTenant, kTimes[i]), Task(kTenant, kTimes[i], "\xFF\xFF")));
    EXPECT_TRUE(In(TasksDueAfter(kTenant, kTimes[i]), Task(kTenant, kTimes[i + 1], "")));
  }
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  EXPECT_FALSE(In(TasksDueAfter(kTenant, kLast), Task(kTenant, kLast, "x")));
  int64_t due = 0;
  std::string id;
  ASSERT_TRUE(ParseTask(Task(kTenant, -7, "an\0id"s), &due, &id));
  EXPECT_EQ(due, -7);
  EXPECT_EQ(id, "an\0id"s);
}

TEST(Keys, FeedEntriesAreInTheOrderOfRevisionAndRecord) {
  EXPECT_LT(FeedEntry(kTenant, kReceiver, 255, kOther), FeedEntry(kTenant, kReceiver, 256, kVisit));
  EXPECT_LT(FeedEntry(kTenant, kReceiver, 256, kVisit), FeedEntry(kTenant, kReceiver, 256, kOther));
  Revision revision = 0;
  RecordKey record;
  ASSERT_TRUE(ParseFeedEntry(FeedEntry(kTenant, kReceiver, 300, kVisit), &revision, &record));
  EXPECT_EQ(revision, 300u);
  EXPECT_EQ(record, kVisit);
  EXPECT_FALSE(ParseFeedEntry(FeedHead(kTenant, kReceiver), &revision, &record));
}

TEST(Keys, FeedEntriesAfterAPositionAreStrictlyAfterIt) {
  const RecordKey a{"a"}, a_zero{"a\0"s}, b{"b"};
  const KeyRange after = FeedEntriesAfter(kTenant, kReceiver, 7, a);
  EXPECT_FALSE(In(after, FeedEntry(kTenant, kReceiver, 6, b)));
  EXPECT_FALSE(In(after, FeedEntry(kTenant, kReceiver, 7, a)));
  EXPECT_TRUE(In(after, FeedEntry(kTenant, kReceiver, 7, a_zero)));
  EXPECT_TRUE(In(after, FeedEntry(kTenant, kReceiver, 7, b)));
  EXPECT_TRUE(In(after, FeedEntry(kTenant, kReceiver, std::numeric_limits<Revision>::max(), a)));
  EXPECT_FALSE(In(after, FeedEntry(kTenant, ReceiverId{"r2"}, 8, a)));
  EXPECT_FALSE(In(after, FeedEntry(kTenant, ReceiverId{"r\0"s}, 8, a)));
}

TEST(Keys, AnEmptyRecordIsBeforeAllRecordsOfItsRevision) {
  const KeyRange from = FeedEntriesAfter(kTenant, kReceiver, 7, RecordKey());
  EXPECT_FALSE(In(from, FeedEntry(kTenant, kReceiver, 6, RecordKey{"\xFF"})));
  EXPECT_TRUE(In(from, FeedEntry(kTenant, kReceiver, 7, RecordKey{"\0"s})));
  EXPECT_TRUE(In(from, FeedEntry(kTenant, kReceiver, 8, kVisit)));
}

TEST(Keys, RecordsOfAPrefixComeAfterTheOneNamed) {
  const KeyRange visits = Records(kTenant, "v", RecordKey());
  EXPECT_TRUE(In(visits, Record(kTenant, RecordKey{"v"})));
  EXPECT_TRUE(In(visits, Record(kTenant, RecordKey{"v\0"s})));
  EXPECT_TRUE(In(visits, Record(kTenant, RecordKey{"v\xFF\xFF"})));
  EXPECT_FALSE(In(visits, Record(kTenant, RecordKey{"u\xFF"})));
  EXPECT_FALSE(In(visits, Record(kTenant, RecordKey{"w"})));
  EXPECT_FALSE(In(visits, Record(kTenant, RecordKey{""})));

  const KeyRange rest = Records(kTenant, "v", RecordKey{"v5"});
  EXPECT_FALSE(In(rest, Record(kTenant, RecordKey{"v5"})));
  EXPECT_TRUE(In(rest, Record(kTenant, RecordKey{"v5\0"s})));
  EXPECT_FALSE(In(rest, Record(kTenant, RecordKey{"v4"})));
  EXPECT_FALSE(In(rest, Record(kTenant, RecordKey{"w"})));
  EXPECT_FALSE(In(Records(kTenant, "v", RecordKey{"a"}), Record(kTenant, RecordKey{"b"})));

  const KeyRange zeros = Records(kTenant, "\0"s, RecordKey());
  EXPECT_TRUE(In(zeros, Record(kTenant, RecordKey{"\0x"s})));
  EXPECT_FALSE(In(zeros, Record(kTenant, RecordKey{""})));
  EXPECT_FALSE(In(zeros, Record(kTenant, RecordKey{"\1"s})));
  RecordKey record;
  ASSERT_TRUE(ParseRecord(Record(kTenant, kVisit), &record));
  EXPECT_EQ(record, kVisit);
}

TEST(Keys, GrantsComeBack) {
  const std::string key = Grant(kTenant, kVisit, kReceiver, "assigned");
  RecordKey record;
  ReceiverId receiver;
  std::string reason;
  ASSERT_TRUE(ParseGrant(key, &record, &receiver, &reason));
  EXPECT_EQ(record, kVisit);
  EXPECT_EQ(receiver, kReceiver);
  EXPECT_EQ(reason, "assigned");
  EXPECT_FALSE(In(GrantsOfRecord(kTenant, RecordKey{"\0visit"s}), key));
  EXPECT_FALSE(In(GrantsOfReceiver(kTenant, kVisit, ReceiverId{""}), key));
  EXPECT_FALSE(ParseGrant(Record(kTenant, kVisit), &record, &receiver, &reason));
}

TEST(Keys, ChildrenAndWaitingComeBack) {
  RecordKey first, second;
  ASSERT_TRUE(ParseChild(Child(kTenant, kVisit, kOther), &first, &second));
  EXPECT_EQ(first, kVisit);
  EXPECT_EQ(second, kOther);
  ASSERT_TRUE(ParseWaitingFor(WaitingFor(kTenant, kOther, kVisit), &first, &second));
  EXPECT_EQ(first, kOther);
  EXPECT_EQ(second, kVisit);
  EXPECT_FALSE(ParseChild(WaitingFor(kTenant, kOther, kVisit), &first, &second));
}

TEST(Keys, ScopesOfFanOutsComeBack) {
  std::string scope;
  ASSERT_TRUE(ParseFanOutScope(FanOutScope(kTenant, "a scope", "a task"), &scope));
  EXPECT_EQ(scope, "a scope");
  EXPECT_FALSE(ParseFanOutScope(Record(kTenant, kVisit), &scope));
}

TEST(Keys, ExternalIdsDifferBySourceAndKind) {
  EXPECT_NE(ExternalId(kTenant, "s", 1, "x"), ExternalId(kTenant, "s", 2, "x"));
  EXPECT_NE(ExternalId(kTenant, "s", 1, "x"), ExternalId(kTenant, "t", 1, "x"));
  EXPECT_NE(ExternalId(kTenant, "s", 1, "x"), ExternalId(kTenant, "s\1x", 1, ""));
}

TEST(Keys, ADevicesRowsLieSideBySide) {
  EXPECT_TRUE(In(OneDevice(kTenant, kDevice), DeviceRow(kTenant, kDevice, DevicePart::kDevice)));
  EXPECT_TRUE(In(OneDevice(kTenant, kDevice), DeviceRow(kTenant, kDevice, DevicePart::kReport)));
  EXPECT_FALSE(In(OneDevice(kTenant, kDevice), DeviceRow(kTenant, kLastDevice, DevicePart::kDevice)));
  EXPECT_FALSE(In(OneDevice(kTenant, kDevice), Sync(kTenant, kDevice, 1)));
  Uuid device;
  DevicePart part = DevicePart::kDevice;
  ASSERT_TRUE(ParseDeviceRow(DeviceRow(kTenant, kDevice, DevicePart::kCall), &device, &part));
  EXPECT_EQ(device, kDevice);
  EXPECT_EQ(part, DevicePart::kCall);
  EXPECT_FALSE(ParseDeviceRow(Sync(kTenant, kDevice, 1), &device, &part));
}

TEST(Keys, DevicesAreListedAfterTheOneNamed) {
  const std::string row = DeviceRow(kTenant, kDevice, DevicePart::kReport);
  const std::string last = DeviceRow(kTenant, kLastDevice, DevicePart::kDevice);
  EXPECT_TRUE(In(DeviceRows(kTenant, nullptr), row));
  EXPECT_TRUE(In(DeviceRows(kTenant, nullptr), last));
  EXPECT_FALSE(In(DeviceRows(kTenant, &kDevice), row));
  EXPECT_TRUE(In(DeviceRows(kTenant, &kDevice), last));
  EXPECT_FALSE(In(DeviceRows(kTenant, &kLastDevice), last));
  EXPECT_FALSE(In(DeviceRows(kTenant, &kLastDevice), Sync(kTenant, kDevice, 1)));
}

TEST(Keys, SyncsAreNewestFirst) {
  EXPECT_LT(Sync(kTenant, kDevice, 256), Sync(kTenant, kDevice, 255));
  EXPECT_TRUE(In(SyncsBefore(kTenant, kDevice, 0), Sync(kTenant, kDevice, 1)));
  EXPECT_TRUE(In(SyncsBefore(kTenant, kDevice, 0), Sync(kTenant, kDevice, ~uint64_t{0})));
  EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 5), Sync(kTenant, kDevice, 5)));
  EXPECT_TRUE(In(SyncsBefore(kTenant, kDevice, 5), Sync(kTenant, kDevice, 4)));
  EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 1), Sync(kTenant, kDevice, 1)));
  EXPECT_FALSE(In(SyncsBefore(kTenant, kDevice, 0), Sync(kTenant, kLastDevice, 1)));
  Uuid device;
  uint64_t number = 0;
  ASSERT_TRUE(ParseSync(Sync(kTenant, kDevice, 256), &device, &number));
  EXPECT_EQ(device, kDevice);
  EXPECT_EQ(number, 256u);
}

TEST(Keys, BytesThatFollowAKeyAreNotOverlooked) {
  Revision revision = 0;
  RecordKey record;
  Uuid device;
  uint64_t number = 0;
  EXPECT_FALSE(ParseFeedEntry(FeedEntry(kTenant, kReceiver, 1, kVisit) + "x", &revision, &record));
  EXPECT_FALSE(ParseRecord(Record(kTenant, kVisit) + "x", &record));
  EXPECT_FALSE(ParseSync(Sync(kTenant, kDevice, 1) + "x", &device, &number));
  EXPECT_FALSE(ParseTimeline("", &revision));
}

TEST(Keys, PairsOfGroupsAreReadBack) {
  RecordKey first;
  RecordKey second;
  ASSERT_TRUE(ParseMember(Member(kTenant, kVisit, kOther), &first, &second));
  EXPECT_EQ(first, kVisit);
  EXPECT_EQ(second, kOther);
  ASSERT_TRUE(ParseGroupOf(GroupOf(kTenant, kOther, kVisit), &first, &second));
  EXPECT_EQ(first, kOther);
  EXPECT_EQ(second, kVisit);
  ASSERT_TRUE(ParseGroupRecord(GroupRecord(kTenant, kVisit, kOther), &first, &second));
  EXPECT_EQ(first, kVisit);
  EXPECT_EQ(second, kOther);
  EXPECT_FALSE(ParseMember(GroupOf(kTenant, kOther, kVisit), &first, &second));
}

TEST(Keys, AGroupsRowsAfterOneLeaveItOut) {
  EXPECT_TRUE(In(Members(kTenant, kVisit, RecordKey()), Member(kTenant, kVisit, kOther)));
  EXPECT_FALSE(In(Members(kTenant, kVisit, kOther), Member(kTenant, kVisit, kOther)));
  EXPECT_FALSE(In(GroupRecords(kTenant, kVisit, kOther), GroupRecord(kTenant, kVisit, kOther)));
}

TEST(Keys, VisitsLieInTheOrderOfTheirTimesThenKeys) {
  const std::vector<std::string> keys = {VisitByStart(kTenant, -7, kOther), VisitByStart(kTenant, 0, kVisit),
                                         VisitByStart(kTenant, 5, kVisit), VisitByStart(kTenant, 5, kOther)};
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_TRUE(In(VisitsByStart(kTenant, 5, kVisit), keys[2]));
  EXPECT_FALSE(In(VisitsByStart(kTenant, 5, kOther), keys[2]));
  int64_t time = 0;
  RecordKey visit;
  ASSERT_TRUE(ParseVisitByStart(keys[0], &time, &visit));
  EXPECT_EQ(time, -7);
  EXPECT_EQ(visit, kOther);
  ASSERT_TRUE(ParseVisitByEnd(VisitByEnd(kTenant, 9, kVisit), &time, &visit));
  EXPECT_EQ(time, 9);
  EXPECT_FALSE(ParseVisitByEnd(keys[0], &time, &visit));
}

TEST(Keys, ReviewsLieInTheOrderReceivedTheResolvedOnesLast) {
  const std::vector<std::string> keys = {ReviewByRevision(kTenant, false, 5, "z", "z"),
                                         ReviewByRevision(kTenant, false, 6, "a", "a"),
                                         ReviewByRevision(kTenant, true, 1, "a", "a")};
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_FALSE(In(ReviewsByRevision(kTenant, keys[0]), keys[0]));
  EXPECT_TRUE(In(ReviewsByRevision(kTenant, keys[0]), keys[1]));
  bool resolved = false;
  Revision revision = 0;
  std::string event_id;
  std::string digest;
  ASSERT_TRUE(
      ParseReviewByRevision(ReviewByRevision(kTenant, true, 5, "e", "d"), &resolved, &revision, &event_id, &digest));
  EXPECT_EQ(std::tuple(resolved, revision, event_id, digest), std::tuple(true, 5, "e", "d"));
  ASSERT_TRUE(ParseReviewItem(ReviewItem(kTenant, "e3", "d3"), &event_id, &digest));
  EXPECT_EQ(std::tuple(event_id, digest), std::tuple("e3", "d3"));
}

TEST(Keys, ReviewsOfACarerAndVisitLieInTheOrderRecorded) {
  EXPECT_LT(ReviewOf(kTenant, kOther, kVisit, 5, 9, "a", "a"), ReviewOf(kTenant, kOther, kVisit, 6, 1, "a", "a"));
  EXPECT_LT(ReviewOf(kTenant, kOther, kVisit, 5, 1, "z", "z"), ReviewOf(kTenant, kOther, kVisit, 5, 2, "a", "a"));
  std::string event_id;
  std::string digest;
  ASSERT_TRUE(ParseReviewOf(ReviewOf(kTenant, kOther, kVisit, 5, 1, "e", "d"), &event_id, &digest));
  EXPECT_EQ(std::tuple(event_id, digest), std::tuple("e", "d"));
}

TEST(Keys, ACarersSyncsLieNewestFirstAndAreReadBack) {
  const std::string newer = SyncOfCarer(kTenant, kDevice, 9, kLastDevice, 3);
  const std::string older = SyncOfCarer(kTenant, kDevice, 8, kLastDevice, 7);
  EXPECT_LT(newer, older);
  EXPECT_TRUE(In(SyncsOfCarer(kTenant, kDevice, ""), newer));
  EXPECT_FALSE(In(SyncsOfCarer(kTenant, kDevice, newer), newer));
  EXPECT_TRUE(In(SyncsOfCarer(kTenant, kDevice, newer), older));
  Uuid carer;
  Uuid device;
  int64_t start = 0;
  uint64_t number = 0;
  ASSERT_TRUE(ParseSyncOfCarer(newer, &carer, &start, &device, &number));
  EXPECT_EQ(std::tuple(carer, start, device, number), std::tuple(kDevice, 9, kLastDevice, 3));
}

TEST(Keys, MismatchesLieByCarerAndAreReadOnBehindAVisit) {
  const std::string first = Mismatch(kTenant, kDevice, kVisit);
  const std::string second = Mismatch(kTenant, kDevice, kOther);
  const std::string of_another = Mismatch(kTenant, kLastDevice, kVisit);
  ASSERT_LT(first, second);
  for (const std::string& key : {first, second}) EXPECT_TRUE(In(MismatchesOf(kTenant, kDevice, RecordKey()), key));
  EXPECT_FALSE(In(MismatchesOf(kTenant, kDevice, RecordKey()), of_another));
  EXPECT_FALSE(In(MismatchesOf(kTenant, kDevice, kVisit), first));
  EXPECT_TRUE(In(MismatchesOf(kTenant, kDevice, kVisit), second));
  EXPECT_FALSE(In(MismatchesOf(kTenant, kDevice, kVisit), of_another));
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseMismatch(second, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kDevice, kOther));
  EXPECT_FALSE(ParseMismatch(OpenMismatch(kTenant, kDevice, kVisit), &carer, &visit));
}

TEST(Keys, MismatchesAreLookedAtInTheOrderOfTheirTimes) {
  const std::vector<std::string> keys = {
      MismatchLook(kTenant, -7, kLastDevice, kOther), MismatchLook(kTenant, 5, kDevice, kVisit),
      MismatchLook(kTenant, 5, kDevice, kOther), MismatchLook(kTenant, 5, kLastDevice, kVisit)};
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  for (const std::string& key : keys) EXPECT_TRUE(In(AllMismatchLooks(kTenant, ""), key));
  EXPECT_FALSE(In(AllMismatchLooks(kTenant, keys[1]), keys[1]));
  EXPECT_TRUE(In(AllMismatchLooks(kTenant, keys[1]), keys[2]));
  int64_t time = 0;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseMismatchLook(keys[0], &time, &carer, &visit));
  EXPECT_EQ(std::tuple(time, carer, visit), std::tuple(-7, kLastDevice, kOther));
  EXPECT_FALSE(ParseMismatchLook(keys[0] + "x", &time, &carer, &visit));
  EXPECT_FALSE(ParseMismatchLook(OpenMismatch(kTenant, kDevice, kVisit), &time, &carer, &visit));
}

TEST(Keys, NoticesLieInTheirOrderAndAreReadOnBehindOne) {
  EXPECT_LT(Notice(kTenant, 9), Notice(kTenant, 10));
  EXPECT_FALSE(In(Notices(kTenant, 9), Notice(kTenant, 9)));
  EXPECT_TRUE(In(Notices(kTenant, 9), Notice(kTenant, 10)));
  EXPECT_FALSE(In(DeadNotices(kTenant, 9), DeadNotice(kTenant, 9)));
  EXPECT_TRUE(In(DeadNotices(kTenant, 9), DeadNotice(kTenant, 10)));
  uint64_t number = 0;
  ASSERT_TRUE(ParseNotice(Notice(kTenant, 10), &number));
  EXPECT_EQ(number, 10u);
  EXPECT_FALSE(ParseNotice(DeadNotice(kTenant, 10), &number));
  ASSERT_TRUE(ParseDeadNotice(DeadNotice(kTenant, 11), &number));
  EXPECT_EQ(number, 11u);
}

TEST(Keys, NotificationSettingsLieByBranchTheDefaultFirst) {
  EXPECT_LT(NotificationSettings(kTenant, ""), NotificationSettings(kTenant, "a"));
  EXPECT_FALSE(
      In(AllNotificationSettings(kTenant, NotificationSettings(kTenant, "")), NotificationSettings(kTenant, "")));
  EXPECT_TRUE(
      In(AllNotificationSettings(kTenant, NotificationSettings(kTenant, "")), NotificationSettings(kTenant, "a")));
  std::string branch;
  ASSERT_TRUE(ParseNotificationSettings(NotificationSettings(kTenant, "a"), &branch));
  EXPECT_EQ(branch, "a");
  EXPECT_FALSE(ParseNotificationSettings(Outbox(kTenant), &branch));
}

TEST(Keys, RaisedMismatchesLieByBranch) {
  const std::string none;
  const std::string first = "a";
  EXPECT_TRUE(In(RaisedMismatchesOf(kTenant, none), RaisedMismatch(kTenant, none, kDevice, kVisit)));
  EXPECT_FALSE(In(RaisedMismatchesOf(kTenant, none), RaisedMismatch(kTenant, first, kDevice, kVisit)));
  EXPECT_TRUE(In(RaisedMismatchesAfter(kTenant, nullptr), RaisedMismatch(kTenant, none, kDevice, kVisit)));
  EXPECT_FALSE(In(RaisedMismatchesAfter(kTenant, &none), RaisedMismatch(kTenant, none, kLastDevice, kVisit)));
  EXPECT_TRUE(In(RaisedMismatchesAfter(kTenant, &none), RaisedMismatch(kTenant, first, kDevice, kVisit)));
  EXPECT_FALSE(In(RaisedMismatchesAfter(kTenant, &first), RaisedMismatch(kTenant, first, kLastDevice, kVisit)));
  std::string branch;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseRaisedMismatch(RaisedMismatch(kTenant, first, kDevice, kVisit), &branch, &carer, &visit));
  EXPECT_EQ(branch, first);
  EXPECT_EQ(carer, kDevice);
  EXPECT_EQ(visit, kVisit);
  EXPECT_FALSE(ParseRaisedMismatch(OpenMismatch(kTenant, kDevice, kVisit), &branch, &carer, &visit));
}

TEST(Keys, NoticesFallDueInTheOrderOfTheirTimes) {
  EXPECT_LT(NoticeDue(kTenant, -7, 9), NoticeDue(kTenant, 5, 1));
  EXPECT_LT(NoticeDue(kTenant, 5, 1), NoticeDue(kTenant, 5, 2));
  int64_t due = 0;
  uint64_t number = 0;
  ASSERT_TRUE(ParseNoticeDue(NoticeDue(kTenant, -7, 9), &due, &number));
  EXPECT_EQ(due, -7);
  EXPECT_EQ(number, 9u);
  EXPECT_FALSE(ParseNoticeDue(Notice(kTenant, 9), &due, &number));
}

TEST(Keys, OpenMismatchesLieByCarerAndAreReadOnBehindOne) {
  const std::string first = OpenMismatch(kTenant, kDevice, kVisit);
  const std::string second = OpenMismatch(kTenant, kDevice, kOther);
  const std::string last = OpenMismatch(kTenant, kLastDevice, kVisit);
  EXPECT_LT(first, second);
  EXPECT_LT(second, last);
  EXPECT_TRUE(In(OpenMismatchesOf(kTenant, kDevice), second));
  EXPECT_FALSE(In(OpenMismatchesOf(kTenant, kDevice), last));
  EXPECT_TRUE(In(AllOpenMismatches(kTenant, ""), first));
  EXPECT_TRUE(In(AllOpenMismatches(kTenant, ""), last));
  EXPECT_FALSE(In(AllOpenMismatches(kTenant, second), second));
  EXPECT_TRUE(In(AllOpenMismatches(kTenant, second), last));
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseOpenMismatch(second, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kDevice, kOther));
  EXPECT_FALSE(ParseOpenMismatch(Mismatch(kTenant, kDevice, kVisit), &carer, &visit));
}

// A row that is damaged, or a page token of an older form, may hold whatever bytes.
TEST(Keys, WhatLiesBehindAKeyOfAnotherTableIsOfThisOneAllTheSame) {
  const storage::KeyRange all = AllOpenMismatches(kTenant, "");
  const storage::KeyRange behind_an_earlier = AllOpenMismatches(kTenant, std::string(1, '\0'));
  EXPECT_EQ(behind_an_earlier.begin, all.begin);
  EXPECT_EQ(behind_an_earlier.end, all.end);
  const storage::KeyRange behind_a_later = AllOpenMismatches(kTenant, std::string(9, '\xFF'));
  EXPECT_EQ(behind_a_later.begin, all.end);
  EXPECT_EQ(behind_a_later.end, all.end);
}

TEST(Keys, ListedMismatchesLieByRankTheSnoozedOnesBehindAndTheEndedOnesApart) {
  const std::string first = ListedMismatch(kTenant, MismatchGroup::kOpen, -9, kLastDevice, kOther);
  const std::string second = ListedMismatch(kTenant, MismatchGroup::kOpen, 4, kDevice, kVisit);
  const std::string snoozed = ListedMismatch(kTenant, MismatchGroup::kSnoozed, -20, kDevice, kVisit);
  const std::string ended = ListedMismatch(kTenant, MismatchGroup::kEnded, -30, kDevice, kVisit);
  EXPECT_LT(first, second);
  EXPECT_LT(second, snoozed);
  EXPECT_TRUE(In(ListedMismatches(kTenant, false, second), snoozed));
  EXPECT_FALSE(In(ListedMismatches(kTenant, true, ""), snoozed));
  EXPECT_TRUE(In(ListedMismatches(kTenant, false, ""), first));
  EXPECT_FALSE(In(ListedMismatches(kTenant, false, ""), ended));
  EXPECT_FALSE(In(ListedMismatches(kTenant, false, first), first));
  EXPECT_TRUE(In(ListedMismatches(kTenant, false, first), second));
  EXPECT_FALSE(In(ListedMismatches(kTenant, false, second), ended));
  EXPECT_TRUE(In(ListedMismatches(kTenant, true, ""), ended));
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseListedMismatch(first, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kLastDevice, kOther));
  ASSERT_TRUE(ParseListedMismatch(ended, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, visit), std::tuple(kDevice, kVisit));
  EXPECT_FALSE(ParseListedMismatch(first.substr(0, first.size() - 1), &carer, &visit));
}

TEST(Keys, ToldMismatchesLieByRevision) {
  const std::string first = ToldMismatch(kTenant, 9, kLastDevice, kOther);
  const std::string second = ToldMismatch(kTenant, 10, kDevice, kVisit);
  EXPECT_LT(first, second);
  EXPECT_TRUE(In(ToldMismatches(kTenant, ""), first));
  EXPECT_FALSE(In(ToldMismatches(kTenant, first), first));
  EXPECT_TRUE(In(ToldMismatches(kTenant, first), second));
  EXPECT_FALSE(In(ToldMismatches(kTenant, ""), MismatchLooks(kTenant)));
  Revision revision = 0;
  Uuid carer;
  RecordKey visit;
  ASSERT_TRUE(ParseToldMismatch(first, &revision, &carer, &visit));
  EXPECT_EQ(std::tuple(revision, carer, visit), std::tuple(Revision{9}, kLastDevice, kOther));
  EXPECT_FALSE(ParseToldMismatch(OpenMismatch(kTenant, kDevice, kVisit), &revision, &carer, &visit));
}

TEST(Keys, FeedEntriesOfAllReceiversAreOneRange) {
  const KeyRange all = AllFeedEntries(kTenant);
  EXPECT_TRUE(In(all, FeedEntry(kTenant, kReceiver, 7, kVisit)));
  EXPECT_TRUE(In(all, FeedEntry(kTenant, ReceiverId{"s"}, 7, kVisit)));
  EXPECT_FALSE(In(all, FeedPlace(kTenant, kReceiver, kVisit)));
  EXPECT_FALSE(In(all, FeedEntry(kLonger, kReceiver, 7, kVisit)));
  ReceiverId receiver;
  Revision revision = 0;
  RecordKey record;
  ASSERT_TRUE(ParseFeedEntry(FeedEntry(kTenant, kReceiver, 7, kVisit), &receiver, &revision, &record));
  EXPECT_EQ(std::tuple(receiver, revision, record), std::tuple(kReceiver, Revision{7}, kVisit));
}

TEST(Keys, VisitEntriesOfACarerLieInTheOrderOfTheFeed) {
  const std::string first = VisitEntry(kTenant, kDevice, 255, kOther);
  const std::string second = VisitEntry(kTenant, kDevice, 256, kVisit);
  EXPECT_LT(first, second);
  EXPECT_TRUE(In(VisitEntriesOf(kTenant, kDevice, 0, RecordKey()), first));
  EXPECT_TRUE(In(VisitEntriesOf(kTenant, kDevice, 255, RecordKey()), first));
  EXPECT_FALSE(In(VisitEntriesOf(kTenant, kDevice, 255, kOther), first));
  EXPECT_TRUE(In(VisitEntriesOf(kTenant, kDevice, 255, kOther), second));
  EXPECT_FALSE(In(VisitEntriesOf(kTenant, kDevice, 0, RecordKey()), VisitEntry(kTenant, kLastDevice, 255, kOther)));
  Uuid carer;
  Revision revision = 0;
  RecordKey visit;
  ASSERT_TRUE(ParseVisitEntry(second, &carer, &revision, &visit));
  EXPECT_EQ(std::tuple(carer, revision, visit), std::tuple(kDevice, Revision{256}, kVisit));
  EXPECT_FALSE(ParseVisitEntry(second + "x", &carer, &revision, &visit));
  EXPECT_FALSE(ParseVisitEntry(VisitEntryByVisit(kTenant, kVisit, kDevice, 256), &carer, &revision, &visit));
}

TEST(Keys, VisitEntriesAreFoundByVisitAndByRevision) {
  const std::string of_carer = VisitEntryByVisit(kTenant, kVisit, kDevice, 9);
  const std::string of_another = VisitEntryByVisit(kTenant, kVisit, kLastDevice, 8);
  EXPECT_LT(of_carer, of_another);
  EXPECT_TRUE(In(VisitEntriesOfVisit(kTenant, kVisit), of_carer));
  EXPECT_FALSE(In(VisitEntriesOfVisit(kTenant, kOther), of_carer));
  EXPECT_FALSE(In(AllVisitEntriesByVisit(kTenant, of_carer), of_carer));
  EXPECT_TRUE(In(AllVisitEntriesByVisit(kTenant, of_carer), of_another));
  const std::string early = VisitEntryByRevision(kTenant, 8, kLastDevice, kVisit);
  const std::string late = VisitEntryByRevision(kTenant, 9, kDevice, kVisit);
  EXPECT_LT(early, late);
  EXPECT_FALSE(In(AllVisitEntriesByRevision(kTenant, early), early));
  EXPECT_TRUE(In(AllVisitEntriesByRevision(kTenant, early), late));
  Uuid carer;
  Revision revision = 0;
  RecordKey visit;
  ASSERT_TRUE(ParseVisitEntryByVisit(of_another, &visit, &carer, &revision));
  EXPECT_EQ(std::tuple(carer, revision, visit), std::tuple(kLastDevice, Revision{8}, kVisit));
  ASSERT_TRUE(ParseVisitEntryByRevision(late, &revision, &carer, &visit));
  EXPECT_EQ(std::tuple(carer, revision, visit), std::tuple(kDevice, Revision{9}, kVisit));
  EXPECT_FALSE(ParseVisitEntryByVisit(late, &visit, &carer, &revision));
  EXPECT_FALSE(ParseVisitEntryByRevision(of_another, &revision, &carer, &visit));
}

TEST(Keys, MarksOfACopyLieInTheOrderOfTheirNumbers) {
  const std::string first = CopyMark(kTenant, kDevice, kDevice, 255);
  const std::string second = CopyMark(kTenant, kDevice, kDevice, 256);
  const std::string of_another = CopyMark(kTenant, kDevice, kLastDevice, 257);
  EXPECT_LT(first, second);
  EXPECT_FALSE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 255), first));
  EXPECT_TRUE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 255), second));
  EXPECT_TRUE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 0), first));
  EXPECT_FALSE(In(CopyMarksAfter(kTenant, kDevice, kDevice, 0), of_another));
  EXPECT_TRUE(In(AllCopyMarks(kTenant, second), of_another));
  EXPECT_FALSE(In(AllCopyMarks(kTenant, second), second));
  EXPECT_TRUE(In(AllUntoldMarks(kTenant), UntoldMark(kTenant, kDevice, kLastDevice, 257)));
  Uuid device;
  Uuid carer;
  uint64_t number = 0;
  ASSERT_TRUE(ParseCopyMark(of_another, &device, &carer, &number));
  EXPECT_EQ(std::tuple(device, carer, number), std::tuple(kDevice, kLastDevice, uint64_t{257}));
  EXPECT_FALSE(ParseUntoldMark(of_another, &device, &carer, &number));
  ASSERT_TRUE(ParseUntoldMark(UntoldMark(kTenant, kLastDevice, kDevice, 3), &device, &carer, &number));
  EXPECT_EQ(std::tuple(device, carer, number), std::tuple(kLastDevice, kDevice, uint64_t{3}));
}

TEST(Keys, ToldMarksLieByRevisionAndNumber) {
  const std::string first = ToldMark(kTenant, 9, 2);
  const std::string second = ToldMark(kTenant, 10, 1);
  EXPECT_LT(first, second);
  EXPECT_FALSE(In(ToldMarks(kTenant, first), first));
  EXPECT_TRUE(In(ToldMarks(kTenant, first), second));
  Revision revision = 0;
  uint64_t number = 0;
  ASSERT_TRUE(ParseToldMark(first, &revision, &number));
  EXPECT_EQ(std::tuple(revision, number), std::tuple(Revision{9}, uint64_t{2}));
  EXPECT_FALSE(ParseToldMark(Keeping(kTenant), &revision, &number));
}

}  // namespace
}  // namespace caresync::base::keys
