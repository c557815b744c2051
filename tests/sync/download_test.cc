#include "server/sync/download.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/records/record_key.h"
#include "server/records/window.h"
#include "server/sync/resume_token.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/counting_reader.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() {
    engine_.CreateTenant(kTenant);
    engine_.ApplyChanges(kTenant, "rota", {fakes::CarerChange("c1"), fakes::ServiceUserChange("p1")});
    engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange("v1", "p1", {"c1"})});
  }

  absl::StatusOr<DownloadBatch> Read(const DownloadWish& wish = {}) {
    return ReadDownload(*engine_.Snapshot(), kTenant, kDevice, carer_, wish, engine_.clock().Now());
  }

  // Of a new copy.
  feed::ReadFrom Beginning() const { return {.after = {}, .rebuild_began = engine_.Head(kTenant)}; }

  fakes::Engine engine_;
  const base::Uuid carer_ = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, "c1");
};

TEST_F(DownloadTest, HoldsThePayloadsAndTheSumThatADeviceWorksOutFromThem) {
  const absl::StatusOr<DownloadBatch> batch = Read();
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->refusal.ok()) << batch->refusal;
  EXPECT_TRUE(batch->feed.nothing_left);
  ASSERT_EQ(batch->changes.upserts_size(), 3);
  fakes::HeldRecords held;
  for (const v1::Upsert& upsert : batch->changes.upserts())
    held[{upsert.kind(), upsert.record_id()}] = upsert.payload();
  const v1::CopySum sum = fakes::SumOf(held);
  EXPECT_EQ(sum.count(), batch->feed.summary.count);
  EXPECT_EQ(sum.sum(), batch->feed.summary.sum);
}

TEST_F(DownloadTest, SmallBatchesTogetherAreTheWholeAndEndWhereNothingIsLeft) {
  feed::ReadFrom from;
  int upserts = 0;
  for (int batches = 1; batches <= 3; ++batches) {
    const absl::StatusOr<DownloadBatch> batch = Read({.from = from, .batch_bytes = 1});
    ASSERT_TRUE(batch.ok());
    EXPECT_EQ(batch->changes.upserts_size(), 1);
    EXPECT_EQ(batch->feed.nothing_left, batches == 3);
    upserts += batch->changes.upserts_size();
    from.after = batch->feed.end;
  }
  EXPECT_EQ(upserts, 3);
}

TEST_F(DownloadTest, TheOverheadsAreBoundsOfWhatIsBesideThePayloads) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  v1::Changes upserts;
  v1::Upsert& upsert = *upserts.add_upserts();
  upsert.set_kind(v1::RecordKind_MAX);
  upsert.set_record_id(kDevice.ToString());
  upsert.set_payload(std::string(base::limits::kRecordBytes, 'p'));
  upsert.set_revision(kMost);
  EXPECT_LE(upserts.ByteSizeLong() - base::limits::kRecordBytes, kUpsertOverhead);
  v1::Changes removals;
  v1::Removal& removal = *removals.add_removals();
  removal.set_kind(v1::RecordKind_MAX);
  removal.set_record_id(kDevice.ToString());
  EXPECT_LE(removals.ByteSizeLong(), kUpsertOverhead);

  const ResumeToken token = {.device = kDevice,
                             .carer = carer_,
                             .data_level = std::numeric_limits<uint32_t>::max(),
                             .cursor = {Read()->head.timeline, kMost},
                             .position = {kMost, records::KeyOf({v1::RecordKind_MAX, carer_})},
                             .rebuild_number = kMost,
                             .rebuild_began = kMost - 1};
  v1::Changes others;
  others.set_resume_token(SealToken(base::TokenSealer(std::string(32, 'k')), kTenant, token));
  others.set_rebuild_number(kMost);
  others.set_records_done(kMost);
  others.set_records_total(kMost);
  others.set_next_visits(true);
  EXPECT_LE(others.ByteSizeLong(), kChangesOverhead);
}

TEST_F(DownloadTest, IsReadAtTheHeadOfItsSnapshot) {
  const std::unique_ptr<storage::Snapshot> before = engine_.Snapshot();
  const base::Revision head = engine_.Head(kTenant);
  engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange("v2", "p1", {"c1"})});
  const absl::StatusOr<DownloadBatch> batch =
      ReadDownload(*before, kTenant, kDevice, carer_, {}, engine_.clock().Now());
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->head.revision, head);
  EXPECT_EQ(batch->changes.upserts_size(), 3);
}

