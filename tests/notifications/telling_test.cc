#include "server/notifications/telling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/store/notification.pb.h"
#include "caresync/store/outbox.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "nlohmann/json.hpp"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/commit/tasks.h"
#include "server/mismatch/transitions.h"
#include "server/notifications/raises.h"
#include "server/notifications/settings.h"
#include "server/outbox/outbox_rows.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/mismatch/mismatch_bench.h"
#include "tests/records/sample_records.h"

namespace caresync::notifications {
namespace {

namespace limits = base::limits;
using fakes::Engine;
using mismatch::At;
using mismatch::Edited;
using mismatch::VisitAt;
using storage::Space;

constexpr char kUrl[] = "https://ops.example.org/caresync";
constexpr char kOther[] = "https://rome.example.org/caresync";
constexpr char kRome[] = "00000000-0000-4000-8000-0000000000aa";

// Carers 1 to 3 have no phones: no change reaches them, and each is raised 20 minutes after it.
class TellingTest : public testing::Test {
 protected:
  TellingTest() {
    engine_->CreateTenant(tenant_);
    records::PutAll(*engine_, tenant_,
                    {records::CarerRecord(1, "Ann Smith"), records::CarerRecord(2, "Ben Jones"),
                     records::CarerRecord(3, "Cy Brown"), records::ServiceUserRecord(1, "Mary White")});
  }

  // Without hours: at any time. The branch need not be known: its row is written as it is.
  void SetWebhook(const std::string& branch, const std::string& url, int from_hour = 0, int to_hour = 0) {
    store::NotificationSettings settings;
    settings.mutable_webhook()->set_url(url);
    settings.mutable_webhook()->set_key(std::string(32, 'k'));
    if (to_hour > 0) {
      store::NotificationHours& hours = *settings.add_hours();
      hours.set_weekday(v1::WEEKDAY_MONDAY);
      hours.set_from_minute(from_hour * 60);
      hours.set_to_minute(to_hour * 60);
    }
    PutSettings(branch, settings);
  }
  void PutSettings(const std::string& branch, const store::NotificationSettings& settings) {
    Run([&](commit::Transaction& transaction) -> absl::Status {
      transaction.Put(Space::kRecords, base::keys::NotificationSettings(tenant_, branch), settings.SerializeAsString());
      return LookAtRaised(transaction);
    });
  }

  // One address, and no webhook.
  void PutOffice() {
    store::NotificationSettings settings;
    settings.add_email_addresses("office@example.org");
    PutSettings("", settings);
  }

  void Run(commit::Change change) {
    const auto done = engine_->Run(tenant_, std::move(change));
    ASSERT_TRUE(done.ok()) << done.status();
  }

  void Put(const std::vector<store::Record>& visits) { records::PutAll(*engine_, tenant_, visits); }
  static store::Record OfBranch(store::Record visit, const std::string& branch) {
    return Edited(std::move(visit), [&branch](v1::Visit& payload) { payload.set_branch_id(branch); });
  }

  void AdvanceTo(absl::Time time) { engine_->Advance(time - engine_->clock().Now()); }

  void Close(int carer, int visit) {
    v1::CloseMismatchRequest request;
    request.set_carer_id(records::CarerName(carer).id.ToString());
    request.set_visit_id(records::VisitName(visit).id.ToString());
    Run([&](commit::Transaction& transaction) { return mismatch::Close(transaction, request, "office", {}).status(); });
  }
  void Reopen(int carer, int visit) {
    v1::ReopenMismatchRequest request;
    request.set_carer_id(records::CarerName(carer).id.ToString());
    request.set_visit_id(records::VisitName(visit).id.ToString());
    Run([&](commit::Transaction& transaction) {
      return mismatch::Reopen(transaction, request, "office", {}).status();
    });
  }

  size_t sent() { return engine_->sender().requests().size(); }
  const outbox::SendRequest& Sent(size_t index) { return engine_->sender().requests().at(index); }
  nlohmann::json Body(size_t index) { return nlohmann::json::parse(Sent(index).body); }
  size_t Waiting() const {
    return fakes::RowsOf(*engine_->Snapshot(), Space::kRecords, base::keys::RaisedMismatchesAfter(tenant_, nullptr))
        .size();
  }

