#include "server/devices/device_row_change.h"

#include <memory>
#include <utility>

#include "server/base/errors.h"
#include "server/base/limits.h"

namespace caresync::devices {
namespace {

struct Pending {
  storage::Store& store;
  base::Executor& executor;
  MakeCommit make;
  std::function<void(absl::Status)> done;
  int tries = 0;
};

void Try(const std::shared_ptr<Pending>& pending) {
  if (++pending->tries > base::limits::kConflictTries) return pending->done(base::errors::CommitConflict());
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = pending->store.NewSnapshot();
  if (!snapshot.ok()) return pending->done(snapshot.status());
  absl::StatusOr<std::optional<storage::Commit>> commit = pending->make(**snapshot);
  if (!commit.ok()) return pending->done(commit.status());
  if (!commit->has_value()) return pending->done(absl::OkStatus());
  pending->store.Apply(**std::move(commit), [pending](const storage::CommitResult& result) {
    switch (result.outcome) {
      case storage::CommitOutcome::kCommitted:
        return pending->done(absl::OkStatus());
      case storage::CommitOutcome::kFull:
        return pending->done(base::errors::StoreFull());
      case storage::CommitOutcome::kUnavailable:
        return pending->done(base::errors::StoreUnavailable(result.detail));
      case storage::CommitOutcome::kConflict:
      case storage::CommitOutcome::kUnknown:
        // The next try reads what is stored now, and finds nothing left to do where this one was written after all.
        return pending->executor.Post([pending] { Try(pending); });
    }
  });
}

}  // namespace

void ChangeDeviceRow(storage::Store& store, base::Executor& executor, MakeCommit make,
                     std::function<void(absl::Status)> done) {
  const auto pending = std::make_shared<Pending>(Pending{store, executor, std::move(make), std::move(done)});
  executor.Post([pending] { Try(pending); });
}

}  // namespace caresync::devices
