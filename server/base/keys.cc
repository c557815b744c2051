#include "server/base/keys.h"

#include <utility>

#include "server/base/key_parts.h"
#include "storage/tuple.h"

namespace caresync::base::keys {
namespace {

using storage::KeyRange;
using storage::PrefixRange;
using storage::TupleReader;

constexpr size_t kStringEndBytes = 2;

bool ParsePair(std::string_view key, Table table, RecordKey* first, RecordKey* second) {
  TupleReader reader(key);
  return OpenKey(reader, table) && reader.String(&first->bytes) && reader.String(&second->bytes) && reader.AtEnd();
}

std::string TimedKey(const TenantId& tenant, Table table, int64_t time_us, const RecordKey& record) {
  return KeyIn(tenant, table).Uint64(Ordered(time_us)).String(record.bytes).Take();
}

KeyRange TimedRange(const TenantId& tenant, Table table, int64_t from_us, const RecordKey& from) {
  KeyRange range = RangeOf(KeyIn(tenant, table));
  range.begin = TimedKey(tenant, table, from_us, from);
  return range;
}

bool ParseTimed(std::string_view key, Table table, int64_t* time_us, RecordKey* record) {
  TupleReader reader(key);
  uint64_t ordered = 0;
  if (!OpenKey(reader, table) || !reader.Uint64(&ordered)) return false;
  *time_us = FromOrdered(ordered);
  return reader.String(&record->bytes) && reader.AtEnd();
}

}  // namespace

std::string StoreIdentity() { return KeyIn("", Table::kStoreIdentity).Take(); }

std::string TenantListing(const TenantId& tenant) {
  return KeyIn("", Table::kTenantListing).String(tenant.text()).Take();
}

KeyRange AllTenants(std::string_view after_tenant) {
  KeyRange all = RangeOf(KeyIn("", Table::kTenantListing));
  if (after_tenant.empty()) return all;
  return After(std::move(all), KeyIn("", Table::kTenantListing).String(after_tenant).Take());
}

bool ParseTenantListing(std::string_view key, std::string* tenant) {
  TupleReader reader(key);
  std::string nobody;
  return OpenKey(reader, Table::kTenantListing, &nobody) && nobody.empty() && reader.String(tenant) && reader.AtEnd();
}

std::string TenantHead(const TenantId& tenant) { return KeyIn(tenant, Table::kTenantHead).Take(); }

std::string Timeline(const TenantId& tenant, Revision first_revision) {
  return KeyIn(tenant, Table::kTimeline).Uint64(first_revision).Take();
}

KeyRange Timelines(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kTimeline)); }

bool ParseTimeline(std::string_view key, Revision* first_revision) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kTimeline) && reader.Uint64(first_revision) && reader.AtEnd();
}

std::string Task(const TenantId& tenant, int64_t due_us, std::string_view task_id) {
  return KeyIn(tenant, Table::kTask).Uint64(Ordered(due_us)).String(task_id).Take();
}

KeyRange TasksDueAfter(const TenantId& tenant, int64_t due_us) {
  KeyRange range = AllTasks(tenant);
  range.begin = PrefixRange(KeyIn(tenant, Table::kTask).Uint64(Ordered(due_us)).Take()).end;
  return range;
}

KeyRange AllTasks(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kTask)); }

bool ParseTask(std::string_view key, int64_t* due_us, std::string* task_id) {
  TupleReader reader(key);
  uint64_t ordered = 0;
  if (!OpenKey(reader, Table::kTask) || !reader.Uint64(&ordered)) return false;
  *due_us = FromOrdered(ordered);
  return reader.String(task_id) && reader.AtEnd();
}

std::string FeedEntry(const TenantId& tenant, const ReceiverId& receiver, Revision revision, const RecordKey& record) {
  return KeyIn(tenant, Table::kFeedEntry).String(receiver.bytes).Uint64(revision).String(record.bytes).Take();
}

KeyRange FeedEntriesAfter(const TenantId& tenant, const ReceiverId& receiver, Revision revision,
                          const RecordKey& record) {
  KeyRange range = RangeOf(KeyIn(tenant, Table::kFeedEntry).String(receiver.bytes));
  if (!record.bytes.empty()) return After(std::move(range), FeedEntry(tenant, receiver, revision, record));
  range.begin = KeyIn(tenant, Table::kFeedEntry).String(receiver.bytes).Uint64(revision).Take();
  return range;
}

