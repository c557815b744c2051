// What a request for the report keeps of what it has read: each name and standing is read once, and no more are kept
// than the bound allows.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/commit/timeline.h"
#include "server/devices/copy_facts.h"
#include "server/devices/names.h"
#include "tests/fakes/counting_reader.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

class ReportCachesTest : public testing::Test {
 protected:
  ReportCachesTest() {
    engine_.CreateTenant(tenant_);
    ann_ = engine_.ApplyChanges(tenant_, "rota", {fakes::CarerChange("ann")})[0].record_id();
    snapshot_ = engine_.Snapshot();
  }

  // The rows that a call reads.
  template <typename Call>
  size_t RowsOf(const fakes::CountingReader& reader, Call call) {
    const size_t before = reader.rows();
    call();
    return reader.rows() - before;
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  std::string ann_;
  std::unique_ptr<storage::Snapshot> snapshot_;
};

TEST_F(ReportCachesTest, NamesAreReadOnceAndForgottenAtTheBound) {
  const fakes::CountingReader reader(*snapshot_);
  Names names(reader, tenant_);
  const auto read_ann = [&] { EXPECT_EQ(*names.Carer(ann_), "ann"); };
  EXPECT_EQ(RowsOf(reader, read_ann), 1u);
  EXPECT_EQ(RowsOf(reader, read_ann), 0u);
  for (size_t i = 1; i < base::limits::kReportNames; ++i) ASSERT_TRUE(names.Carer(absl::StrCat("nobody ", i)).ok());
  EXPECT_EQ(RowsOf(reader, read_ann), 0u) << "as many as may be kept are";
  ASSERT_TRUE(names.Carer("one more").ok());
  EXPECT_EQ(RowsOf(reader, read_ann), 1u) << "more are kept than may be";
}

TEST_F(ReportCachesTest, StandingsOfCopiesAreReadOnceAndForgottenAtTheBound) {
  const base::CommitPoint head = *commit::ReadHead(*snapshot_, tenant_);
  const fakes::CountingReader reader(*snapshot_);
  CopyFactsReader facts(reader, tenant_);
  DeviceRows rows;
  store::DeviceCopy& copy = *rows.report.emplace().add_copies();
  copy.set_carer_id(ann_);
  copy.set_timeline(head.timeline);
  const auto read_at = [&](base::Revision revision) {
    copy.set_revision(revision);
    EXPECT_TRUE(facts.Read(rows, *base::Uuid::Parse(ann_), engine_.clock().Now(), 1).ok());
  };
  const auto read_head = [&] { read_at(head.revision); };
  const size_t first = RowsOf(reader, read_head);
  const size_t known = RowsOf(reader, read_head);
  EXPECT_GT(first, known);
  for (size_t i = 1; i < base::limits::kReportNames; ++i) read_at(head.revision + i);
  EXPECT_EQ(RowsOf(reader, read_head), known) << "as many as may be kept are";
  read_at(head.revision + base::limits::kReportNames);
  EXPECT_EQ(RowsOf(reader, read_head), first) << "more are kept than may be";
}

}  // namespace
}  // namespace caresync::devices
