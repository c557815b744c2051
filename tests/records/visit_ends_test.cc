#include "server/records/visit_ends.h"

#include <limits>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/base/keys.h"
#include "server/commit/head_memo.h"
#include "server/records/record_key.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::records {
namespace {

class VisitEndsTest : public testing::Test {
 protected:
  VisitEndsTest() {
    engine_.CreateTenant(tenant_);
    const auto results = Apply({fakes::CarerChange("ann"), fakes::CarerChange("bob"), fakes::ServiceUserChange("eve")});
    ann_ = *base::Uuid::Parse(results[0].record_id());
    bob_ = *base::Uuid::Parse(results[1].record_id());
  }

  std::vector<v1::ChangeResult> Apply(std::vector<v1::RosterChange> changes) {
    return engine_.ApplyChanges(tenant_, "rota", std::move(changes));
  }

  static v1::RosterChange Visit(const std::string& id, const std::vector<std::pair<std::string, int>>& carers) {
    v1::RosterChange change = fakes::VisitChange(id, "eve", {});
    for (const auto& [carer, end_hour] : carers) {
      v1::RosterAssignment& assignment = *change.mutable_visit()->add_assignments();
      assignment.set_carer(carer);
      *assignment.mutable_start_time() = fakes::AtHour(end_hour - 1);
      *assignment.mutable_end_time() = fakes::AtHour(end_hour);
    }
    return change;
  }

  static int64_t At(int hour) { return fakes::AtHour(hour).seconds() * 1'000'000; }

  // The hour of the first end; 0: none.
  int First(const base::Uuid& carer, int after_hour, int until_hour = 23) const {
    const auto first = FirstVisitEnd(*engine_.Snapshot(), tenant_, carer, At(after_hour), At(until_hour));
    EXPECT_TRUE(first.ok()) << first.status();
    return first->has_value() ? static_cast<int>((**first - At(0)) / 3'600'000'000) : 0;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  base::Uuid ann_;
  base::Uuid bob_;
};

TEST_F(VisitEndsTest, EachCarerHasTheEndsOfItsOwnAssignments) {
  Apply({Visit("v1", {{"ann", 10}, {"bob", 12}}), Visit("v2", {{"ann", 14}})});
  EXPECT_EQ(First(ann_, 0), 10);
  EXPECT_EQ(First(ann_, 10), 14);
  EXPECT_EQ(First(ann_, 14), 0);
  EXPECT_EQ(First(bob_, 0), 12);
  EXPECT_EQ(First(ann_, 10, 13), 0);
  EXPECT_EQ(First(ann_, 10, 14), 14);
}

TEST_F(VisitEndsTest, FollowsTheVisit) {
  Apply({Visit("v1", {{"ann", 10}})});
  Apply({Visit("v1", {{"ann", 11}})});
  EXPECT_EQ(First(ann_, 0), 11);
  Apply({Visit("v1", {{"bob", 11}})});
  EXPECT_EQ(First(ann_, 0), 0);
  EXPECT_EQ(First(bob_, 0), 11);
}

TEST_F(VisitEndsTest, AVisitThatDoesNotTakePlaceHasNoEnd) {
  Apply({Visit("v1", {{"ann", 10}})});
  v1::RosterChange cancelled = Visit("v1", {{"ann", 10}});
  cancelled.mutable_visit()->set_cancelled(true);
  Apply({cancelled});
  EXPECT_EQ(First(ann_, 0), 0);
  v1::RosterChange draft = Visit("v2", {{"ann", 10}});
  draft.mutable_visit()->set_published(false);
  Apply({draft});
  EXPECT_EQ(First(ann_, 0), 0);
  Apply({Visit("v2", {{"ann", 10}})});
  EXPECT_EQ(First(ann_, 0), 10);
}

// Every start of a sync asks for it.
TEST_F(VisitEndsTest, WhatWasFoundIsRememberedWhileTheHeadStands) {
  Apply({Visit("v1", {{"ann", 10}})});
  commit::HeadMemo memo(1024 * 1024);
  const auto first_end = [&] {
    const auto snapshot = engine_.Snapshot();
    const auto reader = commit::HeadReader::Open(*snapshot, tenant_, memo);
    return FirstVisitEnd(*reader, tenant_, ann_, At(0), At(23)).value();
  };
  EXPECT_EQ(first_end(), At(10));
  // What no server does, so that it shows what is read: the head stands.
  const base::RecordKey other = KeyOf({v1::RECORD_KIND_VISIT, bob_});
  fakes::CommitAndWait(engine_.memory(),
                       fakes::PutOf(storage::Space::kRecords, base::keys::VisitEnd(tenant_, ann_, At(9), other), ""));
  EXPECT_EQ(First(ann_, 0), 9);
  EXPECT_EQ(first_end(), At(10));
}

TEST_F(VisitEndsTest, NothingEndsAfterTheEndOfTime) {
  const auto first = FirstVisitEnd(*engine_.Snapshot(), tenant_, ann_, std::numeric_limits<int64_t>::max(),
                                   std::numeric_limits<int64_t>::max());
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->has_value());
}

}  // namespace
}  // namespace caresync::records
