// A tenant with one source, "planner", whose changes a test applies.
#ifndef CARESYNC_TESTS_ROSTER_PLANNER_TEST_H_
#define CARESYNC_TESTS_ROSTER_PLANNER_TEST_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/base/keys.h"
#include "server/base/stored.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/roster/matching.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/feeds.h"

namespace caresync::roster {

class PlannerTest : public testing::Test {
 protected:
  void SetUp() override { engine_.CreateTenant(tenant_); }

  std::vector<v1::ChangeResult> Apply(std::vector<v1::RosterChange> changes) {
    return engine_.ApplyChanges(tenant_, "planner", std::move(changes));
  }
  v1::ChangeOutcome ApplyOne(const v1::RosterChange& change) { return Apply({change}).at(0).outcome(); }

  records::RecordName Named(v1::RecordKind kind, const std::string& external_id) const {
    return {kind, *MeantBy(*engine_.Snapshot(), tenant_, "planner", kind, external_id)};
  }
  std::optional<store::Record> Stored(v1::RecordKind kind, const std::string& external_id) const {
    return *records::GetRecord(*engine_.Snapshot(), tenant_, records::KeyOf(Named(kind, external_id)));
  }
  // How many of its changes wait for what has not come.
  uint64_t WaitingCount() const {
    const auto state = base::GetStored<store::SourceState>(*engine_.Snapshot(), storage::Space::kRecords,
                                                           base::keys::SourceState(tenant_, "planner"));
    return state->has_value() ? (*state)->waiting() : 0;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

}  // namespace caresync::roster

#endif  // CARESYNC_TESTS_ROSTER_PLANNER_TEST_H_
