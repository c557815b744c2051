#include "tools/caresync/mismatch_table.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::cli {
namespace {

using testing::ElementsAre;

constexpr char kCarer[] = "11111111-1111-4111-8111-111111111111";
constexpr char kServiceUser[] = "22222222-2222-4222-8222-222222222222";
constexpr char kDevice[] = "33333333-3333-4333-8333-333333333333";
// 2026-11-21 09:00 UTC.
constexpr int64_t kNine = 1'795'251'600;
constexpr int64_t kHour = 3'600;

void Show(int64_t start, const std::string& name, v1::VisitShown& shown) {
  shown.mutable_start_time()->set_seconds(start);
  shown.mutable_end_time()->set_seconds(start + kHour);
  shown.set_service_user_id(kServiceUser);
  shown.set_service_user_name(name);
}

// A visit that was moved by an hour and a half.
v1::Mismatch Moved() {
  v1::Mismatch mismatch;
  mismatch.set_carer_id(kCarer);
  mismatch.set_carer_name("Ann Smith");
  mismatch.add_changes(v1::VISIT_CHANGE_KIND_MOVED);
  Show(kNine, "Ada Shaw", *mismatch.mutable_from());
  Show(kNine + kHour * 3 / 2, "Ada Shaw", *mismatch.mutable_to());
  mismatch.set_state(v1::MISMATCH_STATE_AT_RISK);
  mismatch.mutable_device()->set_device_uuid(kDevice);
  mismatch.mutable_device()->set_device_name("Pixel 6");
  mismatch.mutable_device()->mutable_last_successful_sync_time()->set_seconds(kNine - 15 * kHour);
  mismatch.mutable_device()->mutable_last_contact_time()->set_seconds(kNine - 14 * kHour);
  mismatch.set_cause(v1::MISMATCH_CAUSE_SILENT);
  mismatch.set_advice("Ask Ann Smith for a manual sync.");
  return mismatch;
}

std::vector<std::string> Lines(const std::vector<v1::Mismatch>& mismatches, bool ended = false) {
  const std::string table = MismatchTable(mismatches, ended, absl::UTCTimeZone(), false);
  return absl::StrSplit(absl::StripSuffix(table, "\n"), '\n');
}

// Of a line without empty cells.
std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells = absl::StrSplit(line, "  ", absl::SkipWhitespace());
  for (std::string& cell : cells) cell = std::string(absl::StripPrefix(cell, " "));
  return cells;
}

std::vector<std::string> RowOf(const v1::Mismatch& mismatch) { return Cells(Lines({mismatch}).at(1)); }

TEST(MismatchTable, ShowsWhoseVisitWhatChangedAndWhatToDo) {
  v1::Mismatch mismatch = Moved();
  mismatch.add_changes(v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER);
  mismatch.mutable_to()->set_service_user_name("Ben Cole");
  const std::vector<std::string> lines = Lines({mismatch});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(Cells(lines[0]), ElementsAre("State", "Visit start", "Carer", "Service user", "Changes", "Device",
                                           "Last successful sync", "Cause", "Advice"));
  EXPECT_THAT(Cells(lines[1]),
              ElementsAre("at risk", "2026-11-21 09:00:00 UTC -> 2026-11-21 10:30:00 UTC", "Ann Smith",
                          "Ada Shaw -> Ben Cole", "moved, other service user", "Pixel 6", "2026-11-20 18:00:00 UTC",
                          "silent since 2026-11-20 19:00:00 UTC", "Ask Ann Smith for a manual sync."));
}

// Requirement: M2
TEST(MismatchTable, ShowsTheCauseWithWhatShowsIt) {
  v1::Mismatch mismatch = Moved();
  const auto cause = [&mismatch] { return RowOf(mismatch).at(7); };
  mismatch.set_cause(v1::MISMATCH_CAUSE_FAILING);
  EXPECT_EQ(cause(), "failing");
  mismatch.mutable_device()->set_failed_calls(3);
  EXPECT_EQ(cause(), "failing (3 times)");
  mismatch.mutable_device()->set_last_api_call_reason("STREAM_CUT");
  EXPECT_EQ(cause(), "failing (STREAM_CUT, 3 times)");
  mismatch.mutable_device()->set_failed_calls(1);
  EXPECT_EQ(cause(), "failing (STREAM_CUT)");
  mismatch.set_cause(v1::MISMATCH_CAUSE_WAITING_AFTER_RESTORE);
  EXPECT_EQ(cause(), "waiting after restore");
  mismatch.set_cause(v1::MISMATCH_CAUSE_UNSPECIFIED);
  EXPECT_EQ(cause(), "not known");
}

