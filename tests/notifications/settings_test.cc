#include "server/notifications/settings.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"

namespace caresync::notifications {
namespace {

constexpr char kUrl[] = "https://ops.example.org/caresync";
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kNoBranch[] = "00000000-0000-4000-8000-00000000dead";

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    engine_.CreateTenant(tenant_);
    v1::RosterChange change;
    change.set_external_id("rome");
    change.mutable_branch()->set_name("Rome");
    branch_ = engine_.ApplyChanges(tenant_, "rota", {change}).at(0).record_id();
  }

  static v1::NotificationSettings Webhook(const std::string& branch, const std::string& secret = kSecret) {
    v1::NotificationSettings settings;
    settings.set_branch_id(branch);
    settings.mutable_webhook()->set_url(kUrl);
    settings.mutable_webhook()->set_secret(secret);
    return settings;
  }

  // The error's reason and message; empty where it is set.
  std::string Set(const v1::NotificationSettings& settings) {
    v1::SetNotificationSettingsRequest request;
    request.set_tenant_id(tenant_.text());
    *request.mutable_settings() = settings;
    const auto set = engine_.Run(
        tenant_, [&](commit::Transaction& transaction) { return SetSettings(transaction, request, ways_).status(); });
    if (set.ok()) return "";
    return absl::StrCat(base::Reason(set.status()), ": ", std::string(set.status().message()));
  }
  // The same of right ones with something changed.
  std::string SetWith(const std::function<void(v1::NotificationSettings&)>& change) {
    v1::NotificationSettings settings = Webhook("");
    change(settings);
    return Set(settings);
  }

  bool Remove(const std::string& branch) {
    v1::RemoveNotificationSettingsRequest request;
    request.set_tenant_id(tenant_.text());
    request.set_branch_id(branch);
    bool removed = false;
    const auto done = engine_.Run(tenant_, [&](commit::Transaction& transaction) {
      const auto response = RemoveSettings(transaction, request);
      removed = response.ok() && response->removed();
      return response.status();
    });
    EXPECT_TRUE(done.ok()) << done.status();
    return removed;
  }

  v1::ListNotificationSettingsResponse List(int page_size = 0, const std::string& token = "") const {
    v1::ListNotificationSettingsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    const auto listed = ListSettings(*engine_.Snapshot(), tenant_, request);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? *listed : v1::ListNotificationSettingsResponse();
  }

  store::NotificationSettings For(const std::string& branch) const {
    return *SettingsFor(*engine_.Snapshot(), tenant_, branch);
  }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
  std::string branch_;
  Ways ways_ = {.email = true};
};

TEST_F(SettingsTest, ABranchWithoutItsOwnHasTheDefaults) {
  EXPECT_FALSE(NamesAnybody(For(branch_)));
  ASSERT_EQ(Set(Webhook("")), "");
  EXPECT_EQ(For(branch_).webhook().url(), kUrl);
  EXPECT_EQ(For("").webhook().url(), kUrl);
  v1::NotificationSettings nobody;
  nobody.set_branch_id(branch_);
  ASSERT_EQ(Set(nobody), "");
  EXPECT_FALSE(NamesAnybody(For(branch_))) << "it is kept out of the default";
  EXPECT_TRUE(NamesAnybody(For("")));
  EXPECT_TRUE(Remove(branch_));
  EXPECT_TRUE(NamesAnybody(For(branch_)));
  EXPECT_FALSE(Remove(branch_));
}

TEST_F(SettingsTest, TheSecretIsKeptAndNeverTold) {
  ASSERT_EQ(Set(Webhook("")), "");
  const std::string key = For("").webhook().key();
  EXPECT_EQ(key.size(), 24u);
  ASSERT_EQ(Set(Webhook("", "")), "");
  EXPECT_EQ(For("").webhook().key(), key);
  ASSERT_EQ(List().settings_size(), 1);
  EXPECT_EQ(List().settings(0).webhook().url(), kUrl);
  EXPECT_EQ(List().settings(0).webhook().secret(), "");
  EXPECT_EQ(List().SerializeAsString().find(key), std::string::npos);
  EXPECT_NE(Set(Webhook(branch_, "")), "") << "the default's secret is not the branch's";
}

