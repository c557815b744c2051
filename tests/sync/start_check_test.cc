#include "server/sync/start_check.h"

#include <functional>
#include <string>

#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/test_device.h"

namespace caresync::sync {
namespace {

const base::Uuid kDevice = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
const base::Uuid kCarer = *base::Uuid::Parse("22222222-2222-4222-8222-222222222222");
const base::Uuid kOther = *base::Uuid::Parse("33333333-3333-4333-8333-333333333333");
const absl::Time kNow = absl::FromUnixSeconds(1'772'431'200);

SessionIdentity Identity() { return {fakes::Tenant("agency"), kDevice, kCarer}; }

v1::Start GoodStart(v1::SyncType type = v1::SYNC_TYPE_STANDARD) {
  return fakes::TestDevice(kDevice).Start(kCarer, type).start();
}

// ---- CheckStart

struct BadStart {
  std::string name;
  std::function<void(v1::Start&)> spoil;
  std::string reason;
};

// What ctest shows of a case.
void PrintTo(const BadStart& bad, std::ostream* out) { *out << bad.name; }

class BadStartTest : public testing::TestWithParam<BadStart> {};

TEST_P(BadStartTest, IsRefusedByName) {
  v1::Start start = GoodStart();
  GetParam().spoil(start);
  EXPECT_EQ(base::Reason(CheckStart(Identity(), start)), GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    CheckStart, BadStartTest,
    testing::Values(
        BadStart{"NoDevice", [](v1::Start& s) { s.clear_device_uuid(); }, "INVALID_FIELD"},
        BadStart{"DeviceIsNoUuid", [](v1::Start& s) { s.set_device_uuid("1111"); }, "INVALID_FIELD"},
        BadStart{"OtherDevice", [](v1::Start& s) { s.set_device_uuid(kOther.ToString()); }, "OTHER_DEVICE"},
        BadStart{"NoCarer", [](v1::Start& s) { s.clear_carer_id(); }, "INVALID_FIELD"},
        BadStart{"CarerIsNil", [](v1::Start& s) { s.set_carer_id(base::Uuid().ToString()); }, "INVALID_FIELD"},
        BadStart{"OtherCarer", [](v1::Start& s) { s.set_carer_id(kOther.ToString()); }, "OTHER_CARER"},
        BadStart{"NoType", [](v1::Start& s) { s.clear_sync_type(); }, "INVALID_FIELD"},
        BadStart{"UnknownType", [](v1::Start& s) { s.set_sync_type(v1::SyncType(4)); }, "INVALID_FIELD"},
        BadStart{"NegativeType", [](v1::Start& s) { s.set_sync_type(v1::SyncType(-1)); }, "INVALID_FIELD"},
        BadStart{"NoDataLevel", [](v1::Start& s) { s.clear_data_level(); }, "INVALID_FIELD"},
        BadStart{"LongDeviceName",
                 [](v1::Start& s) { s.set_device_name(std::string(base::limits::kDeviceNameCharacters + 1, 'n')); },
                 "INVALID_FIELD"},
        BadStart{"DeviceNameIsNoUtf8", [](v1::Start& s) { s.set_device_name("\xFF\xFE"); }, "INVALID_FIELD"},
        BadStart{"LongAppVersion",
                 [](v1::Start& s) { s.set_app_version(std::string(base::limits::kAppVersionCharacters + 1, '1')); },
                 "INVALID_FIELD"},
        BadStart{"UnknownInterruption", [](v1::Start& s) { s.set_last_interruption(v1::InterruptionCause(99)); },
                 "INVALID_FIELD"},
        BadStart{"TooManyEvents", [](v1::Start& s) { s.set_unsent_events(base::limits::kUnsentEvents + 1); },
                 "TOO_MANY_EVENTS"},
        BadStart{"CleanWithUnsentEvents",
                 [](v1::Start& s) {
                   s.set_sync_type(v1::SYNC_TYPE_CLEAN);
                   s.set_unsent_events(1);
                 },
                 "CLEAN_SYNC_WOULD_LOSE_WORK"},
        BadStart{"CleanWithAnOpenVisit",
                 [](v1::Start& s) {
                   s.set_sync_type(v1::SYNC_TYPE_CLEAN);
                   s.set_open_visit_id(kOther.ToString());
                 },
                 "CLEAN_SYNC_WOULD_LOSE_WORK"},
        BadStart{"CleanWithAForm",
                 [](v1::Start& s) {
                   s.set_sync_type(v1::SYNC_TYPE_CLEAN);
                   s.set_form_in_progress(true);
                 },
                 "CLEAN_SYNC_WOULD_LOSE_WORK"}),
    [](const testing::TestParamInfo<BadStart>& info) { return info.param.name; });

TEST(CheckStart, TakesEachTypeAndTheLongestNames) {
  for (const v1::SyncType type : {v1::SYNC_TYPE_STANDARD, v1::SYNC_TYPE_CLEAN, v1::SYNC_TYPE_AUTO}) {
    v1::Start start = GoodStart(type);
    // Two bytes each: the bound is one of characters.
    std::string name;
    for (size_t i = 0; i < base::limits::kDeviceNameCharacters; ++i) name += "\xC3\xA9";
    start.set_device_name(name);
    EXPECT_TRUE(CheckStart(Identity(), start).ok());
  }
}

TEST(CheckStart, TakesUuidsInAnyLetterCase) {
  v1::Start start = GoodStart();
  const base::Uuid device = *base::Uuid::Parse("abcdefab-1111-4111-8111-111111111111");
  start.set_device_uuid("ABCDEFAB-1111-4111-8111-111111111111");
  EXPECT_TRUE(CheckStart({fakes::Tenant("agency"), device, kCarer}, start).ok());
}

// ---- CheckDownload

StartFacts GoodFacts() {
  StartFacts facts;
  facts.carer_branch_id = "";
  facts.head = {"timeline", 20};
  facts.token_standing = commit::CursorStanding::kKnown;
  return facts;
}

ResumeToken GoodToken() {
  return {.device = kDevice,
          .carer = kCarer,
          .data_level = 1,
          .cursor = {"timeline", 15},
          .position = {12, {"record"}},
          .rebuild_number = 3,
          .rebuild_began = std::nullopt};
}

TEST(CheckDownload, ACarerWhoIsNoUserIsRefused) {
  StartFacts facts = GoodFacts();
  facts.rows.rows.device.emplace().add_carer_ids(kOther.ToString());
  EXPECT_EQ(base::Reason(CheckDownload(Identity(), GoodStart(), std::nullopt, facts)), "CARER_NOT_A_USER");
  facts.rows.rows.device->add_carer_ids(kCarer.ToString());
  EXPECT_TRUE(CheckDownload(Identity(), GoodStart(), std::nullopt, facts).ok());
}

TEST(CheckDownload, ADeviceThatIsNotKnownYetMaySync) {
  EXPECT_TRUE(CheckDownload(Identity(), GoodStart(), GoodToken(), GoodFacts()).ok());
}

TEST(CheckDownload, ABlockedOrClonedDeviceAndACarerWhoLeftAreRefused) {
  StartFacts facts = GoodFacts();
  store::Device& device = facts.rows.rows.device.emplace();
  device.add_carer_ids(kCarer.ToString());
  EXPECT_TRUE(CheckDownload(Identity(), GoodStart(), std::nullopt, facts).ok());
  device.set_cloned(true);
  EXPECT_EQ(base::Reason(CheckDownload(Identity(), GoodStart(), std::nullopt, facts)), "DEVICE_CLONED");
  device.set_blocked(true);
  EXPECT_EQ(base::Reason(CheckDownload(Identity(), GoodStart(), std::nullopt, facts)), "DEVICE_BLOCKED");
  facts.carer_left = true;
  EXPECT_EQ(base::Reason(CheckDownload(Identity(), GoodStart(), std::nullopt, facts)), "CARER_LEFT");
}

TEST(CheckDownload, AnAppBelowTheTenantsLeastVersionIsRefused) {
  StartFacts facts = GoodFacts();
  facts.tenant.set_least_app_version("4.10");
  v1::Start start = GoodStart();
  for (const char* version : {"4.9.7", "4", "", "dev"}) {
    start.set_app_version(version);
    EXPECT_EQ(base::Reason(CheckDownload(Identity(), start, std::nullopt, facts)), "APP_TOO_OLD") << version;
  }
  for (const char* version : {"4.10", "4.10.1-beta", "11.0"}) {
    start.set_app_version(version);
    EXPECT_TRUE(CheckDownload(Identity(), start, std::nullopt, facts).ok()) << version;
  }
}

TEST(CheckDownload, ATokenOfAnotherDeviceOrCarerIsRefused) {
  ResumeToken token = GoodToken();
  token.device = kOther;
  EXPECT_EQ(base::Reason(CheckDownload(Identity(), GoodStart(), token, GoodFacts())), "TOKEN_OF_ANOTHER_COPY");
  token = GoodToken();
  token.carer = kOther;
  EXPECT_EQ(base::Reason(CheckDownload(Identity(), GoodStart(), token, GoodFacts())), "TOKEN_OF_ANOTHER_COPY");
}

TEST(KeepWhatIsBounded, CutsWhatNoStartOfThisContractHolds) {
  v1::Start start = GoodStart();
  const std::string good = start.SerializeAsString();
  KeepWhatIsBounded(start);
  EXPECT_EQ(start.SerializeAsString(), good);
  for (std::string* text : {start.mutable_resume_token(), start.mutable_uploads_token(), start.mutable_open_visit_id(),
                            start.mutable_device_name(), start.mutable_app_version()}) {
    *text = std::string(1'000'000, 'x');
  }
  // Field 1000, a string, which no Start of this version has.
  start.GetReflection()->MutableUnknownFields(&start)->AddLengthDelimited(1000)->assign(1'000'000, 'x');
  KeepWhatIsBounded(start);
  EXPECT_LT(start.ByteSizeLong(), 6'000u);
  EXPECT_LT(start.SpaceUsedLong(), 10'000u);
}

// ---- PlanStart

store::DeviceCopy& CopyIn(StartFacts& facts) {
  if (!facts.rows.rows.report.has_value()) facts.rows.rows.report.emplace();
  store::DeviceCopy& copy = *facts.rows.rows.report->add_copies();
  copy.set_carer_id(kCarer.ToString());
  copy.set_rebuild_number(5);
  return copy;
}

TEST(PlanStart, AKnownTokenGoesOnFromItsPosition) {
  const StartPlan plan = PlanStart(GoodStart(), GoodToken(), GoodFacts(), kNow);
  EXPECT_FALSE(plan.new_copy.has_value());
  EXPECT_EQ(plan.after, GoodToken().position);
  EXPECT_FALSE(plan.rebuild_began.has_value());
}

TEST(PlanStart, NoTokenMakesANewCopyFromTheBeginning) {
  const StartPlan plan = PlanStart(GoodStart(), std::nullopt, GoodFacts(), kNow);
  EXPECT_EQ(plan.new_copy, v1::REBUILD_REASON_NEW_COPY);
  EXPECT_EQ(plan.after, feed::Position());
  EXPECT_EQ(plan.rebuild_began, 20u);
  EXPECT_EQ(plan.rebuild_number, 1u);
}

TEST(PlanStart, ANewCopyIsNumberedPastAllThatWereEverUsed) {
  StartFacts facts = GoodFacts();
  CopyIn(facts);
  EXPECT_EQ(PlanStart(GoodStart(v1::SYNC_TYPE_CLEAN), GoodToken(), facts, kNow).rebuild_number, 6u);
  ResumeToken token = GoodToken();
  token.rebuild_number = 9;
  EXPECT_EQ(PlanStart(GoodStart(v1::SYNC_TYPE_CLEAN), token, facts, kNow).rebuild_number, 10u);
}

TEST(PlanStart, AnUnfinishedRebuildIsResumedByAnyType) {
  ResumeToken token = GoodToken();
  token.rebuild_began = 10;
  for (const v1::SyncType type : {v1::SYNC_TYPE_STANDARD, v1::SYNC_TYPE_CLEAN, v1::SYNC_TYPE_AUTO}) {
    const StartPlan plan = PlanStart(GoodStart(type), token, GoodFacts(), kNow);
    EXPECT_FALSE(plan.new_copy.has_value());
    EXPECT_EQ(plan.after, token.position);
    EXPECT_EQ(plan.rebuild_began, 10u);
    EXPECT_EQ(plan.rebuild_number, token.rebuild_number);
  }
}

TEST(PlanStart, EachReasonForANewCopyIsNamed) {
  EXPECT_EQ(PlanStart(GoodStart(v1::SYNC_TYPE_CLEAN), GoodToken(), GoodFacts(), kNow).new_copy,
            v1::REBUILD_REASON_CLEAN_SYNC);
  StartFacts facts = GoodFacts();
  facts.token_standing = commit::CursorStanding::kForeign;
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_FOREIGN);
  facts.token_standing = commit::CursorStanding::kExpired;
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_EXPIRED);
  v1::Start start = GoodStart();
  start.set_data_level(2);
  EXPECT_EQ(PlanStart(start, GoodToken(), GoodFacts(), kNow).new_copy, v1::REBUILD_REASON_DATA_LEVEL);
}

TEST(PlanStart, AnUnfinishedRebuildOfAForeignStoreIsNotResumed) {
  ResumeToken token = GoodToken();
  token.rebuild_began = 10;
  StartFacts facts = GoodFacts();
  facts.token_standing = commit::CursorStanding::kForeign;
  EXPECT_EQ(PlanStart(GoodStart(), token, facts, kNow).new_copy, v1::REBUILD_REASON_FOREIGN);
}

TEST(PlanStart, AnUnfinishedRebuildThatIsTooOldOrOfAnotherLevelIsNotResumed) {
  ResumeToken token = GoodToken();
  token.rebuild_began = 10;
  StartFacts facts = GoodFacts();
  facts.token_standing = commit::CursorStanding::kExpired;
  EXPECT_EQ(PlanStart(GoodStart(), token, facts, kNow).new_copy, v1::REBUILD_REASON_EXPIRED);
  v1::Start start = GoodStart();
  start.set_data_level(2);
  EXPECT_EQ(PlanStart(start, token, GoodFacts(), kNow).new_copy, v1::REBUILD_REASON_DATA_LEVEL);
}

TEST(PlanStart, ADivergedCopyIsMadeAnewAtMostOnceADay) {
  StartFacts facts = GoodFacts();
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_diverged(true);
  copy.set_in_use_number(copy.rebuild_number());
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
  copy.set_last_divergence_rebuild_us(base::ToStoredTime(kNow - absl::Hours(24) + absl::Seconds(1)));
  EXPECT_FALSE(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy.has_value());
  copy.set_last_divergence_rebuild_us(base::ToStoredTime(kNow - absl::Hours(24)));
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
}

TEST(PlanStart, ATokenOfALaterCopyThanTheOneThatDivergedIsGoneOnWith) {
  StartFacts facts = GoodFacts();
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_diverged(true);
  ResumeToken token = GoodToken();
  copy.set_rebuild_number(token.rebuild_number);
  copy.set_in_use_number(token.rebuild_number - 1);
  EXPECT_FALSE(PlanStart(GoodStart(), token, facts, kNow).new_copy.has_value());
  token.rebuild_number -= 1;
  EXPECT_EQ(PlanStart(GoodStart(), token, facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
}

TEST(PlanStart, AClockThatWasAheadPutsNoRebuildOff) {
  StartFacts facts = GoodFacts();
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_diverged(true);
  copy.set_in_use_number(copy.rebuild_number());
  copy.set_last_divergence_rebuild_us(base::ToStoredTime(kNow + absl::Hours(24 * 365)));
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
}

TEST(PlanStart, ARebuildOfAnotherCarersCopyOnTheDeviceCountsToo) {
  StartFacts facts = GoodFacts();
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_diverged(true);
  copy.set_in_use_number(copy.rebuild_number());
  store::DeviceCopy& other = *facts.rows.rows.report->add_copies();
  other.set_carer_id(kOther.ToString());
  other.set_rebuild_number(2);
  other.set_in_use_number(2);
  other.set_last_divergence_rebuild_us(base::ToStoredTime(kNow - absl::Hours(23)));
  EXPECT_FALSE(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy.has_value());
  other.set_last_divergence_rebuild_us(base::ToStoredTime(kNow - absl::Hours(24)));
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
  other.set_last_divergence_rebuild_us(base::ToStoredTime(kNow - absl::Hours(1)));
  other.set_in_use_number(1);
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
}

TEST(PlanStart, ADivergedCopyWhoseRebuildWasNeverFinishedIsMadeAnewTheSameDay) {
  StartFacts facts = GoodFacts();
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_diverged(true);
  copy.set_last_divergence_rebuild_us(base::ToStoredTime(kNow - absl::Minutes(1)));
  copy.set_in_use_number(copy.rebuild_number() - 1);
  EXPECT_EQ(PlanStart(GoodStart(), GoodToken(), facts, kNow).new_copy, v1::REBUILD_REASON_DIVERGED);
}

// ---- CursorAfterStart

TEST(CursorAfterStart, IsTheTokensBeItLessThanWhatIsRecorded) {
  StartFacts facts = GoodFacts();
  EXPECT_EQ(CursorAfterStart(GoodStart(), GoodToken(), facts), CursorAfter::kOfToken);
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_timeline("timeline");
  copy.set_revision(GoodToken().cursor.revision + 1);
  copy.set_position_revision(GoodToken().position.revision + 1);
  copy.set_in_use_number(copy.rebuild_number());
  EXPECT_EQ(CursorAfterStart(GoodStart(), GoodToken(), facts), CursorAfter::kOfToken);
  EXPECT_EQ(CursorAfterStart(GoodStart(v1::SYNC_TYPE_CLEAN), GoodToken(), facts), CursorAfter::kOfToken);
}

TEST(CursorAfterStart, IsNoneWhereNothingIsKnownOfTheCopy) {
  StartFacts facts = GoodFacts();
  EXPECT_EQ(CursorAfterStart(GoodStart(), std::nullopt, facts), CursorAfter::kNone);
  ResumeToken unfinished = GoodToken();
  unfinished.rebuild_began = 10;
  for (const auto standing : {commit::CursorStanding::kForeign, commit::CursorStanding::kExpired}) {
    facts.token_standing = standing;
    EXPECT_EQ(CursorAfterStart(GoodStart(), GoodToken(), facts), CursorAfter::kNone);
    EXPECT_EQ(CursorAfterStart(GoodStart(), unfinished, facts), CursorAfter::kNone);
  }
}

TEST(CursorAfterStart, StaysAsItWasWhileACopyIsMadeBesideTheOneInUse) {
  ResumeToken token = GoodToken();
  token.rebuild_began = 10;
  StartFacts facts = GoodFacts();
  EXPECT_EQ(CursorAfterStart(GoodStart(), token, facts), CursorAfter::kUnchanged);
  store::DeviceCopy& copy = CopyIn(facts);
  copy.set_in_use_number(token.rebuild_number - 1);
  EXPECT_EQ(CursorAfterStart(GoodStart(), token, facts), CursorAfter::kUnchanged);
}

TEST(CursorAfterStart, IsNoneWhereTheCopyBeingMadeWasFinishedOnce) {
  ResumeToken token = GoodToken();
  token.rebuild_began = 10;
  StartFacts facts = GoodFacts();
  store::DeviceCopy& copy = CopyIn(facts);
  for (const uint64_t in_use : {token.rebuild_number, token.rebuild_number + 1}) {
    copy.set_in_use_number(in_use);
    EXPECT_EQ(CursorAfterStart(GoodStart(), token, facts), CursorAfter::kNone);
  }
}

}  // namespace
}  // namespace caresync::sync