TEST_F(DownloadTest, RecordsCountAndSumAreOfItsSnapshotWhateverIsCommittedBeforeItIsRead) {
  const std::unique_ptr<storage::Snapshot> before = engine_.Snapshot();
  const absl::StatusOr<DownloadBatch> expected = Read();
  v1::RosterChange changed = fakes::VisitChange("v1", "p1", {"c1"});
  changed.mutable_visit()->set_notes("changed meanwhile");
  engine_.ApplyChanges(kTenant, "rota", {changed, fakes::VisitChange("v2", "p1", {"c1"})});
  const absl::StatusOr<DownloadBatch> batch =
      ReadDownload(*before, kTenant, kDevice, carer_, {}, engine_.clock().Now());
  ASSERT_TRUE(expected.ok() && batch.ok());
  EXPECT_TRUE(batch->feed.nothing_left);
  EXPECT_EQ(batch->changes.SerializeAsString(), expected->changes.SerializeAsString());
  EXPECT_EQ(batch->head, expected->head);
  EXPECT_EQ(batch->feed.summary.count, expected->feed.summary.count);
  EXPECT_EQ(batch->feed.summary.sum, expected->feed.summary.sum);
  EXPECT_NE(Read()->feed.summary.sum, expected->feed.summary.sum);
}

TEST_F(DownloadTest, ADeltaReadsWhatChangedHoweverMuchIsStored) {
  const auto rows_of_a_delta = [this](const std::string& notes) {
    const base::Revision head = engine_.Head(kTenant);
    v1::RosterChange change = fakes::VisitChange("v1", "p1", {"c1"});
    change.mutable_visit()->set_notes(notes);
    engine_.ApplyChanges(kTenant, "rota", {change});
    const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
    const fakes::CountingReader reader(*snapshot);
    const DownloadWish wish{.from = {.after = feed::Position::EndOf(head), .rebuild_began = std::nullopt}};
    const absl::StatusOr<DownloadBatch> batch =
        ReadDownload(reader, kTenant, kDevice, carer_, wish, engine_.clock().Now());
    EXPECT_TRUE(batch.ok() && batch->feed.nothing_left);
    EXPECT_EQ(batch->changes.upserts_size(), 1);
    return reader.rows();
  };
  const size_t of_few = rows_of_a_delta("one");
  for (int message = 0; message < 20; ++message) {
    std::vector<v1::RosterChange> changes;
    for (int i = 0; i < 100; ++i) {
      changes.push_back(fakes::VisitChange("more-" + std::to_string(100 * message + i), "p1", {"c1"}));
    }
    engine_.ApplyChanges(kTenant, "rota", std::move(changes));
  }
  EXPECT_EQ(rows_of_a_delta("two"), of_few);
}

TEST_F(DownloadTest, AnEntryWithoutItsRecordIsDamage) {
  const base::Uuid visit = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_VISIT, "v1");
  const base::RecordKey key = records::KeyOf({v1::RECORD_KIND_VISIT, visit});
  fakes::CommitAndWait(engine_.memory(), fakes::DeleteOf(storage::Space::kRecords, base::keys::Record(kTenant, key)));
  const absl::StatusOr<DownloadBatch> batch = Read();
  ASSERT_FALSE(batch.ok());
  EXPECT_EQ(base::Reason(batch.status()), "DAMAGED_ROW");
}

TEST_F(DownloadTest, OfACarerWhoIsNoUserHoldsNothing) {
  store::Device device;
  device.add_carer_ids(base::Uuid::Random(engine_.random()).ToString());
  const std::string key = base::keys::DeviceRow(kTenant, kDevice, base::keys::DevicePart::kDevice);
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kDevices, key, device.SerializeAsString()));
  const absl::StatusOr<DownloadBatch> batch = Read();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(base::Reason(batch->refusal), "CARER_NOT_A_USER");
  EXPECT_EQ(batch->changes.upserts_size(), 0);
}

TEST_F(DownloadTest, OfACarerWithoutAFeedIsEmptyAndAtAnEnd) {
  const absl::StatusOr<DownloadBatch> batch = ReadDownload(
      *engine_.Snapshot(), kTenant, kDevice, base::Uuid::Random(engine_.random()), {}, engine_.clock().Now());
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->changes.upserts_size(), 0);
  EXPECT_TRUE(batch->feed.nothing_left);
}

TEST_F(DownloadTest, OfACarerWhomAFanOutConcernsMustWait) {
  const std::string scope = records::CarerReceiver(carer_).bytes;
  const std::string row = base::keys::FanOutScope(kTenant, scope, "a task");
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kRecords, row, ""));
  const absl::StatusOr<DownloadBatch> batch = Read();
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->refusal.ok()) << batch->refusal;
  EXPECT_TRUE(batch->must_wait);
  EXPECT_EQ(batch->changes.upserts_size(), 0);
  EXPECT_FALSE(batch->feed.nothing_left);
}

