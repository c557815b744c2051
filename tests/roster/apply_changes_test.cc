#include "server/roster/apply_changes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/commit/sequencer.h"
#include "server/records/record_store.h"
#include "server/roster/matching.h"
#include "server/roster/take_message.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"

namespace caresync::roster {
namespace {

using fakes::BranchChange;
using fakes::CarerChange;
using fakes::CareServiceChange;
using fakes::GroupChange;
using fakes::ServiceUserChange;
using fakes::VisitChange;
using records::RecordName;

class ApplyChangesTest : public testing::Test {
 protected:
  void SetUp() override { engine_.CreateTenant(tenant_); }

  std::vector<v1::ChangeResult> Apply(std::vector<v1::RosterChange> changes, const std::string& source = "planner") {
    return engine_.ApplyChanges(tenant_, source, std::move(changes));
  }
  v1::ChangeOutcome ApplyOne(const v1::RosterChange& change, const std::string& source = "planner") {
    return Apply({change}, source).at(0).outcome();
  }

  RecordName Named(v1::RecordKind kind, const std::string& external_id, const std::string& source = "planner") const {
    return {kind, *MeantBy(*engine_.Snapshot(), tenant_, source, kind, external_id)};
  }
  store::Record Stored(const RecordName& name) const {
    return records::GetRecord(*engine_.Snapshot(), tenant_, records::KeyOf(name))->value();
  }
  std::set<RecordName> SeenByCarer(const std::string& carer) const {
    return fakes::SeenBy(*engine_.Snapshot(), tenant_, records::CarerReceiver(Named(v1::RECORD_KIND_CARER, carer).id));
  }
  size_t CountOf(v1::RecordKind kind) const {
    size_t count = 0;
    const absl::Status read =
        engine_.Snapshot()->Scan(storage::Space::kRecords, base::keys::Records(tenant_, records::KeyPrefix(kind), {}),
                                 10'000, [&count](std::string_view, std::string_view) {
                                   ++count;
                                   return true;
                                 });
    EXPECT_TRUE(read.ok());
    return count;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

// Requirement: I1
TEST_F(ApplyChangesTest, AServiceUserArrivesWithAllItsFields) {
  v1::RosterChange change = ServiceUserChange("u1", "b1");
  v1::RosterServiceUser& user = *change.mutable_service_user();
  user.set_name("Mary Miller");
  user.mutable_date_of_birth()->set_year(1940);
  user.mutable_date_of_birth()->set_month(5);
  user.mutable_date_of_birth()->set_day(17);
  user.set_nhs_number("9434765919");
  user.set_phone("01632 960123");
  user.set_email("mary@example.org");
  user.set_address("1 High Street");
  user.mutable_location()->set_latitude(51.5);
  change.set_source_version(3);
  *change.mutable_changed_time() = fakes::AtHour(7);
  const std::vector<v1::ChangeResult> results = Apply({CareServiceChange("s1"), BranchChange("b1", "s1"), change});
  EXPECT_EQ(results.at(2).outcome(), v1::CHANGE_OUTCOME_CREATED);

  const store::Record record = Stored(Named(v1::RECORD_KIND_SERVICE_USER, "u1"));
  v1::ServiceUser stored;
  ASSERT_TRUE(stored.ParseFromString(record.payload()));
  EXPECT_EQ(record.record_id(), results.at(2).record_id());
  EXPECT_EQ(stored.name(), "Mary Miller");
  EXPECT_EQ(stored.branch_id(), results.at(1).record_id());
  EXPECT_EQ(stored.date_of_birth().year(), 1940);
  EXPECT_EQ(stored.nhs_number(), "9434765919");
  EXPECT_EQ(stored.phone(), "01632 960123");
  EXPECT_EQ(stored.email(), "mary@example.org");
  EXPECT_EQ(stored.address(), "1 High Street");
  EXPECT_EQ(stored.location().latitude(), 51.5);
  EXPECT_EQ(record.origin().source(), "planner");
  EXPECT_EQ(record.origin().external_id(), "u1");
  EXPECT_EQ(record.origin().source_version(), 3u);
  EXPECT_EQ(record.origin().changed_time_us(), fakes::AtHour(7).seconds() * 1'000'000);
}

// Requirement: I1
TEST_F(ApplyChangesTest, AnUpdatedServiceUserReplacesWhatWasThere) {
  Apply({ServiceUserChange("u1")});
  v1::RosterChange change = ServiceUserChange("u1");
  change.mutable_service_user()->set_phone("01632 960999");
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_UPDATED);
  v1::ServiceUser stored;
  ASSERT_TRUE(stored.ParseFromString(Stored(Named(v1::RECORD_KIND_SERVICE_USER, "u1")).payload()));
  EXPECT_EQ(stored.phone(), "01632 960999");
  EXPECT_EQ(CountOf(v1::RECORD_KIND_SERVICE_USER), 1u);
}

// Requirement: I2
TEST_F(ApplyChangesTest, OneExternalIdIsOneRecordWithinAMessageToo) {
  v1::RosterChange renamed = ServiceUserChange("u1");
  renamed.mutable_service_user()->set_name("Mary");
  const std::vector<v1::ChangeResult> results = Apply({ServiceUserChange("u1"), renamed, renamed});
  EXPECT_EQ(results.at(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(results.at(1).outcome(), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_EQ(results.at(2).outcome(), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(results.at(0).record_id(), results.at(1).record_id());
  EXPECT_EQ(CountOf(v1::RECORD_KIND_SERVICE_USER), 1u);
}

// The message is a change of the sequencer's: it runs again, and matches again, on what another process has committed.
TEST_F(ApplyChangesTest, AMessageThatMeetsAnotherProcessFindsTheRecordThatThatOneMade) {
  commit::Sequencer other(engine_.memory(), engine_.clock(), engine_.random(), engine_.executor(),
                          engine_.subscriptions(), "another process");
  v1::ApplyChangesRequest message;
  *message.add_changes() = ServiceUserChange("u1");
  message.mutable_changes(0)->set_source("planner");
  const auto take = [&](commit::Transaction& transaction, v1::ChangeResult& result) {
    const absl::StatusOr<v1::ApplyChangesResponse> taken =
        TakeMessage(transaction, {"planner", engine_.opening().timeline}, true, message);
    if (taken.ok()) result = taken->results(0);
    return taken.status();
  };
  v1::ChangeResult ours;
  v1::ChangeResult theirs;
  std::vector<v1::ChangeOutcome> tries;
  const auto committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    const absl::Status status = take(transaction, ours);
    tries.push_back(ours.outcome());
    if (tries.size() == 1) {
      other.Submit(
          tenant_, [&](commit::Transaction& meanwhile) { return take(meanwhile, theirs); },
          [](const absl::StatusOr<commit::Committed>& done) { EXPECT_TRUE(done.ok()) << done.status(); });
      engine_.executor().RunAll();
    }
    return status;
  });
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(tries, (std::vector<v1::ChangeOutcome>{v1::CHANGE_OUTCOME_CREATED, v1::CHANGE_OUTCOME_UNCHANGED}));
  EXPECT_EQ(theirs.outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(ours.record_id(), theirs.record_id());
  EXPECT_EQ(CountOf(v1::RECORD_KIND_SERVICE_USER), 1u);
}

// Requirement: I2
TEST_F(ApplyChangesTest, AnIdMeansOneRecordOfEachKind) {
  Apply({CareServiceChange("7"), BranchChange("7"), CarerChange("7"), ServiceUserChange("7")});
  EXPECT_EQ(ApplyOne(VisitChange("7", "7", {"7"})), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(SeenByCarer("7").size(), 3u);
}

// Requirement: I3
TEST_F(ApplyChangesTest, TheSameExternalIdOfTwoSourcesIsTwoRecords) {
  Apply({ServiceUserChange("u1")}, "planner");
  EXPECT_EQ(ApplyOne(ServiceUserChange("u1"), "other"), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_NE(Named(v1::RECORD_KIND_SERVICE_USER, "u1", "planner"), Named(v1::RECORD_KIND_SERVICE_USER, "u1", "other"));
  EXPECT_EQ(CountOf(v1::RECORD_KIND_SERVICE_USER), 2u);
}

// Requirement: I3
TEST_F(ApplyChangesTest, AReferenceMeansTheSendersOwnRecord) {
  Apply({CarerChange("c1"), ServiceUserChange("u1")}, "planner");
  EXPECT_EQ(ApplyOne(VisitChange("v1", "u1", {"c1"}), "other"), v1::CHANGE_OUTCOME_WAITING);
}

// Requirement: I8
TEST_F(ApplyChangesTest, AVisitReachesItsCarersWithEverythingTheyNeed) {
  Apply({CarerChange("c1"), CarerChange("c2"), ServiceUserChange("u1")});
  v1::RosterChange change = VisitChange("v1", "u1", {"c1", "c2"});
  v1::RosterPlannedActivity& activity = *change.mutable_visit()->add_planned_activities();
  activity.set_activity_id("a1");
  activity.set_activity_kind("wash");
  activity.set_carer("c2");
  change.mutable_visit()->set_notes("Key safe by the door");
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_CREATED);
  const RecordName c1 = Named(v1::RECORD_KIND_CARER, "c1");
  const RecordName c2 = Named(v1::RECORD_KIND_CARER, "c2");
  const RecordName u1 = Named(v1::RECORD_KIND_SERVICE_USER, "u1");
  const RecordName visit = Named(v1::RECORD_KIND_VISIT, "v1");
  EXPECT_EQ(SeenByCarer("c1"), (std::set<RecordName>{c1, c2, u1, visit}));

  v1::Visit stored;
  ASSERT_TRUE(stored.ParseFromString(Stored(visit).payload()));
  EXPECT_EQ(stored.service_user_id(), u1.id.ToString());
  ASSERT_EQ(stored.assignments_size(), 2);
  EXPECT_EQ(stored.assignments(1).carer_id(), c2.id.ToString());
  EXPECT_EQ(stored.assignments(1).start_time().seconds(), fakes::AtHour(9).seconds());
  ASSERT_EQ(stored.planned_activities_size(), 1);
  EXPECT_EQ(stored.planned_activities(0).carer_id(), c2.id.ToString());
  EXPECT_EQ(stored.notes(), "Key safe by the door");
}

TEST_F(ApplyChangesTest, AMessageIsOneRevisionAndItsReplayNone) {
  const std::vector<v1::RosterChange> message = {CarerChange("c1"), ServiceUserChange("u1"),
                                                 VisitChange("v1", "u1", {"c1"})};
  const base::Revision before = engine_.Head(tenant_);
  Apply(message);
  EXPECT_EQ(engine_.Head(tenant_), before + 1);
  for (const v1::ChangeResult& result : Apply(message)) EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(engine_.Head(tenant_), before + 1);
}

TEST_F(ApplyChangesTest, AReplayWithAnotherTimeOfChangeIsUnchanged) {
  v1::RosterChange change = CarerChange("c1");
  *change.mutable_changed_time() = fakes::AtHour(7);
  Apply({change});
  const base::Revision before = engine_.Head(tenant_);
  *change.mutable_changed_time() = fakes::AtHour(8);
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(ApplyChangesTest, AnOlderVersionIsSuperseded) {
  v1::RosterChange change = CarerChange("c1");
  change.set_source_version(5);
  Apply({change});
  v1::RosterChange older = CarerChange("c1");
  older.mutable_carer()->set_name("Former name");
  older.set_source_version(4);
  const base::Revision before = engine_.Head(tenant_);
  EXPECT_EQ(ApplyOne(older), v1::CHANGE_OUTCOME_SUPERSEDED);
  EXPECT_EQ(engine_.Head(tenant_), before);
  older.set_source_version(5);
  EXPECT_EQ(ApplyOne(older), v1::CHANGE_OUTCOME_UPDATED);
}

TEST_F(ApplyChangesTest, AVersionNotGivenDoesNotMakeRoomForAnOlderOne) {
  v1::RosterChange change = CarerChange("c1");
  change.set_source_version(5);
  Apply({change});
  change.set_source_version(0);
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_UNCHANGED);
  change.mutable_carer()->set_name("New name");
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_UPDATED);
  change.set_source_version(4);
  EXPECT_EQ(ApplyOne(change), v1::CHANGE_OUTCOME_SUPERSEDED);
}

TEST_F(ApplyChangesTest, ARejectedChangeLeavesTheOthersStanding) {
  v1::RosterChange wrong = CarerChange("c2");
  wrong.mutable_carer()->clear_name();
  const std::vector<v1::ChangeResult> results = Apply({CarerChange("c1"), wrong, CarerChange("c3")});
  EXPECT_EQ(results.at(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(results.at(1).outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(results.at(1).error().reason(), "INVALID_FIELD");
  EXPECT_FALSE(results.at(1).error().message().empty());
  EXPECT_TRUE(results.at(1).record_id().empty());
  EXPECT_EQ(results.at(2).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(results.at(2).index(), 2u);
  EXPECT_EQ(CountOf(v1::RECORD_KIND_CARER), 2u);
}

TEST_F(ApplyChangesTest, AChangeWithoutARecordIsRejected) {
  v1::RosterChange change;
  change.set_external_id("c1");
  EXPECT_EQ(Apply({change}).at(0).error().reason(), "RECORD_MISSING");
}

TEST_F(ApplyChangesTest, AChangeOfAnotherSourceIsRejected) {
  v1::ApplyChangesRequest request;
  *request.add_changes() = CarerChange("c1");
  request.mutable_changes(0)->set_source("other");
  std::vector<v1::ChangeResult> results;
  const absl::StatusOr<commit::Committed> committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    results = *ApplyMessage(transaction, "planner", request);
    return absl::OkStatus();
  });
  ASSERT_TRUE(committed.ok());
  EXPECT_FALSE(committed->wrote);
  EXPECT_EQ(results.at(0).error().reason(), "SOURCE_NOT_YOURS");
}

TEST_F(ApplyChangesTest, ARecordLargerThanTheBoundIsRejectedEvenWhereItWouldWait) {
  v1::RosterChange change = VisitChange("v1", "u1", {"c1"});
  std::string description;
  for (size_t i = 0; i < base::limits::kActivityDescriptionCharacters; ++i) description += "\xF0\x9F\x92\x8A";
  for (size_t i = 0; i < base::limits::kVisitActivities; ++i) {
    v1::RosterPlannedActivity& activity = *change.mutable_visit()->add_planned_activities();
    activity.set_activity_id(std::to_string(i));
    activity.set_activity_kind("medicine");
    activity.set_description(description);
  }
  const v1::ChangeResult result = Apply({change}).at(0);
  EXPECT_EQ(result.error().reason(), base::Reason(base::errors::RecordTooLarge(1)));
  EXPECT_EQ(CountOf(v1::RECORD_KIND_VISIT), 0u);
}

TEST_F(ApplyChangesTest, ACarerOfTooManyGroupsHasThatGroupRejectedAndTheOthersStanding) {
  Apply({CarerChange("c1"), CarerChange("c2")});
  for (size_t i = 0; i < base::limits::kGroupsOfCarer; ++i) {
    ASSERT_EQ(ApplyOne(GroupChange(std::to_string(i), {"c1"})), v1::CHANGE_OUTCOME_CREATED);
  }
  const std::vector<v1::ChangeResult> results =
      Apply({ServiceUserChange("before"), GroupChange("one-more", {"c2", "c1"}), ServiceUserChange("after")});
  EXPECT_EQ(results.at(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(results.at(1).outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(results.at(1).error().reason(), "TOO_MANY_GROUPS");
  EXPECT_EQ(results.at(2).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(CountOf(v1::RECORD_KIND_EMPLOYEE_GROUP), base::limits::kGroupsOfCarer);
  EXPECT_EQ(CountOf(v1::RECORD_KIND_SERVICE_USER), 2u);
  // Nothing of the group is left on its other carer.
  EXPECT_EQ(ApplyOne(GroupChange("one-more", {"c2"})), v1::CHANGE_OUTCOME_CREATED);
}

TEST_F(ApplyChangesTest, GroupsThatTogetherPassACommitAreTakenAsFarAsTheyFitAndTheRestAlone) {
  constexpr size_t kCarers = 5'000;
  std::vector<std::string> carers;
  std::vector<v1::RosterChange> message;
  for (size_t i = 0; i < kCarers; ++i) {
    carers.push_back(absl::StrCat("c", i));
    message.push_back(CarerChange(carers.back()));
    if (message.size() < base::limits::kRosterChanges) continue;
    Apply(message);
    message.clear();
  }
  ASSERT_EQ(CountOf(v1::RECORD_KIND_CARER), kCarers);
  // Two rows a member.
  const size_t groups = base::limits::kCommitRows / (2 * kCarers);
  message = {ServiceUserChange("before")};
  for (size_t i = 0; i < groups; ++i) message.push_back(GroupChange(absl::StrCat("g", i), carers));
  message.push_back(ServiceUserChange("after"));
  const std::vector<v1::ChangeResult> results = Apply(message);
  EXPECT_EQ(results.at(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  for (size_t i = 1; i < groups; ++i) EXPECT_EQ(results.at(i).outcome(), v1::CHANGE_OUTCOME_CREATED) << i;
  EXPECT_EQ(results.at(groups).outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(results.at(groups).error().reason(), "COMMIT_TOO_LARGE");
  EXPECT_EQ(results.at(groups + 1).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(CountOf(v1::RECORD_KIND_EMPLOYEE_GROUP), groups - 1);
  EXPECT_EQ(CountOf(v1::RECORD_KIND_SERVICE_USER), 2u);
  EXPECT_EQ(ApplyOne(message.at(groups)), v1::CHANGE_OUTCOME_CREATED);
}

TEST_F(ApplyChangesTest, AnEmptyMessageIsHarmless) {
  const base::Revision before = engine_.Head(tenant_);
  EXPECT_TRUE(Apply({}).empty());
  EXPECT_EQ(engine_.Head(tenant_), before);
}

TEST_F(ApplyChangesTest, TooManyChangesAreRefusedAsAWhole) {
  v1::ApplyChangesRequest request;
  for (size_t i = 0; i <= base::limits::kRosterChanges; ++i) {
    *request.add_changes() = CarerChange(std::to_string(i));
    request.mutable_changes()->rbegin()->set_source("planner");
  }
  const absl::StatusOr<commit::Committed> committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    return ApplyMessage(transaction, "planner", request).status();
  });
  EXPECT_EQ(base::Reason(committed.status()), base::Reason(base::errors::TooManyChanges(1)));
  EXPECT_EQ(CountOf(v1::RECORD_KIND_CARER), 0u);
}

TEST_F(ApplyChangesTest, AnUnknownTenantIsRefused) {
  const absl::StatusOr<commit::Committed> committed =
      engine_.Run(fakes::Tenant("nobody"), [](commit::Transaction& transaction) {
        return ApplyMessage(transaction, "planner", v1::ApplyChangesRequest()).status();
      });
  EXPECT_EQ(base::Reason(committed.status()), base::Reason(base::errors::TenantUnknown("nobody")));
}

TEST_F(ApplyChangesTest, AStoreThatCannotBeReadFailsTheWholeMessage) {
  v1::ApplyChangesRequest request;
  *request.add_changes() = CarerChange("c1");
  request.mutable_changes(0)->set_source("planner");
  absl::Status status;
  const absl::StatusOr<commit::Committed> committed = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
    engine_.store().FailReads(true);
    status = ApplyMessage(transaction, "planner", request).status();
    engine_.store().FailReads(false);
    return status;
  });
  EXPECT_FALSE(committed.ok());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

}  // namespace
}  // namespace caresync::roster