  size_t Held() const {
    return fakes::RowsOf(*engine_->Snapshot(), Space::kRecords, base::keys::HeldMismatchesAfter(tenant_, nullptr))
        .size();
  }
  // Whoever is told takes it within a minute.
  void PassTo(absl::Time time) {
    while (engine_->clock().Now() < time) {
      engine_->Advance(std::min(absl::Minutes(1), time - engine_->clock().Now()));
      for (; taken_ < sent(); ++taken_) {
        engine_->sender().Answer(taken_, outbox::SendOutcome::kTaken);
        engine_->Advance(absl::Milliseconds(1));
      }
    }
  }
  // Changed by hand, one a minute from six on, of visits at eight in the evening: raised from 06:20 on. As many as are
  // told within an hour, and six others; nothing is said of them before 06:20.
  void PutOneAMinute() {
    for (int i = 1; i <= kByHand; ++i) {
      Put({VisitAt(i, At(20), {i % 3 + 1})});
      PassTo(At(6, i));
    }
  }

  static constexpr int kHeld = 6;
  static constexpr int kByHand = static_cast<int>(limits::kNoticesInAnHour) + kHeld;
  // Of what was sent by this engine.
  size_t taken_ = 0;
  std::unique_ptr<Engine> engine_ = std::make_unique<Engine>(1, fakes::Mismatches::kNoted);
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

TEST_F(TellingTest, AMismatchIsToldOnceWhenItIsRaised) {
  SetWebhook("", kUrl);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 19));
  EXPECT_EQ(sent(), 0u);
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Sent(0).url, kUrl);
  const nlohmann::json body = Body(0);
  EXPECT_EQ(body["what"], "mismatch");
  EXPECT_EQ(body["tenant_id"], "acme");
  EXPECT_EQ(body["carer_id"], records::CarerName(1).id.ToString());
  EXPECT_EQ(body["visit_id"], records::VisitName(1).id.ToString());
  EXPECT_EQ(body["state"], "at_risk");
  EXPECT_EQ(body["cause"], "no_device");
  EXPECT_EQ(body["changes"], nlohmann::json::array({"new"}));
  EXPECT_EQ(body["start_time"], "2026-03-02T09:00:00Z");
  EXPECT_EQ(body["to"]["end_time"], "2026-03-02T10:00:00Z");
  engine_->sender().Answer(0, outbox::SendOutcome::kTaken);
  engine_->Advance(absl::Hours(2));
  EXPECT_EQ(sent(), 1u);
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, NoPersonIsNamed) {
  SetWebhook("", kUrl);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  for (const std::string name : {"Ann", "Smith", "Mary", "White", "notes"}) {
    EXPECT_EQ(Sent(0).body.find(name), std::string::npos) << name;
  }
}

TEST_F(TellingTest, AFurtherChangeOfAnOpenOneIsNoRaise) {
  SetWebhook("", kUrl);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  engine_->sender().Answer(0, outbox::SendOutcome::kTaken);
  Put({VisitAt(1, At(10))});
  engine_->Advance(absl::Hours(1));
  EXPECT_EQ(sent(), 1u);
}

TEST_F(TellingTest, OneThatIsOpenedAgainIsToldAgain) {
  SetWebhook("", kUrl);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  engine_->sender().Answer(0, outbox::SendOutcome::kTaken);
  Close(1, 1);
  engine_->Advance(absl::Minutes(5));
  ASSERT_EQ(sent(), 1u);
  Reopen(1, 1);
  engine_->Advance(limits::kToldTogether);
  EXPECT_EQ(sent(), 2u);
}

