#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;

v1::ApplyChangesRequest OneChange(v1::RosterChange change, const std::string& source = "rota") {
  change.set_source(source);
  v1::ApplyChangesRequest request;
  *request.add_changes() = std::move(change);
  return request;
}

class RosterServiceTest : public testing::Test {
 protected:
  RosterServiceTest() { client_.CreateTenant("acme"); }

  // Sends one message and returns the reason with which the stream ends.
  std::string ReasonFor(const v1::ApplyChangesRequest& request, const access::Identity& caller) {
    const auto context = client_.Context(caller);
    const auto stream = client_.roster().ApplyChanges(context.get());
    stream->Write(request);
    stream->WritesDone();
    v1::ApplyChangesResponse response;
    while (stream->Read(&response)) continue;
    return ReasonOf(stream->Finish());
  }

  std::vector<v1::StreamCareEventsResponse> ReadEvents(const std::string& token) {
    const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
    v1::StreamCareEventsRequest request;
    request.set_resume_token(token);
    const auto stream = client_.roster().StreamCareEvents(context.get(), request);
    std::vector<v1::StreamCareEventsResponse> responses;
    v1::StreamCareEventsResponse response;
    while (stream->Read(&response)) responses.push_back(response);
    EXPECT_EQ(ReasonOf(stream->Finish()), token == "nonsense" ? "TOKEN_NOT_VALID" : "");
    return responses;
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  Client client_{server_};
};

TEST_F(RosterServiceTest, TakesARotaAndAnswersAReplayWithoutANewRevision) {
  const std::vector<v1::RosterChange> rota = {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"),
                                              fakes::VisitChange("v1", "su", {"ann"})};
  const v1::ApplyChangesResponse first = client_.Apply("acme", "rota", rota);
  ASSERT_EQ(first.results_size(), 3);
  for (const v1::ChangeResult& result : first.results()) EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_CREATED);
  const v1::ApplyChangesResponse again = client_.Apply("acme", "rota", rota);
  for (const v1::ChangeResult& result : again.results()) EXPECT_EQ(result.outcome(), v1::CHANGE_OUTCOME_UNCHANGED);
  EXPECT_EQ(again.commit().revision(), first.commit().revision());
  EXPECT_EQ(again.commit().timeline(), first.commit().timeline());
}

TEST_F(RosterServiceTest, EachOpeningOfTheStoreIsATimelineOfItsOwn) {
  const v1::CommitPoint first = client_.Apply("acme", "rota", {fakes::CarerChange("ann")}).commit();
  EXPECT_EQ(server_.Stop(), 0);
  const ServerProcess again(folder_.path());
  const v1::CommitPoint second = Client(again).Apply("acme", "rota", {fakes::CarerChange("bob")}).commit();
  EXPECT_EQ(second.revision(), first.revision() + 1);
  EXPECT_NE(second.timeline(), first.timeline());
  EXPECT_NE(second.timeline(), "");
}

TEST_F(RosterServiceTest, AnswersMessagesInOrderHoweverManyAreSentAhead) {
  constexpr int kMessages = 300;
  const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
  const auto stream = client_.roster().ApplyChanges(context.get());
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream->Write(OneChange(fakes::CarerChange("carer" + std::to_string(i)))));
  }
  stream->WritesDone();
  uint64_t last_revision = 0;
  int responses = 0;
  v1::ApplyChangesResponse response;
  while (stream->Read(&response)) {
    ++responses;
    EXPECT_GT(response.commit().revision(), last_revision);
    last_revision = response.commit().revision();
  }
  EXPECT_EQ(responses, kMessages);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RosterServiceTest, RejectsOneChangeAndTakesTheOthers) {
  v1::RosterChange of_other = fakes::CarerChange("bob");
  v1::ApplyChangesRequest request = OneChange(fakes::CarerChange("ann"));
  of_other.set_source("other");
  *request.add_changes() = of_other;
  const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
  const auto stream = client_.roster().ApplyChanges(context.get());
  stream->Write(request);
  stream->WritesDone();
  v1::ApplyChangesResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(response.results(0).outcome(), v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(response.results(1).outcome(), v1::CHANGE_OUTCOME_REJECTED);
  EXPECT_EQ(response.results(1).error().reason(), "SOURCE_NOT_YOURS");
}

TEST_F(RosterServiceTest, EndsTheStreamOnAMessageThatIsWrongAsAWhole) {
  const access::Identity rota = As(Role::kRostering, "acme", "rota");
  v1::ApplyChangesRequest many;
  for (int i = 0; i < 101; ++i) *many.add_changes() = OneChange(fakes::CarerChange("c")).changes(0);
  EXPECT_EQ(ReasonFor(many, rota), "TOO_MANY_CHANGES");
  EXPECT_EQ(ReasonFor(OneChange(fakes::CarerChange("\xff")), rota), "MESSAGE_NOT_UNDERSTOOD");
  EXPECT_EQ(ReasonFor(OneChange(fakes::CarerChange("ann")), As(Role::kRostering, "nobody", "rota")), "TENANT_UNKNOWN");
  EXPECT_EQ(ReasonFor(OneChange(fakes::CarerChange("ann")), As(Role::kRostering, "acme", "A Source")), "INVALID_FIELD");
  EXPECT_EQ(ReasonFor(OneChange(fakes::CarerChange("ann")), As(Role::kAdministrator, "acme")), "ROLE_NOT_ALLOWED");
}

TEST_F(RosterServiceTest, RefusesAMessageAboveTheBound) {
  v1::RosterChange large = fakes::CarerChange("ann");
  large.mutable_carer()->set_name(std::string(2 * 1024 * 1024, 'a'));
  const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
  const auto stream = client_.roster().ApplyChanges(context.get());
  stream->Write(OneChange(large));
  stream->WritesDone();
  v1::ApplyChangesResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(RosterServiceTest, StreamsNothingWithATokenWhereNothingWasRecorded) {
  const auto first = ReadEvents("");
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(first[0].caught_up());
  EXPECT_EQ(first[0].events_size(), 0);
  const auto second = ReadEvents(first[0].resume_token());
  ASSERT_EQ(second.size(), 1u);
  EXPECT_TRUE(second[0].caught_up());
  EXPECT_TRUE(ReadEvents("nonsense").empty());
}

TEST_F(RosterServiceTest, LeavesNoTraceOfAFollowerThatWentAway) {
  for (int i = 0; i < 20; ++i) {
    const auto context = client_.Context(As(Role::kRostering, "acme", "rota"));
    v1::StreamCareEventsRequest request;
    request.set_follow(true);
    const auto stream = client_.roster().StreamCareEvents(context.get(), request);
    v1::StreamCareEventsResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context->TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(client_.Apply("acme", "rota", {fakes::CarerChange("ann")}).results(0).outcome(),
            v1::CHANGE_OUTCOME_CREATED);
  EXPECT_EQ(server_.Stop(), 0);
}

TEST_F(RosterServiceTest, ListsCarers) {
  client_.Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::CarerChange("bob")});
  v1::ListCarersRequest request;
  request.set_search("BO");
  v1::ListCarersResponse response;
  const grpc::Status status = client_.Call(client_.roster(), &v1::RosterService::Stub::ListCarers,
                                           As(Role::kCoordinator, "acme"), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.carers_size(), 1);
  EXPECT_EQ(response.carers(0).name(), "bob");
}

}  // namespace
}  // namespace caresync::integration
