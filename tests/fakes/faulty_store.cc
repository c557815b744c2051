#include "tests/fakes/faulty_store.h"

#include <utility>

namespace caresync::fakes {

using storage::CommitOutcome;
using storage::CommitResult;

class FaultyStore::FaultySnapshot : public storage::Snapshot {
 public:
  FaultySnapshot(const FaultyStore& store, std::unique_ptr<storage::Snapshot> inner)
      : store_(store), inner_(std::move(inner)) {}

  absl::StatusOr<std::optional<std::string>> Get(storage::Space space, std::string_view key) const override {
    if (absl::Status failure = store_.ReadFailure(); !failure.ok()) return failure;
    return inner_->Get(space, key);
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(storage::Space space,
                                                                   absl::Span<const std::string> keys) const override {
    if (absl::Status failure = store_.ReadFailure(); !failure.ok()) return failure;
    return inner_->MultiGet(space, keys);
  }

  absl::Status Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                    storage::RowVisitor visit) const override {
    if (absl::Status failure = store_.ReadFailure(); !failure.ok()) return failure;
    return inner_->Scan(space, range, limit, visit);
  }

 private:
  const FaultyStore& store_;
  const std::unique_ptr<storage::Snapshot> inner_;
};

FaultyStore::~FaultyStore() { ReleaseAll(); }

absl::StatusOr<std::unique_ptr<storage::Snapshot>> FaultyStore::NewSnapshot() const {
  std::function<void()> meanwhile;
  {
    storage::MutexLock lock(mutex_);
    meanwhile = std::exchange(before_snapshot_, nullptr);
  }
  if (meanwhile) meanwhile();
  if (absl::Status failure = ReadFailure(); !failure.ok()) return failure;
  absl::StatusOr<std::unique_ptr<storage::Snapshot>> inner = inner_.NewSnapshot();
  if (!inner.ok()) return inner.status();
  return std::make_unique<FaultySnapshot>(*this, *std::move(inner));
}

void FaultyStore::Apply(storage::Commit commit, storage::CommitDone done) {
  LandWhatIsLate();
  if (KeepForLater(commit)) return Answer({CommitOutcome::kUnknown, "injected: applied late"}, std::move(done));
  const std::optional<Fault> fault = TakeFault();
  if (!fault.has_value() || *fault == Fault::kUnknownApplied) {
    inner_.Apply(std::move(commit), [this, fault, done = std::move(done)](CommitResult result) mutable {
      if (fault.has_value() && result.outcome == CommitOutcome::kCommitted) {
        result = {CommitOutcome::kUnknown, "injected: applied"};
      }
      Answer(std::move(result), std::move(done));
    });
    return;
  }
  switch (*fault) {
    case Fault::kConflict:
      return Answer({CommitOutcome::kConflict, "injected"}, std::move(done));
    case Fault::kUnknownNotApplied:
      return Answer({CommitOutcome::kUnknown, "injected: not applied"}, std::move(done));
    case Fault::kFull:
      return Answer({CommitOutcome::kFull, "injected"}, std::move(done));
    case Fault::kUnavailable:
    case Fault::kUnknownApplied:
      return Answer({CommitOutcome::kUnavailable, "injected"}, std::move(done));
  }
}

absl::Status FaultyStore::Health() const {
  if (absl::Status failure = ReadFailure(); !failure.ok()) return failure;
  {
    storage::MutexLock lock(mutex_);
    if (full_) return absl::ResourceExhaustedError("injected: full");
  }
  return inner_.Health();
}

void FaultyStore::BeforeNextSnapshot(std::function<void()> meanwhile) {
  storage::MutexLock lock(mutex_);
  before_snapshot_ = std::move(meanwhile);
}

void FaultyStore::FailNext(Fault fault, int commits) {
  storage::MutexLock lock(mutex_);
  faults_.insert(faults_.end(), static_cast<size_t>(commits), fault);
}

void FaultyStore::LandLate(storage::Space space) {
  storage::MutexLock lock(mutex_);
  late_of_ = space;
}

void FaultyStore::LandWhatIsLate() {
  std::optional<storage::Commit> late;
  {
    storage::MutexLock lock(mutex_);
    late.swap(late_);
  }
  // Where something else was committed meanwhile it meets a conflict; nobody waits for either.
  if (late.has_value()) inner_.Apply(*std::move(late), [](const CommitResult&) {});
}

bool FaultyStore::KeepForLater(const storage::Commit& commit) {
  storage::MutexLock lock(mutex_);
  const bool is_of =
      late_of_.has_value() && !commit.preconditions.empty() && commit.preconditions.front().space == *late_of_;
  if (!is_of) return false;
  late_of_.reset();
  late_ = commit;
  return true;
}

size_t FaultyStore::faults_left() const {
  storage::MutexLock lock(mutex_);
  return faults_.size();
}

void FaultyStore::SetFull(bool full) {
  storage::MutexLock lock(mutex_);
  full_ = full;
}

void FaultyStore::FailReads(bool fail) {
  storage::MutexLock lock(mutex_);
  reads_fail_ = fail;
}

void FaultyStore::HoldBackDone(bool hold) {
  storage::MutexLock lock(mutex_);
  holding_back_ = hold;
}

size_t FaultyStore::held_back() const {
  storage::MutexLock lock(mutex_);
  return held_back_.size();
}

bool FaultyStore::ReleaseOne() {
  std::function<void()> tell;
  {
    storage::MutexLock lock(mutex_);
    if (held_back_.empty()) return false;
    tell = std::move(held_back_.front());
    held_back_.pop_front();
  }
  tell();
  return true;
}

void FaultyStore::ReleaseAll() {
  while (ReleaseOne()) {
  }
}

void FaultyStore::DropHeldBack() {
  std::deque<std::function<void()>> dropped;
  storage::MutexLock lock(mutex_);
  dropped.swap(held_back_);
}

std::optional<Fault> FaultyStore::TakeFault() {
  storage::MutexLock lock(mutex_);
  if (full_) return Fault::kFull;
  if (faults_.empty()) return std::nullopt;
  const Fault fault = faults_.front();
  faults_.pop_front();
  return fault;
}

absl::Status FaultyStore::ReadFailure() const {
  storage::MutexLock lock(mutex_);
  if (!reads_fail_) return absl::OkStatus();
  return absl::UnavailableError("injected: reads fail");
}

void FaultyStore::Answer(CommitResult result, storage::CommitDone done) {
  {
    storage::MutexLock lock(mutex_);
    if (holding_back_) {
      held_back_.push_back([result = std::move(result), done = std::move(done)] { done(result); });
      return;
    }
  }
  done(std::move(result));
}

}  // namespace caresync::fakes
