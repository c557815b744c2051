// What a device's history of syncs rules out.
#include "server/devices/sent.h"

#include <string>

#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "tests/mismatch/mismatch_bench.h"

namespace caresync::devices {
namespace {

using mismatch::At;

constexpr base::Revision kRevision = 100;
const FeedChange kChange = {kRevision, At(9)};

store::SyncRow Sync(v1::SyncOutcome outcome, base::Revision start_revision, base::Revision end_revision) {
  store::SyncRow sync;
  sync.set_outcome(outcome);
  sync.set_stage(outcome == v1::SYNC_OUTCOME_SUCCEEDED ? v1::SYNC_STAGE_RECORDED : v1::SYNC_STAGE_DOWNLOADING);
  sync.set_start_revision(start_revision);
  sync.set_end_revision(end_revision);
  return sync;
}

store::SyncRow Ended(store::SyncRow sync, absl::Time end) {
  sync.set_end_time_us(base::ToStoredTime(end));
  return sync;
}

store::SyncRow RefusedAtOnce() {
  store::SyncRow sync = Sync(v1::SYNC_OUTCOME_REFUSED, kRevision + 1, 0);
  sync.set_stage(v1::SYNC_STAGE_STARTED);
  return sync;
}

// Of these, the last one first, and no other.
bool May(const std::vector<store::SyncRow>& syncs, const FeedChange& change = kChange) {
  return MaySend({.syncs = syncs, .complete = true}, change);
}

TEST(MaySendTest, NotWhereNoSyncWasEver) {
  EXPECT_FALSE(May({}));
  EXPECT_TRUE(MaySend({.syncs = {}, .complete = false}, kChange)) << "there may have been one";
}

TEST(MaySendTest, NotByASyncThatWasCaughtUpBeforeTheChange) {
  EXPECT_FALSE(May({Sync(v1::SYNC_OUTCOME_SUCCEEDED, kRevision - 5, kRevision - 1)}));
  // It ended at once: it was sent nothing.
  EXPECT_FALSE(May({Sync(v1::SYNC_OUTCOME_SUCCEEDED, kRevision - 5, 0)}));
}

TEST(MaySendTest, ByASyncThatSentWhatCameWhileItRan) {
  EXPECT_TRUE(May({Sync(v1::SYNC_OUTCOME_SUCCEEDED, kRevision - 5, kRevision)}));
}

TEST(MaySendTest, ByASyncThatBeganSince) {
  EXPECT_TRUE(May({Sync(v1::SYNC_OUTCOME_INTERRUPTED, kRevision, 0)}));
  EXPECT_TRUE(May({Sync(v1::SYNC_OUTCOME_UNDER_WAY, kRevision + 5, 0)}));
}

// What a follower is sent between its rounds is not written down.
TEST(MaySendTest, ByOneThatWasFollowedThoughItConfirmedLessThanThat) {
  store::SyncRow followed = Sync(v1::SYNC_OUTCOME_SUCCEEDED, kRevision - 5, kRevision - 1);
  followed.set_confirmations(1);
  EXPECT_TRUE(May({followed}));
}

TEST(MaySendTest, NotByAFollowerThatEndedWhileNothingWasOnItsWay) {
  store::SyncRow followed = Sync(v1::SYNC_OUTCOME_SUCCEEDED, kRevision - 5, kRevision - 1);
  followed.set_confirmations(3);
  EXPECT_FALSE(MaySend({.syncs = {followed}, .ended_idle = true}, kChange));
  followed.set_end_revision(kRevision);
  EXPECT_TRUE(MaySend({.syncs = {followed}, .ended_idle = true}, kChange));
  // Of what came before it nothing is known.
  followed.set_end_revision(kRevision - 1);
  EXPECT_TRUE(MaySend({.syncs = {RefusedAtOnce(), followed}, .ended_idle = true}, kChange));
}

TEST(MaySendTest, NotByOneOfBeforeTheServersStartWhatChangedSince) {
  for (const v1::SyncOutcome outcome : {v1::SYNC_OUTCOME_UNDER_WAY, v1::SYNC_OUTCOME_SUCCEEDED}) {
    store::SyncRow before = Sync(outcome, kRevision - 5, 0);
    before.set_confirmations(1);
    EXPECT_FALSE(MaySend({.syncs = {before}, .over_at = kRevision - 1}, kChange));
    EXPECT_TRUE(MaySend({.syncs = {before}, .over_at = kRevision}, kChange)) << "it may have come while it was open";
  }
}

TEST(MaySendTest, ByOneThatWasCutOffUnlessItEndedBeforeTheChange) {
  const store::SyncRow cut = Sync(v1::SYNC_OUTCOME_INTERRUPTED, kRevision - 5, 0);
  EXPECT_TRUE(May({cut})) << "nobody knows when it ended";
  EXPECT_TRUE(May({Ended(cut, At(9))}));
  EXPECT_FALSE(May({Ended(cut, At(8, 59))}));
  EXPECT_TRUE(May({Ended(cut, At(8, 59))}, {kRevision, absl::InfinitePast()})) << "nor when the change was made";
}

TEST(MaySendTest, OneThatWasRefusedBeforeItSentAnythingIsPassedOver) {
  const store::SyncRow before = Sync(v1::SYNC_OUTCOME_SUCCEEDED, kRevision - 5, kRevision - 1);
  EXPECT_FALSE(May({RefusedAtOnce(), before}));
  EXPECT_FALSE(May({RefusedAtOnce()}));
  EXPECT_TRUE(MaySend({.syncs = {RefusedAtOnce()}, .complete = false}, kChange));
  store::SyncRow late = RefusedAtOnce();
  late.set_stage(v1::SYNC_STAGE_DOWNLOADING);
  EXPECT_TRUE(May({late, before}));
}

class ReadSyncsTest : public testing::Test {
 protected:
  void Note(int carer, int device, uint64_t number, const std::string& row) {
    const base::TenantId& tenant = bench_.tenant();
    const base::Uuid uuid = mismatch::MismatchBench::DeviceUuid(device);
    bench_.Write(
        {storage::Space::kDevices,
         base::keys::SyncOfCarer(tenant, mismatch::MismatchBench::Carer(carer),
                                 base::ToStoredTime(At(5) + absl::Minutes(static_cast<int64_t>(number))), uuid, number),
         ""});
    bench_.Write({storage::Space::kDevices, base::keys::Sync(tenant, uuid, number), row});
  }
  void Note(int carer, int device, uint64_t number, const store::SyncRow& row) {
    Note(carer, device, number, row.SerializeAsString());
  }
  SyncsOnDevice Read(const std::string& opening = "now") {
    const auto read = ReadSyncs(*bench_.Snapshot(), bench_.tenant(), mismatch::MismatchBench::Carer(1),
                                mismatch::MismatchBench::DeviceUuid(1), {.opening = opening});
    EXPECT_TRUE(read.ok()) << read.status();
    return read.value_or(SyncsOnDevice());
  }

