// What is kept of what a device says that it holds: a mark for each ack that says something new.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/mark_teller.h"
#include "server/devices/device_registry.h"
#include "server/records/record_key.h"
#include "server/sync/session_driver.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

using deliveries::Mark;
using store::CopyMark;

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kPhone = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
constexpr size_t kAll = 1'000;

// A carer with a service user; the phone has not synced.
class MarksTest : public testing::Test {
 protected:
  MarksTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
  }

  void Change(const std::string& notes) {
    v1::RosterChange change = fakes::VisitChange("v1", "p1", {"c1"});
    change.mutable_visit()->set_notes(notes);
    engine_.ApplyChanges(kTenant, "rota", {change});
  }
  void Sync(v1::SyncType type = v1::SYNC_TYPE_AUTO) {
    EXPECT_TRUE(fakes::SyncDevice(server_, kTenant, phone_, carer_, type).ok());
    engine_.executor().RunAll();
  }
  // A sync in which the phone applies what comes, and none of its acks arrives.
  void SyncWithoutAcks(v1::SyncType type = v1::SYNC_TYPE_AUTO) {
    fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
    peer.Say(phone_.Start(carer_, type));
    peer.Settle();
    while (const std::optional<v1::SyncResponse> response = peer.Take()) phone_.Apply(carer_, *response);
    peer.Cut();
    peer.Settle();
  }
  std::vector<Mark> Marks() const {
    const absl::StatusOr<std::vector<Mark>> marks =
        deliveries::ReadMarks(*engine_.Snapshot(), kTenant, kPhone, carer_, 0, kAll);
    EXPECT_TRUE(marks.ok());
    return *marks;
  }
  std::vector<CopyMark::Kind> Kinds() const {
    std::vector<CopyMark::Kind> kinds;
    for (const Mark& mark : Marks()) kinds.push_back(mark.row.kind());
    return kinds;
  }
  CopyMark Last() const { return Marks().back().row; }

  fakes::Engine engine_{1, fakes::Mismatches::kNotedWithDeliveries};
  fakes::SyncServer server_{engine_};
  fakes::TestDevice phone_{kPhone};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(MarksTest, AFirstCopyIsOneMark) {
  Change("first");
  Sync(v1::SYNC_TYPE_STANDARD);
  const std::vector<Mark> marks = Marks();
  ASSERT_EQ(marks.size(), 1u);
  EXPECT_EQ(marks[0].number, 1u);
  EXPECT_EQ(marks[0].row.kind(), CopyMark::SWAPPED);
  EXPECT_TRUE(marks[0].is_whole());
  EXPECT_EQ(marks[0].row.time_us(), base::ToStoredTime(engine_.clock().Now()));
  EXPECT_GT(marks[0].row.sent_us(), 0);
  EXPECT_EQ(marks[0].row.sync_number(), 1u);
  EXPECT_FALSE(marks[0].row.session_id().empty());
}

TEST_F(MarksTest, ASyncInWhichNothingIsNewWritesNone) {
  Change("first");
  Sync();
  engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c2")});
  Sync();
  Sync(v1::SYNC_TYPE_STANDARD);
  EXPECT_EQ(Marks().size(), 1u);
}

TEST_F(MarksTest, AnAckThatBringsAChangeIsAMarkOfWhatItHolds) {
  Sync();
  Change("first");
  engine_.Advance(absl::Minutes(3));
  Sync();
  const std::vector<Mark> marks = Marks();
  ASSERT_GE(marks.size(), 2u);
  EXPECT_EQ(marks[1].row.kind(), CopyMark::APPLIED);
  EXPECT_EQ(marks[1].row.sync_number(), 2u);
  EXPECT_EQ(marks[1].row.sent_us(), base::ToStoredTime(engine_.clock().Now()));
  EXPECT_TRUE(marks.back().is_whole());
  for (size_t i = 1; i < marks.size(); ++i) {
    EXPECT_LT(marks[i - 1].position(), marks[i].position());
    EXPECT_EQ(marks[i].number, marks[i - 1].number + 1);
  }
}

TEST_F(MarksTest, AnAckThatGotLostCountsByTheTokenOfTheNextStart) {
  Sync();
  Change("first");
  SyncWithoutAcks();
  EXPECT_EQ(Marks().size(), 1u) << "nobody knows of it";
  engine_.Advance(absl::Minutes(3));
  Sync();
  const std::vector<Mark> marks = Marks();
  ASSERT_EQ(marks.size(), 2u);
  EXPECT_EQ(marks[1].row.kind(), CopyMark::APPLIED);
  EXPECT_EQ(marks[1].row.sent_us(), 0) << "in an earlier sync";
  EXPECT_EQ(marks[1].row.time_us(), base::ToStoredTime(engine_.clock().Now()));
  EXPECT_TRUE(marks[1].is_whole());
}

TEST_F(MarksTest, WhileANewCopyIsMadeNothingOfItCounts) {
  engine_.ApplyChanges(kTenant, "rota", fakes::LongVisitChanges(40, "p1", {"c1"}));
  Sync();
  ASSERT_EQ(Marks().size(), 1u);
  {
    fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
    peer.Say(phone_.Start(carer_, v1::SYNC_TYPE_CLEAN));
    peer.Settle();
    bool caught_up = false;
    while (!caught_up) {
      const std::optional<v1::SyncResponse> response = peer.Take();
      ASSERT_TRUE(response.has_value());
      caught_up = response->has_caught_up();
      std::optional<v1::SyncRequest> ack = phone_.Apply(carer_, *response);
      if (caught_up || !ack.has_value()) continue;
      peer.Say(*std::move(ack));
      peer.Settle();
    }
    EXPECT_EQ(Marks().size(), 1u) << "its batches are acknowledged";
    peer.Cut();
    peer.Settle();
  }
  Sync();
  ASSERT_EQ(Kinds(), (std::vector<CopyMark::Kind>{CopyMark::SWAPPED, CopyMark::SWAPPED}));
  EXPECT_EQ(Last().sent_us(), 0) << "the token of the start says that it is finished";
}

