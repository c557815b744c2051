// What is said by e-mail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/notifications/message.h"

namespace caresync::notifications {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kAgency[] = "Acme Home Care";
// 25 November 2026, 16:48 in Zone().
constexpr int64_t kStart = 1'795'621'680;
constexpr int64_t kMinute = 60;
absl::TimeZone Zone() { return absl::FixedTimeZone(60 * 60); }

void Show(int64_t start, int64_t end, v1::VisitShown& shown) {
  shown.mutable_start_time()->set_seconds(start);
  shown.mutable_end_time()->set_seconds(end);
  shown.set_service_user_name("Mary White");
}

// From 16:48 to 16:28, half an hour each.
v1::Mismatch Moved() {
  v1::Mismatch mismatch;
  mismatch.set_carer_id("11111111-1111-4111-8111-111111111111");
  mismatch.set_carer_name("Nadia Bianchi");
  mismatch.set_visit_id("22222222-2222-4222-8222-222222222222");
  mismatch.add_changes(v1::VISIT_CHANGE_KIND_MOVED);
  Show(kStart, kStart + 30 * kMinute, *mismatch.mutable_from());
  Show(kStart - 20 * kMinute, kStart + 10 * kMinute, *mismatch.mutable_to());
  mismatch.set_headline("The rota changed and Nadia Bianchi has not synced Pixel 6 since.");
  mismatch.set_advice("Ask Nadia Bianchi for a manual sync.");
  return mismatch;
}

// Neither moved.
v1::Mismatch Changed(v1::VisitChangeKind kind) {
  v1::Mismatch mismatch = Moved();
  mismatch.set_changes(0, kind);
  *mismatch.mutable_to() = mismatch.from();
  return mismatch;
}

std::string TextOf(const v1::Mismatch& mismatch) {
  return MismatchMail(kAgency, mismatch, absl::FromUnixSeconds(kStart), Zone()).text;
}

// Requirement: M2
TEST(MailTest, OfAVisitThatMovedItSaysFromWhenToWhen) {
  const MailText mail = MismatchMail(kAgency, Moved(), absl::FromUnixSeconds(kStart - 20 * kMinute), Zone());
  EXPECT_EQ(mail.subject, "A change of the rota has not reached a carer's phone (visit of 25 November 2026, 16:28)");
  EXPECT_EQ(mail.text,
            "The rota changed and Nadia Bianchi has not synced Pixel 6 since.\n"
            "Ask Nadia Bianchi for a manual sync.\n\n"
            "What changed: moved\n"
            "Before: 25 November 2026, 16:48 to 17:18\n"
            "Now: 25 November 2026, 16:28 to 16:58\n"
            "Visit ID: 22222222-2222-4222-8222-222222222222\n"
            "Agency: Acme Home Care\n");
}

TEST(MailTest, OfAnEndThatMovedAloneItSaysSo) {
  v1::Mismatch mismatch = Changed(v1::VISIT_CHANGE_KIND_MOVED);
  mismatch.mutable_to()->mutable_end_time()->set_seconds(kStart + 45 * kMinute);
  EXPECT_THAT(TextOf(mismatch), HasSubstr("\nBefore: 25 November 2026, 16:48 to 17:18\n"
                                          "Now: 25 November 2026, 16:48 to 17:33\n"));
}

TEST(MailTest, OfAMoveByLessThanAMinuteItSaysTheSeconds) {
  v1::Mismatch mismatch = Changed(v1::VISIT_CHANGE_KIND_MOVED);
  mismatch.mutable_to()->mutable_start_time()->set_seconds(kStart + 12);
  EXPECT_THAT(TextOf(mismatch), HasSubstr("\nBefore: 25 November 2026, 16:48:00 "));
  EXPECT_THAT(TextOf(mismatch), HasSubstr("\nNow: 25 November 2026, 16:48:12 "));
}

TEST(MailTest, OfAVisitOverMidnightItSaysBothDays) {
  v1::Mismatch mismatch = Changed(v1::VISIT_CHANGE_KIND_DETAILS);
  mismatch.mutable_from()->mutable_end_time()->set_seconds(kStart + 8 * 60 * kMinute);
  *mismatch.mutable_to() = mismatch.from();
  EXPECT_THAT(TextOf(mismatch), HasSubstr("\nVisit: 25 November 2026, 16:48 to 26 November 2026, 00:48\n"));
}

// Requirement: M2
TEST(MailTest, OfEachKindOfChangeItSaysWhichAndNamesNoServiceUser) {
  const std::vector<std::pair<v1::VisitChangeKind, std::string>> kinds = {
      {v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER, "to another service user"},
      {v1::VISIT_CHANGE_KIND_ACTIVITIES, "other activities"},
      {v1::VISIT_CHANGE_KIND_DETAILS, "other details"},
      {v1::VISIT_CHANGE_KIND_TAKEN_AWAY, "taken away"},
      {v1::VISIT_CHANGE_KIND_CANCELLED, "cancelled"},
      {v1::VISIT_CHANGE_KIND_OUT_OF_WINDOW, "moved out of the days that phones hold"},
      {v1::VISIT_CHANGE_KIND_NEW, "new"}};
  for (const auto& [kind, words] : kinds) {
    v1::Mismatch mismatch = Changed(kind);
    const bool is_gone = kind == v1::VISIT_CHANGE_KIND_TAKEN_AWAY || kind == v1::VISIT_CHANGE_KIND_CANCELLED ||
                         kind == v1::VISIT_CHANGE_KIND_OUT_OF_WINDOW;
    if (is_gone) mismatch.clear_to();
    if (kind == v1::VISIT_CHANGE_KIND_NEW) mismatch.clear_from();
    EXPECT_THAT(TextOf(mismatch),
                HasSubstr("\nWhat changed: " + words + "\nVisit: 25 November 2026, 16:48 to 17:18\nVisit ID: "));
    EXPECT_THAT(TextOf(mismatch), Not(HasSubstr("Mary")));
  }
  v1::Mismatch both = Moved();
  both.add_changes(v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER);
  EXPECT_THAT(TextOf(both), HasSubstr("\nWhat changed: moved, to another service user\nBefore: "));
}

TEST(MailTest, OfManyItListsOfEachTheCarerTheTimesAndWhatChanged) {
  const std::vector<Raised> raised(3, {.of = {}, .start = absl::FromUnixSeconds(kStart - 20 * kMinute)});
  v1::Mismatch nameless = Changed(v1::VISIT_CHANGE_KIND_CANCELLED);
  nameless.clear_to();
  nameless.clear_carer_name();
  const MailText mail = MismatchesMail(kAgency, raised, {Moved(), nameless}, Zone());
  EXPECT_EQ(mail.subject, "3 changes of the rota have not reached carers' phones");
  EXPECT_THAT(mail.text, StartsWith("3 changes of the rota have not reached the phones of 1 carer. The first of their "
                                    "visits starts on 25 November 2026, 16:28.\n\n"));
  EXPECT_THAT(
      mail.text,
      HasSubstr("\n- Nadia Bianchi, 25 November 2026, 16:48 to 17:18 -> 25 November 2026, 16:28 to 16:58: moved\n"
                "- carer 11111111-1111-4111-8111-111111111111, 25 November 2026, 16:48 to 17:18: cancelled\n"
                "and 1 more\n"));
  EXPECT_THAT(mail.text, EndsWith("\nAgency: Acme Home Care\n"));
  EXPECT_THAT(mail.text, Not(HasSubstr("Mary")));
  EXPECT_THAT(MismatchesMail(kAgency, raised, {Moved(), Moved(), nameless}, Zone()).text, Not(HasSubstr("more")));
}

TEST(MailTest, OfOverdueDevicesItNamesTheAgency) {
  EXPECT_THAT(OverdueMail(kAgency, {.branch = "", .devices = 4, .overdue = 3, .percent = 50}).text,
              EndsWith("\nBranch ID: none\nAgency: Acme Home Care\n"));
}

}  // namespace
}  // namespace caresync::notifications
