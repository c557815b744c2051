#include "server/commit/head_memo.h"

#include <array>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "caresync/store/stored.pb.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::commit {
namespace {

using storage::Space;

// What is larger is a record's payload, or a list that grows with what is stored. A tenant's timelines, as many as
// there may be, are less.
constexpr size_t kMostRowBytes = size_t{4} * 1024;
constexpr size_t kMostScannedBytes = size_t{256} * 1024;
// When a reader has added so much, it keeps no more: a sync that makes a copy reads much that nobody asks for again.
constexpr size_t kMostOfAReader = size_t{16} * 1024;
// What a row costs beside its bytes.
constexpr size_t kOverhead = 128;

// As these tables know it.
absl::string_view Lookup(std::string_view key) { return {key.data(), key.size()}; }

// A whole range, as it was scanned.
struct Scanned {
  std::string end;
  size_t limit = 0;
  std::vector<std::pair<std::string, std::string>> rows;
  size_t bytes = 0;
};

}  // namespace

class HeadMemo::Rows {
 public:
  // What is kept here and counts among the bytes of all. The owner's, under its lock.
  size_t charged = 0;

  Rows(std::string head_row, base::Revision revision) : head_row_(std::move(head_row)), revision_(revision) {}

  const std::string& head_row() const { return head_row_; }
  base::Revision revision() const { return revision_; }

  // nullopt: not known.
  std::optional<std::optional<std::string>> Find(Space space, std::string_view key) const ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    const auto& of_space = gets_[static_cast<size_t>(space)];
    const auto found = of_space.find(Lookup(key));
    if (found == of_space.end()) return std::nullopt;
    return found->second;
  }
  // False where it is kept already.
  bool Keep(Space space, std::string_view key, const std::optional<std::string>& value) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return gets_[static_cast<size_t>(space)].try_emplace(Lookup(key), value).second;
  }

  // nullptr: not known.
  std::shared_ptr<const Scanned> FindScan(const storage::KeyRange& range, size_t limit) const
      ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    const auto found = scans_.find(range.begin);
    if (found == scans_.end() || found->second->end != range.end || found->second->limit != limit) return nullptr;
    return found->second;
  }
  // False where one that begins there is kept already.
  bool KeepScan(const std::string& begin, std::shared_ptr<const Scanned> scanned) ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return scans_.try_emplace(begin, std::move(scanned)).second;
  }

 private:
  const std::string head_row_;
  const base::Revision revision_;
  mutable storage::Mutex mutex_;
  std::array<absl::flat_hash_map<std::string, std::optional<std::string>>, storage::kSpaceCount> gets_
      ABSL_GUARDED_BY(mutex_);
  // By where they begin.
  absl::flat_hash_map<std::string, std::shared_ptr<const Scanned>> scans_ ABSL_GUARDED_BY(mutex_);
};

HeadMemo::HeadMemo(size_t most_bytes) : most_bytes_(most_bytes) {}

HeadMemo::~HeadMemo() = default;

absl::StatusOr<std::shared_ptr<HeadMemo::Rows>> HeadMemo::RowsAt(const base::TenantId& tenant,
                                                                 const std::string& head_row) {
  if (most_bytes_ == 0) return std::shared_ptr<Rows>();
  {
    storage::MutexLock lock(mutex_);
    const auto known = tenants_.find(tenant);
    if (known != tenants_.end() && known->second->head_row() == head_row) return known->second;
  }
  ASSIGN_OR_RETURN(const store::TenantHead head, base::ParseStored<store::TenantHead>(head_row));
  auto rows = std::make_shared<Rows>(head_row, head.revision());
  rows->charged = sizeof(Rows) + head_row.size() + kOverhead;
  // What it takes the place of goes when the lock is released.
  std::shared_ptr<Rows> before;
  storage::MutexLock lock(mutex_);
  std::shared_ptr<Rows>& known = tenants_[tenant];
  if (known != nullptr && known->head_row() == head_row) return known;
  // A snapshot of before: those who read later are more.
  if (known != nullptr && known->revision() > head.revision()) return std::shared_ptr<Rows>();
  before = std::exchange(known, rows);
  if (before != nullptr) bytes_ -= before->charged;
  bytes_ += rows->charged;
  return rows;
}

