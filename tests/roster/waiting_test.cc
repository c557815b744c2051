#include "server/roster/waiting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/grants.h"
#include "server/records/record_store.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"
#include "tests/roster/planner_test.h"

namespace caresync::roster {
namespace {

using fakes::BranchChange;
using fakes::CarerChange;
using fakes::CareServiceChange;
using fakes::GroupChange;
using fakes::ServiceUserChange;
using fakes::VisitChange;

class WaitingTest : public PlannerTest {
 protected:
  bool IsStored(v1::RecordKind kind, const std::string& external_id) const {
    return Stored(kind, external_id).has_value();
  }
  std::string NotesOf(const std::string& visit) const {
    v1::Visit stored;
    EXPECT_TRUE(stored.ParseFromString(Stored(v1::RECORD_KIND_VISIT, visit)->payload()));
    return stored.notes();
  }
  std::optional<store::WaitingChange> WaitingFor(v1::RecordKind kind, const std::string& external_id) const {
    return *GetWaiting(*engine_.Snapshot(), tenant_, records::KeyOf(Named(kind, external_id)));
  }
  bool AnyWaitFor(v1::RecordKind kind, const std::string& missing) const {
    return !WaitersFor(*engine_.Snapshot(), tenant_, records::KeyOf(Named(kind, missing)), 1)->empty();
  }
};

TEST_F(WaitingTest, TheSenderIsToldWhatIsMissing) {
  Apply({CarerChange("c1")});
  const v1::ChangeResult result = Apply({VisitChange("v1", "u1", {"c1", "c2"})}).at(0);
  EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_WAITING);
  EXPECT_EQ(result.record_id(), Named(v1::RECORD_KIND_VISIT, "v1").id.ToString());
  ASSERT_EQ(result.missing_size(), 2);
  EXPECT_EQ(result.missing(0).kind(), v1::RECORD_KIND_SERVICE_USER);
  EXPECT_EQ(result.missing(0).external_id(), "u1");
  EXPECT_EQ(result.missing(1).kind(), v1::RECORD_KIND_CARER);
  EXPECT_EQ(result.missing(1).external_id(), "c2");
  EXPECT_FALSE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  EXPECT_EQ(WaitingCount(), 1u);
}

TEST_F(WaitingTest, AMessageInReverseOrderEndsAsOneInOrder) {
  std::vector<v1::RosterChange> message = {CareServiceChange("s1"), BranchChange("b1", "s1"), CarerChange("c1", "b1"),
                                           ServiceUserChange("u1", "b1"), VisitChange("v1", "u1", {"c1"})};
  std::reverse(message.begin(), message.end());
  const std::vector<v1::ChangeResult> results = Apply(message);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(results.at(static_cast<size_t>(i)).outcome(), v1::CHANGE_OUTCOME_WAITING) << i;
  EXPECT_EQ(results.at(4).outcome(), v1::CHANGE_OUTCOME_CREATED);
  // The chain of releases has run as tasks.
  EXPECT_TRUE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  EXPECT_EQ(WaitingCount(), 0u);
  EXPECT_EQ(
      fakes::SeenBy(*engine_.Snapshot(), tenant_, records::CarerReceiver(Named(v1::RECORD_KIND_CARER, "c1").id)).size(),
      3u);
  for (const v1::ChangeResult& result : Apply(message)) EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_UNCHANGED);
}

// Damage, or another version's error: a row that names a change which is not there.
TEST_F(WaitingTest, AWaiterThatIsNoneHoldsNoOtherUp) {
  Apply({ServiceUserChange("u1"), VisitChange("v1", "u1", {"c1"})});
  const base::RecordKey carer = records::KeyOf(Named(v1::RECORD_KIND_CARER, "c1"));
  const auto damaged = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    for (const base::RecordKey& waiter : {base::RecordKey{std::string(1, '\0')}, carer}) {
      transaction.Put(storage::Space::kRecords, base::keys::WaitingFor(tenant_, carer, waiter), "");
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(damaged.ok()) << damaged.status();
  Apply({CarerChange("c1")});
  EXPECT_TRUE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_CARER, "c1"));
}

