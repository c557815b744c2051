// One change at work: a snapshot at the tenant's head plus the change's own writes, which it reads back.
//
// Used by one thread at a time. Lives only while its change runs.
#ifndef CARESYNC_SERVER_COMMIT_TRANSACTION_H_
#define CARESYNC_SERVER_COMMIT_TRANSACTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
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
  // Carers or pairs that one task of a fan-out lists; at least 1.
  size_t listed = base::limits::kFanOutListed;
};

class Transaction : public storage::Reader {
  // What the change makes of a row.
  struct Own {
    // nullopt: deleted.
    std::optional<std::string> value;
    // The number of the write that made it so, from 1.
    uint64_t written = 0;
  };
  using Place = std::pair<storage::Space, std::string>;
  using PlaceView = std::pair<storage::Space, std::string_view>;
  // By space, then by key; a view is looked for without being copied.
  struct PlaceOrder {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      if (a.first != b.first) return a.first < b.first;
      return std::string_view(a.second) < std::string_view(b.second);
    }
  };
  using Writes = std::map<Place, Own, PlaceOrder>;

 public:
  // Where and by which write a row was put: a row that is put again and again need not be looked for each time. Of use
  // to the transaction alone that gave it. One that no transaction gave stands for no row.
  class PutRow {
   public:
    PutRow() = default;

   private:
    friend class Transaction;
    PutRow(Writes::iterator own, uint64_t written) : own_(own), written_(written) {}
    Writes::iterator own_;
    uint64_t written_ = 0;
  };

  // `base` must outlive the transaction. `revision` is what the change takes if it writes; `now` is its commit time.
  Transaction(const storage::Reader& base, base::TenantId tenant, base::Revision revision, absl::Time now,
              const CommitRoom& room = {});
  // What it wrote is pointed to.
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Reader: the base with the writes so far on top.
  absl::StatusOr<std::optional<std::string>> Get(storage::Space space, std::string_view key) const override;
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(storage::Space space,
                                                                   absl::Span<const std::string> keys) const override;
  absl::Status Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                    storage::RowVisitor visit) const override;

  // Reads these keys of the base at once and keeps what they hold until the next call: Get need not ask the base for
  // them, and answers as it does without. Errors are those of reading.
  absl::Status ReadAhead(storage::Space space, std::vector<std::string> keys);

  // What there was before this change.
  const storage::Reader& base() const { return base_; }

  // Shows what the change makes of the rows of `range`, in key order; nullopt: it deletes the row. What is written last
  // counts, and rows of the base that it leaves alone are not shown. False ends it. Meanwhile no row of `range` may be
  // written or rolled back; others may.
  using OwnVisitor = absl::FunctionRef<bool(std::string_view key, const std::optional<std::string>& value)>;
  void VisitOwn(storage::Space space, const storage::KeyRange& range, OwnVisitor visit) const;

  PutRow Put(storage::Space space, std::string key, std::string value);
  void Delete(storage::Space space, std::string key);
  // Whether the row is as that Put or PutAgain left it: nothing wrote it since, and nothing of the transaction at all
  // was rolled back or taken since.
  bool Stands(const PutRow& row) const;
  // Puts a row again. It must stand, and stands afterwards.
  void PutAgain(PutRow& row, std::string value);

  // Says that `receiver` has something new: subscribers hear it once this is committed.
  void Announce(const base::ReceiverId& receiver);
  // Says that a task was written that falls due then: the task runner hears it once this is committed.
  void AnnounceTask(absl::Time due);
  // Calls `heard` once this is committed, before whoever submitted the change hears of it: for what counts commits. On
  // an executor thread; it must not block. Not where the outcome stays unknown.
  void OnCommitted(std::function<void()> heard);

  // The commit is to take effect only while the row holds these bytes (nullopt: while it is absent); else the change
  // runs again, on what is stored then. For rows by which the change decides what it writes and which are written
  // without the sequencer (Space::kDevices); that the head stands holds all others. Of no effect where nothing is
  // written.
  void Require(storage::Space space, std::string key, std::optional<std::string> expected);

  // A point to come back to: what was written, required and announced after `Mark`, and who was to hear of the commit,
  // is forgotten by `RollBackTo`. Marks nest.
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
  // On which conditions of its own, in the order they were required; likewise at its end.
  std::vector<storage::Precondition> TakeConditions();
  std::vector<base::ReceiverId> Announced() const;
  std::optional<absl::Time> EarliestTask() const;
  // In the order they were given; likewise at its end.
  std::vector<std::function<void()>> TakeOnCommitted();

 private:
  struct LogEntry {
    enum class What { kWrite, kCondition, kAnnounce, kTask, kOnCommitted } what;
    // kWrite: where in `writes_`, and what was there before, if anything. Rows leave `writes_` only with the entry that
    // brought them, which is the first of theirs.
    Writes::iterator own = {};
    bool had = false;
    std::optional<std::string> before = std::nullopt;
  };
  PutRow Set(storage::Space space, std::string key, std::optional<std::string> value);
  PutRow Replace(Writes::iterator own, bool had, std::optional<std::string> value);

  const storage::Reader& base_;
  const base::TenantId tenant_;
  const base::Revision revision_;
  const absl::Time now_;
  const CommitRoom room_;
  // What was read ahead of the base, and the keys that it points to.
  absl::flat_hash_map<PlaceView, std::optional<std::string>> ahead_;
  std::vector<std::string> ahead_keys_;
  Writes writes_;
  size_t bytes_ = 0;
  // How many writes there were, those included that were rolled back, and how many when some last were, or were taken.
  uint64_t written_ = 0;
  uint64_t rolled_back_at_ = 0;
  std::vector<storage::Precondition> conditions_;
  std::vector<base::ReceiverId> announced_;
  std::vector<absl::Time> tasks_;
  std::vector<std::function<void()>> on_committed_;
  std::vector<LogEntry> log_;
};

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_TRANSACTION_H_