TEST_F(TellingTest, WhatIsOverBeforeItIsToldIsNotTold) {
  SetWebhook("", kUrl, 8, 18);
  Put({VisitAt(1, At(9)), VisitAt(2, At(9), {2})});
  AdvanceTo(At(6, 30));
  EXPECT_EQ(Waiting(), 2u);
  Close(1, 1);
  AdvanceTo(At(8));
  EXPECT_EQ(sent(), 0u);
  AdvanceTo(At(8, 1));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Body(0)["visit_id"], records::VisitName(2).id.ToString());
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, WiderHoursHoldOfWhatWaits) {
  SetWebhook("", kUrl, 12, 18);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 30));
  ASSERT_EQ(sent(), 0u);
  SetWebhook("", kUrl, 6, 18);
  EXPECT_EQ(sent(), 1u);
}

TEST_F(TellingTest, ABranchOfItsOwnSettingsIsToldByThem) {
  SetWebhook("", kUrl);
  SetWebhook(kRome, kOther);
  Put({OfBranch(VisitAt(1, At(9)), kRome), VisitAt(2, At(9), {2})});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 2u);
  const size_t of_rome = Sent(0).url == kOther ? 0 : 1;
  EXPECT_EQ(Sent(of_rome).url, kOther);
  EXPECT_EQ(Body(of_rome)["branch_id"], kRome);
  EXPECT_EQ(Sent(1 - of_rome).url, kUrl);
  EXPECT_EQ(Body(1 - of_rome)["branch_id"], "");
}

TEST_F(TellingTest, AnotherBranchThatGivesTheVisitFromNowOnIsToldToo) {
  SetWebhook("", kUrl);
  SetWebhook(kRome, kOther);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Sent(0).url, kUrl);
  engine_->sender().Answer(0, outbox::SendOutcome::kTaken);
  Put({OfBranch(VisitAt(1, At(9)), kRome)});
  AdvanceTo(At(6, 22));
  ASSERT_EQ(sent(), 2u);
  EXPECT_EQ(Sent(1).url, kOther);
  EXPECT_EQ(Body(1)["branch_id"], kRome);
}

TEST_F(TellingTest, ABranchThatGivesTheVisitNoMoreIsNotTold) {
  SetWebhook("", kUrl, 8, 18);
  SetWebhook(kRome, kOther);
  Put({VisitAt(1, At(12))});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 0u);
  Put({OfBranch(VisitAt(1, At(12)), kRome)});
  AdvanceTo(At(6, 22));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Sent(0).url, kOther);
  engine_->sender().Answer(0, outbox::SendOutcome::kTaken);
  AdvanceTo(At(8, 5));
  EXPECT_EQ(sent(), 1u);
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, OfABranchThatIsKeptOutNobodyIsTold) {
  SetWebhook("", kUrl);
  PutSettings(kRome, {});
  Put({OfBranch(VisitAt(1, At(9)), kRome)});
  AdvanceTo(At(6, 30));
  EXPECT_EQ(sent(), 0u);
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, WhereNobodyIsToldNothingIsKept) {
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 30));
  EXPECT_EQ(Waiting(), 0u);
  SetWebhook("", kUrl);
  engine_->Advance(absl::Hours(1));
  EXPECT_EQ(sent(), 0u) << "what was raised before anybody was to be told is in the list";
}

TEST_F(TellingTest, ManyAtOnceAreToldAsOne) {
  SetWebhook("", kUrl);
  std::vector<store::Record> visits;
  for (int i = 1; i <= static_cast<int>(limits::kMismatchesToldAlone) + 1; ++i) {
    visits.push_back(VisitAt(i, At(9) + absl::Minutes(i), {i % 2 + 1}));
  }
  Put(visits);
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Body(0)["what"], "mismatches");
  EXPECT_EQ(Body(0)["mismatches"], limits::kMismatchesToldAlone + 1);
  EXPECT_EQ(Body(0)["carers"], 2);
  EXPECT_EQ(Body(0)["first_start_time"], "2026-03-02T09:01:00Z");
  ASSERT_EQ(Body(0)["members"].size(), limits::kMismatchesToldAlone + 1);
  EXPECT_EQ(Body(0)["members"][0]["carer_id"], records::CarerName(2).id.ToString());
  EXPECT_EQ(Body(0)["members"][0]["visit_id"], records::VisitName(1).id.ToString());
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, AsManyAsAreReadAreToldEach) {
  SetWebhook("", kUrl);
  std::vector<store::Record> visits;
  for (int i = 1; i <= static_cast<int>(limits::kMismatchesToldAlone); ++i) visits.push_back(VisitAt(i, At(9)));
  Put(visits);
  AdvanceTo(At(6, 21));
  EXPECT_EQ(outbox::ReadOutbox(*engine_->Snapshot(), tenant_)->waiting(), limits::kMismatchesToldAlone);
}

