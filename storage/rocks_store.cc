#include "storage/rocks_store.h"

#include <rocksdb/db.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <deque>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "storage/rocks_errors.h"
#include "storage/rocks_format.h"
#include "storage/rocks_options.h"
#include "storage/rocks_survey.h"

namespace caresync::storage {
namespace {

using Families = std::array<rocksdb::ColumnFamilyHandle*, kSpaceCount>;

rocksdb::ColumnFamilyHandle* FamilyOf(const Families& families, Space space) {
  return families[static_cast<size_t>(space)];
}

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status ReadError(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // A table that is not there was, when the store was opened.
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return absl::DataLossError(
        absl::StrCat("the store is damaged (", status.ToString(), "); restore it from a backup"));
  }
  return absl::UnavailableError(absl::StrCat("the store cannot read: ", status.ToString()));
}

absl::StatusOr<std::optional<std::string>> ToValue(const rocksdb::Status& status, const rocksdb::Slice& value) {
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return ReadError(status);
  return std::optional<std::string>(value.ToString());
}

class RocksSnapshot : public Snapshot {
 public:
  // `db` and `families` must outlive the snapshot.
  RocksSnapshot(rocksdb::DB& db, const Families& families)
      : db_(db), families_(families), snapshot_(db.GetSnapshot()), options_(CheckedReads()) {
    options_.snapshot = snapshot_;
  }
  ~RocksSnapshot() override { db_.ReleaseSnapshot(snapshot_); }

  absl::StatusOr<std::optional<std::string>> Get(Space space, std::string_view key) const override {
    rocksdb::PinnableSlice value;
    return ToValue(db_.Get(options_, FamilyOf(families_, space), ToSlice(key), &value), value);
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(Space space,
                                                                   absl::Span<const std::string> keys) const override {
    std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> found(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_.MultiGet(options_, FamilyOf(families_, space), slices.size(), slices.data(), found.data(), statuses.data());
    std::vector<std::optional<std::string>> values;
    values.reserve(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      absl::StatusOr<std::optional<std::string>> value = ToValue(statuses[i], found[i]);
      if (!value.ok()) return value.status();
      values.push_back(*std::move(value));
    }
    return values;
  }

  absl::Status Scan(Space space, const KeyRange& range, size_t limit, RowVisitor visit) const override {
    rocksdb::ReadOptions options = options_;
    const rocksdb::Slice end = ToSlice(range.end);
    // With the bound known, the iterator stops at it instead of stepping over the deletions behind it.
    if (!range.end.empty()) options.iterate_upper_bound = &end;
    std::unique_ptr<rocksdb::Iterator> rows(db_.NewIterator(options, FamilyOf(families_, space)));
    size_t visited = 0;
    for (rows->Seek(ToSlice(range.begin)); visited < limit && rows->Valid(); rows->Next(), ++visited) {
      if (!visit(ToView(rows->key()), ToView(rows->value()))) return absl::OkStatus();
    }
    return ReadError(rows->status());
  }

 private:
  rocksdb::DB& db_;
  const Families& families_;
  const rocksdb::Snapshot* const snapshot_;
  rocksdb::ReadOptions options_;
};

// RocksDB counts for its thread what it does, each comparison of two keys for one, which nobody here reads.
void CountNothingOnThisThread() { rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable); }

// What a commit costs while it waits: its bytes and the objects around them.
size_t CostOf(const Commit& commit) {
  size_t bytes = sizeof(Commit);
  for (const Precondition& condition : commit.preconditions) {
    bytes += sizeof(condition) + condition.key.size() + condition.expected.value_or("").size();
  }
  for (const Write& write : commit.writes) {
    bytes += sizeof(write) + write.key.size() + (write.value.has_value() ? write.value->size() : 0);
  }
  return bytes;
}

struct Pending {
  Commit commit;
  CommitDone done;
  size_t cost = 0;
  CommitResult result;
};

// The writes of one group, in order; later commits of the group see those of earlier ones.
class GroupWrites {
 public:
  GroupWrites(rocksdb::DB& db, const Families& families) : db_(db), families_(families) {}

