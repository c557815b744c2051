// What damaged rows do to the window: a named error, and no task without end.

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/records/window.h"
#include "server/records/window_edges.h"
#include "tests/records/sample_records.h"

namespace caresync::records {
namespace {

constexpr int64_t kNoInstant = std::numeric_limits<int64_t>::max();

class WindowDamageTest : public testing::Test {
 protected:
  void SetUp() override { PutAll(engine_, tenant_, {CarerRecord(1), ServiceUserRecord(1)}); }

  // A visit of an hour that begins then.
  store::Record VisitFrom(absl::Time start) const {
    store::Record record = VisitRecord(1, 1, {1});
    v1::Visit visit;
    visit.ParseFromString(record.payload());
    *visit.mutable_assignments(0)->mutable_start_time() = base::ToTimestamp(start);
    *visit.mutable_assignments(0)->mutable_end_time() = base::ToTimestamp(start + absl::Hours(1));
    record.set_payload(visit.SerializeAsString());
    return record;
  }
  absl::Status Run(commit::Change change) { return engine_.Run(tenant_, std::move(change)).status(); }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  const absl::Time six_ = engine_.clock().Now();
};

TEST_F(WindowDamageTest, AVisitAtATimeThatCannotBeIsDamage) {
  store::Record record = VisitFrom(six_);
  v1::Visit visit;
  visit.ParseFromString(record.payload());
  visit.mutable_assignments(0)->mutable_start_time()->set_seconds(kNoInstant);
  record.set_payload(visit.SerializeAsString());
  const absl::Status put =
      Run([&](commit::Transaction& transaction) { return RecordStore(transaction).Put(record).status(); });
  EXPECT_EQ(base::Reason(put), "DAMAGED_ROW");
}

TEST_F(WindowDamageTest, AnIndexRowUnderATimeThatCannotBeIsDamage) {
  const absl::Status put = Run([&](commit::Transaction& transaction) {
    transaction.Put(storage::Space::kRecords, base::keys::VisitByStart(tenant_, kNoInstant, KeyOf(VisitName(1))),
                    std::string());
    return absl::OkStatus();
  });
  ASSERT_TRUE(put.ok()) << put;
  const auto places = ReadPlaces(*engine_.Snapshot(), tenant_, VisitIndex::kByStart, {}, std::nullopt, 10);
  EXPECT_EQ(base::Reason(places.status()), "DAMAGED_ROW");
}

TEST_F(WindowDamageTest, AClosingEdgeWithoutARetentionIsNoTaskWithoutEnd) {
  ASSERT_TRUE(Run([](commit::Transaction& transaction) {
                return SetWindow(transaction, {.download_window = absl::Hours(48), .retention = absl::ZeroDuration()});
              }).ok());
  PutAll(engine_, tenant_, {VisitFrom(six_ - absl::Hours(24))});
  const absl::Status damaged = Run([&](commit::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(store::WindowEdges edges, ReadEdges(transaction, tenant_));
    SetEdge({absl::ToUnixMicros(six_ - absl::Hours(48)), {}}, *edges.mutable_closing());
    ScheduleEdges(transaction, kAtOnce, edges);
    PutEdges(transaction, edges);
    return absl::OkStatus();
  });
  ASSERT_TRUE(damaged.ok()) << damaged;
  EXPECT_GT(ReadEdges(*engine_.Snapshot(), tenant_)->next_due_us(), absl::ToUnixMicros(engine_.clock().Now()));
}

}  // namespace
}  // namespace caresync::records