// Requirement: M2
TEST(MismatchTable, ShowsTheOtherDevicesBesideTheOneInUse) {
  v1::Mismatch mismatch = Moved();
  mismatch.add_other_devices()->set_device_name("Pixel 4");
  mismatch.add_other_devices()->set_device_uuid(kDevice);
  EXPECT_EQ(RowOf(mismatch).at(5), absl::StrCat("Pixel 6 (also Pixel 4, ", kDevice, ")"));
}

TEST(MismatchTable, SaysWhoSnoozedItUntilWhenAndWhy) {
  v1::Mismatch mismatch = Moved();
  EXPECT_THAT(Lines({mismatch}).at(0), testing::Not(testing::HasSubstr("Handled"))) << "nobody did anything";
  mismatch.set_state(v1::MISMATCH_STATE_SNOOZED);
  mismatch.mutable_snoozed_until_time()->set_seconds(kNine + kHour);
  v1::MismatchTransition& snoozed = *mismatch.add_transitions();
  snoozed.set_person("ben@office");
  std::vector<std::string> lines = Lines({Moved(), mismatch});
  EXPECT_EQ(Cells(lines.at(0)).at(1), "Handled");
  EXPECT_EQ(Cells(lines.at(2)).at(1), "until 2026-11-21 10:00:00 UTC by ben@office");
  // A long note is shortened, at a character.
  std::string note = "Called,\n";
  for (int i = 0; i < 40; ++i) note += "\xC3\xA9";
  snoozed.set_note(note);
  lines = Lines({mismatch});
  EXPECT_EQ(Cells(lines.at(1)).at(1),
            absl::StrCat("until 2026-11-21 10:00:00 UTC by ben@office: Called, ", note.substr(8, 32 * 2), "..."));
}

TEST(MismatchTable, SaysWhoClosedIt) {
  v1::Mismatch mismatch = Moved();
  mismatch.set_state(v1::MISMATCH_STATE_CLOSED);
  mismatch.mutable_end_time()->set_seconds(kNine);
  v1::MismatchTransition& closed = *mismatch.add_transitions();
  closed.set_person("ben@office");
  closed.set_note("Told by phone");
  EXPECT_EQ(Cells(Lines({mismatch}, /*ended=*/true).at(1)).at(1), "by ben@office: Told by phone");
}

TEST(MismatchTable, ShowsWhatStaysOnce) {
  v1::Mismatch mismatch = Moved();
  *mismatch.mutable_to() = mismatch.from();
  mismatch.set_changes(0, v1::VISIT_CHANGE_KIND_DETAILS);
  const std::vector<std::string> row = RowOf(mismatch);
  EXPECT_EQ(row.at(1), "2026-11-21 09:00:00 UTC");
  EXPECT_EQ(row.at(3), "Ada Shaw");
}

// Requirement: M2
TEST(MismatchTable, WhereTheEndAloneMovedItShowsTheEnds) {
  v1::Mismatch mismatch = Moved();
  *mismatch.mutable_to() = mismatch.from();
  mismatch.mutable_to()->mutable_end_time()->set_seconds(kNine + kHour / 2);
  const std::string times = "2026-11-21 09:00:00 UTC, end 2026-11-21 10:00:00 UTC -> 2026-11-21 09:30:00 UTC";
  EXPECT_EQ(RowOf(mismatch).at(1), times);
  EXPECT_THAT(MismatchLine(mismatch, absl::UTCTimeZone(), false), testing::HasSubstr(times));
}

