#include "server/commit/store_identity.h"

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::commit {
namespace {

constexpr size_t kTokenKeyBytes = 32;

absl::StatusOr<std::optional<store::StoreIdentity>> Load(const storage::Store& store) {
  ASSIGN_OR_RETURN(const std::unique_ptr<storage::Snapshot> snapshot, store.NewSnapshot());
  ASSIGN_OR_RETURN(
      std::optional<store::StoreIdentity> identity,
      base::GetStored<store::StoreIdentity>(*snapshot, storage::Space::kRecords, base::keys::StoreIdentity()));
  if (identity.has_value() && identity->token_key().size() != kTokenKeyBytes) {
    return base::errors::DamagedRow("the store's identity");
  }
  return identity;
}

storage::CommitResult ApplyAndWait(storage::Store& store, storage::Commit commit) {
  auto done = std::make_shared<std::promise<storage::CommitResult>>();
  std::future<storage::CommitResult> result = done->get_future();
  store.Apply(std::move(commit), [done](storage::CommitResult outcome) { done->set_value(std::move(outcome)); });
  return result.get();
}

}  // namespace

absl::StatusOr<store::StoreIdentity> LoadOrCreateIdentity(storage::Store& store, base::RandomSource& random,
                                                          const base::Clock& clock) {
  for (int tries = 0; tries < base::limits::kConflictTries; ++tries) {
    ASSIGN_OR_RETURN(const std::optional<store::StoreIdentity> stored, Load(store));
    if (stored.has_value()) return *stored;

    store::StoreIdentity made;
    made.set_token_key(random.Bytes(kTokenKeyBytes));
    made.set_create_time_us(base::ToStoredTime(clock.Now()));
    storage::Commit commit;
    commit.preconditions.push_back({storage::Space::kRecords, base::keys::StoreIdentity(), std::nullopt});
    commit.writes.push_back({storage::Space::kRecords, base::keys::StoreIdentity(), made.SerializeAsString()});
    const storage::CommitResult result = ApplyAndWait(store, std::move(commit));
    if (result.outcome == storage::CommitOutcome::kFull) return base::errors::NoRoomToStart(result.detail);
    if (result.outcome == storage::CommitOutcome::kUnavailable) return base::errors::StoreUnavailable(result.detail);
    // Whatever else happened, what is stored now says who was first.
  }
  return base::errors::CommitConflict();
}

absl::StatusOr<bool> HasIdentity(const storage::Store& store) {
  ASSIGN_OR_RETURN(const std::optional<store::StoreIdentity> stored, Load(store));
  return stored.has_value();
}

}  // namespace caresync::commit