  // Adds the commit where its preconditions hold. The commit must outlive this object.
  CommitResult Add(const Commit& commit) {
    for (const Precondition& condition : commit.preconditions) {
      absl::StatusOr<bool> holds = Holds(condition);
      if (!holds.ok()) return {CommitOutcome::kUnavailable, std::string(holds.status().message())};
      if (!*holds) return {CommitOutcome::kConflict, "a key has changed since it was read"};
    }
    for (const Write& write : commit.writes) Append(write);
    not_indexed_.push_back(&commit);
    accepted_ = true;
    durable_ = durable_ || commit.durability == Durability::kDurable;
    return {};
  }

  bool accepted() const { return accepted_; }
  bool durable() const { return durable_; }
  rocksdb::WriteBatch& batch() { return batch_; }

 private:
  absl::StatusOr<bool> Holds(const Precondition& condition) {
    IndexWrites();
    if (auto found = written_.find({condition.space, condition.key}); found != written_.end()) {
      return *found->second == condition.expected;
    }
    rocksdb::PinnableSlice value;
    rocksdb::Status status =
        db_.Get(CheckedReads(), FamilyOf(families_, condition.space), ToSlice(condition.key), &value);
    if (status.IsNotFound()) return !condition.expected.has_value();
    if (!status.ok()) return ReadError(status);
    return condition.expected.has_value() && ToView(value) == *condition.expected;
  }

  // Only where a later commit asks: a large commit is often the only one of its group, or the last.
  void IndexWrites() {
    for (const Commit* commit : not_indexed_) {
      written_.reserve(written_.size() + commit->writes.size());
      for (const Write& write : commit->writes) written_[{write.space, write.key}] = &write.value;
    }
    not_indexed_.clear();
  }

  void Append(const Write& write) {
    rocksdb::ColumnFamilyHandle* family = FamilyOf(families_, write.space);
    rocksdb::Status status =
        write.value.has_value() ? batch_.Put(family, write.key, *write.value) : batch_.Delete(family, write.key);
    // A batch lies in memory and takes up to 4 GiB.
    ABSL_RAW_CHECK(status.ok(), "a write batch took no write");
  }

  rocksdb::DB& db_;
  const Families& families_;
  rocksdb::WriteBatch batch_;
  // What accepted commits wrote; those of `not_indexed_` are to be added.
  absl::flat_hash_map<std::pair<Space, std::string_view>, const std::optional<std::string>*> written_;
  std::vector<const Commit*> not_indexed_;
  bool accepted_ = false;
  bool durable_ = false;
};

}  // namespace

class RocksStore::Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const std::string& directory, const RocksSetup& setup);
  ~Engine();

  absl::StatusOr<std::unique_ptr<Snapshot>> NewSnapshot() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Apply(Commit commit, CommitDone done) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Health() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Failure() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Engine(std::unique_ptr<RocksDirectory> directory, const RocksSetup& setup)
      : directory_(std::move(directory)), setup_(setup), errors_(std::make_shared<RocksErrors>()) {}

  absl::Status OpenDatabase();
  // Before anything is changed: what is there can be read, and all that was acknowledged is there.
  // Has `options` take no more of the logs than that.
  absl::Status LookThroughDatabase(const std::vector<rocksdb::ColumnFamilyDescriptor>& families,
                                   rocksdb::DBOptions& options);
  absl::Status CannotOpen(const rocksdb::Status& status) const;
  absl::Status Damaged(const std::string& how) const;
  // That the database holds all that was acknowledged, where it ends at `recovered`.
  absl::Status CheckAcknowledged(uint64_t recovered) const;
  void RunCommitter() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for commits; an empty group after kProbeEvery without any. False where there will be no more.
  bool TakeGroup(std::vector<Pending>* group) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a write can be tried now; resumes RocksDB where it had stopped.
  absl::Status Probe() ABSL_LOCKS_EXCLUDED(mutex_);
  void CommitGroup(std::vector<Pending>& group) ABSL_LOCKS_EXCLUDED(mutex_);
  // What became of the accepted commits.
  CommitResult WriteGroup(GroupWrites& writes) ABSL_LOCKS_EXCLUDED(mutex_);
  void FailForGood(absl::Status why) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<RocksDirectory> directory_;
  const RocksSetup setup_;
  const std::shared_ptr<RocksErrors> errors_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  Families families_{};
  std::optional<UnbrokenLogs> logs_;
  // What opening takes into tables; 0: nothing.
  uint64_t replayed_log_ = 0;
  std::unique_ptr<rocksdb::DB> db_;

  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Pending> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // As of the last probe.
  absl::Status condition_ ABSL_GUARDED_BY(mutex_);
  // Once not OK it stays so.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);

  std::thread committer_;
};

