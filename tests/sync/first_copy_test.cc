// What a sync says of its size beforehand, and what a phone that holds nothing gets first.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/records/record_key.h"
#include "server/service_users/care_plans.h"
#include "server/sync/resume_token.h"
#include "server/sync/session_driver.h"
#include "tests/fakes/device_report.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

namespace limits = base::limits;

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

uint64_t PayloadBytes(const fakes::HeldRecords& records) {
  uint64_t bytes = 0;
  for (const auto& [name, payload] : records) bytes += payload.size();
  return bytes;
}

class FirstCopyTest : public testing::Test {
 protected:
  FirstCopyTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
  }

  void AddLongVisits(int count) { engine_.ApplyChanges(kTenant, "rota", fakes::LongVisitChanges(count, "p1", {"c1"})); }

  // Of the service user.
  void PutCarePlan(const std::string& text) {
    v1::PutCarePlanRequest request;
    request.set_care_plan_id("22222222-2222-4222-8222-222222222222");
    request.mutable_care_plan()->set_title("Plan");
    request.mutable_care_plan()->set_text(text);
    request.mutable_care_plan()->set_service_user_id(
        records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_SERVICE_USER, "p1").ToString());
    const auto put = engine_.Run(kTenant, [&](commit::Transaction& transaction) {
      return service_users::PutCarePlan(transaction, request).status();
    });
    ASSERT_TRUE(put.ok()) << put.status();
  }

  std::unique_ptr<fakes::ScriptedPeer> Start(v1::SyncType type = v1::SYNC_TYPE_STANDARD, uint32_t level = 1) {
    auto peer = std::make_unique<fakes::ScriptedPeer>(server_, SessionIdentity{kTenant, kDevice, carer_});
    v1::SyncRequest start = device_.Start(carer_, type);
    start.mutable_start()->set_data_level(level);
    peer->Say(std::move(start));
    peer->Settle();
    return peer;
  }
  void Sync() {
    ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD).ok());
    ASSERT_TRUE(device_.faults().empty()) << device_.faults().front();
  }

  v1::SyncSummary LastSync() { return fakes::LastSyncOf(server_, kTenant, kDevice); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

// Requirement: S6
TEST_F(FirstCopyTest, ACleanSyncSaysBeforehandHowMuchIsToCome) {
  AddLongVisits(40);
  Sync();
  const auto peer = Start(v1::SYNC_TYPE_CLEAN);
  const v1::Started started = peer->Take()->started();
  EXPECT_EQ(started.estimated_records(), 42u);
  EXPECT_EQ(started.estimated_bytes(), PayloadBytes(device_.of(carer_).in_use));
  EXPECT_GT(started.estimated_bytes(), 2 * limits::kBatchBytes) << "it is the whole copy, not the first batch";
}

TEST_F(FirstCopyTest, TheEstimateIsOfWhatTheAppCanKeep) {
  AddLongVisits(1);
  PutCarePlan(std::string(1000, 't'));
  const v1::Started first = Start(v1::SYNC_TYPE_STANDARD, 1)->Take()->started();
  const v1::Started second = Start(v1::SYNC_TYPE_STANDARD, 2)->Take()->started();
  EXPECT_EQ(first.estimated_records(), 3u);
  EXPECT_EQ(second.estimated_records(), 4u);
  EXPECT_GT(second.estimated_bytes(), first.estimated_bytes() + 1000);
}

TEST_F(FirstCopyTest, OfADeltaTheEstimateIsItsFirstBatch) {
  AddLongVisits(1);
  Sync();
  engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange("new", "p1", {"c1"})});
  const auto peer = Start();
  const v1::SyncResponse first = *peer->Take();
  EXPECT_EQ(first.started().estimated_records(), 1u);
  ASSERT_EQ(first.changes().upserts_size(), 1);
  EXPECT_EQ(first.started().estimated_bytes(), first.changes().upserts(0).payload().size());
}

TEST_F(FirstCopyTest, NoBatchIsLargerThanItsBoundUnlessOneRecordAloneIs) {
  // Revisions and lengths then take two bytes, as in any tenant that has worked for a while.
  for (int i = 0; i < 130; ++i) {
    engine_.ApplyChanges(kTenant, "rota", {fakes::ServiceUserChange(absl::StrCat("another ", i))});
  }
  for (int message = 0; message < 5; ++message) {
    std::vector<v1::RosterChange> visits;
    for (int i = 0; i < 100; ++i) {
      visits.push_back(fakes::VisitChange(absl::StrCat(message, "/", i), "p1", {"c1"}));
      visits.back().mutable_visit()->set_notes(std::string(100, 'n'));
    }
    engine_.ApplyChanges(kTenant, "rota", std::move(visits));
  }
  std::string text;
  for (size_t i = 0; i < limits::kCarePlanTextCharacters; ++i) text += "\U0001F600";
  PutCarePlan(text);
  device_.ReplaceApp("4.2.0", 2);
  const auto peer = Start(v1::SYNC_TYPE_STANDARD, 2);
  int batches = 0;
  int larger = 0;
  while (const std::optional<v1::SyncResponse> response = peer->Take()) {
    const v1::Changes& changes = response->changes();
    if (response->has_changes()) ++batches;
    if (changes.ByteSizeLong() > limits::kBatchBytes) {
      ++larger;
      ASSERT_EQ(changes.upserts_size(), 1);
      EXPECT_EQ(changes.removals_size(), 0);
      EXPECT_EQ(changes.upserts(0).kind(), v1::RECORD_KIND_CARE_PLAN);
      EXPECT_GE(changes.upserts(0).payload().size(), text.size());
    }
    if (std::optional<v1::SyncRequest> ack = device_.Apply(carer_, *response)) peer->Say(*std::move(ack));
    peer->Settle();
  }
  EXPECT_EQ(larger, 1);
  EXPECT_GE(batches, 3);
  EXPECT_TRUE(device_.faults().empty());
  EXPECT_EQ(device_.of(carer_).in_use.size(), 503u);
}

