// Employee groups: whom they let see what.

#include "server/records/groups.h"

#include <gtest/gtest.h>

#include <set>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/feed/feed_reader.h"
#include "server/records/fan_out.h"
#include "tests/fakes/feeds.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

using Names = std::set<RecordName>;

class GroupsTest : public testing::Test {
 protected:
  void SetUp() override {
    Put({CarerRecord(1), CarerRecord(2), CarerRecord(3), ServiceUserRecord(1), ServiceUserRecord(2)});
  }

  void Put(const std::vector<store::Record>& records) { PutAll(engine_, tenant_, records); }
  void PutPlan(const store::Record& plan) {
    RunRecords(engine_, tenant_, [&](RecordStore& records) { return records.PutCarePlan(plan).status(); });
  }
  PutOutcome SetAccess(int service_user, const std::set<base::ReceiverId>& holders) {
    PutOutcome outcome = PutOutcome::kUnchanged;
    RunRecords(engine_, tenant_, [&](RecordStore& records) -> absl::Status {
      ASSIGN_OR_RETURN(outcome, records.SetAccess(KeyOf(ServiceUserName(service_user)), holders));
      return absl::OkStatus();
    });
    return outcome;
  }
  absl::Status TryPut(const store::Record& record) {
    return engine_
        .Run(tenant_, [&](commit::Transaction& transaction) { return RecordStore(transaction).Put(record).status(); })
        .status();
  }
  Names SeenByCarer(int carer) const { return fakes::SeenBy(*engine_.Snapshot(), tenant_, CarerFeed(carer)); }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

// Requirement: A2
TEST_F(GroupsTest, ItsMembersSeeWhatTheGroupWasGiven) {
  Put({GroupRecord(1, {1, 2})});
  SetAccess(1, {GroupHolderOf(1)});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1)}));
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(2), ServiceUserName(1)}));
  EXPECT_EQ(SeenByCarer(3), Names{CarerName(3)});
  Put({ServiceUserRecord(1, "Mary")});
  EXPECT_EQ(fakes::HeldBy(*engine_.Snapshot(), tenant_, CarerFeed(2)).at(ServiceUserName(1)).revision,
            engine_.Head(tenant_));
}

// Requirement: S12
TEST_F(GroupsTest, WhoLeavesOneSeesItNoMoreAndWhoJoinsDoes) {
  Put({GroupRecord(1, {1, 2})});
  SetAccess(1, {GroupHolderOf(1)});
  Put({GroupRecord(1, {2, 3})});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  EXPECT_EQ(SeenByCarer(2), (Names{CarerName(2), ServiceUserName(1)}));
  EXPECT_EQ(SeenByCarer(3), (Names{CarerName(3), ServiceUserName(1)}));
}

// Requirement: S12
TEST_F(GroupsTest, AGroupThatIsNoMoreShowsNothingAndComesBackWithItsMembers) {
  Put({GroupRecord(1, {1, 2})});
  SetAccess(1, {GroupHolderOf(1)});
  Put({GroupRecord(1, {1, 2}, /*dissolved=*/true)});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
  Put({GroupRecord(1, {1, 2})});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1)}));
}

// Requirement: S12
TEST_F(GroupsTest, WhatAGroupIsNoMoreGivenGoesUnlessAnotherReasonIsLeft) {
  Put({GroupRecord(1, {1, 2}), GroupRecord(2, {1}), VisitRecord(1, 1, {2})});
  SetAccess(1, {GroupHolderOf(1), GroupHolderOf(2), CarerFeed(3)});
  EXPECT_TRUE(SeenByCarer(3).contains(ServiceUserName(1)));
  SetAccess(1, {GroupHolderOf(2)});
  EXPECT_TRUE(SeenByCarer(1).contains(ServiceUserName(1)));
  EXPECT_TRUE(SeenByCarer(2).contains(ServiceUserName(1)));
  EXPECT_FALSE(SeenByCarer(3).contains(ServiceUserName(1)));
  SetAccess(1, {});
  EXPECT_FALSE(SeenByCarer(1).contains(ServiceUserName(1)));
  EXPECT_TRUE(SeenByCarer(2).contains(ServiceUserName(1)));
}

TEST_F(GroupsTest, AccessIsNotTouchedByTheRosteringSystem) {
  SetAccess(1, {CarerFeed(1)});
  Put({ServiceUserRecord(1, "Mary")});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1)}));
  EXPECT_EQ(SetAccess(1, {CarerFeed(1)}), PutOutcome::kUnchanged);
}

// Requirement: A2
TEST_F(GroupsTest, CarePlansFollowTheirServiceUser) {
  PutPlan(PlanRecord(1, 1));
  Put({GroupRecord(1, {1})});
  SetAccess(1, {GroupHolderOf(1)});
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), PlanName(1)}));
  PutPlan(PlanRecord(2, 1));
  EXPECT_TRUE(SeenByCarer(1).contains(PlanName(2)));
  store::Record gone = PlanRecord(1, 1);
  gone.set_deleted(true);
  PutPlan(gone);
  EXPECT_FALSE(SeenByCarer(1).contains(PlanName(1)));
  Put({GroupRecord(1, {})});
  EXPECT_EQ(SeenByCarer(1), Names{CarerName(1)});
}

