// A Store that fails when a test says so, around one that does not.
#ifndef CARESYNC_TESTS_FAKES_FAULTY_STORE_H_
#define CARESYNC_TESTS_FAKES_FAULTY_STORE_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "storage/mutex.h"
#include "storage/store.h"

namespace caresync::fakes {

enum class Fault {
  kConflict,           // Answered kConflict, not written, whatever the preconditions.
  kUnknownApplied,     // Applied to the inner store, then answered kUnknown; a precondition that does not hold is a
                       // conflict.
  kUnknownNotApplied,  // Answered kUnknown, not written.
  kFull,               // Answered kFull, not written.
  kUnavailable,        // Answered kUnavailable, not written.
};

// Thread-safe. With no fault set it behaves as the inner store does.
class FaultyStore : public storage::Store {
 public:
  // `inner` must outlive this, and outlives it where a test lets a server crash and start again.
  explicit FaultyStore(storage::Store& inner) : inner_(inner) {}
  // Answers what is held back.
  ~FaultyStore() override;

  absl::StatusOr<std::unique_ptr<storage::Snapshot>> NewSnapshot() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Apply(storage::Commit commit, storage::CommitDone done) override ABSL_LOCKS_EXCLUDED(mutex_);
  // Not OK while it is full or reads fail.
  absl::Status Health() const override ABSL_LOCKS_EXCLUDED(mutex_);

  // The next `commits` commits meet `fault`, after those that were asked for before.
  void FailNext(Fault fault, int commits = 1) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next commit that is made on condition of a row of `space` is answered kUnknown, and takes effect when the
  // commit after it is about to, if it still can: too late for whoever looked for it at once.
  void LandLate(storage::Space space) ABSL_LOCKS_EXCLUDED(mutex_);
  // Faults asked for that no commit has met yet.
  size_t faults_left() const ABSL_LOCKS_EXCLUDED(mutex_);

  // While it is full, every commit is answered kFull, and none is written.
  void SetFull(bool full) ABSL_LOCKS_EXCLUDED(mutex_);
  // While it fails, new snapshots and reads of those there are answer kUnavailable.
  void FailReads(bool fail) ABSL_LOCKS_EXCLUDED(mutex_);

  // `meanwhile` happens before the next snapshot is taken: somebody else was a little quicker.
  void BeforeNextSnapshot(std::function<void()> meanwhile) ABSL_LOCKS_EXCLUDED(mutex_);

  // Commits take effect at once, but nobody is told until ReleaseOne or ReleaseAll.
  void HoldBackDone(bool hold) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t held_back() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The oldest one; false where none is held back.
  bool ReleaseOne() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // A crash of the server: those who wait are never told.
  void DropHeldBack() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class FaultySnapshot;

  std::optional<Fault> TakeFault() ABSL_LOCKS_EXCLUDED(mutex_);
  void LandWhatIsLate() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the commit is to be late, and is kept until then.
  bool KeepForLater(const storage::Commit& commit) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status ReadFailure() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Answer(storage::CommitResult result, storage::CommitDone done) ABSL_LOCKS_EXCLUDED(mutex_);

  storage::Store& inner_;
  mutable storage::Mutex mutex_;
  std::deque<Fault> faults_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> held_back_ ABSL_GUARDED_BY(mutex_);
  mutable std::function<void()> before_snapshot_ ABSL_GUARDED_BY(mutex_);
  // On condition of whose rows a commit is to be late; the one that is.
  std::optional<storage::Space> late_of_ ABSL_GUARDED_BY(mutex_);
  std::optional<storage::Commit> late_ ABSL_GUARDED_BY(mutex_);
  bool holding_back_ ABSL_GUARDED_BY(mutex_) = false;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_fail_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_FAULTY_STORE_H_
