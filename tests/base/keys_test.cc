// All layouts beside each other, and the keys of server/base/keys.cc; those of each other *_keys.cc there have a file
// of their own here.
#include "server/base/keys.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "storage/tuple.h"
#include "tests/base/sample_keys.h"

namespace caresync::base::keys {
namespace {

using namespace std::string_literals;
using storage::KeyRange;

// Its name begins with that of kTenant.
const TenantId kLonger = *TenantId::Parse("ab");
const ReceiverId kReceiver{"r"};

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
          HeldMismatch(tenant, "branch", kDevice, kVisit),
          ToldHour(tenant, "branch"),
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
          HeldMismatchesOf(tenant, "branch"),
          HeldMismatchesAfter(tenant, nullptr),
          AllOverdueBranches(tenant),
          VisitEntriesOf(tenant, kDevice, 0, RecordKey()),
          VisitEntriesOfVisit(tenant, kVisit),
          AllVisitEntriesByVisit(tenant, ""),
          AllVisitEntriesByRevision(tenant, ""),
          ToldMarks(tenant, ""),
          AllWaiting(tenant, ""),
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
  ASSERT_TRUE(ParseWaiting(Waiting(kTenant, kVisit), &first));
  EXPECT_EQ(first, kVisit);
  EXPECT_FALSE(ParseWaiting(WaitingFor(kTenant, kOther, kVisit), &first));
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

}  // namespace
}  // namespace caresync::base::keys
