// What the list of mismatches tells of the carer's devices: why the one in use has not taken the change, and the
// others.
#include "server/mismatch/carer_devices.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/mismatch/mismatch_list.h"
#include "server/tenants/tenants.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;
using base::keys::DevicePart;

// Ann, carer 1, uses device 1, a Pixel 6 that synced at 05:00 and called at 05:30. Her visit at nine, which it has
// acknowledged, was moved to eleven at 06:05; that is open since 06:25, and it is 06:30.
class CarerDevicesTest : public testing::Test {
 protected:
  CarerDevicesTest() {
    bench_.SignIn(1, 1);
    bench_.PutReport(1, [](store::DeviceReport& report) {
      report.set_device_name("Pixel 6");
      report.set_last_success_us(absl::ToUnixMicros(At(5)));
    });
    bench_.PutCopy(1, 1, [](store::DeviceCopy& copy) { copy.set_last_success_us(absl::ToUnixMicros(At(5))); });
    Call(At(5, 30));
    bench_.Put({VisitAt(1, At(9))});
    bench_.AcknowledgeAll(1, 1);
    bench_.AdvanceTo(At(6, 5));
    bench_.Put({VisitAt(1, At(11))});
    bench_.AdvanceTo(At(6, 30));
  }

  v1::Mismatch Only(bool ended = false) {
    v1::ListMismatchesRequest request;
    request.set_ended(ended);
    const auto list = ListMismatches(*bench_.Snapshot(), bench_.tenant(), request,
                                     {.syncs = {.opening = bench_.timeline()}, .now = bench_.clock().Now()});
    EXPECT_TRUE(list.ok()) << list.status();
    if (!list.ok() || list->mismatches_size() != 1) {
      ADD_FAILURE() << "there is not exactly one";
      return {};
    }
    return list->mismatches(0);
  }
  // The Pixel's last one.
  void Call(absl::Time time, v1::CallState state = v1::CALL_STATE_SUCCEEDED, const std::string& reason = "") {
    store::DeviceCall call;
    call.set_time_us(absl::ToUnixMicros(time));
    call.set_state(state);
    call.set_reason(reason);
    call.set_opening(bench_.timeline());
    bench_.PutDeviceRow(1, DevicePart::kCall, call.SerializeAsString());
  }
  // As it stands in the carer's history.
  void NoteSync(int carer, int device, absl::Time start, uint64_t number) {
    bench_.Write({storage::Space::kDevices,
                  base::keys::SyncOfCarer(bench_.tenant(), MismatchBench::Carer(carer), absl::ToUnixMicros(start),
                                          MismatchBench::DeviceUuid(device), number),
                  ""});
  }

  MismatchBench bench_;
};

TEST_F(CarerDevicesTest, TellsTheCauseAndWhatShowsIt) {
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_SILENT);
  EXPECT_EQ(base::FromTimestamp(Only().device().last_contact_time()), At(5, 30));
  bench_.PutReport(1, [](store::DeviceReport& report) {
    report.set_app_version("4.2.0");
    report.set_failures_in_a_row(3);
  });
  Call(At(6, 20), v1::CALL_STATE_FAILED, "STREAM_CUT");
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_FAILING);
  EXPECT_EQ(mismatch.device().last_api_call(), v1::CALL_STATE_FAILED);
  EXPECT_EQ(mismatch.device().last_api_call_reason(), "STREAM_CUT");
  EXPECT_EQ(mismatch.device().failed_calls(), 3u);
  EXPECT_EQ(mismatch.device().app_version(), "4.2.0");
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_contact_time()), At(6, 20));
  EXPECT_EQ(mismatch.headline(),
            "The rota changed and Ann Smith has not synced Pixel 6 since: its last 3 calls failed (STREAM_CUT).");
}

TEST_F(CarerDevicesTest, TheCauseIsThatOfNow) {
  bench_.PutDevice(1, [](store::Device& device) { device.set_blocked(true); });
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_DEVICE_BLOCKED);
  bench_.PutDevice(1, [](store::Device& device) {
    device.set_blocked(false);
    device.clear_carer_ids();
  });
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_NOT_A_USER);
  store::Record left = records::CarerRecord(1, "Ann Smith");
  left.set_left(true);
  bench_.Put({left});
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_CARER_LEFT);
  bench_.Sync(1, 1);
  EXPECT_EQ(Only(true).cause(), v1::MISMATCH_CAUSE_UNSPECIFIED) << "nobody waits for it any more";
}

