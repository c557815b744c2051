// Every key layout. All keys begin with the tenant (the empty name is the store's own), then a byte that names the
// table.
//
// Written as tuples (storage/tuple.h). `uuid` is 16 raw bytes, `record` a RecordKey and `receiver` a ReceiverId as
// tuple strings.
#ifndef CARESYNC_SERVER_BASE_KEYS_H_
#define CARESYNC_SERVER_BASE_KEYS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "storage/store.h"

namespace caresync::base::keys {

// ---- The store's own, in Space::kRecords, under the empty tenant

std::string StoreIdentity();                        // -> StoreIdentity
std::string TenantListing(const TenantId& tenant);  // -> empty; one for each tenant
storage::KeyRange AllTenants(std::string_view after_tenant);
bool ParseTenantListing(std::string_view key, std::string* tenant);

// ---- commit/, in Space::kRecords

std::string TenantHead(const TenantId& tenant);                         // 'h' -> TenantHead
std::string Timeline(const TenantId& tenant, Revision first_revision);  // 'l', first revision -> timeline ID
storage::KeyRange Timelines(const TenantId& tenant);
bool ParseTimeline(std::string_view key, Revision* first_revision);
std::string Task(const TenantId& tenant, int64_t due_us, std::string_view task_id);  // 't', due, ID -> Task
storage::KeyRange TasksDueAfter(const TenantId& tenant, int64_t due_us);             // due > due_us
storage::KeyRange AllTasks(const TenantId& tenant);
bool ParseTask(std::string_view key, int64_t* due_us, std::string* task_id);

// ---- feed/, in Space::kFeeds

std::string FeedEntry(const TenantId& tenant, const ReceiverId& receiver, Revision revision,
                      const RecordKey& record);  // 'e', receiver, revision, record -> FeedEntry
// Entries strictly after (revision, record); an empty record means before all records of the revision.
storage::KeyRange FeedEntriesAfter(const TenantId& tenant, const ReceiverId& receiver, Revision revision,
                                   const RecordKey& record);
// Of all receivers.
storage::KeyRange AllFeedEntries(const TenantId& tenant);
bool ParseFeedEntry(std::string_view key, Revision* revision, RecordKey* record);
bool ParseFeedEntry(std::string_view key, ReceiverId* receiver, Revision* revision, RecordKey* record);
std::string FeedPlace(const TenantId& tenant, const ReceiverId& receiver, const RecordKey& record);  // 'p' -> FeedPlace
std::string FeedHead(const TenantId& tenant, const ReceiverId& receiver);  // 'f', receiver -> FeedHead

// ---- records/, in Space::kRecords

std::string Record(const TenantId& tenant, const RecordKey& record);  // 'r', record -> Record
// The records whose keys begin with `prefix` and come after `after` (empty: from the first).
storage::KeyRange Records(const TenantId& tenant, std::string_view prefix, const RecordKey& after);
bool ParseRecord(std::string_view key, RecordKey* record);
std::string Grant(const TenantId& tenant, const RecordKey& record, const ReceiverId& receiver,
                  std::string_view reason);  // 'g', record, receiver, reason -> empty
storage::KeyRange GrantsOfRecord(const TenantId& tenant, const RecordKey& record);
storage::KeyRange GrantsOfReceiver(const TenantId& tenant, const RecordKey& record, const ReceiverId& receiver);
bool ParseGrant(std::string_view key, RecordKey* record, ReceiverId* receiver, std::string* reason);
std::string Child(const TenantId& tenant, const RecordKey& parent, const RecordKey& child);  // 'c' -> empty
storage::KeyRange Children(const TenantId& tenant, const RecordKey& parent);
bool ParseChild(std::string_view key, RecordKey* parent, RecordKey* child);
// A member of a group: 'm', group, carer; and the same the other way round: 'o', carer, group. Both -> empty, or
// Leaving.
std::string Member(const TenantId& tenant, const RecordKey& group, const RecordKey& carer);
storage::KeyRange Members(const TenantId& tenant, const RecordKey& group, const RecordKey& after_carer);
bool ParseMember(std::string_view key, RecordKey* group, RecordKey* carer);
std::string GroupOf(const TenantId& tenant, const RecordKey& carer, const RecordKey& group);
storage::KeyRange GroupsOf(const TenantId& tenant, const RecordKey& carer);
bool ParseGroupOf(std::string_view key, RecordKey* carer, RecordKey* group);
// A record that a group may see: 'a', group, record -> empty, or Leaving.
std::string GroupRecord(const TenantId& tenant, const RecordKey& group, const RecordKey& record);
storage::KeyRange GroupRecords(const TenantId& tenant, const RecordKey& group, const RecordKey& after_record);
bool ParseGroupRecord(std::string_view key, RecordKey* group, RecordKey* record);
// Whom an unfinished fan-out concerns: 'u', scope, task ID -> empty. A scope is made by server/records/.
std::string FanOutScope(const TenantId& tenant, std::string_view scope, std::string_view task_id);
storage::KeyRange FanOutScopes(const TenantId& tenant, std::string_view scope);
storage::KeyRange AllFanOutScopes(const TenantId& tenant);
bool ParseFanOutScope(std::string_view key, std::string* scope);
// All visits by start ('b') and by end ('q'): time, record -> empty. The ranges hold the places from (time, record) on.
std::string VisitByStart(const TenantId& tenant, int64_t start_us, const RecordKey& visit);
storage::KeyRange VisitsByStart(const TenantId& tenant, int64_t from_us, const RecordKey& from);
bool ParseVisitByStart(std::string_view key, int64_t* start_us, RecordKey* visit);
std::string VisitByEnd(const TenantId& tenant, int64_t end_us, const RecordKey& visit);
storage::KeyRange VisitsByEnd(const TenantId& tenant, int64_t from_us, const RecordKey& from);
bool ParseVisitByEnd(std::string_view key, int64_t* end_us, RecordKey* visit);
// Each carer's visits by the end of the carer's own assignment: 'e', carer, end, visit -> empty.
std::string VisitEnd(const TenantId& tenant, const Uuid& carer, int64_t end_us, const RecordKey& visit);
// The carer's visits that end after `after_us`.
storage::KeyRange VisitEndsAfter(const TenantId& tenant, const Uuid& carer, int64_t after_us);
bool ParseVisitEnd(std::string_view key, Uuid* carer, int64_t* end_us, RecordKey* visit);
std::string WindowEdges(const TenantId& tenant);                               // 'j' -> WindowEdges
std::string EventIdentity(const TenantId& tenant, std::string_view event_id);  // 'i' -> EventIdentity
// For review: 'v', event ID, digest -> ReviewItem
std::string ReviewItem(const TenantId& tenant, std::string_view event_id, std::string_view digest);
storage::KeyRange AllReviewItems(const TenantId& tenant);
bool ParseReviewItem(std::string_view key, std::string* event_id, std::string* digest);
// 'd', resolved or not, revision, event ID, digest -> empty: those that wait for a person, then the others, each in the
// order received.
std::string ReviewByRevision(const TenantId& tenant, bool resolved, Revision revision, std::string_view event_id,
                             std::string_view digest);
// What comes after `after` (a key; empty: all).
storage::KeyRange ReviewsByRevision(const TenantId& tenant, std::string_view after);
bool ParseReviewByRevision(std::string_view key, bool* resolved, Revision* revision, std::string* event_id,
                           std::string* digest);
// 'w', carer, record, revision, the device's running number, event ID, digest -> empty: in the order recorded. While a
// carer and visit have one for review, later ones follow it.
std::string ReviewOf(const TenantId& tenant, const RecordKey& carer, const RecordKey& parent, Revision revision,
                     uint64_t sequence, std::string_view event_id, std::string_view digest);
bool ParseReviewOf(std::string_view key, std::string* event_id, std::string* digest);
storage::KeyRange ReviewsOf(const TenantId& tenant, const RecordKey& carer, const RecordKey& parent);
storage::KeyRange AllReviewsOf(const TenantId& tenant, const RecordKey& carer);

// ---- roster/, in Space::kRecords

std::string ExternalId(const TenantId& tenant, std::string_view source, uint8_t kind,
                       std::string_view external_id);                  // 'x' -> record key's bytes
std::string Waiting(const TenantId& tenant, const RecordKey& record);  // 'y' -> WaitingChange
// What comes after `after` (a key; empty: all).
storage::KeyRange AllWaiting(const TenantId& tenant, std::string_view after);
bool ParseWaiting(std::string_view key, RecordKey* record);
std::string WaitingFor(const TenantId& tenant, const RecordKey& missing, const RecordKey& waiting);  // 'z' -> empty
storage::KeyRange AllWaitingFor(const TenantId& tenant, const RecordKey& missing);
bool ParseWaitingFor(std::string_view key, RecordKey* missing, RecordKey* waiting);
std::string SourceState(const TenantId& tenant, std::string_view source);  // 's' -> SourceState

// ---- restore/, in Space::kRecords

std::string SourceStanding(const TenantId& tenant, std::string_view source);  // 'k', source -> SourceStanding
storage::KeyRange SourceStandings(const TenantId& tenant);
std::string RebuildRelease(const TenantId& tenant);  // 'p' -> RebuildRelease

// ---- devices/, in Space::kDevices: a device's rows lie side by side

enum class DevicePart : uint8_t {
  kDevice = 1,   // -> Device
  kSession = 2,  // -> DeviceSession
  kCall = 3,     // -> DeviceCall
  kReport = 4,   // -> DeviceReport
  // -> DeviceCall; of calls that were refused before they had a session.
  kRefusedCall = 5,
  // -> DeviceEvents; written by the changes that take the device's events.
  kEvents = 6,
};
std::string DeviceRow(const TenantId& tenant, const Uuid& device, DevicePart part);  // 'd', uuid, part
// All parts of all devices after `after` (nullptr: from the first).
storage::KeyRange DeviceRows(const TenantId& tenant, const Uuid* after);
storage::KeyRange OneDevice(const TenantId& tenant, const Uuid& device);
bool ParseDeviceRow(std::string_view key, Uuid* device, DevicePart* part);
// 'y', uuid, ~number -> SyncRow; newest first. Numbers count the device's syncs from 1.
std::string Sync(const TenantId& tenant, const Uuid& device, uint64_t number);
// Syncs with numbers below `before` (0: all), newest first.
storage::KeyRange SyncsBefore(const TenantId& tenant, const Uuid& device, uint64_t before);
bool ParseSync(std::string_view key, Uuid* device, uint64_t* number);

// A carer's syncs on whatever device: 'c', carer, ~start, device, number -> empty; newest first.
std::string SyncOfCarer(const TenantId& tenant, const Uuid& carer, int64_t start_us, const Uuid& device,
                        uint64_t number);
// What comes after `after` (a key; empty: all).
storage::KeyRange SyncsOfCarer(const TenantId& tenant, const Uuid& carer, std::string_view after);
bool ParseSyncOfCarer(std::string_view key, Uuid* carer, int64_t* start_us, Uuid* device, uint64_t* number);
std::string DeviceInUse(const TenantId& tenant, const Uuid& carer);  // 'u', carer -> DeviceInUse
std::string DeviceWake(const TenantId& tenant, const Uuid& device);  // 'w', uuid -> DeviceWake

// ---- mismatch/, in Space::kRecords

std::string Mismatch(const TenantId& tenant, const Uuid& carer, const RecordKey& visit);  // 'M' -> Mismatch
// What comes after `after` (a visit's key; empty: all).
storage::KeyRange MismatchesOf(const TenantId& tenant, const Uuid& carer, const RecordKey& after);
bool ParseMismatch(std::string_view key, Uuid* carer, RecordKey* visit);
// When which of them is to be looked at: 'D', time, carer, visit -> empty.
std::string MismatchLook(const TenantId& tenant, int64_t look_us, const Uuid& carer, const RecordKey& visit);
// What comes after `after` (a key; empty: all).
storage::KeyRange AllMismatchLooks(const TenantId& tenant, std::string_view after);
bool ParseMismatchLook(std::string_view key, int64_t* look_us, Uuid* carer, RecordKey* visit);
// Those that are open: 'O', carer, visit -> empty.
std::string OpenMismatch(const TenantId& tenant, const Uuid& carer, const RecordKey& visit);
storage::KeyRange OpenMismatchesOf(const TenantId& tenant, const Uuid& carer);
// What comes after `after` (a key; empty: all).
storage::KeyRange AllOpenMismatches(const TenantId& tenant, std::string_view after);
bool ParseOpenMismatch(std::string_view key, Uuid* carer, RecordKey* visit);
// Those that are listed: 'L', group, rank, carer, visit -> empty. Of those that are open the rank of one whose visit is
// over lies behind all starts.
enum class MismatchGroup : uint8_t { kOpen = 0, kSnoozed = 1, kEnded = 2 };
std::string ListedMismatch(const TenantId& tenant, MismatchGroup group, int64_t rank, const Uuid& carer,
                           const RecordKey& visit);
// Those that have ended, or the others. What comes after `after` (a key; empty: all).
storage::KeyRange ListedMismatches(const TenantId& tenant, bool ended, std::string_view after);
bool ParseListedMismatch(std::string_view key, Uuid* carer, RecordKey* visit);
std::string MismatchLooks(const TenantId& tenant);  // 'A' -> MismatchLooks
// The same in the order of the commits that last changed what is told of them: 'T', revision, carer, visit -> empty.
std::string ToldMismatch(const TenantId& tenant, Revision revision, const Uuid& carer, const RecordKey& visit);
// What comes after `after` (a key; empty: all).
storage::KeyRange ToldMismatches(const TenantId& tenant, std::string_view after);
bool ParseToldMismatch(std::string_view key, Revision* revision, Uuid* carer, RecordKey* visit);

// ---- outbox/, in Space::kRecords

// Those that wait ('N') and those that were given up ('X'): number -> OutboxNotice. Each in the order they were put in.
std::string Notice(const TenantId& tenant, uint64_t number);
// What comes after `after` (a number; 0: all).
storage::KeyRange Notices(const TenantId& tenant, uint64_t after);
bool ParseNotice(std::string_view key, uint64_t* number);
std::string DeadNotice(const TenantId& tenant, uint64_t number);
storage::KeyRange DeadNotices(const TenantId& tenant, uint64_t after);
bool ParseDeadNotice(std::string_view key, uint64_t* number);
// When which of those that wait is tried: 'F', time, number -> empty.
std::string NoticeDue(const TenantId& tenant, int64_t due_us, uint64_t number);
storage::KeyRange AllNoticesDue(const TenantId& tenant);
bool ParseNoticeDue(std::string_view key, int64_t* due_us, uint64_t* number);
std::string Outbox(const TenantId& tenant);  // 'B' -> Outbox

// ---- notifications/, in Space::kRecords; a branch is its record's ID as text, empty where there is none

std::string NotificationSettings(const TenantId& tenant,
                                 std::string_view branch);  // 'S', branch -> NotificationSettings
// What comes after `after` (a key; empty: all).
storage::KeyRange AllNotificationSettings(const TenantId& tenant, std::string_view after);
bool ParseNotificationSettings(std::string_view key, std::string* branch);
// Mismatches that were raised and are to be told: 'R', branch, carer, visit -> empty.
std::string RaisedMismatch(const TenantId& tenant, std::string_view branch, const Uuid& carer, const RecordKey& visit);
storage::KeyRange RaisedMismatchesOf(const TenantId& tenant, std::string_view branch);
// Of the branches that come after this one (nullptr: of all).
storage::KeyRange RaisedMismatchesAfter(const TenantId& tenant, const std::string* branch);
bool ParseRaisedMismatch(std::string_view key, std::string* branch, Uuid* carer, RecordKey* visit);
// The same of those that are held back, to be told as one: 'W', branch, carer, visit -> empty.
std::string HeldMismatch(const TenantId& tenant, std::string_view branch, const Uuid& carer, const RecordKey& visit);
storage::KeyRange HeldMismatchesOf(const TenantId& tenant, std::string_view branch);
storage::KeyRange HeldMismatchesAfter(const TenantId& tenant, const std::string* branch);
bool ParseHeldMismatch(std::string_view key, std::string* branch, Uuid* carer, RecordKey* visit);
std::string ToldHour(const TenantId& tenant, std::string_view branch);  // 'E', branch -> ToldHour
std::string Notifications(const TenantId& tenant);                      // 'G' -> Notifications
std::string OverdueLook(const TenantId& tenant);                        // 'P' -> OverdueLook
// Branches that were told to have too many overdue devices: 'Q', branch -> empty.
std::string OverdueBranch(const TenantId& tenant, std::string_view branch);
storage::KeyRange AllOverdueBranches(const TenantId& tenant);
bool ParseOverdueBranch(std::string_view key, std::string* branch);

// ---- deliveries/; in Space::kRecords, but the marks, which the devices' own commits write in Space::kDevices

// What the carer's feed shows of a visit from a revision on: 'H', carer, revision, visit -> VisitEntry.
std::string VisitEntry(const TenantId& tenant, const Uuid& carer, Revision revision, const RecordKey& visit);
// The carer's, behind (revision, visit).
storage::KeyRange VisitEntriesOf(const TenantId& tenant, const Uuid& carer, Revision revision, const RecordKey& visit);
bool ParseVisitEntry(std::string_view key, Uuid* carer, Revision* revision, RecordKey* visit);
// The same by visit: 'V', visit, carer, revision -> empty.
std::string VisitEntryByVisit(const TenantId& tenant, const RecordKey& visit, const Uuid& carer, Revision revision);
storage::KeyRange VisitEntriesOfVisit(const TenantId& tenant, const RecordKey& visit);
// What comes after `after` (a key; empty: all).
storage::KeyRange AllVisitEntriesByVisit(const TenantId& tenant, std::string_view after);
bool ParseVisitEntryByVisit(std::string_view key, RecordKey* visit, Uuid* carer, Revision* revision);
// The same in the order of commits: 'K', revision, carer, visit -> empty.
std::string VisitEntryByRevision(const TenantId& tenant, Revision revision, const Uuid& carer, const RecordKey& visit);
// What comes after `after` (a key; empty: all).
storage::KeyRange AllVisitEntriesByRevision(const TenantId& tenant, std::string_view after);
bool ParseVisitEntryByRevision(std::string_view key, Revision* revision, Uuid* carer, RecordKey* visit);
// What devices said that they hold: 'm', device, carer, number -> CopyMark. Numbers count the device's marks from 1.
std::string CopyMark(const TenantId& tenant, const Uuid& device, const Uuid& carer, uint64_t number);
// Those with greater numbers than `after`, in the order of their numbers.
storage::KeyRange CopyMarksAfter(const TenantId& tenant, const Uuid& device, const Uuid& carer, uint64_t after);
// Of all carers and devices; what comes after `after` (a key; empty: all).
storage::KeyRange AllCopyMarks(const TenantId& tenant, std::string_view after);
bool ParseCopyMark(std::string_view key, Uuid* device, Uuid* carer, uint64_t* number);
// Marks that are still to be told: 'n', device, carer, number -> empty.
std::string UntoldMark(const TenantId& tenant, const Uuid& device, const Uuid& carer, uint64_t number);
storage::KeyRange AllUntoldMarks(const TenantId& tenant);
bool ParseUntoldMark(std::string_view key, Uuid* device, Uuid* carer, uint64_t* number);
// Those that were told, in the order of the commits that told them: 'U', revision, its running number there ->
// ToldMark.
std::string ToldMark(const TenantId& tenant, Revision revision, uint64_t number);
// What comes after `after` (a key; empty: all).
storage::KeyRange ToldMarks(const TenantId& tenant, std::string_view after);
std::string Keeping(const TenantId& tenant);  // 'Y' -> Keeping

// ---- tenants/, in Space::kRecords

std::string Tenant(const TenantId& tenant);  // 'n' -> Tenant

}  // namespace caresync::base::keys

#endif  // CARESYNC_SERVER_BASE_KEYS_H_
