#include "server/records/visibility.h"

#include <optional>
#include <string_view>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/records/grants.h"
#include "server/records/record_store.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;

absl::StatusOr<feed::Moved> SettleAlone(feed::FeedWriter& feeds, const ReceiverId& receiver, const RecordKey& key) {
  commit::Transaction& transaction = feeds.transaction();
  ASSIGN_OR_RETURN(const bool visible, IsVisible(transaction, transaction.tenant(), key, receiver));
  if (!visible) return feeds.Remove(receiver, key);
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, GetRecord(transaction, transaction.tenant(), key));
  if (!record.has_value()) return feeds.Remove(receiver, key);
  return feeds.Upsert(receiver, {key, record->version(), record->fingerprint(), record->payload().size()});
}

absl::StatusOr<std::vector<RecordKey>> ChildrenOf(const commit::Transaction& transaction, const RecordKey& parent) {
  std::vector<RecordKey> children;
  bool damaged = false;
  // Read up to the bound on one commit: past it the caller refuses the change anyway.
  RETURN_IF_ERROR(transaction.Scan(storage::Space::kRecords, base::keys::Children(transaction.tenant(), parent),
                                   base::limits::kFanOutEntries + 1, [&](std::string_view key, std::string_view) {
                                     RecordKey of;
                                     RecordKey child;
                                     damaged = !base::keys::ParseChild(key, &of, &child);
                                     children.push_back(std::move(child));
                                     return !damaged;
                                   }));
  if (damaged) return base::errors::DamagedRow("child");
  return children;
}

}  // namespace

absl::Status SettleFeed(feed::FeedWriter& feeds, const ReceiverId& receiver, const RecordKey& record) {
  ASSIGN_OR_RETURN(const feed::Moved moved, SettleAlone(feeds, receiver, record));
  if (moved != feed::Moved::kAppeared && moved != feed::Moved::kDisappeared) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<RecordKey> children, ChildrenOf(feeds.transaction(), record));
  for (const RecordKey& child : children) RETURN_IF_ERROR(SettleAlone(feeds, receiver, child).status());
  return absl::OkStatus();
}

}  // namespace caresync::records
