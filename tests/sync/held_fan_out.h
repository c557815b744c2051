// A fan-out of a carer that goes on until a test ends it.
#ifndef CARESYNC_TESTS_SYNC_HELD_FAN_OUT_H_
#define CARESYNC_TESTS_SYNC_HELD_FAN_OUT_H_

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "server/commit/transaction.h"
#include "server/records/record_key.h"
#include "storage/store.h"
#include "tests/fakes/engine.h"

namespace caresync::sync {

// `engine` must outlive it. Used by one thread.
class HeldFanOut {
 public:
  HeldFanOut(fakes::Engine& engine, const base::TenantId& tenant, const base::Uuid& carer)
      : engine_(engine),
        tenant_(tenant),
        scope_(base::keys::FanOutScope(tenant, records::CarerReceiver(carer).bytes, "a task")) {}

  void Begin() {
    const auto begun = engine_.Run(tenant_, [this](commit::Transaction& transaction) {
      transaction.Put(storage::Space::kRecords, scope_, "");
      return absl::OkStatus();
    });
    ASSERT_TRUE(begun.ok()) << begun.status();
  }
  // Who waits for it is told.
  void End() {
    const auto ended = engine_.Run(tenant_, [this](commit::Transaction& transaction) {
      transaction.Delete(storage::Space::kRecords, scope_);
      transaction.Announce(records::FanOutTopic());
      return absl::OkStatus();
    });
    ASSERT_TRUE(ended.ok()) << ended.status();
  }

 private:
  fakes::Engine& engine_;
  const base::TenantId tenant_;
  const std::string scope_;
};

}  // namespace caresync::sync

#endif  // CARESYNC_TESTS_SYNC_HELD_FAN_OUT_H_
