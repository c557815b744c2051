// The keys of the outbox.
#include <string>

#include "server/base/key_parts.h"
#include "server/base/keys.h"

namespace caresync::base::keys {
namespace {

using storage::KeyRange;
using storage::TupleReader;

std::string Numbered(const TenantId& tenant, Table table, uint64_t number) {
  return KeyIn(tenant, table).Uint64(number).Take();
}

KeyRange NumberedAfter(const TenantId& tenant, Table table, uint64_t after) {
  KeyRange all = RangeOf(KeyIn(tenant, table));
  return after == 0 ? all : After(std::move(all), Numbered(tenant, table, after));
}

bool ParseNumbered(std::string_view key, Table table, uint64_t* number) {
  TupleReader reader(key);
  return OpenKey(reader, table) && reader.Uint64(number) && reader.AtEnd();
}

}  // namespace

std::string Notice(const TenantId& tenant, uint64_t number) { return Numbered(tenant, Table::kNotice, number); }

KeyRange Notices(const TenantId& tenant, uint64_t after) { return NumberedAfter(tenant, Table::kNotice, after); }

bool ParseNotice(std::string_view key, uint64_t* number) { return ParseNumbered(key, Table::kNotice, number); }

std::string DeadNotice(const TenantId& tenant, uint64_t number) { return Numbered(tenant, Table::kDeadNotice, number); }

KeyRange DeadNotices(const TenantId& tenant, uint64_t after) {
  return NumberedAfter(tenant, Table::kDeadNotice, after);
}

bool ParseDeadNotice(std::string_view key, uint64_t* number) { return ParseNumbered(key, Table::kDeadNotice, number); }

std::string NoticeDue(const TenantId& tenant, int64_t due_us, uint64_t number) {
  return KeyIn(tenant, Table::kNoticeDue).Uint64(Ordered(due_us)).Uint64(number).Take();
}

KeyRange AllNoticesDue(const TenantId& tenant) { return RangeOf(KeyIn(tenant, Table::kNoticeDue)); }

bool ParseNoticeDue(std::string_view key, int64_t* due_us, uint64_t* number) {
  TupleReader reader(key);
  uint64_t due = 0;
  if (!OpenKey(reader, Table::kNoticeDue) || !reader.Uint64(&due) || !reader.Uint64(number)) return false;
  *due_us = FromOrdered(due);
  return reader.AtEnd();
}

std::string Outbox(const TenantId& tenant) { return KeyIn(tenant, Table::kOutbox).Take(); }

}  // namespace caresync::base::keys