TEST_F(MarksTest, APhoneThatIsPutBackFallsBack) {
  Change("first");
  Sync();
  const fakes::TestDevice backup = phone_;
  const CopyMark held = Last();
  Change("second");
  Sync();
  const size_t before = Marks().size();
  phone_ = backup;
  Sync();
  const std::vector<Mark> marks = Marks();
  ASSERT_GT(marks.size(), before);
  EXPECT_EQ(marks[before].row.kind(), CopyMark::FELL_BACK);
  EXPECT_EQ(marks[before].row.position_revision(), held.position_revision());
  EXPECT_EQ(marks[before].row.revision(), held.revision());
  EXPECT_EQ(Last().kind(), CopyMark::APPLIED);
  EXPECT_TRUE(marks.back().is_whole());
}

TEST_F(MarksTest, APhoneThatIsPutBackToWhatIsTheSameDoesNot) {
  Change("first");
  Sync();
  const fakes::TestDevice backup = phone_;
  engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c2")});
  Sync();
  phone_ = backup;
  Sync();
  EXPECT_EQ(Marks().size(), 1u);
}

TEST_F(MarksTest, AStartWithoutATokenHoldsNothing) {
  Change("first");
  Sync();
  phone_ = fakes::TestDevice(kPhone);
  Sync();
  EXPECT_EQ(Kinds(), (std::vector<CopyMark::Kind>{CopyMark::SWAPPED, CopyMark::EMPTY, CopyMark::SWAPPED}));
}

TEST_F(MarksTest, ACopyThatIsDroppedIsHeldNoMore) {
  Change("first");
  Sync();
  devices::DeviceRegistry registry(engine_.store(), engine_.clock(), engine_.executor());
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(kPhone.ToString());
  request.set_set_blocked(true);
  request.set_blocked(true);
  registry.Update(kTenant, request, [](const absl::Status& updated) { EXPECT_TRUE(updated.ok()); });
  engine_.executor().RunAll();
  EXPECT_FALSE(fakes::SyncDevice(server_, kTenant, phone_, carer_, v1::SYNC_TYPE_AUTO).ok());
  engine_.executor().RunAll();
  EXPECT_EQ(Kinds(), (std::vector<CopyMark::Kind>{CopyMark::SWAPPED, CopyMark::EMPTY}));
}

TEST_F(MarksTest, OfACopyThatDivergedNobodyKnowsUntilItIsRight) {
  Sync();
  Change("first");
  const size_t before = Marks().size();
  for (int i = 0; i < 2; ++i) {
    fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
    peer.Say(phone_.Start(carer_, v1::SYNC_TYPE_AUTO));
    peer.Settle();
    while (const std::optional<v1::SyncResponse> response = peer.Take()) {
      std::optional<v1::SyncRequest> ack = phone_.Apply(carer_, *response);
      if (!ack.has_value()) continue;
      if (ack->ack().has_holds()) ack->mutable_ack()->mutable_holds()->set_sum(ack->ack().holds().sum() + 1);
      peer.Say(*std::move(ack));
      peer.Settle();
    }
    engine_.executor().RunAll();
    ASSERT_TRUE(peer.end().has_value());
    EXPECT_EQ(base::Reason(*peer.end()), "COPY_DIVERGED");
  }
  size_t unknown = 0;
  std::vector<Mark> marks = Marks();
  for (size_t i = before; i < marks.size(); ++i) unknown += marks[i].row.kind() == CopyMark::NOT_KNOWN ? 1 : 0;
  EXPECT_EQ(unknown, 1u) << "once, not at every sync";
  EXPECT_FALSE(marks.back().is_whole() && marks.back().row.kind() == CopyMark::APPLIED);
  Sync(v1::SYNC_TYPE_CLEAN);
  EXPECT_EQ(Last().kind(), CopyMark::SWAPPED);
}

TEST_F(MarksTest, AFollowersRoundWithAChangeIsAMarkAndOneWithoutIsNone) {
  Sync();
  fakes::ScriptedPeer peer(server_, {kTenant, kPhone, carer_});
  v1::SyncRequest start = phone_.Start(carer_, v1::SYNC_TYPE_AUTO);
  start.mutable_start()->set_follow(true);
  peer.Say(std::move(start));
  fakes::RunDevice(phone_, carer_, peer, true);
  EXPECT_EQ(Marks().size(), 1u);
  Change("first");
  fakes::RunDevice(phone_, carer_, peer, true);
  const size_t after_change = Marks().size();
  EXPECT_GT(after_change, 1u);
  EXPECT_TRUE(Marks().back().is_whole());
  engine_.Advance(absl::Minutes(30));
  fakes::RunDevice(phone_, carer_, peer, true);
  EXPECT_EQ(Marks().size(), after_change) << "it confirmed that nothing is new";
}

TEST_F(MarksTest, WhatWasMarkedIsTold) {
  Change("first");
  Sync();
  engine_.executor().Advance(deliveries::kMarksTogether);
  size_t told = 0;
  EXPECT_TRUE(engine_.Snapshot()
                  ->Scan(storage::Space::kRecords, base::keys::ToldMarks(kTenant, ""), kAll,
                         [&told](std::string_view, std::string_view) {
                           ++told;
                           return true;
                         })
                  .ok());
  EXPECT_EQ(told, Marks().size());
}

}  // namespace
}  // namespace caresync::sync
