// A sequencer on a store that can fail, with changes whose every run shows.
#ifndef CARESYNC_TESTS_COMMIT_SEQUENCER_TEST_H_
#define CARESYNC_TESTS_COMMIT_SEQUENCER_TEST_H_

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/stored.h"
#include "storage/memory_store.h"
#include "tests/commit/commit_bench.h"

namespace caresync::commit {

class SequencerTest : public testing::Test {
 protected:
  store::TenantHead HeadRow() {
    return base::GetStored<store::TenantHead>(*store_.NewSnapshot().value(), kRecords,
                                              base::keys::TenantHead(bench_.tenant))
        .value()
        .value_or(store::TenantHead());
  }

  // Adds one to the number under `key`: done twice, it shows.
  static Change Increment(const std::string& key) {
    return [key](Transaction& transaction) -> absl::Status {
      const std::string value = transaction.Get(kRecords, key).value().value_or("0");
      transaction.Put(kRecords, key, std::to_string(std::stoi(value) + 1));
      transaction.Announce({"carer"});
      return absl::OkStatus();
    };
  }

  std::string ReasonOf(const absl::StatusOr<Committed>& outcome) { return base::Reason(outcome.status()); }

  storage::MemoryStore store_;
  CommitBench bench_{store_};
};

}  // namespace caresync::commit

#endif  // CARESYNC_TESTS_COMMIT_SEQUENCER_TEST_H_
