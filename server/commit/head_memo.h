// What was read of tenants lately, kept for as long as their heads stand.
#ifndef CARESYNC_SERVER_COMMIT_HEAD_MEMO_H_
#define CARESYNC_SERVER_COMMIT_HEAD_MEMO_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/base/ids.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::commit {

// All that a tenant has in Space::kRecords and Space::kFeeds changes together with its head row and with nothing else,
// and no two commits leave the same head row. So what one snapshot shows there, every snapshot with that head row
// shows. What devices have of their own (Space::kDevices) changes without it and is never kept.
//
// Thread-safe.
class HeadMemo {
 public:
  // Keeps at most `most_bytes` of all tenants together, what lies around keys and values included: where more comes it
  // begins anew. 0: keeps nothing.
  explicit HeadMemo(size_t most_bytes);
  ~HeadMemo();

 private:
  friend class HeadReader;
  // What was read at one head.
  class Rows;

  // nullptr where the tenant's head has moved past this one since.
  absl::StatusOr<std::shared_ptr<Rows>> RowsAt(const base::TenantId& tenant, const std::string& head_row)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // So much was added to `rows`.
  void Charge(const base::TenantId& tenant, const std::shared_ptr<Rows>& rows, size_t bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t most_bytes_;
  storage::Mutex mutex_;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<base::TenantId, std::shared_ptr<Rows>> tenants_ ABSL_GUARDED_BY(mutex_);
};

// Reads a snapshot, and what is known of its head from before. It answers as the snapshot does, but that a row which
// was read before is not looked at for damage again. For keys of the one tenant. Used by one thread.
class HeadReader : public storage::Reader {
 public:
  // Both must outlive it. Errors are those of reading the head.
  static absl::StatusOr<HeadReader> Open(const storage::Snapshot& snapshot, const base::TenantId& tenant,
                                         HeadMemo& memo);

  absl::StatusOr<std::optional<std::string>> Get(storage::Space space, std::string_view key) const override;
  // Always of the snapshot: what is read this way is large, and seldom read twice.
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(storage::Space space,
                                                                   absl::Span<const std::string> keys) const override;
  // Of Space::kRecords what is not long is kept, where it was read to its end.
  absl::Status Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                    storage::RowVisitor visit) const override;

 private:
  HeadReader(const storage::Snapshot& snapshot, base::TenantId tenant, std::string head_key, HeadMemo& memo,
             std::shared_ptr<HeadMemo::Rows> rows)
      : snapshot_(&snapshot),
        tenant_(std::move(tenant)),
        head_key_(std::move(head_key)),
        memo_(&memo),
        rows_(std::move(rows)) {}

  bool KeepsOn() const;
  // So much was kept.
  void Charge(size_t bytes) const;

  const storage::Snapshot* snapshot_;
  base::TenantId tenant_;
  std::string head_key_;
  HeadMemo* memo_;
  // nullptr: nothing is known of this head, nor kept.
  std::shared_ptr<HeadMemo::Rows> rows_;
  // What it has added.
  mutable size_t kept_ = 0;
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_HEAD_MEMO_H_
