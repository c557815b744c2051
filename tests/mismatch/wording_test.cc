#include "server/mismatch/wording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace caresync::mismatch {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

v1::Mismatch AnnsMismatch() {
  v1::Mismatch mismatch;
  mismatch.set_carer_id("10000000-0000-0000-0000-000000000001");
  mismatch.set_carer_name("Ann Smith");
  mismatch.add_changes(v1::VISIT_CHANGE_KIND_MOVED);
  mismatch.set_state(v1::MISMATCH_STATE_AT_RISK);
  mismatch.mutable_device()->set_device_uuid("dddddddd-0000-4000-8000-000000000001");
  mismatch.mutable_device()->set_device_name("Pixel 6");
  return mismatch;
}

TEST(WordingTest, SaysWhoHasNotSyncedWhat) {
  EXPECT_EQ(Headline(AnnsMismatch()), "The rota changed and Ann Smith has not synced Pixel 6 since.");
}

TEST(WordingTest, SaysToDoAManualSyncWithTheAppOpenAndTheScreenOn) {
  EXPECT_EQ(Advice(AnnsMismatch()), "Ask Ann Smith for a manual sync, with the app open and the screen on.");
}

TEST(WordingTest, SaysTheSameInEachStageOfAnOpenOne) {
  for (const v1::MismatchState state :
       {v1::MISMATCH_STATE_CHANGED, v1::MISMATCH_STATE_AT_RISK, v1::MISMATCH_STATE_LIKELY_MISSED_VISIT,
        v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT, v1::MISMATCH_STATE_UNNEEDED_JOURNEY}) {
    v1::Mismatch mismatch = AnnsMismatch();
    mismatch.set_state(state);
    EXPECT_THAT(Headline(mismatch), HasSubstr("Ann Smith has not synced Pixel 6")) << state;
    EXPECT_THAT(Advice(mismatch), HasSubstr("Ann Smith")) << state;
    EXPECT_THAT(Advice(mismatch), HasSubstr("manual sync, with the app open and the screen on")) << state;
  }
}

TEST(WordingTest, OfACarerWithoutADeviceItNamesNoneAndSaysWhatToDo) {
  v1::Mismatch mismatch = AnnsMismatch();
  mismatch.clear_device();
  EXPECT_THAT(Headline(mismatch), HasSubstr("Ann Smith"));
  EXPECT_THAT(Headline(mismatch), EndsWith("."));
  EXPECT_THAT(Headline(mismatch), Not(HasSubstr("  "))) << "a name is left out";
  EXPECT_THAT(Headline(mismatch), Not(HasSubstr("synced since")));
  EXPECT_THAT(Advice(mismatch), HasSubstr("Ann Smith"));
}

TEST(WordingTest, ADeviceOrACarerWithoutANameIsNamedAllTheSame) {
  v1::Mismatch device = AnnsMismatch();
  device.mutable_device()->clear_device_name();
  EXPECT_THAT(Headline(device), Not(HasSubstr("  ")));
  EXPECT_THAT(Headline(device), Not(HasSubstr("synced since")));
  v1::Mismatch carer = AnnsMismatch();
  carer.clear_carer_name();
  EXPECT_THAT(Headline(carer), Not(HasSubstr("  ")));
  EXPECT_THAT(Advice(carer), Not(HasSubstr("  ")));
}

TEST(WordingTest, OfOneWhoseVisitTheCarerStartedItSaysSoWhateverTheDevice) {
  v1::Mismatch mismatch = AnnsMismatch();
  mismatch.set_state(v1::MISMATCH_STATE_RESOLVED);
  mismatch.set_resolution(v1::MISMATCH_RESOLUTION_STARTED);
  EXPECT_EQ(Headline(mismatch), "The rota changed and Ann Smith has been at the visit.");
  mismatch.clear_device();
  EXPECT_EQ(Headline(mismatch), "The rota changed and Ann Smith has been at the visit.");
  EXPECT_EQ(Advice(mismatch), "");
}

TEST(WordingTest, OfAResolvedOneThereIsNothingToDo) {
  v1::Mismatch mismatch = AnnsMismatch();
  mismatch.set_state(v1::MISMATCH_STATE_RESOLVED);
  EXPECT_EQ(Advice(mismatch), "");
  EXPECT_THAT(Headline(mismatch), HasSubstr("Ann Smith"));
  EXPECT_THAT(Headline(mismatch), HasSubstr("Pixel 6"));
  EXPECT_THAT(Headline(mismatch), Not(HasSubstr("has not synced"))) << "it has";
}

}  // namespace
}  // namespace caresync::mismatch