void HeadMemo::Charge(const base::TenantId& tenant, const std::shared_ptr<Rows>& rows, size_t bytes) {
  // What makes room goes when the lock is released.
  std::map<base::TenantId, std::shared_ptr<Rows>> gone;
  storage::MutexLock lock(mutex_);
  const auto known = tenants_.find(tenant);
  // Nobody but those who hold it still asks it.
  if (known == tenants_.end() || known->second != rows) return;
  bytes_ += bytes;
  rows->charged += bytes;
  if (bytes_ <= most_bytes_) return;
  gone.swap(tenants_);
  bytes_ = 0;
}

absl::StatusOr<HeadReader> HeadReader::Open(const storage::Snapshot& snapshot, const base::TenantId& tenant,
                                            HeadMemo& memo) {
  std::string key = base::keys::TenantHead(tenant);
  ASSIGN_OR_RETURN(std::optional<std::string> head, snapshot.Get(Space::kRecords, key));
  if (!head.has_value()) return HeadReader(snapshot, tenant, std::move(key), memo, nullptr);
  ASSIGN_OR_RETURN(std::shared_ptr<HeadMemo::Rows> rows, memo.RowsAt(tenant, *head));
  return HeadReader(snapshot, tenant, std::move(key), memo, std::move(rows));
}

absl::StatusOr<std::optional<std::string>> HeadReader::Get(Space space, std::string_view key) const {
  if (rows_ == nullptr || space == Space::kDevices) return snapshot_->Get(space, key);
  if (space == Space::kRecords && key == head_key_) return std::optional<std::string>(rows_->head_row());
  if (std::optional<std::optional<std::string>> known = rows_->Find(space, key); known.has_value()) {
    return *std::move(known);
  }
  ASSIGN_OR_RETURN(std::optional<std::string> value, snapshot_->Get(space, key));
  const size_t bytes = key.size() + (value.has_value() ? value->size() : 0);
  if (bytes <= kMostRowBytes && KeepsOn() && rows_->Keep(space, key, value)) Charge(bytes);
  return value;
}

absl::StatusOr<std::vector<std::optional<std::string>>> HeadReader::MultiGet(Space space,
                                                                             absl::Span<const std::string> keys) const {
  return snapshot_->MultiGet(space, keys);
}

absl::Status HeadReader::Scan(Space space, const storage::KeyRange& range, size_t limit,
                              storage::RowVisitor visit) const {
  if (rows_ == nullptr || space != Space::kRecords) return snapshot_->Scan(space, range, limit, visit);
  if (const std::shared_ptr<const Scanned> known = rows_->FindScan(range, limit); known != nullptr) {
    for (const auto& [key, value] : known->rows) {
      if (!visit(key, value)) break;
    }
    return absl::OkStatus();
  }
  auto scanned = std::make_shared<Scanned>(Scanned{range.end, limit, {}, range.begin.size() + range.end.size()});
  bool keeps = KeepsOn();
  RETURN_IF_ERROR(snapshot_->Scan(space, range, limit, [&](std::string_view key, std::string_view value) {
    scanned->bytes += key.size() + value.size() + kOverhead;
    keeps = keeps && scanned->bytes <= kMostScannedBytes;
    if (keeps) scanned->rows.emplace_back(key, value);
    const bool goes_on = visit(key, value);
    // What would have come after is not known.
    keeps = keeps && goes_on;
    return goes_on;
  }));
  if (keeps && rows_->KeepScan(range.begin, scanned)) Charge(scanned->bytes);
  return absl::OkStatus();
}

bool HeadReader::KeepsOn() const { return kept_ <= kMostOfAReader; }

void HeadReader::Charge(size_t bytes) const {
  kept_ += bytes + kOverhead;
  memo_->Charge(tenant_, rows_, bytes + kOverhead);
}

}  // namespace caresync::commit
