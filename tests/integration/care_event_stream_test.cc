#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char kPhone[] = "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f";

// A stream of care events and what came on it.
struct EventCall {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientReader<v1::StreamCareEventsResponse>> stream;
  std::vector<v1::CareEventDelivery> events;
  std::string token;

  // Reads until the server says that nothing is left for now; false where the stream ends before.
  bool CatchUp() {
    v1::StreamCareEventsResponse response;
    while (stream->Read(&response)) {
      events.insert(events.end(), response.events().begin(), response.events().end());
      token = response.resume_token();
      if (response.caught_up()) return true;
    }
    return false;
  }

  std::vector<std::string> Ids() const {
    std::vector<std::string> ids;
    for (const v1::CareEventDelivery& event : events) ids.push_back(event.event_id());
    return ids;
  }
};

class CareEventsOverGrpcTest : public testing::Test {
 protected:
  CareEventsOverGrpcTest() {
    client_.CreateTenant("acme");
    const auto applied = client_.Apply(
        "acme", "rota",
        {fakes::CarerChange("ann"), fakes::ServiceUserChange("su"), fakes::VisitChange("morning", "su", {"ann"})});
    visit_ = applied.results(2).record_id();
    phone_ = std::make_unique<Device>(client_, "acme", applied.results(0).record_id(), kPhone);
    EXPECT_TRUE(phone_->Sync().ok());
  }

  // Records a note and syncs it in; its event ID.
  std::string Note(const std::string& text) {
    const std::string id = phone_->Note(visit_, text);
    EXPECT_TRUE(phone_->Sync().ok());
    return id;
  }

  EventCall Stream(const std::string& token, bool follow, const std::string& source = "rota") const {
    v1::StreamCareEventsRequest request;
    request.set_resume_token(token);
    request.set_follow(follow);
    EventCall call;
    call.context = client_.Context(As(Role::kRostering, "acme", source));
    call.stream = client_.roster().StreamCareEvents(call.context.get(), request);
    return call;
  }

  // Expects that a stream from `token` brings nothing and is refused by this name.
  void ExpectRefused(const std::string& token, const std::string& source) const {
    const EventCall call = Stream(token, false, source);
    v1::StreamCareEventsResponse response;
    EXPECT_FALSE(call.stream->Read(&response));
    const grpc::Status status = call.stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(ReasonOf(status), "TOKEN_NOT_VALID");
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  const Client client_{server_};
  std::string visit_;
  std::unique_ptr<Device> phone_;
};

TEST_F(CareEventsOverGrpcTest, WhatCarersRecordedComesWithWhatItBelongsTo) {
  const std::string first = Note("Had breakfast");
  const std::string second = Note("Took a walk");
  EventCall call = Stream("", false);
  ASSERT_TRUE(call.CatchUp());
  EXPECT_TRUE(call.stream->Finish().ok());
  ASSERT_THAT(call.Ids(), ElementsAre(first, second));
  const v1::CareEventDelivery& event = call.events[0];
  EXPECT_EQ(event.parent_kind(), v1::RECORD_KIND_VISIT);
  EXPECT_EQ(event.parent_external_id(), "morning");
  EXPECT_EQ(event.carer_external_id(), "ann");
  EXPECT_EQ(event.device_uuid(), kPhone);
  EXPECT_EQ(event.sequence(), 1u);
  v1::CareEvent recorded;
  ASSERT_TRUE(recorded.ParseFromString(event.event()));
  EXPECT_EQ(recorded.note().text(), "Had breakfast");
}

TEST_F(CareEventsOverGrpcTest, AFollowerIsBroughtWhatComesLater) {
  const std::string before = Note("before");
  EventCall call = Stream("", true);
  ASSERT_TRUE(call.CatchUp());
  ASSERT_THAT(call.Ids(), ElementsAre(before));
  const std::string later = Note("later");
  ASSERT_TRUE(call.CatchUp());
  EXPECT_THAT(call.Ids(), ElementsAre(before, later));
  const std::string one = phone_->Note(visit_, "one");
  const std::string another = Note("another");
  ASSERT_TRUE(call.CatchUp());
  // What one sync brought is one commit, and has no order in it.
  EXPECT_THAT(call.Ids(), UnorderedElementsAre(before, later, one, another));
  call.context->TryCancel();
  EXPECT_EQ(call.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(CareEventsOverGrpcTest, ATokenSendsNothingAgainAfterARestartToo) {
  Note("before");
  EventCall first = Stream("", false);
  ASSERT_TRUE(first.CatchUp());
  EventCall again = Stream(first.token, false);
  ASSERT_TRUE(again.CatchUp());
  EXPECT_THAT(again.Ids(), IsEmpty());

  const std::string later = Note("later");
  EXPECT_EQ(server_.Stop(), 0);
  const ServerProcess restarted(folder_.path());
  const Client client(restarted);
  v1::StreamCareEventsRequest request;
  request.set_resume_token(again.token);
  EventCall call;
  call.context = client.Context(As(Role::kRostering, "acme", "rota"));
  call.stream = client.roster().StreamCareEvents(call.context.get(), request);
  ASSERT_TRUE(call.CatchUp());
  EXPECT_THAT(call.Ids(), ElementsAre(later));
  EXPECT_TRUE(call.stream->Finish().ok());
}

TEST_F(CareEventsOverGrpcTest, ABadTokenIsRefusedByName) {
  Note("a note");
  EventCall call = Stream("", false);
  ASSERT_TRUE(call.CatchUp());
  ExpectRefused("nonsense", "rota");
  std::string changed = call.token;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  ExpectRefused(changed, "rota");
  ExpectRefused(call.token, "another-source");
}

}  // namespace
}  // namespace caresync::integration