TEST_F(WaitingTest, AVisitIsAppliedWhenTheLastMissingRecordCame) {
  Apply({VisitChange("v1", "u1", {"c1", "c2"})});
  Apply({CarerChange("c2")});
  EXPECT_FALSE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  Apply({ServiceUserChange("u1")});
  EXPECT_FALSE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  Apply({CarerChange("c1")});
  EXPECT_TRUE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  EXPECT_EQ(WaitingCount(), 0u);
  EXPECT_FALSE(WaitingFor(v1::RECORD_KIND_VISIT, "v1").has_value());
  for (const char* carer : {"c1", "c2"}) EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_CARER, carer));
}

TEST_F(WaitingTest, AReplayOfWhatWaitsTakesNoRevision) {
  v1::RosterChange change = VisitChange("v1", "u1", {"c1"});
  Apply({change});
  const base::Revision before = engine_.Head(tenant_);
  *change.mutable_changed_time() = fakes::AtHour(7);
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_WAITING);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(WaitingTest, ANewerChangeReplacesTheOneThatWaits) {
  v1::RosterChange change = VisitChange("v1", "u1", {"c1"});
  change.mutable_visit()->set_notes("old");
  Apply({change});
  v1::RosterChange newer = VisitChange("v1", "u1", {"c2"});
  newer.mutable_visit()->set_notes("new");
  EXPECT_EQ(ApplyOne(newer), v1::CHANGE_OUTCOME_WAITING);
  EXPECT_EQ(WaitingCount(), 1u);
  EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_CARER, "c1"));
  Apply({CarerChange("c1"), ServiceUserChange("u1")});
  EXPECT_FALSE(IsStored(v1::RECORD_KIND_VISIT, "v1"));
  Apply({CarerChange("c2")});
  EXPECT_EQ(NotesOf("v1"), "new");
}

TEST_F(WaitingTest, AChangeWithoutAVersionDoesNotMakeRoomForAnOlderOne) {
  v1::RosterChange change = VisitChange("v1", "u1", {"c1"});
  change.set_source_version(5);
  Apply({change});
  EXPECT_EQ(ApplyOne(VisitChange("v1", "u1", {"c1", "c2"})), v1::CHANGE_OUTCOME_WAITING);
  v1::RosterChange older = VisitChange("v1", "u1", {"c2"});
  older.set_source_version(4);
  EXPECT_EQ(ApplyOne(older), v1::CHANGE_OUTCOME_SUPERSEDED);
}

TEST_F(WaitingTest, AnOlderChangeDoesNotReplaceTheOneThatWaits) {
  v1::RosterChange change = VisitChange("v1", "u1", {"c1"});
  change.set_source_version(5);
  Apply({change});
  v1::RosterChange older = VisitChange("v1", "u1", {"c2"});
  older.set_source_version(4);
  EXPECT_EQ(ApplyOne(older), v1::CHANGE_OUTCOME_SUPERSEDED);
  EXPECT_EQ(WaitingFor(v1::RECORD_KIND_VISIT, "v1")->change().source_version(), 5u);
}