// ---- Much within an hour

TEST_F(TellingTest, AfterSoManyInAnHourTheRestIsToldAsOneWhenItIsOver) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(7, 20));
  EXPECT_EQ(sent(), limits::kNoticesInAnHour);
  EXPECT_EQ(Held(), static_cast<size_t>(kHeld));
  EXPECT_EQ(Waiting(), 0u);
  PassTo(At(7, 21));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  const nlohmann::json body = Body(limits::kNoticesInAnHour);
  EXPECT_EQ(body["what"], "mismatches");
  EXPECT_EQ(body["mismatches"], kHeld);
  EXPECT_EQ(body["members"].size(), static_cast<size_t>(kHeld));
  EXPECT_EQ(Held(), 0u);
}

TEST_F(TellingTest, WhatIsNearIsToldAtOnceThoughTheRestIsHeldBack) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(6, 40));
  // One is raised 20 minutes after its change, the other 2 minutes after it.
  Put({VisitAt(50, At(8, 30))});
  PassTo(At(7, 1));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["what"], "mismatch");
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["visit_id"], records::VisitName(50).id.ToString());
  Put({VisitAt(51, At(7, 10))});
  PassTo(At(7, 4));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 2);
  EXPECT_EQ(Body(limits::kNoticesInAnHour + 1)["visit_id"], records::VisitName(51).id.ToString());
  EXPECT_EQ(Held(), static_cast<size_t>(kHeld));
}

TEST_F(TellingTest, WhatIsHeldBackIsToldAtOnceWhereItsVisitIsMovedNear) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(6, 40));
  ASSERT_EQ(Held(), static_cast<size_t>(kHeld));
  const auto last = [](absl::Time start) { return VisitAt(kByHand, start, {kByHand % 3 + 1}); };
  Put({last(At(19))});
  PassTo(At(6, 42));
  EXPECT_EQ(sent(), limits::kNoticesInAnHour) << "it is still far";
  Put({last(At(7, 10))});
  PassTo(At(6, 44));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["what"], "mismatch");
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["visit_id"], records::VisitName(kByHand).id.ToString());
  EXPECT_EQ(Held(), static_cast<size_t>(kHeld) - 1);
}

TEST_F(TellingTest, AnHourThatFollowsTooMuchHoldsBackFromItsBeginningAndAQuietOneEndsThat) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(7, 30));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  Put({VisitAt(50, At(20))});
  PassTo(At(8, 20));
  EXPECT_EQ(sent(), limits::kNoticesInAnHour + 1);
  EXPECT_EQ(Held(), 1u);
  PassTo(At(8, 30));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 2);
  EXPECT_EQ(Body(limits::kNoticesInAnHour + 1)["what"], "mismatch") << "one is told by itself";
  Put({VisitAt(51, At(20))});
  PassTo(At(8, 51));
  EXPECT_EQ(sent(), limits::kNoticesInAnHour + 3);
  EXPECT_EQ(Held(), 0u);
}

TEST_F(TellingTest, WhatIsHeldBackIsToldWhenTheBranchsHoursEnd) {
  SetWebhook("", kUrl, 6, 7);
  PutOneAMinute();
  PassTo(At(6, 59));
  EXPECT_EQ(sent(), limits::kNoticesInAnHour);
  PassTo(At(7, 1));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["mismatches"], kHeld);
}

TEST_F(TellingTest, WhatIsHeldBackSurvivesARestartAndGoesUntoldWhereItIsOver) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(6, 40));
  ASSERT_EQ(Held(), static_cast<size_t>(kHeld));
  Close(kByHand % 3 + 1, kByHand);
  const absl::Time now = engine_->clock().Now();
  engine_ = std::make_unique<Engine>(engine_->memory().Copy(), 2, now, fakes::Mismatches::kNoted);
  taken_ = 0;
  PassTo(At(7, 20));
  EXPECT_EQ(sent(), 0u);
  PassTo(At(7, 21));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Body(0)["mismatches"], kHeld - 1);
}

