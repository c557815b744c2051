#include "server/mismatch/wording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/time/time.h"

namespace caresync::mismatch {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

v1::Mismatch AnnsMismatch() {
  v1::Mismatch mismatch;
  mismatch.set_carer_id("10000000-0000-0000-0000-000000000001");
  mismatch.set_carer_name("Ann Smith");
  mismatch.add_changes(v1::VISIT_CHANGE_KIND_MOVED);
  mismatch.set_state(v1::MISMATCH_STATE_AT_RISK);
  mismatch.mutable_device()->set_device_uuid("dddddddd-0000-4000-8000-000000000001");
  mismatch.mutable_device()->set_device_name("Pixel 6");
  mismatch.set_cause(v1::MISMATCH_CAUSE_SILENT);
  return mismatch;
}

TEST(WordingTest, SaysWhoHasNotSyncedWhat) {
  EXPECT_EQ(Headline(AnnsMismatch()), "The rota changed and Ann Smith has not synced Pixel 6 since.");
}

// Requirement: M2
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

// ---- The causes

v1::Mismatch AnnsMismatch(v1::MismatchCause cause) {
  v1::Mismatch mismatch = AnnsMismatch();
  mismatch.set_cause(cause);
  return mismatch;
}

TEST(WordingTest, WhereASyncWouldBringNothingItSaysWhyAndToTellTheCarerByPhone) {
  for (const v1::MismatchCause cause :
       {v1::MISMATCH_CAUSE_DEVICE_BLOCKED, v1::MISMATCH_CAUSE_DEVICE_CLONED, v1::MISMATCH_CAUSE_NOT_A_USER,
        v1::MISMATCH_CAUSE_APP_TOO_OLD, v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE}) {
    EXPECT_THAT(Headline(AnnsMismatch(cause)), HasSubstr("Ann Smith")) << cause;
    EXPECT_THAT(Headline(AnnsMismatch(cause)), HasSubstr("Pixel 6")) << cause;
    EXPECT_THAT(Advice(AnnsMismatch(cause)), StartsWith("Tell Ann Smith by phone")) << cause;
    EXPECT_THAT(Advice(AnnsMismatch(cause)), Not(HasSubstr("manual sync"))) << cause;
  }
  EXPECT_EQ(Headline(AnnsMismatch(v1::MISMATCH_CAUSE_DEVICE_BLOCKED)),
            "The rota changed and Ann Smith cannot sync Pixel 6: it is blocked.");
  EXPECT_EQ(Advice(AnnsMismatch(v1::MISMATCH_CAUSE_DEVICE_BLOCKED)),
            "Tell Ann Smith by phone, and see that another device is signed in, or unblock Pixel 6 when it is in the "
            "right hands again.");
}

TEST(WordingTest, NamesTheVersionOfAnAppThatIsTooOld) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_APP_TOO_OLD);
  EXPECT_THAT(Headline(mismatch), EndsWith("its app is too old (of no known version)."));
  mismatch.mutable_device()->set_app_version("4.2.0");
  EXPECT_THAT(Headline(mismatch), EndsWith("its app is too old (4.2.0)."));
}

TEST(WordingTest, NamesWhatFailedAndHowOften) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_FAILING);
  mismatch.mutable_device()->set_last_api_call(v1::CALL_STATE_FAILED);
  EXPECT_EQ(Headline(mismatch), "The rota changed and Ann Smith has not synced Pixel 6 since: its last call failed.");
  mismatch.mutable_device()->set_failed_calls(3);
  mismatch.mutable_device()->set_last_api_call_reason("STREAM_CUT");
  EXPECT_EQ(Headline(mismatch),
            "The rota changed and Ann Smith has not synced Pixel 6 since: its last 3 calls failed (STREAM_CUT).");
  mismatch.set_cause(v1::MISMATCH_CAUSE_NEVER_SYNCED);
  EXPECT_EQ(Headline(mismatch),
            "The rota changed and Ann Smith has never synced Pixel 6: its last 3 calls failed (STREAM_CUT).");
  mismatch.mutable_device()->set_last_api_call(v1::CALL_STATE_SUCCEEDED);
  EXPECT_EQ(Headline(mismatch), "The rota changed and Ann Smith has never synced Pixel 6.");
}

