#include "server/devices/export_csv.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "caresync/store/stored.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::devices {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kHeader[] =
    "Branch,Users,Device name,App version,UUID,Last API call time,Last API call success,Last successful sync,"
    "Manual sync due since,Successful syncs in 7 days,Clean syncs in 30 days,State,Reason";

TEST(CsvLine, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(CsvLine({"a b", "", "x,y", "say \"hi\"", "two\nlines", "Renée"}),
            "a b,,\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\",Renée\r\n");
}

TEST(CsvLine, WhatASpreadsheetWouldRunIsText) {
  EXPECT_EQ(CsvLine({"=1+1", "+1", "-1", "@x", "\tx"}), "'=1+1,'+1,'-1,'@x,'\tx\r\n");
  EXPECT_EQ(CsvLine({"\rx"}), "\"'\rx\"\r\n");
  EXPECT_EQ(CsvLine({"=cmd|' /C calc'!A0,\"x\""}), "\"'=cmd|' /C calc'!A0,\"\"x\"\"\"\r\n");
  EXPECT_EQ(CsvLine({"1-2", "a=b"}), "1-2,a=b\r\n");
}

class ExportCsvTest : public testing::Test {
 protected:
  ExportCsvTest() {
    engine_.CreateTenant(tenant_);
    const auto results =
        engine_.ApplyChanges(tenant_, "rota", {fakes::BranchChange("=north"), fakes::CarerChange("Smith, Ann")});
    branch_ = results[0].record_id();
    ann_ = results[1].record_id();
  }

  void Put(int device, base::keys::DevicePart part, const std::string& value) {
    const base::Uuid uuid = *base::Uuid::Parse(absl::StrFormat("00000000-0000-4000-8000-%012d", device));
    ASSERT_EQ(fakes::CommitAndWait(engine_.store(), fakes::PutOf(storage::Space::kDevices,
                                                                 base::keys::DeviceRow(tenant_, uuid, part), value))
                  .outcome,
              storage::CommitOutcome::kCommitted);
  }

  void Enrol(int device) {
    store::Device row;
    row.set_branch_id(branch_);
    row.add_carer_ids(ann_);
    Put(device, base::keys::DevicePart::kDevice, row.SerializeAsString());
  }

  void Report(int device, const std::string& name) {
    store::DeviceReport row;
    row.set_device_name(name);
    row.set_app_version("4.2.0");
    row.set_last_success_us(1'772'431'200'000'000);
    Put(device, base::keys::DevicePart::kReport, row.SerializeAsString());
  }

  AsOf Now() const { return {.syncs = {.opening = "now"}, .now = clock_.Now()}; }

  // The pieces of the file.
  std::vector<std::string> Export(const v1::ExportDevicesRequest& request) const {
    std::vector<std::string> pieces;
    const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
    absl::StatusOr<DeviceExport> opened = DeviceExport::Open(*snapshot, tenant_, request, Now());
    EXPECT_TRUE(opened.ok()) << opened.status();
    while (opened.ok()) {
      const absl::StatusOr<std::string> piece = opened->Next();
      EXPECT_TRUE(piece.ok()) << piece.status();
      if (!piece.ok() || piece->empty()) break;
      pieces.push_back(*piece);
    }
    return pieces;
  }

  std::vector<std::string> Lines(const v1::ExportDevicesRequest& request) const {
    const std::string file = absl::StrJoin(Export(request), "");
    EXPECT_TRUE(absl::EndsWith(file, "\r\n"));
    return absl::StrSplit(file.substr(0, file.size() - 2), "\r\n");
  }

  std::string ReasonOf(const v1::ExportDevicesRequest& request) const {
    const std::unique_ptr<storage::Snapshot> snapshot = engine_.Snapshot();
    return base::Reason(DeviceExport::Open(*snapshot, tenant_, request, Now()).status());
  }

  fakes::Engine engine_;
  fakes::ManualClock& clock_ = engine_.clock();
  const base::TenantId tenant_ = fakes::Tenant("acme");
  std::string branch_;
  std::string ann_;
};

TEST_F(ExportCsvTest, ATenantWithoutDevicesHasAHeader) { EXPECT_THAT(Lines({}), ElementsAre(kHeader)); }

// Requirement: R2, R3, R4, R5, R6, R7
TEST_F(ExportCsvTest, HasALineADevice) {
  Enrol(1);
  Enrol(2);
  Report(2, "Pixel \"6\"");
  store::DeviceCall call;
  call.set_time_us(1'772'434'800'000'000);
  call.set_state(v1::CALL_STATE_FAILED);
  call.set_reason("STREAM_CUT");
  Put(2, base::keys::DevicePart::kCall, call.SerializeAsString());
  const std::vector<std::string> lines = Lines({});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], kHeader);
  EXPECT_THAT(lines[1],
              StartsWith("'=north,\"Smith, Ann\",,,00000000-0000-4000-8000-000000000001,Never,Never,Never,,0,0,"
                         "never synced,"));
  EXPECT_THAT(lines[2], StartsWith("'=north,\"Smith, Ann\",\"Pixel \"\"6\"\"\",4.2.0,"
                                   "00000000-0000-4000-8000-000000000002,2026-03-02 07:00:00+00:00,failed: STREAM_CUT,"
                                   "2026-03-02 06:00:00+00:00,,0,0,never synced,"));
}