absl::StatusOr<std::unique_ptr<RocksStore::Engine>> RocksStore::Engine::Open(const std::string& directory,
                                                                             const RocksSetup& setup) {
  absl::StatusOr<std::unique_ptr<RocksDirectory>> held = RocksDirectory::Open(directory);
  if (!held.ok()) return held.status();
  std::unique_ptr<Engine> engine(new Engine(*std::move(held), setup));
  if (absl::Status opened = engine->OpenDatabase(); !opened.ok()) return opened;
  const uint64_t recovered = engine->db_->GetLatestSequenceNumber();
  if (absl::Status checked = engine->CheckAcknowledged(recovered); !checked.ok()) return checked;
  engine->directory_->DropLogsAside();
  engine->committer_ = std::thread([raw = engine.get()] { raw->RunCommitter(); });
  return engine;
}

absl::Status RocksStore::Engine::OpenDatabase() {
  rocksdb::DBOptions options = DatabaseOptions();
  options.listeners.push_back(errors_);
  if (setup_.listener != nullptr) options.listeners.push_back(setup_.listener);
  // Commits were acknowledged here before: an absent database is a loss, not a beginning.
  options.create_if_missing = directory_->acknowledged().value_or(0) == 0;
  directory_->KeepLogsAside();
  if (options.create_if_missing) {
    if (absl::Status made = directory_->MakeDatabase(); !made.ok()) return made;
  }
  if (setup_.env != nullptr) options.env = setup_.env;
  std::vector<rocksdb::ColumnFamilyDescriptor> families = SpaceFamilies();
  for (rocksdb::ColumnFamilyDescriptor& family : families) {
    if (setup_.memtable_bytes > 0) family.options.write_buffer_size = setup_.memtable_bytes;
  }
  if (absl::Status sound = LookThroughDatabase(families, options); !sound.ok()) return sound;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, directory_->database_path(), families, &handles_, &db);
  if (!status.ok()) return CannotOpen(status);
  db_.reset(db);
  // Behind RocksDB's own family, in the order of the enum.
  for (size_t i = 0; i < families_.size(); ++i) families_[i] = handles_[i + 1];
  return replayed_log_ > 0 ? directory_->SetRecoveredLog(replayed_log_) : absl::OkStatus();
}

absl::Status RocksStore::Engine::LookThroughDatabase(const std::vector<rocksdb::ColumnFamilyDescriptor>& families,
                                                     rocksdb::DBOptions& options) {
  Survey survey;
  const rocksdb::Status status = LookThrough(options, directory_->database_path(), families, &survey);
  // One whose making was cut off is made anew.
  if (!status.ok()) return options.create_if_missing ? absl::OkStatus() : CannotOpen(status);
  logs_.emplace(survey.tables_end);
  options.wal_filter = &*logs_;
  replayed_log_ = survey.last_log;
  // A new database needs all logs, from number 0 on.
  const uint64_t recovered_log = directory_->recovered_log();
  if (recovered_log > 0 && survey.needed_log.has_value() && *survey.needed_log <= recovered_log) {
    return Damaged("its manifest has lost what it said last");
  }
  if (survey.torn) options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  return CheckAcknowledged(survey.end);
}