  mismatch::MismatchBench bench_;
};

TEST_F(ReadSyncsTest, AreTheCarersOnTheDeviceTheLastOneFirst) {
  Note(1, 1, 1, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 1, 1));
  Note(2, 1, 2, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 2, 2));
  Note(1, 1, 3, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 3, 3));
  Note(1, 2, 1, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 4, 4));
  const SyncsOnDevice all = Read();
  ASSERT_EQ(all.syncs.size(), 2u);
  EXPECT_EQ(all.syncs[0].start_revision(), 3u);
  EXPECT_EQ(all.syncs[1].start_revision(), 1u);
  EXPECT_TRUE(all.complete);
  EXPECT_FALSE(all.under_way);
}

TEST_F(ReadSyncsTest, AreNotCompleteWhereTheDevicesFirstOneIsNotAmongThem) {
  EXPECT_FALSE(Read().complete);
  Note(1, 1, 2, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 1, 1));
  EXPECT_FALSE(Read().complete);
}

TEST_F(ReadSyncsTest, OneIsUnderWayInItsOwnOpeningOnly) {
  store::SyncRow sync = Sync(v1::SYNC_OUTCOME_UNDER_WAY, 1, 0);
  sync.set_opening("now");
  Note(1, 1, 1, sync);
  EXPECT_TRUE(Read("now").under_way);
  EXPECT_FALSE(Read("later").under_way);
}

TEST_F(ReadSyncsTest, OfAFollowerOfThisOpeningItIsAskedWhetherItEndedIdle) {
  store::SyncRow sync = Sync(v1::SYNC_OUTCOME_SUCCEEDED, 1, 1);
  sync.set_opening("now");
  sync.set_session_id("follower");
  sync.set_confirmations(2);
  Note(1, 1, 1, sync);
  EXPECT_FALSE(Read("now").ended_idle);
  std::string asked;
  const SyncsUnderWay under_way{
      .opening = "now", .ended_idle = [&asked](const base::TenantId&, const base::Uuid&, const store::SyncRow& of) {
        asked = of.session_id();
        return true;
      }};
  const auto all = ReadSyncs(*bench_.Snapshot(), bench_.tenant(), mismatch::MismatchBench::Carer(1),
                             mismatch::MismatchBench::DeviceUuid(1), under_way);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(all->ended_idle);
  EXPECT_EQ(asked, "follower");
  EXPECT_FALSE(all->over_at.has_value());
}

TEST_F(ReadSyncsTest, OneOfAnEarlierOpeningWasOverWhenTheStoreWasOpened) {
  store::SyncRow sync = Sync(v1::SYNC_OUTCOME_SUCCEEDED, 1, 1);
  sync.set_opening("earlier");
  Note(1, 1, 1, sync);
  EXPECT_EQ(Read(bench_.timeline()).over_at, base::Revision{0}) << "all that there is was committed since";
  // Nothing was committed on it yet.
  EXPECT_EQ(Read("later").over_at, bench_.Head());
}

TEST_F(ReadSyncsTest, OneThatCannotBeReadLeavesOpenWhatCameBefore) {
  Note(1, 1, 1, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 1, 1));
  Note(1, 1, 2, "\xFF\xFF");
  Note(1, 1, 3, Sync(v1::SYNC_OUTCOME_SUCCEEDED, 3, 3));
  const SyncsOnDevice all = Read();
  EXPECT_EQ(all.syncs.size(), 1u);
  EXPECT_FALSE(all.complete);
}

}  // namespace
}  // namespace caresync::devices
