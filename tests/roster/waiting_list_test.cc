// What is listed of the changes that wait for other records, or were refused when those had come.
#include "server/roster/waiting_list.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/roster/waiting.h"
#include "tests/fakes/rota.h"
#include "tests/roster/planner_test.h"

namespace caresync::roster {
namespace {

namespace limits = base::limits;
using fakes::CarerChange;
using fakes::GroupChange;
using fakes::ServiceUserChange;
using fakes::VisitChange;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class WaitingListTest : public PlannerTest {
 protected:
  absl::Time Now() { return engine_.clock().Now(); }

  // A change of a visit that starts then, and was made in the rostering system `ago`. It waits for its service user.
  v1::RosterChange Change(const std::string& visit, absl::Time start, absl::Duration ago) {
    v1::RosterChange change = VisitChange(visit, "nobody yet", {"c1"});
    v1::RosterAssignment& part = *change.mutable_visit()->mutable_assignments(0);
    *part.mutable_start_time() = base::ToTimestamp(start);
    *part.mutable_end_time() = base::ToTimestamp(start + absl::Hours(1));
    *change.mutable_changed_time() = base::ToTimestamp(Now() - ago);
    return change;
  }

  absl::StatusOr<v1::ListWaitingChangesResponse> Ask(const v1::ListWaitingChangesRequest& request) {
    return ListWaiting(*engine_.Snapshot(), tenant_, request, Now());
  }
  std::vector<v1::WaitingRosterChange> List(const v1::ListWaitingChangesRequest& request = {}) {
    const auto listed = Ask(request);
    EXPECT_TRUE(listed.ok()) << listed.status();
    if (!listed.ok()) return {};
    EXPECT_EQ(listed->next_page_token(), "");
    return {listed->changes().begin(), listed->changes().end()};
  }
  v1::WaitingRosterChange Only() {
    const std::vector<v1::WaitingRosterChange> listed = List();
    EXPECT_EQ(listed.size(), 1u);
    return listed.empty() ? v1::WaitingRosterChange() : listed.front();
  }
  std::vector<std::string> Late() {
    v1::ListWaitingChangesRequest request;
    request.set_late_only(true);
    return IdsOf(List(request));
  }
  static std::vector<std::string> IdsOf(const std::vector<v1::WaitingRosterChange>& changes) {
    std::vector<std::string> ids;
    for (const v1::WaitingRosterChange& change : changes) ids.push_back(change.external_id());
    return ids;
  }
  static std::vector<std::string> MissingIn(const v1::WaitingRosterChange& change) {
    std::vector<std::string> missing;
    for (const v1::MissingReference& reference : change.missing()) {
      missing.push_back(v1::RecordKind_Name(reference.kind()) + " " + reference.external_id());
    }
    return missing;
  }
  // By when it is promised. nullopt: nothing is.
  static std::optional<absl::Time> Promised(const v1::WaitingRosterChange& change) {
    if (!change.has_promised_time()) return std::nullopt;
    return base::FromTimestamp(change.promised_time());
  }
  // As a row that another version of the server left.
  void Put(const std::string& key, const std::string& value) {
    const auto put = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      transaction.Put(storage::Space::kRecords, key, value);
      return absl::OkStatus();
    });
    ASSERT_TRUE(put.ok()) << put.status();
  }
};

// ---- What waits, and what was refused