// Requirement: S10
TEST(WordingTest, OfASyncThatFailsItSaysWhatOneNeeds) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_FAILING);
  mismatch.mutable_device()->set_last_api_call(v1::CALL_STATE_FAILED);
  EXPECT_EQ(Advice(mismatch),
            "Ask Ann Smith for a manual sync, with the app open and the screen on, on the internet and ideally on "
            "Wi-Fi.");
  mismatch.mutable_device()->set_last_api_call_reason("CREDENTIAL_EXPIRED");
  EXPECT_EQ(Advice(mismatch),
            "Ask Ann Smith to sign in again on Pixel 6, and for a manual sync, with the app open and the screen on.");
}

TEST(WordingTest, OfASyncThatTheCarerCannotPutRightItSaysWhoCanAndToTellTheCarerByPhone) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_FAILING);
  mismatch.mutable_device()->set_last_api_call(v1::CALL_STATE_FAILED);
  mismatch.mutable_device()->set_last_api_call_reason("STORE_FULL");
  EXPECT_EQ(Advice(mismatch),
            "Tell Ann Smith by phone. Have whoever runs the server look at its store and log; then Pixel 6 syncs by "
            "itself.");
  mismatch.set_cause(v1::MISMATCH_CAUSE_NEVER_SYNCED);
  mismatch.mutable_device()->set_last_api_call_reason("MESSAGE_NOT_UNDERSTOOD");
  EXPECT_THAT(Advice(mismatch), StartsWith("Tell Ann Smith by phone. Tell the maker of the app"));
  mismatch.set_cause(v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE);
  EXPECT_THAT(Advice(mismatch), HasSubstr("send the rota again"));
}

TEST(WordingTest, OfADeviceThatCalledItSaysSo) {
  EXPECT_EQ(Headline(AnnsMismatch(v1::MISMATCH_CAUSE_BEHIND)),
            "The rota changed and Ann Smith has not synced Pixel 6 since: it has called, and has not confirmed the "
            "change.");
  EXPECT_THAT(Advice(AnnsMismatch(v1::MISMATCH_CAUSE_BEHIND)), HasSubstr("manual sync"));
}

TEST(WordingTest, OfACarerWhoLeftItSaysWhoSaysSo) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_CARER_LEFT);
  mismatch.clear_device();
  EXPECT_EQ(Headline(mismatch), "The rota changed and Ann Smith has left, as the rostering system says.");
  EXPECT_THAT(Advice(mismatch), HasSubstr("rostering system"));
  EXPECT_THAT(Advice(mismatch), HasSubstr("Ann Smith"));
}

TEST(WordingTest, WhereNobodyKnowsWhichDeviceIsInUseItDoesNotSayThatThereIsNone) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_UNSPECIFIED);
  mismatch.clear_device();
  EXPECT_EQ(Headline(mismatch), "The rota changed and no device of Ann Smith is known to have it.");
  EXPECT_THAT(Advice(mismatch), HasSubstr("manual sync"));
}

TEST(WordingTest, OfAClosedOneThereIsNothingToDo) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_UNSPECIFIED);
  mismatch.set_state(v1::MISMATCH_STATE_CLOSED);
  EXPECT_EQ(Advice(mismatch), "");
  EXPECT_EQ(Headline(mismatch), "The rota changed and Ann Smith has not synced Pixel 6 since.");
}

// ---- What is not there

TEST(WordingTest, OfACarerWithoutADeviceItNamesNoneAndSaysWhatToDo) {
  v1::Mismatch mismatch = AnnsMismatch(v1::MISMATCH_CAUSE_NO_DEVICE);
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
  mismatch.clear_cause();
  EXPECT_EQ(Advice(mismatch), "");
  EXPECT_THAT(Headline(mismatch), HasSubstr("Ann Smith"));
  EXPECT_THAT(Headline(mismatch), HasSubstr("Pixel 6"));
  EXPECT_THAT(Headline(mismatch), Not(HasSubstr("has not synced"))) << "it has";
}