KeyRange AllFeedEntries(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kFeedEntry)); }

bool ParseFeedEntry(std::string_view key, Revision* revision, RecordKey* record) {
  ReceiverId receiver;
  return ParseFeedEntry(key, &receiver, revision, record);
}

bool ParseFeedEntry(std::string_view key, ReceiverId* receiver, Revision* revision, RecordKey* record) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kFeedEntry) && reader.String(&receiver->bytes) && reader.Uint64(revision) &&
         reader.String(&record->bytes) && reader.AtEnd();
}

std::string FeedPlace(const TenantId& tenant, const ReceiverId& receiver, const RecordKey& record) {
  return KeyIn(tenant, Table::kFeedPlace).String(receiver.bytes).String(record.bytes).Take();
}

std::string FeedHead(const TenantId& tenant, const ReceiverId& receiver) {
  return KeyIn(tenant, Table::kFeedHead).String(receiver.bytes).Take();
}

std::string Record(const TenantId& tenant, const RecordKey& record) {
  return KeyIn(tenant, Table::kRecord).String(record.bytes).Take();
}

KeyRange Records(const TenantId& tenant, std::string_view prefix, const RecordKey& after) {
  // Without the mark that ends a string, a written string is a prefix of those that begin with it.
  std::string open = KeyIn(tenant, Table::kRecord).String(prefix).Take();
  open.resize(open.size() - kStringEndBytes);
  KeyRange all = PrefixRange(open);
  std::string last = Record(tenant, after);
  if (after.bytes.empty() || last < all.begin) return all;
  return After(std::move(all), std::move(last));
}

bool ParseRecord(std::string_view key, RecordKey* record) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kRecord) && reader.String(&record->bytes) && reader.AtEnd();
}

std::string Grant(const TenantId& tenant, const RecordKey& record, const ReceiverId& receiver,
                  std::string_view reason) {
  return KeyIn(tenant, Table::kGrant).String(record.bytes).String(receiver.bytes).String(reason).Take();
}

KeyRange GrantsOfRecord(const TenantId& tenant, const RecordKey& record) {
  return RangeOf(KeyIn(tenant, Table::kGrant).String(record.bytes));
}

KeyRange GrantsOfReceiver(const TenantId& tenant, const RecordKey& record, const ReceiverId& receiver) {
  return RangeOf(KeyIn(tenant, Table::kGrant).String(record.bytes).String(receiver.bytes));
}

bool ParseGrant(std::string_view key, RecordKey* record, ReceiverId* receiver, std::string* reason) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kGrant) && reader.String(&record->bytes) && reader.String(&receiver->bytes) &&
         reader.String(reason) && reader.AtEnd();
}

std::string Child(const TenantId& tenant, const RecordKey& parent, const RecordKey& child) {
  return KeyIn(tenant, Table::kChild).String(parent.bytes).String(child.bytes).Take();
}

KeyRange Children(const TenantId& tenant, const RecordKey& parent) {
  return RangeOf(KeyIn(tenant, Table::kChild).String(parent.bytes));
}

bool ParseChild(std::string_view key, RecordKey* parent, RecordKey* child) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kChild) && reader.String(&parent->bytes) && reader.String(&child->bytes) &&
         reader.AtEnd();
}

std::string Member(const TenantId& tenant, const RecordKey& group, const RecordKey& carer) {
  return KeyIn(tenant, Table::kMember).String(group.bytes).String(carer.bytes).Take();
}

KeyRange Members(const TenantId& tenant, const RecordKey& group, const RecordKey& after_carer) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kMember).String(group.bytes));
  return after_carer.bytes.empty() ? all : After(std::move(all), Member(tenant, group, after_carer));
}

bool ParseMember(std::string_view key, RecordKey* group, RecordKey* carer) {
  return ParsePair(key, Table::kMember, group, carer);
}

std::string GroupOf(const TenantId& tenant, const RecordKey& carer, const RecordKey& group) {
  return KeyIn(tenant, Table::kGroupOf).String(carer.bytes).String(group.bytes).Take();
}

KeyRange GroupsOf(const TenantId& tenant, const RecordKey& carer) {
  return RangeOf(KeyIn(tenant, Table::kGroupOf).String(carer.bytes));
}