// Requirement: I4
TEST_F(WaitingListTest, WhatWaitsIsListedWithWhatItWaitsFor) {
  Apply({CarerChange("c1")});
  const absl::Time received = Now();
  v1::RosterChange change = VisitChange("v1", "u1", {"c1", "c2"});
  *change.mutable_changed_time() = base::ToTimestamp(received - absl::Minutes(2));
  Apply({change});
  engine_.Advance(absl::Minutes(1));
  const v1::WaitingRosterChange listed = Only();
  EXPECT_EQ(listed.record_kind(), v1::RECORD_KIND_VISIT);
  EXPECT_EQ(listed.record_id(), Named(v1::RECORD_KIND_VISIT, "v1").id.ToString());
  EXPECT_EQ(listed.source(), "planner");
  EXPECT_EQ(listed.external_id(), "v1");
  EXPECT_EQ(base::FromTimestamp(listed.source_changed_time()), received - absl::Minutes(2));
  EXPECT_EQ(base::FromTimestamp(listed.received_time()), received);
  EXPECT_THAT(MissingIn(listed), ElementsAre("RECORD_KIND_SERVICE_USER u1", "RECORD_KIND_CARER c2"));
  EXPECT_EQ(listed.missing_count(), 2);
  EXPECT_EQ(listed.refused_reason(), "");

  Apply({ServiceUserChange("u1")});
  EXPECT_THAT(MissingIn(Only()), ElementsAre("RECORD_KIND_CARER c2"));
  Apply({CarerChange("c2")});
  EXPECT_THAT(List(), IsEmpty());
}

TEST_F(WaitingListTest, WhatWasRefusedIsListedWithTheReason) {
  Apply({VisitChange("v1", "u1", {"c1"})});
  const base::RecordKey visit = records::KeyOf(Named(v1::RECORD_KIND_VISIT, "v1"));
  const auto refused = engine_.Run(
      tenant_, [&](commit::Transaction& transaction) { return RefuseWaiting(transaction, visit, "INVALID_FIELD"); });
  ASSERT_TRUE(refused.ok()) << refused.status();
  const v1::WaitingRosterChange listed = Only();
  EXPECT_EQ(listed.refused_reason(), "INVALID_FIELD");
  EXPECT_EQ(listed.external_id(), "v1");
  EXPECT_THAT(MissingIn(listed), IsEmpty());
  EXPECT_EQ(listed.missing_count(), 0);
}

TEST_F(WaitingListTest, OfALargeGroupSomeOfItsMissingMembersAreNamedAndAllCounted) {
  std::vector<std::string> carers;
  for (size_t i = 0; i < limits::kMissingTold + 5; ++i) carers.push_back("c" + std::to_string(i));
  Apply({CarerChange("c0"), GroupChange("g1", carers)});
  const v1::WaitingRosterChange listed = Only();
  EXPECT_EQ(listed.missing_size(), static_cast<int>(limits::kMissingTold));
  EXPECT_EQ(listed.missing(0).external_id(), "c1");
  EXPECT_EQ(listed.missing_count(), static_cast<int>(limits::kMissingTold + 4));
}

// ---- What is promised, and what is late

// Requirement: I4
TEST_F(WaitingListTest, AVisitThatStillWaitsWhenItWasToBeOnThePhonesIsLate) {
  const absl::Time made = Now() - absl::Minutes(5);
  Apply({Change("near", made + absl::Hours(72), absl::Minutes(5)),
         Change("ahead", made + absl::Hours(72) + absl::Seconds(1), absl::Minutes(5))});
  for (const v1::WaitingRosterChange& change : List()) {
    const absl::Duration promise = change.external_id() == "near" ? absl::Minutes(20) : absl::Hours(24);
    EXPECT_EQ(Promised(change), made + promise) << change.external_id();
    EXPECT_FALSE(change.late());
  }
  engine_.Advance(absl::Minutes(15));
  EXPECT_THAT(Late(), IsEmpty()) << "its time is not up";
  engine_.Advance(absl::Seconds(1));
  EXPECT_THAT(Late(), ElementsAre("near"));
  engine_.Advance(absl::Hours(24));
  EXPECT_THAT(Late(), UnorderedElementsAre("near", "ahead"));
}

TEST_F(WaitingListTest, TheEarliestAssignmentDecides) {
  const absl::Time made = Now();
  v1::RosterChange change = Change("v1", made + absl::Hours(80), absl::ZeroDuration());
  v1::RosterAssignment& other = *change.mutable_visit()->add_assignments();
  other.set_carer("c2");
  *other.mutable_start_time() = base::ToTimestamp(made + absl::Hours(70));
  *other.mutable_end_time() = base::ToTimestamp(made + absl::Hours(71));
  Apply({change});
  EXPECT_EQ(Promised(Only()), made + limits::kNearPromise);
}