// ---- Several that are told as one

v1::MismatchGroup GroupOf(v1::MismatchGroupKind kind) {
  v1::MismatchGroup group;
  group.set_kind(kind);
  *group.mutable_most_urgent() = AnnsMismatch();
  group.mutable_most_urgent()->set_headline(Headline(group.most_urgent()));
  group.mutable_most_urgent()->set_advice(Advice(group.most_urgent()));
  group.set_count(30);
  group.set_carer_count(12);
  return group;
}

std::string HeadlineOf(const v1::MismatchGroup& group) { return Headline(group, absl::UTCTimeZone()); }

TEST(WordingTest, OfACarersGroupItSaysHowManyAndWhatHoldsOfAll) {
  const v1::MismatchGroup group = GroupOf(v1::MISMATCH_GROUP_KIND_CARER);
  EXPECT_THAT(HeadlineOf(group), StartsWith("30 changes of visits have not reached their carer's phone. "));
  EXPECT_THAT(HeadlineOf(group), EndsWith(group.most_urgent().headline()));
  EXPECT_EQ(Advice(group), group.most_urgent().advice());
}

TEST(WordingTest, OfABurstItSaysHowManyAndNamesNoCarer) {
  const v1::MismatchGroup group = GroupOf(v1::MISMATCH_GROUP_KIND_BURST);
  EXPECT_THAT(HeadlineOf(group), HasSubstr("30 changes of visits of 12 carers"));
  EXPECT_THAT(HeadlineOf(group), Not(HasSubstr("Ann Smith")));
  EXPECT_THAT(Advice(group), Not(HasSubstr("Ann Smith")));
  EXPECT_THAT(Advice(group), HasSubstr("manual sync"));
}

TEST(WordingTest, OfAnOutageItSaysSinceWhenAndWhereToLook) {
  v1::MismatchGroup group = GroupOf(v1::MISMATCH_GROUP_KIND_OUTAGE);
  group.mutable_last_sync_until_time()->set_seconds(1'795'251'600);
  EXPECT_EQ(
      HeadlineOf(group),
      "30 changes of visits of 12 carers have not reached their phones, none of which has synced since 09:00 on 21 "
      "November 2026.");
  EXPECT_THAT(Headline(group, absl::FixedTimeZone(3'600)), HasSubstr("since 10:00 on"));
  EXPECT_THAT(Advice(group), HasSubstr("network"));
  EXPECT_THAT(Advice(group), HasSubstr("phone the carers"));
  EXPECT_THAT(Advice(group), Not(HasSubstr("Ann Smith")));
}

TEST(WordingTest, OfABurstWhoseCarersHaveNoDeviceItSaysToTellThemByPhone) {
  v1::MismatchGroup group = GroupOf(v1::MISMATCH_GROUP_KIND_BURST);
  group.set_carers_without_device(group.carer_count());
  EXPECT_THAT(Advice(group), HasSubstr("tell them by phone"));
  EXPECT_THAT(Advice(group), Not(HasSubstr("manual sync"))) << "there is none whom it could be asked of";
  group.set_carers_without_device(2);
  EXPECT_THAT(Advice(group), HasSubstr("manual sync"));
  EXPECT_THAT(Advice(group), EndsWith(" 2 of them have not signed in on any device, and must be told by phone."));
  group.set_carers_without_device(1);
  EXPECT_THAT(Advice(group), EndsWith(" 1 of them has not signed in on any device, and must be told by phone."));
}

TEST(WordingTest, OfOneInNoGroupItSaysWhatIsSaidOfThat) {
  const v1::MismatchGroup group = GroupOf(v1::MISMATCH_GROUP_KIND_UNSPECIFIED);
  EXPECT_EQ(HeadlineOf(group), group.most_urgent().headline());
  EXPECT_EQ(Advice(group), group.most_urgent().advice());
}

}  // namespace
}  // namespace caresync::mismatch
