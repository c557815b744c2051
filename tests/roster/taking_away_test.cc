// What takes something off the devices waits for nothing.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/records/record_store.h"
#include "server/roster/carers.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"
#include "tests/roster/planner_test.h"

namespace caresync::roster {
namespace {

using fakes::CarerChange;
using fakes::GroupChange;
using fakes::ServiceUserChange;
using fakes::VisitChange;

class TakingAwayTest : public PlannerTest {
 protected:
  bool Sees(const std::string& carer, const std::string& visit) const {
    const base::ReceiverId feed = records::CarerReceiver(Named(v1::RECORD_KIND_CARER, carer).id);
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, feed).contains(Named(v1::RECORD_KIND_VISIT, visit));
  }
};

// Requirement: S12
TEST_F(TakingAwayTest, AVisitGoesThoughItsNewCarerIsNotKnown) {
  Apply({CarerChange("c1"), ServiceUserChange("u1")});
  for (const bool cancels : {true, false}) {
    SCOPED_TRACE(cancels ? "cancelled" : "withdrawn");
    const std::string id = cancels ? "v1" : "v2";
    Apply({VisitChange(id, "u1", {"c1"})});
    ASSERT_TRUE(Sees("c1", id));
    v1::RosterChange change = VisitChange(id, "u1", {"c2"});
    EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_WAITING);
    cancels ? change.mutable_visit()->set_cancelled(true) : change.mutable_visit()->set_published(false);
    const v1::ChangeResult result = Apply({change}).at(0);
    EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_UPDATED);
    EXPECT_EQ(result.missing_size(), 0);
    EXPECT_FALSE(Sees("c1", id));
    EXPECT_EQ(WaitingCount(), 0u);
    EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_UNCHANGED);
  }
  // To show it again, its carer must be known.
  EXPECT_EQ(ApplyOne(VisitChange("v1", "u1", {"c2"})), v1::CHANGE_OUTCOME_WAITING);
  Apply({CarerChange("c2")});
  EXPECT_TRUE(Sees("c2", "v1"));
}

// Requirement: S12
TEST_F(TakingAwayTest, AGroupIsDissolvedAndACarerLeavesWhateverTheyName) {
  Apply({CarerChange("c1"), GroupChange("g", {"c1"})});
  const absl::StatusOr<commit::Committed> filled = engine_.Run(tenant_, [this](commit::Transaction& transaction) {
    store::SourceState state;
    state.set_waiting(base::limits::kWaitingChanges);
    transaction.Put(storage::Space::kRecords, base::keys::SourceState(tenant_, "planner"), state.SerializeAsString());
    return absl::OkStatus();
  });
  ASSERT_TRUE(filled.ok());
  v1::RosterChange group = GroupChange("g", {"c1", "c2"});
  EXPECT_EQ(ApplyOne(group), v1::CHANGE_OUTCOME_REJECTED);
  group.mutable_employee_group()->set_dissolved(true);
  EXPECT_EQ(ApplyOne(group), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_TRUE(Stored(v1::RECORD_KIND_EMPLOYEE_GROUP, "g")->dissolved());
  EXPECT_EQ(ApplyOne(group), v1::CHANGE_OUTCOME_UNCHANGED);

  v1::RosterChange carer = CarerChange("c1", "b1");
  EXPECT_EQ(ApplyOne(carer), v1::CHANGE_OUTCOME_REJECTED);
  carer.mutable_carer()->set_left(true);
  EXPECT_EQ(ApplyOne(carer), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_TRUE(Stored(v1::RECORD_KIND_CARER, "c1")->left());
  const absl::StatusOr<v1::ListCarersResponse> listed = ListCarers(*engine_.Snapshot(), tenant_, {});
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->carers_size(), 1);
  EXPECT_EQ(WaitingCount(), base::limits::kWaitingChanges);
}

}  // namespace
}  // namespace caresync::roster