// Requirement: S1
TEST_F(FirstCopyTest, NextVisitsComeInTheFirstMessageWithinABatchsBytesAndDoNotCount) {
  AddLongVisits(40);
  const auto peer = Start();
  const v1::SyncResponse first = *peer->Take();
  ASSERT_TRUE(first.has_started());
  ASSERT_TRUE(first.has_rebuild());
  ASSERT_TRUE(first.changes().next_visits());
  EXPECT_EQ(first.changes().upserts_size(), 12) << "ten visits, their service user and their carer";
  EXPECT_LE(first.changes().ByteSizeLong(), limits::kBatchBytes);
  EXPECT_EQ(first.changes().records_done(), 0u);
  EXPECT_EQ(first.changes().records_total(), 0u);
  EXPECT_EQ(first.changes().rebuild_number(), first.rebuild().rebuild_number());
  const v1::SyncResponse second = *peer->Take();
  EXPECT_FALSE(second.changes().next_visits());
  EXPECT_EQ(second.changes().records_done(), static_cast<uint64_t>(second.changes().upserts_size()));
  EXPECT_EQ(second.changes().records_total(), 42u);
}

TEST_F(FirstCopyTest, WhatIsSentForThemCountsAsBytesAlone) {
  AddLongVisits(40);
  Sync();
  const v1::SyncSummary sync = LastSync();
  EXPECT_EQ(sync.outcome(), v1::SYNC_OUTCOME_SUCCEEDED);
  EXPECT_EQ(sync.upserts_sent(), 42u);
  EXPECT_GT(sync.bytes_sent(), PayloadBytes(device_.of(carer_).in_use) + 10 * limits::kVisitNotesCharacters);
}

TEST_F(FirstCopyTest, OnAnyCutTheDeviceGoesOnAndHoldsTheWholeAtLast) {
  AddLongVisits(40);
  for (size_t messages = 1; messages <= 3; ++messages) {
    fakes::TestDevice device(base::Uuid::Random(engine_.random()));
    for (const bool acks : {false, true}) {
      fakes::ScriptedPeer peer(server_, {kTenant, device.uuid(), carer_});
      peer.Say(device.Start(carer_, v1::SYNC_TYPE_STANDARD));
      peer.Settle();
      for (size_t applied = 0; applied < messages; ++applied) {
        const std::optional<v1::SyncResponse> response = peer.Take();
        if (!response.has_value()) break;
        const std::optional<v1::SyncRequest> ack = device.Apply(carer_, *response);
        if (acks && !response->has_caught_up()) peer.Say(*ack);
      }
      peer.Settle();
      ASSERT_FALSE(peer.end().has_value());
      peer.Cut();
      peer.Settle();
    }
    ASSERT_TRUE(fakes::SyncDevice(server_, kTenant, device, carer_, v1::SYNC_TYPE_STANDARD).ok());
    EXPECT_TRUE(device.faults().empty());
    EXPECT_EQ(device.of(carer_).in_use.size(), 42u);
    EXPECT_TRUE(device.of(carer_).matched);
  }
}

TEST_F(FirstCopyTest, AnAckOfABatchIsOneOfTheNextVisitsToo) {
  AddLongVisits(40);
  const auto peer = Start();
  const std::optional<v1::SyncRequest> early = device_.Apply(carer_, *peer->Take());
  const std::optional<v1::SyncRequest> later = device_.Apply(carer_, *peer->Take());
  peer->Say(*later);
  // Late, and twice.
  peer->Say(*early);
  peer->Say(*early);
  peer->Settle();
  EXPECT_FALSE(peer->end().has_value());
  fakes::RunDevice(device_, carer_, *peer);
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_TRUE(peer->end()->ok()) << *peer->end();
}

TEST_F(FirstCopyTest, TheTokenOfACopysBeginningIsNoAckWhereItWasNotSent) {
  AddLongVisits(40);
  const auto peer = Start();
  device_.Apply(carer_, *peer->Take());
  absl::StatusOr<ResumeToken> token = OpenToken(server_.sealer(), kTenant, device_.of(carer_).making->token);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->position, feed::Position());
  token->rebuild_number += 1;
  v1::SyncRequest ack;
  ack.mutable_ack()->set_resume_token(SealToken(server_.sealer(), kTenant, *token));
  peer->Say(std::move(ack));
  peer->Settle();
  ASSERT_TRUE(peer->end().has_value());
  EXPECT_EQ(base::Reason(*peer->end()), "ACK_NEVER_ISSUED");
}

}  // namespace
}  // namespace caresync::sync