TEST_F(ExportCsvTest, TimesAreInTheTenantsZone) {
  ASSERT_TRUE(engine_
                  .Run(tenant_,
                       [this](commit::Transaction& transaction) {
                         v1::UpdateTenantRequest request;
                         request.set_tenant_id(tenant_.text());
                         request.set_time_zone("Europe/Rome");
                         return tenants::UpdateTenant(transaction, request).status();
                       })
                  .ok());
  Enrol(1);
  Report(1, "Pixel");
  EXPECT_THAT(Lines({})[1], HasSubstr(",2026-03-02 07:00:00+01:00,"));
}

// Requirement: S8
TEST_F(ExportCsvTest, SaysSinceWhenAManualSyncIsDue) {
  engine_.ApplyChanges(tenant_, "rota",
                       {fakes::ServiceUserChange("eve"), fakes::VisitChange("v1", "eve", {"Smith, Ann"})});
  store::Device row;
  row.add_carer_ids(ann_);
  row.set_enrolled_time_us(base::ToStoredTime(clock_.Now()));
  Put(1, base::keys::DevicePart::kDevice, row.SerializeAsString());
  store::DeviceReport report;
  report.add_copies()->set_carer_id(ann_);
  Put(1, base::keys::DevicePart::kReport, report.SerializeAsString());
  engine_.Advance(absl::Hours(5));
  EXPECT_THAT(Lines({})[1], HasSubstr(",Never,2026-03-02 10:00:00+00:00,0,0,"));
}

TEST_F(ExportCsvTest, TakesTheFiltersAndTheOrderOfTheReport) {
  for (int device = 1; device <= 3; ++device) Enrol(device);
  Report(2, "Pixel");
  v1::ExportDevicesRequest request;
  request.mutable_list()->set_order_by("device_uuid desc");
  request.mutable_list()->set_never_synced(true);
  const std::vector<std::string> lines = Lines(request);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("000000000003"));
  EXPECT_THAT(lines[2], HasSubstr("000000000001"));
}

TEST_F(ExportCsvTest, PiecesAreWholeLinesWithinTheBoundAndHoldEachDeviceOnce) {
  const int devices = base::limits::kPageSizeMost + 17;
  for (int device = 1; device <= devices; ++device) Enrol(device);
  const std::vector<std::string> pieces = Export({});
  EXPECT_GT(pieces.size(), 1u);
  for (const std::string& piece : pieces) {
    EXPECT_LE(piece.size(), base::limits::kExportPieceBytes);
    EXPECT_TRUE(absl::EndsWith(piece, "\r\n"));
  }
  const std::vector<std::string> lines = Lines({});
  ASSERT_EQ(lines.size(), static_cast<size_t>(devices) + 1);
  for (int device = 1; device <= devices; ++device) {
    EXPECT_THAT(lines[device], HasSubstr(absl::StrFormat("-%012d,", device)));
  }
}

TEST_F(ExportCsvTest, NamesWhatIsWrongWithARequest) {
  v1::ExportDevicesRequest request;
  request.mutable_list()->set_page_size(10);
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request.mutable_list()->set_page_size(0);
  request.mutable_list()->set_page_token("x");
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
  request.mutable_list()->clear_page_token();
  request.mutable_list()->set_order_by("age");
  EXPECT_EQ(ReasonOf(request), "INVALID_FIELD");
}

}  // namespace
}  // namespace caresync::devices
