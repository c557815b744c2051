#include "loadtest/model.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kSource[] = "rota";

v1::RosterChange Carer(const std::string& id, const std::string& name) {
  v1::RosterChange change;
  change.set_source(kSource);
  change.set_external_id(id);
  change.mutable_carer()->set_name(name);
  return change;
}

v1::RosterChange ServiceUser(const std::string& id) {
  v1::RosterChange change;
  change.set_source(kSource);
  change.set_external_id(id);
  change.mutable_service_user()->set_name("Ida");
  return change;
}

v1::RosterChange Visit(const std::string& id, const std::string& service_user, const std::vector<std::string>& carers) {
  v1::RosterChange change;
  change.set_source(kSource);
  change.set_external_id(id);
  change.mutable_visit()->set_service_user(service_user);
  change.mutable_visit()->set_published(true);
  for (const std::string& carer : carers) change.mutable_visit()->add_assignments()->set_carer(carer);
  return change;
}

class ModelTest : public testing::Test {
 protected:
  // The server gives every record the ID "id-" and its external ID.
  absl::Status Take(const v1::RosterChange& change, v1::ChangeOutcome outcome) {
    v1::ApplyChangesRequest request;
    *request.add_changes() = change;
    v1::ApplyChangesResponse response;
    v1::ChangeResult& result = *response.add_results();
    result.set_record_id("id-" + change.external_id());
    result.set_outcome(outcome);
    return model_.Take(request, response);
  }
  void MustTake(const v1::RosterChange& change, v1::ChangeOutcome outcome = v1::CHANGE_OUTCOME_CREATED) {
    const absl::Status status = Take(change, outcome);
    ASSERT_TRUE(status.ok()) << status;
  }

  void MakeRota() {
    MustTake(Carer("ann", "Ann"));
    MustTake(Carer("bob", "Bob"));
    MustTake(ServiceUser("ida"));
    MustTake(Visit("together", "ida", {"ann", "bob"}));
    MustTake(Visit("bobs", "ida", {"bob"}));
  }

  std::vector<std::string> Held(const std::string& carer) {
    std::vector<std::string> names;
    const auto expected = model_.Expected();
    const auto of_carer = expected.find("id-" + carer);
    if (of_carer == expected.end()) return names;
    for (const auto& [name, payload] : of_carer->second) names.push_back(ToText(name));
    return names;
  }

  OwnEvent EventOn(const RecordName& parent, const std::string& id) {
    OwnEvent event;
    event.upload.set_event_id(id);
    event.upload.set_event("bytes of " + id);
    event.parent = parent;
    return event;
  }

  Model model_;
};

TEST_F(ModelTest, ACarerHoldsItselfItsVisitsTheirPeopleAndNothingElse) {
  MakeRota();
  EXPECT_THAT(Held("ann"), ElementsAre("CARER id-ann", "CARER id-bob", "SERVICE_USER id-ida", "VISIT id-together"));
  EXPECT_THAT(Held("bob"),
              ElementsAre("CARER id-ann", "CARER id-bob", "SERVICE_USER id-ida", "VISIT id-bobs", "VISIT id-together"));
}

TEST_F(ModelTest, AnIdleCarerHoldsItself) {
  MustTake(Carer("ann", "Ann"));
  EXPECT_THAT(Held("ann"), ElementsAre("CARER id-ann"));
}

TEST_F(ModelTest, PayloadsReferToRecordIds) {
  MakeRota();
  v1::Visit visit;
  ASSERT_TRUE(visit.ParseFromString(model_.Expected()["id-bob"][{v1::RECORD_KIND_VISIT, "id-bobs"}]));
  EXPECT_EQ(visit.service_user_id(), "id-ida");
  EXPECT_EQ(visit.assignments(0).carer_id(), "id-bob");
}

