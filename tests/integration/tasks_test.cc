// What caresyncd puts off, kind by kind: nothing here runs a task but the program itself.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "caresync/v1/care_events.grpc.pb.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/records/record_key.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::integration {
namespace {

using access::Role;

class TasksOfTheServerTest : public testing::Test {
 protected:
  TasksOfTheServerTest() {
    client_.CreateTenant("acme");
    const auto applied = client_.Apply("acme", "rota", {fakes::CarerChange("ann"), fakes::ServiceUserChange("su")});
    phone_ = std::make_unique<Device>(client_, "acme", applied.results(0).record_id(),
                                      "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
    EXPECT_TRUE(HoldsAfterASync(1)) << "the carer alone";
  }

  bool HoldsAfterASync(size_t records) { return phone_->Sync().ok() && phone_->held().in_use.size() == records; }

  int ForReview() {
    const auto stub = v1::CareEventService::NewStub(client_.channel());
    v1::ListEventsForReviewResponse response;
    EXPECT_EQ(ReasonOf(client_.Call(*stub, &v1::CareEventService::Stub::ListEventsForReview, As(Role::kSupport, "acme"),
                                    v1::ListEventsForReviewRequest(), &response)),
              "");
    return response.events_size();
  }

  void PutVisits(size_t count, const std::vector<std::string>& carers) {
    for (size_t first = 0; first < count; first += base::limits::kRosterChanges) {
      std::vector<v1::RosterChange> changes;
      for (size_t i = first; i < std::min(count, first + base::limits::kRosterChanges); ++i) {
        changes.push_back(fakes::VisitChange("v" + std::to_string(i), "su", carers));
      }
      const v1::ApplyChangesResponse applied = client_.Apply("acme", "rota", changes);
      for (const v1::ChangeResult& result : applied.results()) {
        EXPECT_FALSE(result.has_error()) << result.error().message();
      }
    }
  }

  fakes::TemporaryDirectory folder_;
  ServerProcess server_{folder_.path()};
  const Client client_{server_};
  std::unique_ptr<Device> phone_;
};

TEST_F(TasksOfTheServerTest, AChangeThatWaitedIsAppliedOnceWhatItNamesHasCome) {
  EXPECT_EQ(client_.Apply("acme", "rota", {fakes::VisitChange("v", "later", {"ann"})}).results(0).outcome(),
            v1::CHANGE_OUTCOME_WAITING);
  client_.Apply("acme", "rota", {fakes::ServiceUserChange("later")});
  EXPECT_TRUE(fakes::Eventually([&] { return HoldsAfterASync(3); })) << "the carer, the visit, and whose it is";
}

TEST_F(TasksOfTheServerTest, AnEventForReviewIsTakenByItselfOnceItsVisitHasCome) {
  const auto visit = records::IntegratedId(*base::TenantId::Parse("acme"), "rota", v1::RECORD_KIND_VISIT, "v");
  phone_->Note(visit.ToString(), "Went there all the same");
  ASSERT_TRUE(phone_->Sync().ok());
  ASSERT_EQ(ForReview(), 1);
  client_.Apply("acme", "rota", {fakes::VisitChange("v", "su", {"ann"})});
  EXPECT_TRUE(fakes::Eventually([&] { return ForReview() == 0; }));
  EXPECT_TRUE(fakes::Eventually([&] { return HoldsAfterASync(4); })) << "the carer, the visit, whose it is, the event";
}

TEST_F(TasksOfTheServerTest, AVisitLeavesAPhoneWhenTheRetentionGetsShorter) {
  v1::RosterChange past = fakes::VisitChange("v", "su", {"ann"});
  v1::RosterAssignment& part = *past.mutable_visit()->mutable_assignments(0);
  *part.mutable_start_time() = base::ToTimestamp(absl::Now() - absl::Hours(50));
  *part.mutable_end_time() = base::ToTimestamp(absl::Now() - absl::Hours(49));
  client_.Apply("acme", "rota", {past});
  ASSERT_TRUE(HoldsAfterASync(3));
  v1::UpdateTenantRequest request;
  request.set_tenant_id("acme");
  request.mutable_retention()->set_seconds(absl::ToInt64Seconds(absl::Hours(24)));
  v1::Tenant updated;
  ASSERT_EQ(ReasonOf(client_.Call(client_.tenants(), &v1::TenantService::Stub::UpdateTenant,
                                  As(Role::kAdministrator, "acme"), request, &updated)),
            "");
  EXPECT_TRUE(fakes::Eventually([&] { return HoldsAfterASync(1); }));
}

TEST_F(TasksOfTheServerTest, OldRemovalsAreForgottenAndWhoMissedThemMakesANewCopy) {
  constexpr size_t kVisits = base::limits::kFeedRemovals + 100;
  PutVisits(kVisits, {"ann"});
  ASSERT_TRUE(HoldsAfterASync(kVisits + 2));
  client_.Apply("acme", "rota", {fakes::CarerChange("bob")});
  PutVisits(kVisits, {"bob"});
  EXPECT_TRUE(fakes::Eventually([&] {
    const SyncCall call = phone_->Begin();
    v1::SyncResponse response;
    EXPECT_TRUE(call.stream->Read(&response));
    call.context->TryCancel();
    EXPECT_FALSE(call.stream->Finish().ok());
    return response.rebuild().reason() == v1::REBUILD_REASON_EXPIRED;
  }));
}

}  // namespace
}  // namespace caresync::integration