TEST(MismatchTable, OfANewVisitAndOfOneThatIsGoneThereIsOneStart) {
  v1::Mismatch mismatch = Moved();
  mismatch.clear_from();
  mismatch.set_changes(0, v1::VISIT_CHANGE_KIND_NEW);
  std::vector<std::string> row = RowOf(mismatch);
  EXPECT_EQ(row.at(1), "2026-11-21 10:30:00 UTC");
  EXPECT_EQ(row.at(3), "Ada Shaw");
  EXPECT_EQ(row.at(4), "new");
  mismatch = Moved();
  mismatch.clear_to();
  mismatch.set_changes(0, v1::VISIT_CHANGE_KIND_TAKEN_AWAY);
  mismatch.set_state(v1::MISMATCH_STATE_UNNEEDED_JOURNEY);
  row = RowOf(mismatch);
  EXPECT_EQ(row.at(0), "unneeded journey");
  EXPECT_EQ(row.at(1), "2026-11-21 09:00:00 UTC");
  EXPECT_EQ(row.at(3), "Ada Shaw");
  EXPECT_EQ(row.at(4), "taken away");
}

TEST(MismatchTable, WhatHasNoNameIsShownByItsIdAndWhatIsNotThereIsSaid) {
  v1::Mismatch mismatch = Moved();
  mismatch.clear_carer_name();
  mismatch.mutable_from()->clear_service_user_name();
  mismatch.mutable_to()->clear_service_user_name();
  mismatch.mutable_device()->clear_device_name();
  mismatch.mutable_device()->clear_last_successful_sync_time();
  std::vector<std::string> row = RowOf(mismatch);
  EXPECT_EQ(row.at(2), kCarer);
  EXPECT_EQ(row.at(3), kServiceUser);
  EXPECT_EQ(row.at(5), kDevice);
  EXPECT_EQ(row.at(6), "Never");
  mismatch.clear_device();
  row = RowOf(mismatch);
  EXPECT_EQ(row.at(5), "none");
  EXPECT_EQ(row.at(6), "Never");
}

TEST(MismatchTable, ResolvedOnesAreShownWithWhenTheyWere) {
  v1::Mismatch mismatch = Moved();
  mismatch.set_state(v1::MISMATCH_STATE_RESOLVED);
  mismatch.clear_advice();
  mismatch.mutable_end_time()->set_seconds(kNine + kHour);
  const std::vector<std::string> lines = Lines({mismatch}, true);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(Cells(lines[0]).back(), "Ended");
  EXPECT_EQ(Cells(lines[1]).front(), "resolved");
  EXPECT_EQ(Cells(lines[1]).back(), "2026-11-21 10:00:00 UTC");
}

// ---- One that is told by itself

TEST(MismatchLine, TellsOfWhichVisitWhatHappenedAndWhatToDo) {
  v1::Mismatch mismatch = Moved();
  mismatch.set_headline("The rota changed.");
  EXPECT_EQ(MismatchLine(mismatch, absl::UTCTimeZone(), false),
            "at risk  2026-11-21 09:00:00 UTC -> 2026-11-21 10:30:00 UTC  Ada Shaw  The rota changed. "
            "Ask Ann Smith for a manual sync.");
}

TEST(MismatchLine, TellsWhoClosedOrSnoozedIt) {
  v1::Mismatch mismatch = Moved();
  mismatch.set_headline("The rota changed.");
  mismatch.clear_advice();
  mismatch.set_state(v1::MISMATCH_STATE_CLOSED);
  v1::MismatchTransition& closed = *mismatch.add_transitions();
  closed.set_person("olga");
  const auto ending = [&mismatch] {
    const std::string line = MismatchLine(mismatch, absl::UTCTimeZone(), false);
    return line.substr(line.find("The rota"));
  };
  EXPECT_EQ(ending(), "The rota changed. (olga)");
  closed.set_note("told\tby phone");
  EXPECT_EQ(ending(), "The rota changed. (olga: told?by phone)");
  // What came after that is nobody's doing.
  mismatch.set_state(v1::MISMATCH_STATE_RESOLVED);
  EXPECT_EQ(ending(), "The rota changed.");
}

// ---- Many as one

v1::MismatchGroup GroupOf(v1::MismatchGroupKind kind, uint32_t count) {
  v1::MismatchGroup group;
  group.set_kind(kind);
  *group.mutable_most_urgent() = Moved();
  group.set_count(count);
  group.set_carer_count(kind == v1::MISMATCH_GROUP_KIND_BURST ? 12 : 1);
  group.mutable_soonest_start_time()->set_seconds(kNine);
  group.mutable_changed_from_time()->set_seconds(kNine - 2 * kHour);
  group.mutable_changed_from_time()->set_nanos(250'000'000);
  group.mutable_changed_until_time()->set_seconds(kNine - 2 * kHour + 5);
  group.set_advice("Do this.");
  return group;
}