absl::Status RocksStore::Engine::CannotOpen(const rocksdb::Status& status) const {
  const bool new_store = directory_->acknowledged().value_or(0) == 0;
  // RocksDB says that it does not know something, or does not find it, also where a byte of it is another.
  const bool damaged = status.IsCorruption() || status.IsNotSupported() ||
                       (!new_store && (status.IsInvalidArgument() || status.IsPathNotFound()));
  if (!damaged) {
    return absl::UnavailableError(absl::StrCat("cannot open the store in ", directory_->path(), ": ", status.ToString(),
                                               "; check the disk, its room and the permissions"));
  }
  return Damaged(status.ToString());
}

absl::Status RocksStore::Engine::Damaged(const std::string& how) const {
  directory_->KeepLogsForRecovery();
  return absl::DataLossError(absl::StrCat("the store in ", directory_->path(), " is damaged (", how,
                                          "); restore the whole directory from a backup"));
}

absl::Status RocksStore::Engine::CheckAcknowledged(uint64_t recovered) const {
  const uint64_t acknowledged = directory_->acknowledged().value_or(0);
  if (recovered >= acknowledged) return absl::OkStatus();
  directory_->KeepLogsForRecovery();
  return absl::DataLossError(
      absl::StrCat("the store in ", directory_->path(), " has lost commits that it had acknowledged (it ends at ",
                   recovered, " of ", acknowledged, "); its logs as they were are in ", directory_->recovery_path(),
                   ", which stays until you take it away; restore the whole directory from a backup, or delete ",
                   directory_->path(), "/ACKNOWLEDGED to go on without them"));
}

RocksStore::Engine::~Engine() {
  if (committer_.joinable()) {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.NotifyAll();
    }
    committer_.join();
    // Without it the mark only lags.
    directory_->FlushMark().IgnoreError();
  }
  if (db_ == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  // What was acknowledged is in the log; a failure here loses nothing.
  db_->Close().PermitUncheckedError();
}

absl::StatusOr<std::unique_ptr<Snapshot>> RocksStore::Engine::NewSnapshot() const {
  {
    MutexLock lock(mutex_);
    // After a failed write memory and log may differ: what is read now might not be what a restart finds.
    if (!failure_.ok()) return failure_;
  }
  // Whoever makes a snapshot mostly reads it, too.
  CountNothingOnThisThread();
  return std::make_unique<RocksSnapshot>(*db_, families_);
}

void RocksStore::Engine::Apply(Commit commit, CommitDone done) {
  const size_t cost = CostOf(commit);
  {
    MutexLock lock(mutex_);
    // An empty queue takes any commit, however large. One that writes nothing takes no room, and its caller may want to
    // know when all before it are done.
    if (queue_.empty() || commit.writes.empty() || queued_bytes_ + cost <= kQueuedBytes) {
      queued_bytes_ += cost;
      queue_.push_back(Pending{std::move(commit), std::move(done), cost, {}});
      wake_.NotifyOne();
      return;
    }
  }
  done({CommitOutcome::kFull, "too many commits wait for the disk"});
}

absl::Status RocksStore::Engine::Failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

absl::Status RocksStore::Engine::Health() const {
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    if (!condition_.ok()) return condition_;
  }
  return errors_->Stopped();
}

void RocksStore::Engine::RunCommitter() {
  CountNothingOnThisThread();
  std::vector<Pending> group;
  while (TakeGroup(&group)) {
    absl::Status condition = Probe();
    {
      MutexLock lock(mutex_);
      condition_ = condition;
    }
    if (condition.ok()) {
      CommitGroup(group);
    } else {
      const CommitOutcome outcome =
          absl::IsResourceExhausted(condition) ? CommitOutcome::kFull : CommitOutcome::kUnavailable;
      for (Pending& pending : group) pending.result = {outcome, std::string(condition.message())};
    }
    for (Pending& pending : group) pending.done(std::move(pending.result));
    group.clear();
  }
}

