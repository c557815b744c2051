// The keys of sync mismatches.
#include <string>
#include <utility>

#include "server/base/key_parts.h"
#include "server/base/keys.h"

namespace caresync::base::keys {
namespace {

using storage::KeyRange;
using storage::TupleReader;
using storage::TupleWriter;

// A carer and one of the carer's visits, behind what else the key has.
std::string WithPair(TupleWriter key, const Uuid& carer, const RecordKey& visit) {
  return key.Raw(carer.bytes()).String(visit.bytes).Take();
}

bool ReadPair(TupleReader& reader, Uuid* carer, RecordKey* visit) {
  return ReadUuid(reader, carer) && reader.String(&visit->bytes) && reader.AtEnd();
}

TupleWriter Listed(const TenantId& tenant, MismatchGroup group) {
  TupleWriter key = KeyIn(tenant, Table::kListedMismatch);
  key.Byte(static_cast<uint8_t>(group));
  return key;
}

}  // namespace

std::string Mismatch(const TenantId& tenant, const Uuid& carer, const RecordKey& visit) {
  return WithPair(KeyIn(tenant, Table::kMismatch), carer, visit);
}

KeyRange MismatchesOf(const TenantId& tenant, const Uuid& carer, const RecordKey& after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kMismatch).Raw(carer.bytes()));
  return after.bytes.empty() ? all : After(std::move(all), Mismatch(tenant, carer, after));
}

bool ParseMismatch(std::string_view key, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kMismatch) && ReadPair(reader, carer, visit);
}

std::string MismatchLook(const TenantId& tenant, int64_t look_us, const Uuid& carer, const RecordKey& visit) {
  TupleWriter key = KeyIn(tenant, Table::kMismatchLook);
  key.Uint64(Ordered(look_us));
  return WithPair(std::move(key), carer, visit);
}

KeyRange AllMismatchLooks(const TenantId& tenant, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kMismatchLook));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseMismatchLook(std::string_view key, int64_t* look_us, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  uint64_t look = 0;
  if (!OpenKey(reader, Table::kMismatchLook) || !reader.Uint64(&look) || !ReadPair(reader, carer, visit)) return false;
  *look_us = FromOrdered(look);
  return true;
}

std::string OpenMismatch(const TenantId& tenant, const Uuid& carer, const RecordKey& visit) {
  return WithPair(KeyIn(tenant, Table::kOpenMismatch), carer, visit);
}

KeyRange OpenMismatchesOf(const TenantId& tenant, const Uuid& carer) {
  return RangeOf(KeyIn(tenant, Table::kOpenMismatch).Raw(carer.bytes()));
}

KeyRange AllOpenMismatches(const TenantId& tenant, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kOpenMismatch));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseOpenMismatch(std::string_view key, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kOpenMismatch) && ReadPair(reader, carer, visit);
}

std::string ListedMismatch(const TenantId& tenant, MismatchGroup group, int64_t rank, const Uuid& carer,
                           const RecordKey& visit) {
  TupleWriter key = Listed(tenant, group);
  key.Uint64(Ordered(rank));
  return WithPair(std::move(key), carer, visit);
}

KeyRange ListedMismatches(const TenantId& tenant, bool ended, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kListedMismatch));
  (ended ? all.begin : all.end) = Listed(tenant, MismatchGroup::kEnded).Take();
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseListedMismatch(std::string_view key, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  uint8_t group = 0;
  uint64_t rank = 0;
  return OpenKey(reader, Table::kListedMismatch) && reader.Byte(&group) && reader.Uint64(&rank) &&
         ReadPair(reader, carer, visit);
}

std::string MismatchLooks(const TenantId& tenant) { return KeyIn(tenant, Table::kMismatchLooks).Take(); }

std::string ToldMismatch(const TenantId& tenant, Revision revision, const Uuid& carer, const RecordKey& visit) {
  TupleWriter key = KeyIn(tenant, Table::kToldMismatch);
  key.Uint64(revision);
  return WithPair(std::move(key), carer, visit);
}

KeyRange ToldMismatches(const TenantId& tenant, std::string_view after) {
  KeyRange all = RangeOf(KeyIn(tenant, Table::kToldMismatch));
  return after.empty() ? all : After(std::move(all), std::string(after));
}

bool ParseToldMismatch(std::string_view key, Revision* revision, Uuid* carer, RecordKey* visit) {
  TupleReader reader(key);
  return OpenKey(reader, Table::kToldMismatch) && reader.Uint64(revision) && ReadPair(reader, carer, visit);
}

}  // namespace caresync::base::keys
