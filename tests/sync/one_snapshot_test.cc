// Batches and `caught_up` while others commit: all of a message is of one snapshot, and what commits behind that comes
// with the next sync.
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "server/records/record_key.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
// What a start is judged by is read from one snapshot, its first batch from the next.
constexpr int kOfFirstBatch = 2;

class OneSnapshotTest : public testing::Test {
 protected:
  OneSnapshotTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    AddVisit("v1");
  }

  void AddVisit(const std::string& name) {
    engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange(name, "p1", {"c1"})});
  }
  void Sync() {
    const absl::Status status = fakes::SyncDevice(server_, kTenant, device_, carer_, v1::SYNC_TYPE_STANDARD);
    EXPECT_TRUE(status.ok()) << status;
  }

  // `meanwhile` happens before the snapshot that is the `number`th from now: somebody else was a little quicker.
  void BeforeSnapshot(int number, std::function<void()> meanwhile) {
    engine_.store().BeforeNextSnapshot([this, number, meanwhile = std::move(meanwhile)] {
      if (number == 1) return meanwhile();
      BeforeSnapshot(number - 1, meanwhile);
    });
  }

  // The message ends a sync at this revision, with the count and sum of what it makes the device hold. Returns the ack.
  std::optional<v1::SyncRequest> ApplyTheEnd(const std::optional<v1::SyncResponse>& message, base::Revision revision) {
    EXPECT_TRUE(message.has_value() && message->has_caught_up());
    if (!message.has_value()) return std::nullopt;
    EXPECT_EQ(message->caught_up().revision(), revision);
    std::optional<v1::SyncRequest> ack = device_.Apply(carer_, *message);
    EXPECT_TRUE(device_.of(carer_).matched);
    return ack;
  }

  // A sync of which one visit is committed before the snapshot of the only batch, and another one behind it.
  void SyncBetweenTwoCommits() {
    base::Revision of_batch = 0;
    BeforeSnapshot(kOfFirstBatch, [&] {
      AddVisit("v2");
      of_batch = engine_.Head(kTenant);
      BeforeSnapshot(1, [this] { AddVisit("v3"); });
    });
    fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
    peer.Say(device_.Start(carer_, v1::SYNC_TYPE_STANDARD));
    peer.Settle();
    const std::optional<v1::SyncRequest> ack = ApplyTheEnd(peer.Take(), of_batch);
    EXPECT_EQ(held(), 4u) << "the visit of before it and not the one behind it";
    ASSERT_TRUE(ack.has_value());
    peer.Say(*ack);
    peer.Settle();
    ASSERT_TRUE(peer.end().has_value());
    EXPECT_TRUE(peer.end()->ok()) << *peer.end();
    while (const std::optional<v1::SyncResponse> recorded = peer.Take()) device_.Apply(carer_, *recorded);
  }
  size_t held() { return device_.of(carer_).in_use.size(); }

  fakes::Engine engine_;
  fakes::SyncServer server_{engine_};
  fakes::TestDevice device_{kDevice};
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(OneSnapshotTest, ADeltaAndItsCaughtUpAreOfOne) {
  Sync();
  ASSERT_EQ(held(), 3u);
  SyncBetweenTwoCommits();
  Sync();
  EXPECT_EQ(held(), 5u);
  EXPECT_TRUE(device_.faults().empty());
}

TEST_F(OneSnapshotTest, ANewCopyAndItsCaughtUpAreOfOne) {
  SyncBetweenTwoCommits();
  Sync();
  EXPECT_EQ(held(), 5u);
  EXPECT_TRUE(device_.faults().empty());
}

TEST_F(OneSnapshotTest, AnEmptySyncsCaughtUpIsOfTheOneThatShowedNothing) {
  Sync();
  const base::Revision head = engine_.Head(kTenant);
  BeforeSnapshot(kOfFirstBatch + 1, [this] { AddVisit("v2"); });
  fakes::ScriptedPeer peer(server_, {kTenant, kDevice, carer_});
  peer.Say(device_.Start(carer_, v1::SYNC_TYPE_AUTO));
  peer.Settle();
  EXPECT_EQ(peer.sent(), 1u);
  ApplyTheEnd(peer.Take(), head);
  EXPECT_EQ(held(), 3u);
  Sync();
  EXPECT_EQ(held(), 4u);
  EXPECT_TRUE(device_.faults().empty());
}

}  // namespace
}  // namespace caresync::sync
