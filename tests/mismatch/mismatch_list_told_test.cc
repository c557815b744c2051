// What is told of each mismatch that is listed.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/proto_time.h"
#include "tests/mismatch/mismatch_list_test.h"

namespace caresync::mismatch {
namespace {

using testing::ElementsAre;

// Requirement: M2
TEST_F(MismatchListTest, NamesTheCarerTheVisitTheChangeAndTheDevice) {
  OpenMovedVisit();
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.carer_id(), MismatchBench::Carer(1).ToString());
  EXPECT_EQ(mismatch.carer_name(), "Ann Smith");
  EXPECT_EQ(NumberOf(mismatch), 1);
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_MOVED));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().start_time()), At(9));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().end_time()), At(10));
  EXPECT_EQ(mismatch.from().service_user_name(), "Mary White");
  EXPECT_EQ(base::FromTimestamp(mismatch.to().start_time()), At(11));
  EXPECT_EQ(base::FromTimestamp(mismatch.to().end_time()), At(12));
  EXPECT_EQ(mismatch.to().service_user_id(), records::ServiceUserName(1).id.ToString());
  EXPECT_EQ(mismatch.state(), v1::MISMATCH_STATE_AT_RISK);
  EXPECT_EQ(mismatch.device().device_uuid(), MismatchBench::DeviceUuid(1).ToString());
  EXPECT_EQ(mismatch.device().device_name(), "Pixel 6");
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_successful_sync_time()), At(5));
  EXPECT_EQ(base::FromTimestamp(mismatch.device().last_api_call_time()), At(5, 30));
  EXPECT_EQ(base::FromTimestamp(mismatch.first_change_time()), At(6, 5));
  EXPECT_EQ(base::FromTimestamp(mismatch.last_change_time()), At(6, 5));
  EXPECT_EQ(base::FromTimestamp(mismatch.open_time()), At(6, 25));
  EXPECT_FALSE(mismatch.has_end_time());
}

// Requirement: M2
TEST_F(MismatchListTest, SaysToDoAManualSync) {
  OpenMovedVisit();
  EXPECT_EQ(Only().headline(), "The rota changed and Ann Smith has not synced Pixel 6 since.");
  EXPECT_EQ(Only().advice(), "Ask Ann Smith for a manual sync, with the app open and the screen on.");
}

TEST_F(MismatchListTest, OfAVisitThatIsNewThereIsNothingThatItChangedFrom) {
  PutPixel();
  bench_.Put({Edited(VisitAt(1, At(9)), [](v1::Visit& visit) { visit.set_branch_id(kNorth); })});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_NEW));
  EXPECT_FALSE(mismatch.has_from());
  EXPECT_TRUE(mismatch.has_to());
  EXPECT_EQ(mismatch.branch_id(), kNorth);
}

TEST_F(MismatchListTest, OfAVisitThatIsGoneThereIsNothingThatItChangedTo) {
  OpenMovedVisit();
  bench_.Put({Cancelled(VisitAt(1, At(11)))});
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().start_time()), At(9));
  EXPECT_FALSE(mismatch.has_to());
  EXPECT_EQ(mismatch.state(), v1::MISMATCH_STATE_UNNEEDED_JOURNEY);
}

// The device may have it though it never said so: the office must know of which hours the talk is.
TEST_F(MismatchListTest, OfOneThatCameAndWentUnacknowledgedItSaysWhenItWas) {
  bench_.SignIn(1, 1);
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(9))});
  bench_.Put({Cancelled(VisitAt(1, At(9)))});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_CANCELLED));
  EXPECT_EQ(base::FromTimestamp(mismatch.from().start_time()), At(9));
  EXPECT_FALSE(mismatch.has_to());
}

TEST_F(MismatchListTest, AnotherServiceUserIsNamedOnBothSides) {
  PutPixel();
  bench_.Put({VisitAt(1, At(9))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({Edited(VisitAt(1, At(9)),
                     [](v1::Visit& visit) { visit.set_service_user_id(records::ServiceUserName(2).id.ToString()); })});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_THAT(mismatch.changes(), ElementsAre(v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER));
  EXPECT_EQ(mismatch.from().service_user_name(), "Mary White");
  EXPECT_EQ(mismatch.to().service_user_name(), "John Green");
}

TEST_F(MismatchListTest, ACarerWhoHasSignedInNowhereHasNoDevice) {
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_FALSE(mismatch.has_device());
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_NO_DEVICE);
  EXPECT_EQ(mismatch.carer_name(), "Ann Smith");
  EXPECT_EQ(mismatch.headline(), "The rota changed and Ann Smith has not signed in on any device.");
  EXPECT_NE(mismatch.advice(), "");
}

TEST_F(MismatchListTest, ADeviceThatNeverCompletedASyncSaysSo) {
  bench_.SignIn(1, 1);
  bench_.PutReport(1, [](store::DeviceReport& report) { report.set_device_name("Pixel 6"); });
  bench_.Put({VisitAt(1, At(9))});
  bench_.AdvanceTo(At(6, 20));
  const v1::Mismatch mismatch = Only();
  EXPECT_EQ(mismatch.device().device_name(), "Pixel 6");
  EXPECT_FALSE(mismatch.device().has_last_successful_sync_time());
  EXPECT_FALSE(mismatch.device().has_last_api_call_time());
  EXPECT_FALSE(mismatch.device().has_last_contact_time());
  EXPECT_EQ(mismatch.cause(), v1::MISMATCH_CAUSE_NEVER_SYNCED);
}

TEST_F(MismatchListTest, ItsStateGoesByTheTimeAndTheDevicesCalls) {
  PutPixel();
  bench_.Put({VisitAt(1, At(9 + 24))});
  bench_.AcknowledgeAll(1, 1);
  bench_.Put({VisitAt(1, At(10 + 24))});
  bench_.AdvanceTo(At(9));
  EXPECT_EQ(Only().state(), v1::MISMATCH_STATE_AT_RISK);
  bench_.AdvanceTo(At(9 + 24, 5));
  EXPECT_EQ(Only().state(), v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT);
  Call(At(9 + 24, 2));
  EXPECT_EQ(Only().state(), v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
}

}  // namespace
}  // namespace caresync::mismatch