TEST_F(WaitingTest, AChangeThatMissesNothingDropsTheOneThatWaits) {
  Apply({CarerChange("c1"), ServiceUserChange("u1"), VisitChange("v1", "u1", {"c1"})});
  v1::RosterChange to_missing = VisitChange("v1", "u1", {"c2"});
  to_missing.mutable_visit()->set_notes("for c2");
  EXPECT_EQ(ApplyOne(to_missing), v1::CHANGE_OUTCOME_WAITING);
  v1::RosterChange latest = VisitChange("v1", "u1", {"c1"});
  latest.mutable_visit()->set_notes("latest");
  EXPECT_EQ(ApplyOne(latest), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_EQ(WaitingCount(), 0u);
  Apply({CarerChange("c2")});
  EXPECT_EQ(NotesOf("v1"), "latest");
}

TEST_F(WaitingTest, GoingBackToWhatIsStoredDropsWhatWaits) {
  const v1::RosterChange first = VisitChange("v1", "u1", {"c1"});
  Apply({CarerChange("c1"), ServiceUserChange("u1"), first});
  Apply({VisitChange("v1", "u1", {"c2"})});
  EXPECT_EQ(ApplyOne(first), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_EQ(WaitingCount(), 0u);
  EXPECT_EQ(ApplyOne(first), v1::CHANGE_OUTCOME_UNCHANGED);
}

TEST_F(WaitingTest, MoreWaitersThanOneCommitTakesAreAllReleased) {
  Apply({CarerChange("c1")});
  const size_t count = 2 * base::limits::kReleasedPerCommit + 7;
  std::vector<v1::RosterChange> changes;
  for (size_t i = 0; i < count; ++i) {
    changes.push_back(VisitChange("v" + std::to_string(i), "u1", {"c1"}));
    if (changes.size() < base::limits::kRosterChanges) continue;
    Apply(std::move(changes));
    changes.clear();
  }
  Apply(std::move(changes));
  EXPECT_EQ(WaitingCount(), count);
  const base::Revision before = engine_.Head(tenant_);
  Apply({ServiceUserChange("u1")});
  EXPECT_EQ(WaitingCount(), 0u);
  for (size_t i = 0; i < count; ++i) EXPECT_TRUE(IsStored(v1::RECORD_KIND_VISIT, "v" + std::to_string(i)));
  EXPECT_EQ(engine_.Head(tenant_), before + 4);
}

TEST_F(WaitingTest, LargeVisitsAreReleasedInStepsWhichLeaveRoomForWhatIsNotedOfThem) {
  Apply({CarerChange("c1")});
  v1::RosterChange change = VisitChange("", "u1", {"c1"});
  for (size_t i = 0; i < base::limits::kVisitActivities; ++i) {
    v1::RosterPlannedActivity& activity = *change.mutable_visit()->add_planned_activities();
    activity.set_activity_id("a" + std::to_string(i));
    activity.set_activity_kind("kind");
    activity.set_description(std::string(base::limits::kActivityDescriptionCharacters, 'x'));
  }
  const size_t bytes = base::limits::kVisitActivities * base::limits::kActivityDescriptionCharacters;
  const size_t count = 2 * base::limits::kVisitStepBytes / bytes;
  for (size_t i = 0; i < count; ++i) {
    change.set_external_id("v" + std::to_string(i));
    Apply({change});
  }
  EXPECT_EQ(WaitingCount(), count);
  const base::Revision before = engine_.Head(tenant_);
  Apply({ServiceUserChange("u1")});
  EXPECT_EQ(WaitingCount(), 0u);
  EXPECT_GT(engine_.Head(tenant_), before + 2);
}

TEST_F(WaitingTest, ReleasesGoOnAfterARestart) {
  Apply({CarerChange("c1"), VisitChange("v1", "u1", {"c1"})});
  // The service user's commit is durable, but the server is gone before the task runs.
  bool committed = false;
  engine_.sequencer().Submit(
      tenant_,
      [this](commit::Transaction& transaction) {
        records::RecordStore records(transaction);
        store::Record user;
        user.set_kind(v1::RECORD_KIND_SERVICE_USER);
        user.set_record_id(Named(v1::RECORD_KIND_SERVICE_USER, "u1").id.ToString());
        RETURN_IF_ERROR(records.Put(user).status());
        return ScheduleRelease(transaction, records::KeyOf(Named(v1::RECORD_KIND_SERVICE_USER, "u1")));
      },
      [&](absl::StatusOr<commit::Committed> done) { committed = done.ok(); });
  while (!committed && engine_.executor().RunOne()) {
  }
  fakes::Engine restarted(engine_.memory().Copy(), 2);
  EXPECT_TRUE((*records::GetRecord(*restarted.Snapshot(), tenant_, records::KeyOf(Named(v1::RECORD_KIND_VISIT, "v1"))))
                  .has_value());
}

class RefusedWaitingTest : public WaitingTest {
 protected:
  // `user` waits for branch `b1`, and is refused when that comes: what is valid has changed since it was kept.
  void RefuseWaiting(const std::string& user, uint64_t version = 0) {
    Apply({ServiceUserChange(user)});
    EXPECT_EQ(ApplyOne(Moved(user, version)), v1::CHANGE_OUTCOME_WAITING);
    Spoil(user);
    Apply({BranchChange("b1")});
  }

  static v1::RosterChange Moved(const std::string& user, uint64_t version = 0) {
    v1::RosterChange change = ServiceUserChange(user, "b1");
    change.set_source_version(version);
    return change;
  }

  // The same as a server of today refuses it.
  static v1::RosterChange Spoilt(const std::string& user, uint64_t version = 0) {
    v1::RosterChange change = Moved(user, version);
    change.mutable_service_user()->set_nhs_number("123");
    return change;
  }

  // What waits to write the service user is no longer valid, as by another version of the server.
  void Spoil(const std::string& user) {
    store::WaitingChange waiting = *Kept(user);
    waiting.mutable_change()->mutable_service_user()->set_nhs_number("123");
    const base::RecordKey key = records::KeyOf(Named(v1::RECORD_KIND_SERVICE_USER, user));
    const absl::StatusOr<commit::Committed> spoilt = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      transaction.Put(storage::Space::kRecords, base::keys::Waiting(tenant_, key), waiting.SerializeAsString());
      return absl::OkStatus();
    });
    ASSERT_TRUE(spoilt.ok());
  }

  store::SourceState Counts() const {
    return base::GetStored<store::SourceState>(*engine_.Snapshot(), storage::Space::kRecords,
                                               base::keys::SourceState(tenant_, "planner"))
        ->value_or(store::SourceState());
  }
  // The row of what waited, whatever became of it.
  std::optional<store::WaitingChange> Kept(const std::string& user) const {
    const base::RecordKey key = records::KeyOf(Named(v1::RECORD_KIND_SERVICE_USER, user));
    return *base::GetStored<store::WaitingChange>(*engine_.Snapshot(), storage::Space::kRecords,
                                                  base::keys::Waiting(tenant_, key));
  }
  std::string BranchOf(const std::string& user) const {
    v1::ServiceUser stored;
    EXPECT_TRUE(stored.ParseFromString(Stored(v1::RECORD_KIND_SERVICE_USER, user)->payload()));
    return stored.branch_id();
  }
};

