#include "server/records/record_store.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/feed/feed_entry.h"
#include "server/records/grants.h"
#include "server/records/visibility.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;
using base::limits::kFanOutEntries;
using storage::Space;

RecordKey KeyOfRecord(const store::Record& record) {
  const std::optional<base::Uuid> id = base::Uuid::Parse(record.record_id());
  ABSL_RAW_CHECK(id.has_value(), "a record is to be stored under an ID that is no UUID");
  return KeyOf({record.kind(), *id});
}

bool IsUnchanged(const store::Record& old, const store::Record& record) {
  return old.payload() == record.payload() && old.published() == record.published() &&
         old.cancelled() == record.cancelled() && old.origin().source() == record.origin().source() &&
         old.origin().external_id() == record.origin().external_id() &&
         old.origin().source_version() == record.origin().source_version();
}

// Sets what is not the caller's. The version is the payload's: a feed entry that is right already is not moved by a
// change of what no device gets.
void Complete(store::Record& record, const std::optional<store::Record>& old, const commit::Transaction& transaction) {
  const bool same_payload = old.has_value() && old->payload() == record.payload();
  record.set_version(same_payload ? old->version() : transaction.revision());
  record.set_created_time_us(old.has_value() ? old->created_time_us() : base::ToStoredTime(transaction.now()));
  record.set_fingerprint(feed::Fingerprint(static_cast<uint32_t>(record.kind()), record.record_id(), record.payload()));
}

// Puts the grant rows right and adds whom and what the change of each concerns to `affected`.
void ReplaceGrants(commit::Transaction& transaction, const std::set<Grant>& before, const std::set<Grant>& after,
                   std::set<Affected>& affected) {
  for (const Grant& grant : before) {
    if (after.contains(grant)) continue;
    RemoveGrant(transaction, grant);
    affected.insert({grant.receiver, grant.record});
  }
  for (const Grant& grant : after) {
    if (before.contains(grant)) continue;
    AddGrant(transaction, grant);
    affected.insert({grant.receiver, grant.record});
  }
}

}  // namespace

absl::StatusOr<std::optional<store::Record>> GetRecord(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const RecordKey& key) {
  return base::GetStored<store::Record>(reader, Space::kRecords, base::keys::Record(tenant, key));
}

absl::StatusOr<PutOutcome> RecordStore::Put(store::Record record) {
  ABSL_RAW_CHECK(record.kind() != v1::RECORD_KIND_CARE_EVENT, "a care event is stored by PutCareEvent");
  const RecordKey key = KeyOfRecord(record);
  ASSIGN_OR_RETURN(const std::optional<store::Record> old, GetRecord(transaction_, transaction_.tenant(), key));
  if (old.has_value() && IsUnchanged(*old, record)) return PutOutcome::kUnchanged;
  Complete(record, old, transaction_);
  transaction_.Put(Space::kRecords, base::keys::Record(transaction_.tenant(), key), record.SerializeAsString());

  std::set<Affected> affected;
  ReplaceGrants(transaction_, old.has_value() ? GrantsGivenBy(*old, "") : std::set<Grant>(), GrantsGivenBy(record, ""),
                affected);
  if (!old.has_value() || old->payload() != record.payload()) RETURN_IF_ERROR(AddReceivers(key, key, affected));
  RETURN_IF_ERROR(Settle(affected));
  return old.has_value() ? PutOutcome::kUpdated : PutOutcome::kCreated;
}

absl::Status RecordStore::PutCareEvent(store::Record event, const store::Record& parent) {
  ABSL_RAW_CHECK(event.kind() == v1::RECORD_KIND_CARE_EVENT, "only a care event hangs on another record");
  const RecordKey key = KeyOfRecord(event);
  const RecordKey parent_key = KeyOfRecord(parent);
  Complete(event, std::nullopt, transaction_);
  transaction_.Put(Space::kRecords, base::keys::Record(transaction_.tenant(), key), event.SerializeAsString());
  transaction_.Put(Space::kRecords, base::keys::Child(transaction_.tenant(), parent_key, key), std::string());

  std::set<Affected> affected;
  ReplaceGrants(transaction_, {}, GrantsGivenBy(event, parent.origin().source()), affected);
  RETURN_IF_ERROR(AddReceivers(parent_key, key, affected));
  return Settle(affected);
}

void RecordStore::RollBackTo(const Mark& mark) {
  transaction_.RollBackTo(mark.transaction);
  feeds_.set_moved(mark.moved);
}

absl::Status RecordStore::AddReceivers(const RecordKey& seen, const RecordKey& record, std::set<Affected>& affected) {
  ASSIGN_OR_RETURN(const std::vector<ReceiverId> receivers,
                   ReceiversOf(transaction_, transaction_.tenant(), seen, kFanOutEntries));
  if (receivers.size() > kFanOutEntries) return base::errors::FanOutTooLarge(receivers.size());
  for (const ReceiverId& receiver : receivers) affected.insert({receiver, record});
  return absl::OkStatus();
}

absl::Status RecordStore::Settle(const std::set<Affected>& affected) {
  const size_t before = feeds_.moved();
  for (const auto& [receiver, record] : affected) {
    RETURN_IF_ERROR(SettleFeed(feeds_, receiver, record));
    const size_t moved = feeds_.moved() - before;
    if (moved > kFanOutEntries) return base::errors::FanOutTooLarge(moved);
  }
  if (feeds_.moved() > kFanOutEntries) return base::errors::CommitTooLarge();
  return absl::OkStatus();
}

}  // namespace caresync::records