TEST_F(TellingTest, WhatABranchWasToldHoldsNothingOfAnotherBack) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  Put({OfBranch(VisitAt(50, At(20)), kRome)});
  PassTo(At(6, 40));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["branch_id"], kRome);
}

TEST_F(TellingTest, WhereNobodyIsToldAnyMoreNothingIsHeldBack) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(6, 40));
  PutSettings("", {});
  EXPECT_EQ(Held(), 0u);
  PassTo(At(7, 21));
  EXPECT_EQ(sent(), limits::kNoticesInAnHour);
}

TEST_F(TellingTest, WhereItCannotBeReadHowMuchWasToldWhatIsHeldBackIsTold) {
  SetWebhook("", kUrl);
  PutOneAMinute();
  PassTo(At(6, 40));
  Run([&](commit::Transaction& transaction) {
    transaction.Put(Space::kRecords, base::keys::ToldHour(tenant_, ""), "\xff");
    return LookAtRaised(transaction);
  });
  PassTo(At(6, 41));
  ASSERT_EQ(sent(), limits::kNoticesInAnHour + 1);
  EXPECT_EQ(Body(limits::kNoticesInAnHour)["mismatches"], kHeld);
}

// ---- More than there is room for

TEST_F(TellingTest, OfMoreThanTheOutboxHasRoomForAsManyAreToldAsThereIs) {
  store::NotificationSettings settings;
  for (int i = 0; i < limits::kNotificationAddresses; ++i) {
    settings.add_email_addresses(absl::StrCat("office", i, "@example.org"));
  }
  PutSettings("", settings);
  constexpr size_t kOfBranch = limits::kMismatchesToldAlone * limits::kNotificationAddresses;
  static_assert(kOfBranch < limits::kNoticesPutAtOnce && limits::kNoticesPutAtOnce < 2 * kOfBranch);
  Run([&](commit::Transaction& transaction) {
    store::Outbox nearly_full;
    nearly_full.set_waiting(limits::kOutboxWaiting - 2 * kOfBranch - 1);
    transaction.Put(Space::kRecords, base::keys::Outbox(tenant_), nearly_full.SerializeAsString());
    return absl::OkStatus();
  });
  std::vector<store::Record> visits;
  for (int branch = 0; branch < 3; ++branch) {
    const std::string id = absl::StrCat("00000000-0000-4000-8000-0000000000a", branch);
    for (size_t i = 0; i < limits::kMismatchesToldAlone; ++i) {
      visits.push_back(OfBranch(VisitAt(static_cast<int>(visits.size()) + 1, At(9)), id));
    }
  }
  Put(visits);
  AdvanceTo(At(6, 21));
  EXPECT_EQ(outbox::ReadOutbox(*engine_->Snapshot(), tenant_)->waiting(), limits::kOutboxWaiting - 1);
  EXPECT_EQ(Waiting(), limits::kMismatchesToldAlone);
}

TEST_F(TellingTest, AFurtherRaiseLeavesATaskThatRestsAsItIs) {
  SetWebhook("", kUrl);
  Run([&](commit::Transaction& transaction) {
    // On its way through the branches it found the outbox full, and was put off.
    store::Notifications state;
    state.set_task_due_us(base::ToStoredTime(At(6, 10)));
    state.set_walked_branch("zzz");
    transaction.Put(Space::kRecords, base::keys::Notifications(tenant_), state.SerializeAsString());
    commit::ScheduleTask(transaction, At(6, 40), kTellTask, kTellTask, absl::StrCat(state.task_due_us()));
    return absl::OkStatus();
  });
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 39));
  EXPECT_EQ(Waiting(), 1u);
  EXPECT_EQ(sent(), 0u);
  AdvanceTo(At(6, 41));
  EXPECT_EQ(Waiting(), 0u);
  EXPECT_EQ(sent(), 1u);
}