TEST_F(CarerDevicesTest, ItGoesByTheTenantsLeastVersionOfTheApp) {
  const auto set = bench_.Run([&](commit::Transaction& transaction) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(bench_.tenant().text());
    request.set_least_app_version("5.0");
    return tenants::UpdateTenant(transaction, request).status();
  });
  ASSERT_TRUE(set.ok()) << set.status();
  bench_.PutReport(1, [](store::DeviceReport& report) { report.set_app_version("4.2.0"); });
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_APP_TOO_OLD);
}

TEST_F(CarerDevicesTest, ACallThatIsOverAndNobodyWroteDownHasFailed) {
  Call(At(6, 20), v1::CALL_STATE_UNDER_WAY);
  EXPECT_EQ(Only().cause(), v1::MISMATCH_CAUSE_BEHIND);
  bench_.Start();
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_FAILING);
  EXPECT_EQ(mismatch.device().last_api_call_reason(), "STREAM_CUT");
}

// Of a device that several carers use, another's sync brought nothing to this one.
TEST_F(CarerDevicesTest, TheLastSuccessfulSyncIsThisCarers) {
  bench_.PutReport(1, [](store::DeviceReport& report) { report.set_last_success_us(absl::ToUnixMicros(At(6, 28))); });
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_successful_sync_time()), At(5));
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_contact_time()), At(6, 28));
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_BEHIND);
}

TEST_F(CarerDevicesTest, TellsOfTheOtherDevicesThatHoldACopyTheLastOneFirst) {
  NoteSync(1, 1, At(5), 1);
  for (const int device : {2, 3, 4}) {
    NoteSync(1, device, At(4) + absl::Minutes(device), 1);
    NoteSync(1, device, At(3) + absl::Minutes(device), 2);
    bench_.PutReport(device,
                     [&](store::DeviceReport& report) { report.set_device_name(absl::StrCat("Pixel ", device)); });
  }
  for (const int device : {2, 4}) {
    bench_.PutCopy(1, device, [](store::DeviceCopy& copy) { copy.set_last_success_us(absl::ToUnixMicros(At(4))); });
  }
  NoteSync(2, 5, At(5), 1);
  bench_.PutCopy(2, 5, [](store::DeviceCopy& copy) { copy.set_last_success_us(1); });
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.device().device_name(), "Pixel 6");
  ASSERT_EQ(mismatch.other_devices_size(), 2) << "one holds nothing any more, one is another carer's";
  EXPECT_EQ(mismatch.other_devices(0).device_name(), "Pixel 4");
  EXPECT_EQ(mismatch.other_devices(1).device_name(), "Pixel 2");
  EXPECT_EQ(mismatch.other_devices(1).device_uuid(), MismatchBench::DeviceUuid(2).ToString());
  EXPECT_EQ(base::FromTimestamp(mismatch.other_devices(1).last_successful_sync_time()), At(4));
}

TEST_F(CarerDevicesTest, AnotherDeviceThatCannotBeReadIsLeftOut) {
  for (const int device : {2, 3}) {
    NoteSync(1, device, At(4), 1);
    bench_.PutCopy(1, device, [](store::DeviceCopy& copy) { copy.set_last_success_us(1); });
  }
  bench_.PutDeviceRow(2, DevicePart::kCall, "\xFF\xFF");
  ASSERT_EQ(Only().other_devices_size(), 1);
  EXPECT_EQ(Only().other_devices(0).device_uuid(), MismatchBench::DeviceUuid(3).ToString());
}

TEST_F(CarerDevicesTest, NoMoreOtherDevicesAreToldThanTheirLimit) {
  for (int device = 2; device < 2 + static_cast<int>(limits::kMismatchDevices) + 1; ++device) {
    NoteSync(1, device, At(4), 1);
    bench_.PutCopy(1, device, [](store::DeviceCopy& copy) { copy.set_last_success_us(1); });
  }
  EXPECT_EQ(static_cast<size_t>(Only().other_devices_size()), limits::kMismatchDevices);
}

}  // namespace
}  // namespace caresync::mismatch