TEST_F(WaitingListTest, NothingIsPromisedWhereItCannotBeToldWhenItWasMadeOrNobodyIsToSeeIt) {
  const absl::Time start = Now() + absl::Hours(5);
  v1::RosterChange unsaid = Change("unsaid", start, absl::ZeroDuration());
  unsaid.clear_changed_time();
  v1::RosterChange cancelled = Change("cancelled", start, absl::ZeroDuration());
  cancelled.mutable_visit()->set_cancelled(true);
  v1::RosterChange draft = Change("draft", start, absl::ZeroDuration());
  draft.mutable_visit()->set_published(false);
  v1::RosterChange carer = CarerChange("no visit", "b1");
  *carer.mutable_changed_time() = base::ToTimestamp(Now());
  Apply({unsaid, cancelled, draft, carer, Change("tomorrow's", start, -absl::Minutes(2)),
         Change("sent for the first time", start, limits::kLagMost + absl::Minutes(1)),
         Change("begun", Now() - absl::Hours(1), absl::Minutes(1))});
  EXPECT_EQ(List().size(), 7u);
  for (const v1::WaitingRosterChange& change : List())
    EXPECT_EQ(Promised(change), std::nullopt) << change.external_id();
  engine_.Advance(absl::Hours(48));
  EXPECT_THAT(Late(), IsEmpty());
}

// ---- The list

TEST_F(WaitingListTest, OneSourceAloneIsListedWhereItIsAskedFor) {
  Apply({VisitChange("v1", "u1", {"c1"})});
  engine_.ApplyChanges(tenant_, "other", {VisitChange("v2", "u1", {"c1"})});
  EXPECT_EQ(List().size(), 2u);
  v1::ListWaitingChangesRequest request;
  request.set_source("other");
  EXPECT_THAT(IdsOf(List(request)), ElementsAre("v2"));
}

TEST_F(WaitingListTest, PagesHoldAllOnceInTheOrderOfTheirRecords) {
  for (const char* visit : {"v1", "v2", "v3"}) Apply({VisitChange(visit, "u1", {"c1"})});
  Apply({ServiceUserChange("u1", "b1")});
  v1::ListWaitingChangesRequest request;
  request.set_page_size(1);
  std::vector<std::string> ids;
  std::vector<base::RecordKey> keys;
  do {
    const auto page = Ask(request);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->changes_size(), 1);
    ids.push_back(page->changes(0).external_id());
    keys.push_back(records::KeyOf({page->changes(0).record_kind(), *base::Uuid::Parse(page->changes(0).record_id())}));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(ids, UnorderedElementsAre("v1", "v2", "v3", "u1"));
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

TEST_F(WaitingListTest, ATokenOfAnotherRequestIsNotGoneOnWith) {
  Apply({VisitChange("v1", "u1", {"c1"}), VisitChange("v2", "u1", {"c1"})});
  v1::ListWaitingChangesRequest request;
  request.set_page_size(1);
  request.set_page_token(Ask(request)->next_page_token());
  request.set_late_only(true);
  EXPECT_EQ(base::Reason(Ask(request).status()), "PAGE_TOKEN_NOT_VALID");
}

TEST_F(WaitingListTest, WhatCannotBeReadIsLeftOut) {
  Apply({VisitChange("v1", "u1", {"c1"}), VisitChange("v2", "u1", {"c1"})});
  Put(base::keys::Waiting(tenant_, records::KeyOf(Named(v1::RECORD_KIND_VISIT, "v1"))), "damaged");
  Put(base::keys::Waiting(tenant_, {"no record"}), store::WaitingChange().SerializeAsString());
  EXPECT_THAT(IdsOf(List()), ElementsAre("v2"));
}

}  // namespace
}  // namespace caresync::roster