TEST_F(TellingTest, WhereHowFarItCameCannotBeReadWhatWaitsIsToldAllTheSame) {
  SetWebhook("", kUrl, 8, 18);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 30));
  ASSERT_EQ(Waiting(), 1u);
  Run([&](commit::Transaction& transaction) {
    transaction.Put(Space::kRecords, base::keys::Notifications(tenant_), "\xff");
    return absl::OkStatus();
  });
  AdvanceTo(At(8, 1));
  EXPECT_EQ(sent(), 1u);
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, EachAddressGetsAnEmailOfItsOwn) {
  store::NotificationSettings settings;
  settings.mutable_webhook()->set_url(kUrl);
  settings.mutable_webhook()->set_key(std::string(32, 'k'));
  settings.add_email_addresses("office@example.org");
  settings.add_email_addresses("night@example.org");
  PutSettings("", settings);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  EXPECT_EQ(sent(), 1u);
  const std::vector<outbox::Mail>& mails = engine_->mailer().mails();
  ASSERT_EQ(mails.size(), 2u);
  EXPECT_EQ(mails[0].to, "office@example.org");
  EXPECT_EQ(mails[1].to, "night@example.org");
  EXPECT_NE(mails[0].id, mails[1].id);
  EXPECT_NE(mails[0].subject.find("02 March 2026, 09:00"), std::string::npos) << mails[0].subject;
  EXPECT_EQ(mails[0].subject.find("Ann"), std::string::npos) << "a subject is shown on locked screens";
  EXPECT_NE(mails[0].text.find("Ann Smith"), std::string::npos) << mails[0].text;
  EXPECT_EQ(mails[0].text.find("Mary"), std::string::npos) << mails[0].text;
}

// Requirement: M2
TEST_F(TellingTest, AnEmailSaysWhatChangedByTheTenantsClockAndUnderItsName) {
  Run([this](commit::Transaction& transaction) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant_.text());
    request.set_display_name("Acme Home Care");
    request.set_time_zone("Asia/Kolkata");
    return tenants::UpdateTenant(transaction, request).status();
  });
  PutOffice();
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  const std::vector<outbox::Mail>& mails = engine_->mailer().mails();
  ASSERT_EQ(mails.size(), 1u);
  EXPECT_NE(mails[0].text.find("\nWhat changed: new\nVisit: 02 March 2026, 14:30 to 15:30\n"), std::string::npos)
      << mails[0].text;
  EXPECT_NE(mails[0].text.find("\nAgency: Acme Home Care\n"), std::string::npos) << mails[0].text;
}

