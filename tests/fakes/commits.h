// Commits and reads of a Store in one line, for tests.
#ifndef CARESYNC_TESTS_FAKES_COMMITS_H_
#define CARESYNC_TESTS_FAKES_COMMITS_H_

#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "storage/store.h"

namespace caresync::fakes {

using Rows = std::vector<std::pair<std::string, std::string>>;

// Applies the commit and waits for its result.
inline storage::CommitResult CommitAndWait(storage::Store& store, storage::Commit commit) {
  std::promise<storage::CommitResult> promise;
  std::future<storage::CommitResult> result = promise.get_future();
  store.Apply(std::move(commit), [&promise](storage::CommitResult r) { promise.set_value(std::move(r)); });
  return result.get();
}

inline storage::Commit PutOf(storage::Space space, std::string_view key, std::string_view value) {
  return {.preconditions = {}, .writes = {{space, std::string(key), std::string(value)}}};
}

inline storage::Commit DeleteOf(storage::Space space, std::string_view key) {
  return {.preconditions = {}, .writes = {{space, std::string(key), std::nullopt}}};
}

// The value in the store's latest state. The store must be readable.
inline std::optional<std::string> ValueOf(const storage::Store& store, storage::Space space, std::string_view key) {
  auto snapshot = store.NewSnapshot();
  ABSL_RAW_CHECK(snapshot.ok(), "no snapshot");
  auto value = (*snapshot)->Get(space, key);
  ABSL_RAW_CHECK(value.ok(), "no read");
  return *std::move(value);
}

// The rows of a range. The reader must be readable.
inline Rows RowsOf(const storage::Reader& reader, storage::Space space, const storage::KeyRange& range,
                   size_t limit = SIZE_MAX) {
  Rows rows;
  absl::Status status = reader.Scan(space, range, limit, [&](std::string_view key, std::string_view value) {
    rows.emplace_back(key, value);
    return true;
  });
  ABSL_RAW_CHECK(status.ok(), "no scan");
  return rows;
}

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_COMMITS_H_
