#include "tools/caresync/delivery_table.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// 2026-11-21 09:00 UTC.
constexpr int64_t kNine = 1'795'251'600;

v1::Delivery Moved() {
  v1::Delivery delivery;
  delivery.set_carer_id("c");
  delivery.set_carer_name("Ann Smith");
  delivery.mutable_visit()->mutable_start_time()->set_seconds(kNine);
  delivery.mutable_visit()->set_service_user_name("Mary");
  delivery.mutable_committed_time()->set_seconds(kNine - 3600);
  return delivery;
}

std::string Table(const v1::Delivery& delivery) { return DeliveryTable({delivery}, absl::UTCTimeZone(), false); }

TEST(DeliveryTable, HasALineForEachDevice) {
  v1::Delivery delivery = Moved();
  v1::DeviceDelivery& pixel = *delivery.add_devices();
  pixel.set_device_name("Pixel 6");
  pixel.set_state(v1::DELIVERY_STATE_APPLIED);
  pixel.mutable_sent_time()->set_seconds(kNine - 61);
  pixel.mutable_applied_time()->set_seconds(kNine - 60);
  v1::DeviceDelivery& other = *delivery.add_devices();
  other.set_device_uuid("3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f");
  other.set_state(v1::DELIVERY_STATE_NOT_SENT);
  const std::string table = Table(delivery);
  EXPECT_THAT(table, StartsWith("Committed"));
  EXPECT_THAT(table, ContainsRegex("\n2026-11-21 08:00:00 UTC +Ann Smith +2026-11-21 09:00:00 UTC +Mary +Pixel 6 +"
                                   "applied +2026-11-21 08:58:59 UTC +2026-11-21 08:59:00 UTC +-\n"));
  EXPECT_THAT(table, ContainsRegex("Mary +3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f +not sent +- +- +-\n"));
}

TEST(DeliveryTable, TellsWhyTheVisitIsGoneAndThatThereIsNoDevice) {
  v1::Delivery delivery = Moved();
  delivery.clear_visit();
  delivery.set_gone(v1::VISIT_GONE_TAKEN_AWAY);
  delivery.mutable_seen_time()->set_seconds(kNine);
  EXPECT_THAT(Table(delivery), ContainsRegex("Ann Smith +taken away +- +none +- +- +- +2026-11-21 09:00:00 UTC\n"));
}

// Requirement: I4
TEST(DeliveryTable, SaysOfLateOnesWhyAndHasNoColumnForThatWhereNoneIs) {
  v1::Delivery delivery = Moved();
  EXPECT_THAT(Table(delivery), Not(HasSubstr("Late")));
  delivery.set_late_reason(v1::DELIVERY_LATE_REASON_SENT_LATE);
  EXPECT_THAT(Table(delivery), ContainsRegex(" Late\n(.*\n)*.*sent late by the rostering system\n"));
  delivery.set_late_reason(v1::DELIVERY_LATE_REASON_WAITED);
  EXPECT_THAT(Table(delivery), HasSubstr("waited for another record\n"));
  delivery.set_late_reason(v1::DELIVERY_LATE_REASON_DEVICE);
  EXPECT_THAT(Table(delivery), HasSubstr("acknowledged late\n"));
  delivery.set_late_cause(v1::MISMATCH_CAUSE_SILENT);
  delivery.add_devices()->set_device_name("Pixel 6");
  EXPECT_THAT(Table(delivery), ContainsRegex("Pixel 6 .*silent\n"));
}

v1::GetDeviceViewResponse View() {
  v1::GetDeviceViewResponse view;
  view.mutable_view_time()->set_seconds(kNine);
  view.set_known(v1::DEVICE_VIEW_KNOWN_ALL);
  return view;
}

std::string Text(const v1::GetDeviceViewResponse& view) {
  return DeviceViewText(view, "Ann \x1B[2J Smith", absl::UTCTimeZone(), false);
}

TEST(DeviceViewText, ListsWhatTheDeviceShowed) {
  v1::GetDeviceViewResponse view = View();
  view.mutable_heard_time()->set_seconds(kNine - 60);
  v1::ViewedVisit& visit = *view.add_visits();
  visit.set_visit_id("6f9b1c1e");
  visit.mutable_shown()->mutable_start_time()->set_seconds(kNine);
  visit.mutable_shown()->set_service_user_name("Mary");
  visit.set_certain(true);
  view.add_visits()->set_visit_id("7f9b1c1e");
  const std::string text = Text(view);
  EXPECT_THAT(text, HasSubstr("2026-11-21 09:00:00 UTC: the device showed 2 visits (it last said so at "
                              "2026-11-21 08:59:00 UTC)\n"));
  EXPECT_THAT(text, ContainsRegex("\n2026-11-21 09:00:00 UTC +- +Mary +6f9b1c1e +- +yes\n"));
  EXPECT_THAT(text, ContainsRegex("\n- +- +- +7f9b1c1e +- +no\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1B")));
}

TEST(DeviceViewText, ListsVisitsInTheOrderOfTheDay) {
  v1::GetDeviceViewResponse view = View();
  view.add_visits()->set_visit_id("5f-no-time");
  for (const auto& [id, start] : {std::pair("6f-late", kNine + 3600), std::pair("7f-early", kNine)}) {
    v1::ViewedVisit& visit = *view.add_visits();
    visit.set_visit_id(id);
    visit.mutable_shown()->mutable_start_time()->set_seconds(start);
  }
  const std::string text = Text(view);
  EXPECT_LT(text.find("7f-early"), text.find("6f-late"));
  EXPECT_LT(text.find("6f-late"), text.find("5f-no-time"));
}

TEST(DeviceViewText, TellsWhatIsNotKnown) {
  v1::GetDeviceViewResponse view = View();
  EXPECT_THAT(Text(view), HasSubstr("the device showed 0 visits\n"));
  view.set_known(v1::DEVICE_VIEW_KNOWN_NO_COPY);
  EXPECT_THAT(Text(view), HasSubstr("the device held no whole copy of this carer's records\n"));
  view.set_known(v1::DEVICE_VIEW_KNOWN_NOT_KNOWN);
  EXPECT_THAT(Text(view), HasSubstr("showed what is not known"));
}

TEST(DeviceViewText, SaysThatTwoPhonesUseTheUuid) {
  v1::GetDeviceViewResponse view = View();
  EXPECT_THAT(Text(view), Not(HasSubstr("Two phones")));
  view.set_cloned(true);
  EXPECT_THAT(Text(view), HasSubstr("\nTwo phones use this UUID: one of them said so,"));
}

}  // namespace
}  // namespace caresync::cli
