// The keys of the proof of delivery.
#include <string>
#include <utility>

#include "server/base/key_parts.h"
#include "server/base/keys.h"

namespace caresync::base::keys {
namespace {

using storage::KeyRange;
using storage::TupleReader;
using storage::TupleWriter;

KeyRange AllBehind(const TenantId& tenant, Table table, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, table));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

// One of a device's marks of a carer, behind what else the key has.
std::string WithMark(TupleWriter key, const Uuid& device, const Uuid& carer, uint64_t number) {
  return key.Raw(device.bytes()).Raw(carer.bytes()).Uint64(number).Take();
}

bool ParseMark(std::string_view key, Table table, Uuid* device, Uuid* carer, uint64_t* number) {
  TupleReader reader(key);
  return OpenKey(reader, table) && ReadUuid(reader, device) && ReadUuid(reader, carer) && reader.Uint64(number) &&
         reader.AtEnd();
}

}  // namespace

std::string VisitEntry(const TenantId& tenant, const Uuid& carer, Revision revision, const RecordKey& visit) {
  return KeyIn(tenant, Table::kVisitEntry).Raw(carer.bytes()).Uint64(revision).String(visit.bytes).Take();
}

KeyRange VisitEntriesOf(const TenantId& tenant, const Uuid& carer, Revision revision, const RecordKey& visit) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kVisitEntry).Raw(carer.bytes()));
  return After(std::move(all), VisitEntry(tenant, carer, revision, visit));
}

bool ParseVisitEntry(std::string_view key, Uuid* carer, Revision* revision, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kVisitEntry) && ReadUuid(reader, carer) && reader.Uint64(revision) &&
         reader.String(&visit->bytes) && reader.AtEnd();
}

std::string VisitEntryByVisit(const TenantId& tenant, const RecordKey& visit, const Uuid& carer, Revision revision) {
  return KeyIn(tenant, Table::kVisitEntryByVisit).String(visit.bytes).Raw(carer.bytes()).Uint64(revision).Take();
}

KeyRange VisitEntriesOfVisit(const TenantId& tenant, const RecordKey& visit) {
  return RangeOf(KeyIn(tenant, Table::kVisitEntryByVisit).String(visit.bytes));
}

KeyRange AllVisitEntriesByVisit(const TenantId& tenant, std::string_view after) {
  return AllBehind(tenant, Table::kVisitEntryByVisit, after);
}

bool ParseVisitEntryByVisit(std::string_view key, RecordKey* visit, Uuid* carer, Revision* revision) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kVisitEntryByVisit) && reader.String(&visit->bytes) && ReadUuid(reader, carer) &&
         reader.Uint64(revision) && reader.AtEnd();
}

std::string VisitEntryByRevision(const TenantId& tenant, Revision revision, const Uuid& carer, const RecordKey& visit) {
  return KeyIn(tenant, Table::kVisitEntryByRevision).Uint64(revision).Raw(carer.bytes()).String(visit.bytes).Take();
}

KeyRange AllVisitEntriesByRevision(const TenantId& tenant, std::string_view after) {
  return AllBehind(tenant, Table::kVisitEntryByRevision, after);
}

bool ParseVisitEntryByRevision(std::string_view key, Revision* revision, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kVisitEntryByRevision) && reader.Uint64(revision) && ReadUuid(reader, carer) &&
         reader.String(&visit->bytes) && reader.AtEnd();
}

std::string CopyMark(const TenantId& tenant, const Uuid& device, const Uuid& carer, uint64_t number) {
  return WithMark(KeyIn(tenant, Table::kCopyMark), device, carer, number);
}

KeyRange CopyMarksAfter(const TenantId& tenant, const Uuid& device, const Uuid& carer, uint64_t after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kCopyMark).Raw(device.bytes()).Raw(carer.bytes()));
  return After(std::move(all), CopyMark(tenant, device, carer, after));
}

KeyRange AllCopyMarks(const TenantId& tenant, std::string_view after) {
  return AllBehind(tenant, Table::kCopyMark, after);
}

bool ParseCopyMark(std::string_view key, Uuid* device, Uuid* carer, uint64_t* number) {
  return ParseMark(key, Table::kCopyMark, device, carer, number);
}

std::string UntoldMark(const TenantId& tenant, const Uuid& device, const Uuid& carer, uint64_t number) {
  return WithMark(KeyIn(tenant, Table::kUntoldMark), device, carer, number);
}

KeyRange AllUntoldMarks(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kUntoldMark)); }

bool ParseUntoldMark(std::string_view key, Uuid* device, Uuid* carer, uint64_t* number) {
  return ParseMark(key, Table::kUntoldMark, device, carer, number);
}

std::string ToldMark(const TenantId& tenant, Revision revision, uint64_t number) {
  return KeyIn(tenant, Table::kToldMark).Uint64(revision).Uint64(number).Take();
}

KeyRange ToldMarks(const TenantId& tenant, std::string_view after) {
  return AllBehind(tenant, Table::kToldMark, after);
}

std::string Keeping(const TenantId& tenant) { return KeyIn(tenant, Table::kKeeping).Take(); }

}  // namespace caresync::base::keys
