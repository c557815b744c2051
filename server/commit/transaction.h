// One change at work: a snapshot at the tenant's head plus the change's own writes, which it reads back.
//
// Used by one thread at a time. Lives only while its change runs.
#ifndef CARESYNC_SERVER_COMMIT_TRANSACTION_H_
#define CARESYNC_SERVER_COMMIT_TRANSACTION_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/limits.h"
#include "storage/store.h"

namespace caresync::commit {

// What one commit may do to feeds; more is done in further ones. Other than the server's own for tests only.
struct CommitRoom {
  // Entries moved, and entries looked at.
  size_t moved = base::limits::kFanOutEntries;
  size_t looked = base::limits::kFanOutPairs;
  size_t rows = base::limits::kCommitRows;
  // Carers and groups named as those who wait for the rest.
  size_t scopes = base::limits::kFanOutScopes;
};

class Transaction : public storage::Reader {
 public:
  // `base` must outlive the transaction. `revision` is what the change takes if it writes; `now` is its commit time.
  Transaction(const storage::Reader& base, base::TenantId tenant, base::Revision revision, absl::Time now,
              const CommitRoom& room = {});

  // Reader: the base with the writes so far on top.
  absl::StatusOr<std::optional<std::string>> Get(storage::Space space, std::string_view key) const override;
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(storage::Space space,
                                                                   absl::Span<const std::string> keys) const override;
  absl::Status Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                    storage::RowVisitor visit) const override;

  // What there was before this change.
  const storage::Reader& base() const { return base_; }

  void Put(storage::Space space, std::string key, std::string value);
  void Delete(storage::Space space, std::string key);

  // Says that `receiver` has something new: subscribers hear it once this is committed.
  void Announce(const base::ReceiverId& receiver);
  // Says that a task was written that falls due then: the task runner hears it once this is committed.
  void AnnounceTask(absl::Time due);

  // A point to come back to: what was written and announced after `Mark` is forgotten by `RollBackTo`. Marks nest.
  size_t Mark() const { return log_.size(); }
  void RollBackTo(size_t mark);

  const base::TenantId& tenant() const { return tenant_; }
  base::Revision revision() const { return revision_; }
  absl::Time now() const { return now_; }
  const CommitRoom& room() const { return room_; }

  bool wrote() const { return !writes_.empty(); }
  size_t rows() const { return writes_.size(); }
  size_t bytes() const { return bytes_; }

  // What is to be committed; the transaction is at its end.
  std::vector<storage::Write> TakeWrites();
  std::vector<base::ReceiverId> Announced() const;
  std::optional<absl::Time> EarliestTask() const;

 private:
  using Place = std::pair<storage::Space, std::string>;
  struct LogEntry {
    enum class What { kWrite, kAnnounce, kTask } what;
    Place place = {};
    // kWrite: what the place held in `writes_` before, if anything.
    bool had = false;
    std::optional<std::string> before = std::nullopt;
  };
  void Set(storage::Space space, std::string key, std::optional<std::string> value);

  const storage::Reader& base_;
  const base::TenantId tenant_;
  const base::Revision revision_;
  const absl::Time now_;
  const CommitRoom room_;
  std::map<Place, std::optional<std::string>> writes_;
  size_t bytes_ = 0;
  std::vector<base::ReceiverId> announced_;
  std::vector<absl::Time> tasks_;
  std::vector<LogEntry> log_;
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_TRANSACTION_H_