TEST_F(DownloadTest, NobodyReadsWhileTheWindowsOpeningEdgeIsLate) {
  // It is six, and the visit is at nine.
  const auto set = engine_.Run(kTenant, [](commit::Transaction& transaction) {
    return records::SetWindow(transaction, {.download_window = absl::Hours(2), .retention = absl::ZeroDuration()});
  });
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(Read()->changes.upserts_size(), 1) << "the carer alone";
  // The clock alone goes on: nobody works the window's edge out.
  engine_.clock().Advance(absl::Hours(1) + base::limits::kOpeningEdgeLag - absl::Microseconds(1));
  EXPECT_FALSE(Read()->must_wait);
  engine_.clock().Advance(absl::Microseconds(1));
  const absl::StatusOr<DownloadBatch> late = Read();
  ASSERT_TRUE(late.ok());
  EXPECT_TRUE(late->must_wait);
  EXPECT_EQ(late->changes.upserts_size(), 0);
  EXPECT_FALSE(late->feed.nothing_left);
  engine_.Advance(absl::ZeroDuration());
  EXPECT_FALSE(Read()->must_wait);
  EXPECT_EQ(Read()->changes.upserts_size(), 3);
}

TEST_F(DownloadTest, AVersionThatIsNotTheRecordsIsDamageWhereNoFanOutIsUnderWay) {
  const base::Uuid visit = records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_VISIT, "v1");
  const std::string key = base::keys::Record(kTenant, records::KeyOf({v1::RECORD_KIND_VISIT, visit}));
  store::Record record;
  ASSERT_TRUE(record.ParseFromString(**engine_.memory().NewSnapshot().value()->Get(storage::Space::kRecords, key)));
  record.set_version(record.version() + 1);
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kRecords, key, record.SerializeAsString()));
  EXPECT_EQ(base::Reason(Read().status()), "DAMAGED_ROW");
  const std::string scope = base::keys::FanOutScope(kTenant, records::CarerReceiver(carer_).bytes, "a task");
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kRecords, scope, ""));
  EXPECT_TRUE(Read().ok());
}

TEST_F(DownloadTest, NextVisitsAreReadWhereTheyAreAskedForAndSomethingIsLeft) {
  // The visit with its carer and service user fit, those and a second visit do not.
  engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange("v2", "p1", {"c1"})});
  const DownloadWish wish{.from = Beginning(), .batch_bytes = kChangesOverhead + 330, .next_visits = true};
  absl::StatusOr<DownloadBatch> batch = Read(wish);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_FALSE(batch->feed.nothing_left);
  ASSERT_TRUE(batch->next_visits.has_value());
  EXPECT_TRUE(batch->next_visits->next_visits());
  ASSERT_EQ(batch->next_visits->upserts_size(), 3);
  EXPECT_EQ(batch->next_visits->upserts(0).kind(), v1::RECORD_KIND_SERVICE_USER);
  EXPECT_EQ(batch->next_visits->upserts(1).kind(), v1::RECORD_KIND_CARER);
  EXPECT_EQ(batch->next_visits->upserts(2).kind(), v1::RECORD_KIND_VISIT);
  EXPECT_EQ(batch->next_visits->removals_size(), 0);

  EXPECT_FALSE(Read({.from = wish.from, .batch_bytes = kChangesOverhead + 330})->next_visits.has_value())
      << "nobody asked";
  EXPECT_FALSE(Read({.from = wish.from, .next_visits = true})->next_visits.has_value())
      << "the batch is the whole copy";
}

TEST_F(DownloadTest, NextVisitsThatDoNotFitAreLeftOut) {
  const feed::ReadFrom from = Beginning();
  const absl::StatusOr<DownloadBatch> batch =
      Read({.from = from, .batch_bytes = kChangesOverhead + 170, .next_visits = true});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_FALSE(batch->feed.nothing_left);
  EXPECT_FALSE(batch->next_visits.has_value());
}

// Requirement: S12
TEST_F(DownloadTest, ACarerWhoMayNotReadGetsNoNextVisits) {
  const DownloadWish wish{.from = Beginning(), .batch_bytes = kChangesOverhead + 290, .next_visits = true};
  engine_.ApplyChanges(kTenant, "rota", {fakes::VisitChange("v2", "p1", {"c1"})});
  ASSERT_TRUE(Read(wish)->next_visits.has_value());
  const std::string scope = base::keys::FanOutScope(kTenant, records::CarerReceiver(carer_).bytes, "a task");
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kRecords, scope, ""));
  EXPECT_FALSE(Read(wish)->next_visits.has_value()) << "a fan-out is under way";
  fakes::CommitAndWait(engine_.memory(), fakes::DeleteOf(storage::Space::kRecords, scope));
  store::Device device;
  device.add_carer_ids(base::Uuid::Random(engine_.random()).ToString());
  const std::string key = base::keys::DeviceRow(kTenant, kDevice, base::keys::DevicePart::kDevice);
  fakes::CommitAndWait(engine_.memory(), fakes::PutOf(storage::Space::kDevices, key, device.SerializeAsString()));
  EXPECT_FALSE(Read(wish)->next_visits.has_value()) << "the carer is not one of the device's users";
}

}  // namespace
}  // namespace caresync::sync
