#include "server/base/stored.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "caresync/store/stored.pb.h"
#include "server/base/proto_time.h"

namespace caresync::base {
namespace {

constexpr int64_t kNoInstant = std::numeric_limits<int64_t>::max();
constexpr int64_t kThousandYears = int64_t{1000} * 366 * 24 * 3600;

template <typename Message>
std::string ReasonOf(const Message& message) {
  return Reason(ParseStored<Message>(message.SerializeAsString()).status());
}

TEST(StoredTest, ARowIsReadAsItWasWritten) {
  store::Record record;
  record.set_record_id("one");
  record.set_created_time_us(kLastInstantUs);
  record.mutable_origin()->set_changed_time_us(kFirstInstantUs);
  const absl::StatusOr<store::Record> read = ParseStored<store::Record>(record.SerializeAsString());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), record.SerializeAsString());
}

TEST(StoredTest, BytesThatAreNoSuchMessageAreDamage) {
  EXPECT_EQ(Reason(ParseStored<store::Record>("\xff").status()), "DAMAGED_ROW");
  // A text that is not UTF-8.
  EXPECT_EQ(Reason(ParseStored<store::Record>("\x12\x01\xff").status()), "DAMAGED_ROW");
}

TEST(StoredTest, ATimeThatIsNoInstantIsDamage) {
  store::Device device;
  for (const int64_t time :
       {kFirstInstantUs - 1, kLastInstantUs + 1, std::numeric_limits<int64_t>::min(), kNoInstant}) {
    device.set_enrolled_time_us(time);
    EXPECT_EQ(ReasonOf(device), "DAMAGED_ROW") << time;
  }
  device.set_enrolled_time_us(0);
  EXPECT_EQ(ReasonOf(device), "");
}

TEST(StoredTest, TimesInsideOfARowAreLookedAtToo) {
  store::Record record;
  record.mutable_origin()->set_changed_time_us(kNoInstant);
  EXPECT_EQ(ReasonOf(record), "DAMAGED_ROW");
  store::Device device;
  device.add_drops();
  device.add_drops()->set_dropped_time_us(kNoInstant);
  EXPECT_EQ(ReasonOf(device), "DAMAGED_ROW");
  store::DeviceReport report;
  report.add_take_over_times_us(1);
  report.add_take_over_times_us(kNoInstant);
  EXPECT_EQ(ReasonOf(report), "DAMAGED_ROW");
  store::WindowEdges edges;
  edges.mutable_anew_by_end()->mutable_to()->set_time_us(kNoInstant);
  EXPECT_EQ(ReasonOf(edges), "DAMAGED_ROW");
}

TEST(StoredTest, ALengthThatNobodyCanHaveChosenIsDamage) {
  store::Tenant tenant;
  tenant.set_auto_sync_interval_s(kThousandYears);
  EXPECT_EQ(ReasonOf(tenant), "");
  tenant.set_auto_sync_interval_s(kThousandYears + 1);
  EXPECT_EQ(ReasonOf(tenant), "DAMAGED_ROW");
  tenant.set_auto_sync_interval_s(-1);
  EXPECT_EQ(ReasonOf(tenant), "DAMAGED_ROW");
  tenant.set_auto_sync_interval_s(0);
  tenant.set_restore_wait_s_plus_1(kNoInstant);
  EXPECT_EQ(ReasonOf(tenant), "DAMAGED_ROW");
}

TEST(ProtoTimeTest, WhatIsNoTimestampBecomesTheFirstOrTheLast) {
  EXPECT_EQ(ToTimestamp(absl::InfinitePast()).seconds(), google::protobuf::util::TimeUtil::kTimestampMinSeconds);
  EXPECT_EQ(ToTimestamp(absl::InfiniteFuture()).seconds(), google::protobuf::util::TimeUtil::kTimestampMaxSeconds);
  EXPECT_EQ(ToTimestamp(absl::FromUnixSeconds(7)).seconds(), 7);
}

}  // namespace
}  // namespace caresync::base
