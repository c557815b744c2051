#include "tools/caresync/json_form.h"

#include <cstdint>
#include <string>

#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/devices.pb.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

constexpr uint64_t kExact = uint64_t{1} << 53;

TEST(ToJson, LongNumbersAreNumbersAsFarAsEveryReaderTakesThem) {
  v1::SyncSummary sync;
  sync.set_bytes_sent(12'345);
  sync.set_end_revision(kExact);
  sync.set_start_revision(kExact + 1);
  const nlohmann::ordered_json json = ToJson(sync);
  EXPECT_EQ(json["bytes_sent"].dump(), "12345");
  EXPECT_EQ(json["end_revision"].dump(), "9007199254740992");
  EXPECT_EQ(json["start_revision"].dump(), "\"9007199254740993\"");
  EXPECT_EQ(json["upserts_sent"].dump(), "0");
}

TEST(ToJson, LongNumbersDeepInAMessageAreNumbersToo) {
  v1::Device device;
  device.set_take_overs(3);
  device.add_users()->set_acknowledged_revision(17);
  const nlohmann::ordered_json json = ToJson(device);
  EXPECT_EQ(json["take_overs"].dump(), "3");
  EXPECT_EQ(json["users"][0]["acknowledged_revision"].dump(), "17");
}

TEST(ToJson, TextThatLooksLikeANumberStaysText) {
  v1::Device device;
  device.set_device_name("42");
  device.mutable_last_api_call_time()->set_seconds(1'795'244'520);
  const nlohmann::ordered_json json = ToJson(device);
  EXPECT_EQ(json["device_name"].dump(), "\"42\"");
  EXPECT_EQ(json["last_api_call_time"].dump(), "\"2026-11-21T07:02:00Z\"");
}

TEST(ToJson, ACopySumPastWhatIsExactIsNotRounded) {
  v1::CopySum sum;
  sum.set_sum(~uint64_t{0});
  EXPECT_EQ(ToJson(sum)["sum"].dump(), "\"18446744073709551615\"");
}

}  // namespace
}  // namespace caresync::cli