bool ParseGroupOf(std::string_view key, RecordKey* carer, RecordKey* group) {
  return ParsePair(key, Table::kGroupOf, carer, group);
}

std::string GroupRecord(const TenantId& tenant, const RecordKey& group, const RecordKey& record) {
  return KeyIn(tenant, Table::kGroupRecord).String(group.bytes).String(record.bytes).Take();
}

KeyRange GroupRecords(const TenantId& tenant, const RecordKey& group, const RecordKey& after_record) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kGroupRecord).String(group.bytes));
  return after_record.bytes.empty() ? all : After(std::move(all), GroupRecord(tenant, group, after_record));
}

bool ParseGroupRecord(std::string_view key, RecordKey* group, RecordKey* record) {
  return ParsePair(key, Table::kGroupRecord, group, record);
}

std::string FanOutScope(const TenantId& tenant, std::string_view scope, std::string_view task_id) {
  return KeyIn(tenant, Table::kFanOutScope).String(scope).String(task_id).Take();
}

KeyRange FanOutScopes(const TenantId& tenant, std::string_view scope) {
  return RangeOf(KeyIn(tenant, Table::kFanOutScope).String(scope));
}

bool ParseFanOutScope(std::string_view key, std::string* scope) {
  TupleReader reader(key);
  std::string task_id;
  return OpenKey(reader, Table::kFanOutScope) && reader.String(scope) && reader.String(&task_id) && reader.AtEnd();
}

KeyRange AllFanOutScopes(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kFanOutScope)); }

std::string VisitByStart(const TenantId& tenant, int64_t start_us, const RecordKey& visit) {
  return TimedKey(tenant, Table::kVisitByStart, start_us, visit);
}

KeyRange VisitsByStart(const TenantId& tenant, int64_t from_us, const RecordKey& from) {
  return TimedRange(tenant, Table::kVisitByStart, from_us, from);
}

bool ParseVisitByStart(std::string_view key, int64_t* start_us, RecordKey* visit) {
  return ParseTimed(key, Table::kVisitByStart, start_us, visit);
}

std::string VisitByEnd(const TenantId& tenant, int64_t end_us, const RecordKey& visit) {
  return TimedKey(tenant, Table::kVisitByEnd, end_us, visit);
}

KeyRange VisitsByEnd(const TenantId& tenant, int64_t from_us, const RecordKey& from) {
  return TimedRange(tenant, Table::kVisitByEnd, from_us, from);
}

bool ParseVisitByEnd(std::string_view key, int64_t* end_us, RecordKey* visit) {
  return ParseTimed(key, Table::kVisitByEnd, end_us, visit);
}

std::string VisitEnd(const TenantId& tenant, const Uuid& carer, int64_t end_us, const RecordKey& visit) {
  return KeyIn(tenant, Table::kVisitEnd).Raw(carer.bytes()).Uint64(Ordered(end_us)).String(visit.bytes).Take();
}

KeyRange VisitEndsAfter(const TenantId& tenant, const Uuid& carer, int64_t after_us) {
  KeyRange range = RangeOf(KeyIn(tenant, Table::kVisitEnd).Raw(carer.bytes()));
  if (after_us == std::numeric_limits<int64_t>::max()) return {range.end, range.end};
  range.begin = KeyIn(tenant, Table::kVisitEnd).Raw(carer.bytes()).Uint64(Ordered(after_us + 1)).Take();
  return range;
}

bool ParseVisitEnd(std::string_view key, Uuid* carer, int64_t* end_us, RecordKey* visit) {
  TupleReader reader(key);
  uint64_t ordered = 0;
  if (!OpenKey(reader, Table::kVisitEnd) || !ReadUuid(reader, carer) || !reader.Uint64(&ordered)) return false;
  *end_us = FromOrdered(ordered);
  return reader.String(&visit->bytes) && reader.AtEnd();
}

std::string WindowEdges(const TenantId& tenant) { return KeyIn(tenant, Table::kWindowEdges).Take(); }

std::string EventIdentity(const TenantId& tenant, std::string_view event_id) {
  return KeyIn(tenant, Table::kEventIdentity).String(event_id).Take();
}

std::string ReviewItem(const TenantId& tenant, std::string_view event_id, std::string_view digest) {
  return KeyIn(tenant, Table::kReviewItem).String(event_id).String(digest).Take();
}