bool RocksStore::Engine::TakeGroup(std::vector<Pending>* group) {
  MutexLock lock(mutex_);
  if (queue_.empty() && !stopping_) wake_.WaitFor(mutex_, kProbeEvery);
  size_t bytes = 0;
  while (!queue_.empty() && group->size() < kGroupCommits && bytes < kGroupBytes) {
    bytes += queue_.front().cost;
    group->push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  return !group->empty() || !stopping_;
}

absl::Status RocksStore::Engine::Probe() {
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
  }
  // Stopping while there is still room keeps the log whole, leaves RocksDB the room that its own work needs, and lets
  // the store go on by itself when there is room again; a write that hits the end of the disk could do none of that.
  absl::StatusOr<uint64_t> free_bytes = FreeBytes(directory_->path());
  if (!free_bytes.ok()) return free_bytes.status();
  if (*free_bytes < setup_.reserved_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the disk of ", directory_->path(), " is full: ", *free_bytes,
                                                     " bytes are free, ", setup_.reserved_bytes,
                                                     " are kept; make room or enlarge it"));
  }
  if (errors_->Stopped().ok()) return absl::OkStatus();
  rocksdb::Status resumed = db_->Resume();
  if (!resumed.ok()) return absl::UnavailableError(absl::StrCat("the store has stopped: ", resumed.ToString()));
  errors_->Forget();
  return absl::OkStatus();
}

void RocksStore::Engine::CommitGroup(std::vector<Pending>& group) {
  GroupWrites writes(*db_, families_);
  for (Pending& pending : group) pending.result = writes.Add(pending.commit);
  if (!writes.accepted()) return;
  const CommitResult written = WriteGroup(writes);
  if (written.outcome == CommitOutcome::kCommitted) return;
  for (Pending& pending : group) {
    if (pending.result.outcome == CommitOutcome::kCommitted) pending.result = written;
  }
}

CommitResult RocksStore::Engine::WriteGroup(GroupWrites& writes) {
  rocksdb::WriteOptions options;
  options.sync = writes.durable();
  rocksdb::Status status = db_->Write(options, &writes.batch());
  if (!status.ok()) {
    if (absl::Status refused = errors_->Refused(status); !refused.ok()) {
      return {CommitOutcome::kUnavailable, std::string(refused.message())};
    }
    // The kernel may have dropped what it could not flush and would report the next flush as good: nothing that is
    // written to this log any more can be trusted, and what it holds is known only after it is opened anew.
    FailForGood(absl::UnavailableError(
        absl::StrCat("a write to the store failed (", status.ToString(), "); check the disk and restart the server")));
    return {CommitOutcome::kUnknown, "the log of the store could not be written"};
  }
  if (!writes.durable()) return {};
  absl::Status marked = directory_->Acknowledge(db_->GetLatestSequenceNumber());
  // The commits are safe; the disk that could not take sixteen bytes in place is not.
  if (!marked.ok()) FailForGood(std::move(marked));
  return {};
}

void RocksStore::Engine::FailForGood(absl::Status why) {
  MutexLock lock(mutex_);
  failure_ = std::move(why);
}

RocksStore::RocksStore(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

RocksStore::~RocksStore() = default;

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& directory, const RocksSetup& setup) {
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(directory, setup);
  if (!engine.ok()) return engine.status();
  return std::unique_ptr<RocksStore>(new RocksStore(*std::move(engine)));
}

absl::StatusOr<std::unique_ptr<Snapshot>> RocksStore::NewSnapshot() const { return engine_->NewSnapshot(); }

void RocksStore::Apply(Commit commit, CommitDone done) { engine_->Apply(std::move(commit), std::move(done)); }

absl::Status RocksStore::Health() const { return engine_->Health(); }

absl::Status RocksStore::Failure() const { return engine_->Failure(); }

}  // namespace caresync::storage