// Requirement: M7
TEST(MismatchGroupTable, ShowsEachGroupAsALineAndHowABurstsMembersAreListed) {
  const std::string table =
      MismatchGroupTable({GroupOf(v1::MISMATCH_GROUP_KIND_BURST, 412), GroupOf(v1::MISMATCH_GROUP_KIND_CARER, 7),
                          GroupOf(v1::MISMATCH_GROUP_KIND_UNSPECIFIED, 1)},
                         {.tenant = "demo", .branch = "Rome 003", .carer = ""}, absl::UTCTimeZone(), false);
  const std::vector<std::string> lines = absl::StrSplit(absl::StripSuffix(table, "\n"), '\n');
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(Cells(lines[0]),
              ElementsAre("Mismatches", "State", "Soonest visit", "Carer", "Device", "Cause", "Advice"));
  EXPECT_THAT(Cells(lines[1]), ElementsAre("412", "at risk", "2026-11-21 09:00:00 UTC", "12 carers", "several",
                                           "changed at once", "Do this."));
  EXPECT_THAT(Cells(lines[2]), ElementsAre("7", "at risk", "2026-11-21 09:00:00 UTC", "Ann Smith", "Pixel 6",
                                           "silent since 2026-11-20 19:00:00 UTC", "Do this."));
  EXPECT_EQ(Cells(lines[3]).front(), "1");
  EXPECT_EQ(lines[4],
            "Those 412 that changed at once: caresync mismatches --tenant demo --branch 'Rome 003' "
            "--changed-from 2026-11-21T07:00:00.25Z --changed-until 2026-11-21T07:00:05Z");
}

// Requirement: M7
TEST(MismatchGroupTable, ShowsSinceWhenPhonesAreSilentThatFellSilentTogetherAndHowItsMembersAreListed) {
  v1::MismatchGroup outage = GroupOf(v1::MISMATCH_GROUP_KIND_OUTAGE, 38);
  outage.set_carer_count(21);
  outage.mutable_last_sync_from_time()->set_seconds(kNine - 2 * kHour);
  outage.mutable_last_sync_until_time()->set_seconds(kNine - kHour);
  const std::string table =
      MismatchGroupTable({outage}, {.tenant = "demo", .branch = "", .carer = ""}, absl::UTCTimeZone(), false);
  const std::vector<std::string> lines = absl::StrSplit(absl::StripSuffix(table, "\n"), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(Cells(lines[1]), ElementsAre("38", "at risk", "2026-11-21 09:00:00 UTC", "21 carers", "several",
                                           "silent since 2026-11-21 08:00:00 UTC", "Do this."));
  EXPECT_EQ(lines[2],
            "Those 38 of phones that fell silent together: caresync mismatches --tenant demo "
            "--last-sync-from 2026-11-21T07:00:00Z --last-sync-until 2026-11-21T08:00:00Z");
}

TEST(MismatchGroupTable, OfABurstItShowsWhereCarersHaveNoDevice) {
  v1::MismatchGroup group = GroupOf(v1::MISMATCH_GROUP_KIND_BURST, 412);
  const auto device = [&group] {
    const std::string table = MismatchGroupTable({group}, {}, absl::UTCTimeZone(), false);
    const std::vector<std::string> lines = absl::StrSplit(table, '\n');
    return Cells(lines.at(1)).at(4);
  };
  EXPECT_EQ(device(), "several");
  group.set_carers_without_device(3);
  EXPECT_EQ(device(), "several (3 carers have none)");
  group.set_carers_without_device(group.carer_count());
  EXPECT_EQ(device(), "none");
}

TEST(ListingCommand, SaysWhatWasAskedForAsAShellTakesIt) {
  EXPECT_EQ(ListingCommand({}), "caresync mismatches");
  EXPECT_EQ(ListingCommand({.tenant = "demo", .branch = "", .carer = "003-rome/c5"}),
            "caresync mismatches --tenant demo --carer 003-rome/c5");
  EXPECT_EQ(ListingCommand({.tenant = "", .branch = "St John's $HOME", .carer = ""}),
            R"(caresync mismatches --branch 'St John'\''s $HOME')");
}

}  // namespace
}  // namespace caresync::cli