TEST_F(RefusedWaitingTest, AChangeThatIsRefusedOnItsReleaseIsKeptWithTheReasonAndWaitsNoLonger) {
  RefuseWaiting("u1");
  EXPECT_EQ(BranchOf("u1"), "");
  EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_BRANCH, "b1"));
  EXPECT_FALSE(WaitingFor(v1::RECORD_KIND_SERVICE_USER, "u1").has_value());
  ASSERT_TRUE(Kept("u1").has_value());
  EXPECT_EQ(Kept("u1")->refused_reason(), "INVALID_FIELD");
  EXPECT_EQ(Kept("u1")->change().service_user().branch(), "b1");
  EXPECT_EQ(Kept("u1")->missing_size(), 0);
  EXPECT_EQ(Counts().waiting(), 0u);
  EXPECT_EQ(Counts().refused(), 1u);
}

TEST_F(RefusedWaitingTest, SentAgainItIsTriedAgainAndAnsweredByWhatIsTrueThen) {
  RefuseWaiting("u1", 5);
  const v1::ChangeResult still = Apply({Spoilt("u1", 5)}).at(0);
  EXPECT_EQ(still.outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(still.error().reason(), "INVALID_FIELD");
  EXPECT_TRUE(Kept("u1").has_value());
  EXPECT_EQ(ApplyOne(Moved("u1", 5)), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_NE(BranchOf("u1"), "");
  EXPECT_FALSE(Kept("u1").has_value());
  EXPECT_EQ(Counts().refused(), 0u);
  EXPECT_EQ(ApplyOne(Moved("u1", 5)), v1::CHANGE_OUTCOME_UNCHANGED);
}

TEST_F(RefusedWaitingTest, ItDoesNotSupersedeWhatWasNeverRefused) {
  RefuseWaiting("u1", 5);
  v1::RosterChange older = ServiceUserChange("u1");
  older.set_source_version(4);
  older.mutable_service_user()->set_name("renamed");
  EXPECT_EQ(ApplyOne(older), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_FALSE(Kept("u1").has_value());
}

TEST_F(RefusedWaitingTest, ItMayWaitAgain) {
  RefuseWaiting("u1");
  EXPECT_EQ(ApplyOne(ServiceUserChange("u1", "b2")), v1::CHANGE_OUTCOME_WAITING);
  EXPECT_EQ(Kept("u1")->refused_reason(), "");
  EXPECT_EQ(Counts().waiting(), 1u);
  EXPECT_EQ(Counts().refused(), 0u);
  Apply({BranchChange("b2")});
  EXPECT_EQ(BranchOf("u1"), Named(v1::RECORD_KIND_BRANCH, "b2").id.ToString());
  EXPECT_EQ(Counts().waiting(), 0u);
}

TEST_F(RefusedWaitingTest, RefusedOnesTakeNoRoomOfThoseThatWaitAndAreBoundedThemselves) {
  const absl::StatusOr<commit::Committed> filled = engine_.Run(tenant_, [this](commit::Transaction& transaction) {
    store::SourceState state;
    state.set_refused(base::limits::kWaitingChanges - 1);
    transaction.Put(storage::Space::kRecords, base::keys::SourceState(tenant_, "planner"), state.SerializeAsString());
    return absl::OkStatus();
  });
  ASSERT_TRUE(filled.ok());
  RefuseWaiting("u1");
  EXPECT_TRUE(Kept("u1").has_value());
  EXPECT_EQ(ApplyOne(ServiceUserChange("u2", "b2")), v1::CHANGE_OUTCOME_WAITING);
  Spoil("u2");
  EXPECT_EQ(ApplyOne(ServiceUserChange("u3")), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(ApplyOne(ServiceUserChange("u3", "b2")), v1::CHANGE_OUTCOME_WAITING);
  Spoil("u3");
  Apply({BranchChange("b2")});
  EXPECT_FALSE(Kept("u2").has_value());
  EXPECT_FALSE(Kept("u3").has_value());
  EXPECT_EQ(Counts().waiting(), 0u);
  EXPECT_EQ(Counts().refused(), base::limits::kWaitingChanges);
}

TEST_F(RefusedWaitingTest, ARefusedOneHoldsNoOtherUp) {
  Apply({CarerChange("c1"), ServiceUserChange("u1")});
  EXPECT_EQ(ApplyOne(Moved("u1")), v1::CHANGE_OUTCOME_WAITING);
  EXPECT_EQ(ApplyOne(CarerChange("c2", "b1")), v1::CHANGE_OUTCOME_WAITING);
  Spoil("u1");
  Apply({BranchChange("b1")});
  EXPECT_TRUE(IsStored(v1::RECORD_KIND_CARER, "c2"));
  EXPECT_EQ(Counts().waiting(), 0u);
  EXPECT_EQ(Counts().refused(), 1u);
}

TEST_F(RefusedWaitingTest, AStoredChangeThatIsNoLongerValidIsRefusedAndEndsNoServer) {
  Apply({ServiceUserChange("u1")});
  EXPECT_EQ(ApplyOne(Moved("u1")), v1::CHANGE_OUTCOME_WAITING);
  store::WaitingChange damaged = *Kept("u1");
  damaged.mutable_change()->clear_record();
  const base::RecordKey key = records::KeyOf(Named(v1::RECORD_KIND_SERVICE_USER, "u1"));
  ASSERT_TRUE(engine_
                  .Run(tenant_,
                       [&](commit::Transaction& transaction) {
                         transaction.Put(storage::Space::kRecords, base::keys::Waiting(tenant_, key),
                                         damaged.SerializeAsString());
                         return absl::OkStatus();
                       })
                  .ok());
  Apply({BranchChange("b1")});
  EXPECT_EQ(Kept("u1")->refused_reason(), "RECORD_MISSING");
}

TEST_F(WaitingTest, ASourceMayKeepOnlySoManyWaiting) {
  const absl::StatusOr<commit::Committed> filled = engine_.Run(tenant_, [this](commit::Transaction& transaction) {
    store::SourceState state;
    state.set_waiting(base::limits::kWaitingChanges - 1);
    transaction.Put(storage::Space::kRecords, base::keys::SourceState(tenant_, "planner"), state.SerializeAsString());
    return absl::OkStatus();
  });
  ASSERT_TRUE(filled.ok());
  EXPECT_EQ(ApplyOne(VisitChange("v1", "u1", {"c1"})), v1::CHANGE_OUTCOME_WAITING);
  const v1::ChangeResult refused = Apply({VisitChange("v2", "u1", {"c1"})}).at(0);
  EXPECT_EQ(refused.outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(refused.error().reason(), base::Reason(base::errors::TooManyWaiting("planner")));
  EXPECT_FALSE(WaitingFor(v1::RECORD_KIND_VISIT, "v2").has_value());
  // One that waits already may still be replaced.
  EXPECT_EQ(ApplyOne(VisitChange("v1", "u2", {"c1"})), v1::CHANGE_OUTCOME_WAITING);
}

// Requirement: S12
TEST_F(WaitingTest, AGroupIsTakenAtOnceWithTheCarersThatAreKnown) {
  Apply({CarerChange("c1"), CarerChange("c2"), GroupChange("g", {"c1"})});
  const auto members = [this] {
    std::set<std::string> names;
    v1::EmployeeGroup group;
    EXPECT_TRUE(group.ParseFromString(Stored(v1::RECORD_KIND_EMPLOYEE_GROUP, "g")->payload()));
    for (const std::string& id : group.carer_ids()) names.insert(id);
    return names;
  };
  const auto id_of = [this](const std::string& carer) { return Named(v1::RECORD_KIND_CARER, carer).id.ToString(); };

  // c1 leaves, c2 joins, c3 and c4 are not known: c1 must not stay for their sake.
  const v1::ChangeResult result = Apply({GroupChange("g", {"c2", "c3", "c4"})}).at(0);
  EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_UPDATED);
  ASSERT_EQ(result.missing_size(), 2);
  EXPECT_EQ(result.missing(0).external_id(), "c3");
  EXPECT_EQ(members(), std::set<std::string>{id_of("c2")});
  EXPECT_EQ(WaitingCount(), 1u);

  Apply({CarerChange("c3")});
  EXPECT_EQ(members(), (std::set<std::string>{id_of("c2"), id_of("c3")}));
  EXPECT_TRUE(WaitingFor(v1::RECORD_KIND_EMPLOYEE_GROUP, "g").has_value());
  EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_CARER, "c3"));
  EXPECT_TRUE(AnyWaitFor(v1::RECORD_KIND_CARER, "c4"));

  Apply({CarerChange("c4")});
  EXPECT_EQ(members(), (std::set<std::string>{id_of("c2"), id_of("c3"), id_of("c4")}));
  EXPECT_EQ(WaitingCount(), 0u);
}

TEST_F(WaitingTest, AGroupThatIsReplacedNoLongerAwaitsWhomItNoLongerNames) {
  Apply({CarerChange("c1")});
  EXPECT_EQ(ApplyOne(GroupChange("g", {"c1", "c2"})), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(ApplyOne(GroupChange("g", {"c1", "c2"})), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(WaitingCount(), 1u);
  EXPECT_EQ(ApplyOne(GroupChange("g", {"c1"})), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_EQ(WaitingCount(), 0u);
  EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_CARER, "c2"));
}

// The bound of a commit is the message's; who passes it is refused by name, and the others stand.
TEST_F(WaitingTest, AGroupThatAwaitsMoreThanTheCommitHoldsIsRefusedAloneAndTakenInAMessageOfItsOwn) {
  constexpr int kGroups = 6;
  constexpr int kMembers = 9'900;
  static_assert(kGroups * kMembers > base::limits::kCommitRows && (kGroups - 1) * kMembers < base::limits::kCommitRows);
  std::vector<std::string> unknown;
  for (int i = 0; i < kMembers; ++i) unknown.push_back("c" + std::to_string(i));
  std::vector<v1::RosterChange> groups;
  for (int i = 0; i < kGroups; ++i) {
    Apply({GroupChange("g" + std::to_string(i), {})});
    groups.push_back(GroupChange("g" + std::to_string(i), unknown));
  }
  const std::vector<v1::ChangeResult> results = Apply(groups);
  EXPECT_EQ(results.front().outcome(), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(results.front().missing_size(), kMembers);
  EXPECT_EQ(results.back().outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(results.back().error().reason(), base::Reason(base::errors::CommitTooLarge()));
  EXPECT_EQ(WaitingCount(), static_cast<uint64_t>(kGroups - 1));
  EXPECT_EQ(ApplyOne(groups.back()), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(WaitingCount(), static_cast<uint64_t>(kGroups));
}

TEST_F(WaitingTest, WhatIsSaidToWaitAndDoesNotIsDamageAndNotATaskWithoutEnd) {
  ASSERT_EQ(ApplyOne(VisitChange("v", "p1", {"c1"})), v1::CHANGE_OUTCOME_WAITING);
  const base::RecordKey visit = records::KeyOf(Named(v1::RECORD_KIND_VISIT, "v"));
  const base::RecordKey other = records::KeyOf(Named(v1::RECORD_KIND_CARER, "c2"));
  const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    transaction.Put(storage::Space::kRecords, base::keys::WaitingFor(tenant_, other, visit), std::string());
    return absl::OkStatus();
  });
  ASSERT_TRUE(committed.ok()) << committed.status();
  // Its release runs to an end.
  EXPECT_EQ(ApplyOne(CarerChange("c2")), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(WaitingCount(), 1u);
  EXPECT_TRUE(WaitingFor(v1::RECORD_KIND_VISIT, "v").has_value());
}

TEST_F(WaitingTest, ManyLargeGroupsThatAwaitOneCarerAreReleasedInSeveralSteps) {
  constexpr int kGroups = 20;
  constexpr int kMembers = 1'000;
  std::vector<std::string> carers;
  for (int first = 0; first < kMembers; first += 100) {
    std::vector<v1::RosterChange> changes;
    for (int i = first; i < first + 100; ++i) {
      carers.push_back("c" + std::to_string(i));
      changes.push_back(CarerChange(carers.back()));
    }
    Apply(std::move(changes));
  }
  carers.push_back("late");
  for (int group = 0; group < kGroups; ++group) Apply({GroupChange("g" + std::to_string(group), carers)});
  EXPECT_EQ(WaitingCount(), static_cast<uint64_t>(kGroups));
  Apply({CarerChange("late")});
  EXPECT_EQ(WaitingCount(), 0u);
  EXPECT_FALSE(AnyWaitFor(v1::RECORD_KIND_CARER, "late"));
}

}  // namespace
}  // namespace caresync::roster
