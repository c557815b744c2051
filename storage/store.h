// The contract of an ordered key-value store: consistent snapshots and conditional, atomic commits of bytes.
//
// A store knows nothing of what lies in it. Every engine (RocksStore, MemoryStore, FaultyStore in tests) passes the one
// conformance suite in tests/conformance/.
//
// Thread-safety: Store and Snapshot may be used from any thread at the same time.
// Lifetime: a snapshot must be released before its store is destroyed. Destroying a store waits for commits under way.
#ifndef CARESYNC_STORAGE_STORE_H_
#define CARESYNC_STORAGE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace caresync::storage {

// Spaces part keys by how they are used, so that an engine can tune each. A key is unique within its space.
enum class Space : uint8_t {
  kRecords = 0,  // Point reads, short scans; overwritten in place.
  kFeeds = 1,    // Entries that keep moving to the end: many deletions at the front of a range, scans from a position.
  kDevices = 2,  // Small rows that are overwritten very often.
};
inline constexpr int kSpaceCount = 3;

// Keys k with begin <= k < end, bytewise. An empty `end` means no upper bound.
struct KeyRange {
  std::string begin;
  std::string end;
};

// The range of all keys that begin with `prefix`.
KeyRange PrefixRange(std::string_view prefix);

// Called for each row in key order; the views are valid during the call only. False ends the scan.
using RowVisitor = absl::FunctionRef<bool(std::string_view key, std::string_view value)>;

// What can be read of a state of the store: a snapshot, or a transaction on top of one.
//
// Errors: kUnavailable where the engine cannot read now; kDataLoss where what it reads is damaged. An absent key is no
// error.
class Reader {
 public:
  virtual ~Reader() = default;

  virtual absl::StatusOr<std::optional<std::string>> Get(Space space, std::string_view key) const = 0;

  // One value a key, in the order of `keys`.
  virtual absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(
      Space space, absl::Span<const std::string> keys) const = 0;

  // Visits at most `limit` rows of `range` in ascending key order.
  virtual absl::Status Scan(Space space, const KeyRange& range, size_t limit, RowVisitor visit) const = 0;
};

// A state of the store between two commits; later commits do not change it.
class Snapshot : public Reader {};

// A key's version is its bytes: the condition holds while the key has exactly these (nullopt: while it is absent).
// Callers that must tell two equal states apart put something unique into the value.
struct Precondition {
  Space space;
  std::string key;
  std::optional<std::string> expected;
};

// A put, or with nullopt a deletion.
struct Write {
  Space space;
  std::string key;
  std::optional<std::string> value;
};

enum class Durability : uint8_t {
  // Survives a power cut once reported committed.
  kDurable,
  // Survives a crash of the process; a power cut may lose the last ones, in order, never one that a durable commit
  // followed.
  kBuffered,
};

// All writes or none. A later write to a key replaces an earlier one.
struct Commit {
  std::vector<Precondition> preconditions;
  std::vector<Write> writes;
  Durability durability = Durability::kDurable;
};

enum class CommitOutcome : uint8_t {
  kCommitted,
  kConflict,     // A precondition did not hold; nothing was written.
  kUnknown,      // It may or may not have been written; look for it.
  kFull,         // No room; nothing was written. Trying again later may help.
  kUnavailable,  // The engine takes no commits; nothing was written.
};

struct CommitResult {
  CommitOutcome outcome = CommitOutcome::kCommitted;
  // For people; empty where committed.
  std::string detail;
};

using CommitDone = std::function<void(CommitResult)>;

class Store {
 public:
  virtual ~Store() = default;

  // Sees every commit that was reported committed before the call.
  virtual absl::StatusOr<std::unique_ptr<Snapshot>> NewSnapshot() const = 0;

  // Applies `commit` and calls `done` exactly once, on any thread, perhaps before returning. Preconditions are checked
  // and writes applied in one step that no other commit comes between. Commits may share a flush.
  virtual void Apply(Commit commit, CommitDone done) = 0;

  // OK while commits can be expected to succeed; else why not. Never blocks.
  virtual absl::Status Health() const = 0;
};

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_STORE_H_