TEST_F(TellingTest, AnEmailOfManyListsThoseThatStartFirst) {
  PutOffice();
  std::vector<store::Record> visits;
  const int count = static_cast<int>(limits::kMismatchesInMail) + 2;
  // The last ones start first.
  for (int i = 1; i <= count; ++i) visits.push_back(VisitAt(i, At(12) - absl::Minutes(i), {i % 2 + 1}));
  Put(visits);
  AdvanceTo(At(6, 21));
  const std::vector<outbox::Mail>& mails = engine_->mailer().mails();
  ASSERT_EQ(mails.size(), 1u);
  const std::string& text = mails[0].text;
  const size_t first = text.find("- Ann Smith, 02 March 2026, 11:08 to 12:08: new\n");
  const size_t second = text.find("- Ben Jones, 02 March 2026, 11:09 to 12:09: new\n");
  EXPECT_LT(first, second) << text;
  EXPECT_NE(second, std::string::npos) << text;
  EXPECT_NE(text.find("11:57 to 12:57"), std::string::npos) << text;
  EXPECT_EQ(text.find("11:58 to 12:58"), std::string::npos) << text;
  EXPECT_NE(text.find("\nand 2 more\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("Mary"), std::string::npos) << text;
}

TEST_F(TellingTest, AnEmailThatFailsIsSentAgainUnderItsIdAndNotToAnAddressThatWasTakenAway) {
  store::NotificationSettings settings;
  settings.add_email_addresses("office@example.org");
  settings.add_email_addresses("night@example.org");
  PutSettings("", settings);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(engine_->mailer().mails().size(), 2u);
  settings.mutable_email_addresses()->RemoveLast();
  PutSettings("", settings);
  for (const size_t index : {0, 1}) {
    engine_->mailer().Answer(index, outbox::SendOutcome::kFailed, "the mail server answered 451");
  }
  engine_->Advance(absl::Seconds(2));
  ASSERT_EQ(engine_->mailer().mails().size(), 3u);
  EXPECT_EQ(engine_->mailer().mails()[2].to, "office@example.org");
  EXPECT_EQ(engine_->mailer().mails()[2].id, engine_->mailer().mails()[0].id);
  EXPECT_EQ(outbox::ReadOutbox(*engine_->Snapshot(), tenant_)->dead(), 1u);
}

TEST_F(TellingTest, AWebhookThatWasTakenAwayGetsNothingThatWaits) {
  SetWebhook("", kUrl);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  PutSettings("", {});
  engine_->sender().Answer(0, outbox::SendOutcome::kFailed, "answered 503");
  engine_->Advance(absl::Hours(1));
  EXPECT_EQ(sent(), 1u);
  EXPECT_EQ(outbox::ReadOutbox(*engine_->Snapshot(), tenant_)->dead(), 1u);
}

TEST_F(TellingTest, ARestartLosesNoneAndTellsNoneTwice) {
  SetWebhook("", kUrl, 8, 18);
  Put({VisitAt(1, At(9))});
  AdvanceTo(At(6, 30));
  ASSERT_EQ(Waiting(), 1u);
  const absl::Time now = engine_->clock().Now();
  engine_ = std::make_unique<Engine>(engine_->memory().Copy(), 2, now, fakes::Mismatches::kNoted);
  AdvanceTo(At(8, 1));
  ASSERT_EQ(sent(), 1u);
  engine_->sender().Answer(0, outbox::SendOutcome::kTaken);
  engine_->Advance(absl::Minutes(1));
  const absl::Time later = engine_->clock().Now();
  engine_ = std::make_unique<Engine>(engine_->memory().Copy(), 3, later, fakes::Mismatches::kNoted);
  engine_->Advance(absl::Hours(2));
  EXPECT_EQ(sent(), 0u);
}

// Of more branches than a step looks at, and with hours that begin at other times.
TEST_F(TellingTest, EachOfManyBranchesIsTold) {
  SetWebhook("", kUrl);
  SetWebhook("branch 05", kUrl, 8, 18);
  std::vector<store::Record> visits;
  const int branches = static_cast<int>(limits::kBranchesLookedAt) * 2 + 1;
  for (int i = 1; i <= branches; ++i) {
    const std::string branch = "branch " + std::string(i < 10 ? "0" : "") + std::to_string(i);
    visits.push_back(OfBranch(VisitAt(i, At(9)), branch));
  }
  Put(visits);
  AdvanceTo(At(6, 21));
  EXPECT_EQ(outbox::ReadOutbox(*engine_->Snapshot(), tenant_)->waiting(), static_cast<uint64_t>(branches - 1));
  EXPECT_EQ(Waiting(), 1u);
  AdvanceTo(At(8, 1));
  EXPECT_EQ(Waiting(), 0u);
}

TEST_F(TellingTest, SettingsThatCannotBeReadHoldNothingUp) {
  SetWebhook("", kUrl);
  fakes::CommitAndWait(engine_->memory(),
                       fakes::PutOf(Space::kRecords, base::keys::NotificationSettings(tenant_, kRome), "\xff"));
  fakes::CommitAndWait(engine_->memory(), fakes::PutOf(Space::kRecords, base::keys::Notifications(tenant_), "\xff"));
  Put({OfBranch(VisitAt(1, At(9)), kRome), VisitAt(2, At(9), {2})});
  AdvanceTo(At(6, 21));
  ASSERT_EQ(sent(), 1u);
  EXPECT_EQ(Body(0)["visit_id"], records::VisitName(2).id.ToString());
}

}  // namespace
}  // namespace caresync::notifications