TEST_F(GroupsTest, CarePlansAreOfTheSecondLevel) {
  PutPlan(PlanRecord(1, 1));
  SetAccess(1, {CarerFeed(1)});
  const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
  const feed::FeedSummary summary = *feed::ReadSummary(*snapshot, tenant_, CarerFeed(1));
  EXPECT_EQ(summary.Through(1).count, 2u);
  EXPECT_EQ(summary.Through(2).count, 3u);
  const auto place = base::GetStored<store::FeedPlace>(
      *snapshot, storage::Space::kFeeds, base::keys::FeedPlace(tenant_, CarerFeed(1), KeyOf(PlanName(1))));
  EXPECT_EQ((*place)->entry().level_above_first(), 1u);
}

TEST_F(GroupsTest, ACarerMayBeInSoManyGroupsAndNoMore) {
  const int most = static_cast<int>(base::limits::kGroupsOfCarer);
  for (int group = 1; group <= most; ++group) Put({GroupRecord(group, {1})});
  EXPECT_EQ(base::Reason(TryPut(GroupRecord(most + 1, {1, 2}))), base::Reason(base::errors::TooManyGroups("")));
  EXPECT_TRUE(TryPut(GroupRecord(most + 1, {2})).ok());
  EXPECT_EQ(LiveGroupsOf(*engine_.Snapshot(), tenant_, KeyOf(CarerName(1)))->size(), base::limits::kGroupsOfCarer);
  EXPECT_EQ(LiveGroupsOf(*engine_.Snapshot(), tenant_, KeyOf(CarerName(2)))->size(), 1u);
}

TEST_F(GroupsTest, ACarerWhoLeftTheAgencyKeepsItsRecordsHere) {
  Put({VisitRecord(1, 1, {1})});
  store::Record left = CarerRecord(1);
  left.set_left(true);
  const base::Revision before = engine_.Head(tenant_);
  Put({left});
  EXPECT_EQ(engine_.Head(tenant_), before + 1);
  EXPECT_TRUE((*GetRecord(*engine_.Snapshot(), tenant_, KeyOf(CarerName(1))))->left());
  EXPECT_EQ(SeenByCarer(1), (Names{CarerName(1), ServiceUserName(1), VisitName(1)}));
}

TEST_F(GroupsTest, AScopeConcernsItsCarerTheMembersOfItsGroupOrEverybody) {
  Put({GroupRecord(1, {2})});
  const auto waits = [this](int carer) {
    return *MustWait(*engine_.Snapshot(), tenant_, CarerFeed(carer), engine_.clock().Now());
  };
  const auto with_scope = [this](const std::string& scope, bool present) {
    const absl::StatusOr<commit::Committed> done = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      present ? PutScope(transaction, scope, "task") : DeleteScope(transaction, scope, "task");
      return absl::OkStatus();
    });
    ASSERT_TRUE(done.ok());
  };
  EXPECT_FALSE(waits(1) || waits(2) || waits(3));
  with_scope(CarerFeed(1).bytes, true);
  EXPECT_TRUE(waits(1) && !waits(2) && !waits(3));
  with_scope(CarerFeed(1).bytes, false);
  with_scope(GroupHolderOf(1).bytes, true);
  EXPECT_TRUE(!waits(1) && waits(2) && !waits(3));
  with_scope(GroupHolderOf(1).bytes, false);
  with_scope(kEverybody, true);
  EXPECT_TRUE(waits(1) && waits(2) && waits(3));
  int told = 0;
  const commit::Subscriptions::Handle handle =
      engine_.subscriptions().Subscribe(tenant_, FanOutTopic(), [&told](base::Revision) { ++told; });
  with_scope(kEverybody, false);
  EXPECT_FALSE(waits(1) || waits(2) || waits(3));
  EXPECT_EQ(told, 1);
}

TEST_F(GroupsTest, ARowThatNamesNoGroupIsDamage) {
  for (const std::string& group : {std::string(), KeyOf(CarerName(1)).bytes}) {
    const absl::Status status =
        engine_
            .Run(tenant_,
                 [&](commit::Transaction& transaction) {
                   transaction.Put(storage::Space::kRecords, base::keys::GroupOf(tenant_, KeyOf(CarerName(2)), {group}),
                                   std::string());
                   return RecordStore(transaction).Put(VisitRecord(1, 1, {2})).status();
                 })
            .status();
    EXPECT_EQ(base::Reason(status), "DAMAGED_ROW") << group.size();
  }
}

}  // namespace
}  // namespace caresync::records