KeyRange AllReviewItems(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kReviewItem)); }

bool ParseReviewItem(std::string_view key, std::string* event_id, std::string* digest) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kReviewItem) && reader.String(event_id) && reader.String(digest) && reader.AtEnd();
}

std::string ReviewByRevision(const TenantId& tenant, bool resolved, Revision revision, std::string_view event_id,
                             std::string_view digest) {
  return KeyIn(tenant, Table::kReviewByRevision)
      .Byte(resolved ? 1 : 0)
      .Uint64(revision)
      .String(event_id)
      .String(digest)
      .Take();
}

KeyRange ReviewsByRevision(const TenantId& tenant, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kReviewByRevision));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseReviewByRevision(std::string_view key, bool* resolved, Revision* revision, std::string* event_id,
                           std::string* digest) {
  TupleReader reader(key);
  uint8_t mark = 0;
  if (!OpenKey(reader, Table::kReviewByRevision) || !reader.Byte(&mark) || !reader.Uint64(revision)) return false;
  *resolved = mark != 0;
  return reader.String(event_id) && reader.String(digest) && reader.AtEnd();
}

std::string ReviewOf(const TenantId& tenant, const RecordKey& carer, const RecordKey& parent, Revision revision,
                     uint64_t sequence, std::string_view event_id, std::string_view digest) {
  return KeyIn(tenant, Table::kReviewOf)
      .String(carer.bytes)
      .String(parent.bytes)
      .Uint64(revision)
      .Uint64(sequence)
      .String(event_id)
      .String(digest)
      .Take();
}

bool ParseReviewOf(std::string_view key, std::string* event_id, std::string* digest) {
  TupleReader reader(key);
  std::string carer;
  std::string parent;
  Revision revision = 0;
  uint64_t sequence = 0;
  return OpenKey(reader, Table::kReviewOf) && reader.String(&carer) && reader.String(&parent) &&
         reader.Uint64(&revision) && reader.Uint64(&sequence) && reader.String(event_id) && reader.String(digest) &&
         reader.AtEnd();
}

KeyRange ReviewsOf(const TenantId& tenant, const RecordKey& carer, const RecordKey& parent) {
  return RangeOf(KeyIn(tenant, Table::kReviewOf).String(carer.bytes).String(parent.bytes));
}

KeyRange AllReviewsOf(const TenantId& tenant, const RecordKey& carer) {
  return RangeOf(KeyIn(tenant, Table::kReviewOf).String(carer.bytes));
}

std::string ExternalId(const TenantId& tenant, std::string_view source, uint8_t kind, std::string_view external_id) {
  return KeyIn(tenant, Table::kExternalId).String(source).Byte(kind).String(external_id).Take();
}

std::string Waiting(const TenantId& tenant, const RecordKey& record) {
  return KeyIn(tenant, Table::kWaiting).String(record.bytes).Take();
}

KeyRange AllWaiting(const TenantId& tenant, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kWaiting));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseWaiting(std::string_view key, RecordKey* record) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kWaiting) && reader.String(&record->bytes) && reader.AtEnd();
}

std::string WaitingFor(const TenantId& tenant, const RecordKey& missing, const RecordKey& waiting) {
  return KeyIn(tenant, Table::kWaitingFor).String(missing.bytes).String(waiting.bytes).Take();
}

KeyRange AllWaitingFor(const TenantId& tenant, const RecordKey& missing) {
  return RangeOf(KeyIn(tenant, Table::kWaitingFor).String(missing.bytes));
}

bool ParseWaitingFor(std::string_view key, RecordKey* missing, RecordKey* waiting) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kWaitingFor) && reader.String(&missing->bytes) && reader.String(&waiting->bytes) &&
         reader.AtEnd();
}

std::string SourceState(const TenantId& tenant, std::string_view source) {
  return KeyIn(tenant, Table::kSourceState).String(source).Take();
}

std::string SourceStanding(const TenantId& tenant, std::string_view source) {
  return KeyIn(tenant, Table::kSourceStanding).String(source).Take();
}

KeyRange SourceStandings(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kSourceStanding)); }

std::string RebuildRelease(const TenantId& tenant) { return KeyIn(tenant, Table::kRebuildRelease).Take(); }

std::string Tenant(const TenantId& tenant) { return KeyIn(tenant, Table::kTenant).Take(); }

}  // namespace caresync::base::keys