TEST_F(ModelTest, AVisitThatIsTakenAwayGoesWithWhatCameByIt) {
  MakeRota();
  MustTake(Visit("together", "ida", {"bob"}), v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_THAT(Held("ann"), ElementsAre("CARER id-ann"));
  EXPECT_TRUE(model_.WasEverHidden("id-ann", {v1::RECORD_KIND_VISIT, "id-together"}));
  EXPECT_FALSE(model_.WasEverHidden("id-bob", {v1::RECORD_KIND_VISIT, "id-together"}));
}

TEST_F(ModelTest, CancelledAndUnpublishedVisitsAreNotHeld) {
  MakeRota();
  v1::RosterChange cancelled = Visit("bobs", "ida", {"bob"});
  cancelled.mutable_visit()->set_cancelled(true);
  MustTake(cancelled, v1::CHANGE_OUTCOME_UPDATED);
  v1::RosterChange unpublished = Visit("together", "ida", {"ann", "bob"});
  unpublished.mutable_visit()->set_published(false);
  MustTake(unpublished, v1::CHANGE_OUTCOME_UPDATED);
  EXPECT_THAT(Held("bob"), ElementsAre("CARER id-bob"));
  EXPECT_TRUE(model_.WasEverHidden("id-bob", {v1::RECORD_KIND_VISIT, "id-bobs"}));
  EXPECT_TRUE(model_.WasEverHidden("id-bob", {v1::RECORD_KIND_SERVICE_USER, "id-ida"}));
}

TEST_F(ModelTest, EventsFollowTheirRecord) {
  MakeRota();
  model_.TakeEvent(EventOn({v1::RECORD_KIND_VISIT, "id-bobs"}, "e1"));
  model_.TakeEvent(EventOn({v1::RECORD_KIND_SERVICE_USER, "id-ida"}, "e2"));
  EXPECT_THAT(Held("ann"),
              ElementsAre("CARER id-ann", "CARER id-bob", "SERVICE_USER id-ida", "VISIT id-together", "CARE_EVENT e2"));
  EXPECT_THAT(Held("bob"), ElementsAre("CARER id-ann", "CARER id-bob", "SERVICE_USER id-ida", "VISIT id-bobs",
                                       "VISIT id-together", "CARE_EVENT e1", "CARE_EVENT e2"));
  EXPECT_EQ(model_.SourceOf({v1::RECORD_KIND_CARE_EVENT, "e1"}), kSource);
}

TEST_F(ModelTest, FindsAnswersThatAreNotWhatTheyMustBe) {
  MakeRota();
  EXPECT_THAT(Take(Carer("ann", "Ann"), v1::CHANGE_OUTCOME_UPDATED).message(),
              HasSubstr("must be CHANGE_OUTCOME_UNCHANGED"));
  EXPECT_THAT(Take(Carer("ann", "Anna"), v1::CHANGE_OUTCOME_UNCHANGED).message(),
              HasSubstr("must be CHANGE_OUTCOME_UPDATED"));
  EXPECT_THAT(Take(Carer("cat", "Cat"), v1::CHANGE_OUTCOME_REJECTED).message(),
              HasSubstr("must be CHANGE_OUTCOME_CREATED"));
  EXPECT_THAT(Take(Visit("v", "nobody", {"ann"}), v1::CHANGE_OUTCOME_WAITING).message(), HasSubstr("nobody"));
  v1::ApplyChangesRequest request;
  *request.add_changes() = Carer("ann", "Ann");
  EXPECT_THAT(model_.Take(request, v1::ApplyChangesResponse()).message(), HasSubstr("1 changes got 0 results"));
}

TEST_F(ModelTest, FindsARecordThatChangesItsId) {
  MakeRota();
  v1::ApplyChangesRequest request;
  *request.add_changes() = Carer("ann", "Ann");
  v1::ApplyChangesResponse response;
  response.add_results()->set_record_id("another");
  response.mutable_results(0)->set_outcome(v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_THAT(model_.Take(request, response).message(), HasSubstr("where it was id-ann"));
  *request.mutable_changes(0) = Carer("eve", "Eve");
  response.mutable_results(0)->set_record_id("id-ann");
  EXPECT_THAT(model_.Take(request, response).message(), HasSubstr("is to be new"));
}

}  // namespace
}  // namespace caresync::loadtest