TEST_F(SettingsTest, WhatIsSetTakesThePlaceOfAllThatWas) {
  v1::NotificationSettings first = Webhook("");
  v1::NotificationHours& hours = *first.add_hours();
  hours.set_weekday(v1::WEEKDAY_SUNDAY);
  hours.set_to_minute(1'440);
  ASSERT_EQ(Set(first), "");
  EXPECT_EQ(List().settings(0).hours(0).to_minute(), 1'440);
  const base::Revision head = engine_.Head(tenant_);
  ASSERT_EQ(Set(first), "");
  EXPECT_EQ(engine_.Head(tenant_), head) << "the same again takes no revision";
  ASSERT_EQ(Set(Webhook("")), "");
  EXPECT_EQ(List().settings(0).hours_size(), 0);
}

TEST_F(SettingsTest, WhatIsWrongIsSaidByName) {
  const auto with_hours = [this](v1::Weekday weekday, int from, int to) {
    return SetWith([=](v1::NotificationSettings& settings) {
      v1::NotificationHours& hours = *settings.add_hours();
      hours.set_weekday(weekday);
      hours.set_from_minute(from);
      hours.set_to_minute(to);
    });
  };
  const auto says = [](const std::string& told, const std::string& field) {
    return told.rfind("INVALID_FIELD", 0) == 0 && told.find(field) != std::string::npos;
  };
  EXPECT_EQ(with_hours(v1::WEEKDAY_MONDAY, 0, 1'440), "");
  EXPECT_TRUE(says(with_hours(v1::WEEKDAY_UNSPECIFIED, 0, 60), "settings.hours.weekday"));
  EXPECT_TRUE(says(with_hours(static_cast<v1::Weekday>(8), 0, 60), "settings.hours.weekday"));
  EXPECT_TRUE(says(with_hours(v1::WEEKDAY_MONDAY, -1, 60), "settings.hours.from_minute"));
  EXPECT_TRUE(says(with_hours(v1::WEEKDAY_MONDAY, 1'440, 1'441), "settings.hours.from_minute"));
  EXPECT_TRUE(says(with_hours(v1::WEEKDAY_MONDAY, 60, 60), "settings.hours.to_minute"));
  EXPECT_TRUE(says(with_hours(v1::WEEKDAY_MONDAY, 60, 1'441), "settings.hours.to_minute"));
  EXPECT_TRUE(says(SetWith([](v1::NotificationSettings& settings) {
                     for (int i = 0; i <= base::limits::kNotificationHours; ++i) {
                       v1::NotificationHours& hours = *settings.add_hours();
                       hours.set_weekday(v1::WEEKDAY_MONDAY);
                       hours.set_to_minute(60);
                     }
                   }),
                   "settings.hours"));
  EXPECT_TRUE(says(SetWith([](auto& settings) { settings.set_branch_id("Rome"); }), "settings.branch_id"));
  EXPECT_TRUE(says(SetWith([](auto& settings) { settings.mutable_webhook()->clear_url(); }), "settings.webhook.url"));
  EXPECT_TRUE(says(SetWith([](auto& settings) { settings.mutable_webhook()->set_url("https://10.0.0.1/"); }),
                   "settings.webhook.url"));
  EXPECT_TRUE(says(SetWith([](auto& settings) { settings.mutable_webhook()->set_secret("hunter2"); }),
                   "settings.webhook.secret"));
  EXPECT_TRUE(says(SetWith([](auto& settings) { settings.set_overdue_percent(-1); }), "settings.overdue_percent"));
  EXPECT_TRUE(says(SetWith([](auto& settings) { settings.set_overdue_percent(100); }), "settings.overdue_percent"));
  EXPECT_EQ(SetWith([](auto& settings) { settings.set_overdue_percent(99); }), "");
  EXPECT_EQ(Set(Webhook(kNoBranch)).rfind("BRANCH_UNKNOWN", 0), 0u);
}

TEST_F(SettingsTest, AddressesAreCheckedAndTold) {
  const auto with = [this](const std::vector<std::string>& addresses) {
    return SetWith([&](v1::NotificationSettings& settings) {
      settings.clear_webhook();
      for (const std::string& address : addresses) settings.add_email_addresses(address);
    });
  };
  ASSERT_EQ(with({"office@example.org", "night@example.org"}), "");
  EXPECT_TRUE(NamesAnybody(For("")));
  ASSERT_EQ(List().settings(0).email_addresses_size(), 2);
  EXPECT_EQ(List().settings(0).email_addresses(1), "night@example.org");
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"office"}, std::vector<std::string>{"office@example.org\r\nBcc: x@example.org"},
        std::vector<std::string>{"office@example.org", "office@example.org"},
        std::vector<std::string>(base::limits::kNotificationAddresses + 1, "office@example.org")}) {
    const std::string told = with(wrong);
    EXPECT_EQ(told.rfind("INVALID_FIELD", 0), 0u);
    EXPECT_NE(told.find("settings.email_addresses"), std::string::npos) << told;
  }
  ways_.email = false;
  EXPECT_NE(with({"office@example.org"}).find("--smtp-url"), std::string::npos);
}

TEST_F(SettingsTest, TheyAreListedInPages) {
  ASSERT_EQ(Set(Webhook(branch_)), "");
  ASSERT_EQ(Set(Webhook("")), "");
  const v1::ListNotificationSettingsResponse first = List(1);
  ASSERT_EQ(first.settings_size(), 1);
  EXPECT_EQ(first.settings(0).branch_id(), "");
  const v1::ListNotificationSettingsResponse second = List(1, first.next_page_token());
  ASSERT_EQ(second.settings_size(), 1);
  EXPECT_EQ(second.settings(0).branch_id(), branch_);
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(SettingsTest, ADamagedRowIsPassedOverAndReplaced) {
  ASSERT_EQ(Set(Webhook("")), "");
  fakes::CommitAndWait(engine_.memory(),
                       fakes::PutOf(storage::Space::kRecords, base::keys::NotificationSettings(tenant_, ""), "\xff"));
  EXPECT_EQ(List().settings_size(), 0);
  EXPECT_FALSE(NamesAnybody(For(branch_)));
  ASSERT_EQ(Set(Webhook("")), "");
  EXPECT_EQ(List().settings_size(), 1);
}

}  // namespace
}  // namespace caresync::notifications
