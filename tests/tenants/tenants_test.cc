#include "server/tenants/tenants.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/records/window_edges.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::tenants {
namespace {

class TenantsTest : public testing::Test {
 protected:
  absl::StatusOr<store::Tenant> Create(const v1::Tenant& request) {
    return Run(request.tenant_id(), [&](commit::Transaction& t) { return CreateTenant(t, request); });
  }
  absl::StatusOr<store::Tenant> Create(const std::string& id) {
    v1::Tenant request;
    request.set_tenant_id(id);
    return Create(request);
  }
  absl::StatusOr<store::Tenant> Update(const v1::UpdateTenantRequest& request) {
    return Run(request.tenant_id(), [&](commit::Transaction& t) { return UpdateTenant(t, request); });
  }

  absl::StatusOr<store::Tenant> Run(const std::string& id,
                                    const std::function<absl::StatusOr<store::Tenant>(commit::Transaction&)>& change) {
    absl::StatusOr<store::Tenant> stored;
    const absl::StatusOr<commit::Committed> committed =
        engine_.Run(fakes::Tenant(id), [&](commit::Transaction& transaction) {
          stored = change(transaction);
          return stored.status();
        });
    if (!committed.ok()) return committed.status();
    return stored;
  }

  v1::Tenant Get(const std::string& id) const {
    const base::TenantId tenant = fakes::Tenant(id);
    return ToProto(tenant, *GetTenant(*engine_.Snapshot(), tenant));
  }

  fakes::Engine engine_;
};

v1::UpdateTenantRequest UpdateOf(const std::string& id) {
  v1::UpdateTenantRequest request;
  request.set_tenant_id(id);
  return request;
}

TEST_F(TenantsTest, ATenantIsMadeWithDefaults) {
  ASSERT_TRUE(Create("acme").ok());
  const v1::Tenant tenant = Get("acme");
  EXPECT_EQ(tenant.tenant_id(), "acme");
  EXPECT_EQ(tenant.display_name(), "acme");
  EXPECT_EQ(tenant.time_zone(), "UTC");
  EXPECT_EQ(tenant.auto_sync_interval().seconds(), absl::ToInt64Seconds(base::limits::kAutoSyncIntervalDefault));
  EXPECT_EQ(tenant.create_time().seconds(), absl::ToUnixSeconds(engine_.clock().Now()));
}

TEST_F(TenantsTest, ATenantIsMadeAsAsked) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  request.set_display_name("Acme Care");
  request.set_time_zone("Europe/London");
  request.mutable_auto_sync_interval()->set_seconds(0);
  ASSERT_TRUE(Create(request).ok());
  EXPECT_EQ(Get("acme").display_name(), "Acme Care");
  EXPECT_EQ(Get("acme").time_zone(), "Europe/London");
  EXPECT_EQ(Get("acme").auto_sync_interval().seconds(), 0);
}

TEST_F(TenantsTest, ATenantIsMadeOnce) {
  ASSERT_TRUE(Create("acme").ok());
  EXPECT_EQ(base::Reason(Create("acme").status()), base::Reason(base::errors::TenantExists("acme")));
}

TEST_F(TenantsTest, AnUnknownTenantIsSaidToBeSo) {
  const std::string unknown = base::Reason(base::errors::TenantUnknown("acme"));
  EXPECT_EQ(base::Reason(GetTenant(*engine_.Snapshot(), fakes::Tenant("acme")).status()), unknown);
  EXPECT_EQ(base::Reason(Update(UpdateOf("acme")).status()), unknown);
}

TEST_F(TenantsTest, AnUpdateChangesWhatItNames) {
  ASSERT_TRUE(Create("acme").ok());
  v1::UpdateTenantRequest request = UpdateOf("acme");
  request.set_time_zone("America/Argentina/Buenos_Aires");
  ASSERT_TRUE(Update(request).ok());
  EXPECT_EQ(Get("acme").time_zone(), "America/Argentina/Buenos_Aires");
  EXPECT_EQ(Get("acme").display_name(), "acme");
  request = UpdateOf("acme");
  request.set_display_name("Acme Care");
  request.mutable_auto_sync_interval()->set_seconds(300);
  ASSERT_TRUE(Update(request).ok());
  EXPECT_EQ(Get("acme").time_zone(), "America/Argentina/Buenos_Aires");
  EXPECT_EQ(Get("acme").display_name(), "Acme Care");
  EXPECT_EQ(Get("acme").auto_sync_interval().seconds(), 300);
}

TEST_F(TenantsTest, AnUpdateThatChangesNothingTakesNoRevision) {
  ASSERT_TRUE(Create("acme").ok());
  const base::Revision before = engine_.Head(fakes::Tenant("acme"));
  v1::UpdateTenantRequest request = UpdateOf("acme");
  request.set_time_zone("UTC");
  ASSERT_TRUE(Update(request).ok());
  EXPECT_EQ(engine_.Head(fakes::Tenant("acme")), before);
}

TEST_F(TenantsTest, OnlyIanaTimeZonesAreTaken) {
  ASSERT_TRUE(Create("acme").ok());
  v1::UpdateTenantRequest request = UpdateOf("acme");
  for (const char* zone : {"Europe/London", "Etc/GMT+1", "America/Port-au-Prince", "UTC"}) {
    request.set_time_zone(zone);
    EXPECT_TRUE(Update(request).ok()) << zone;
  }
  for (const char* zone :
       {"", "London", "europe/london", "Fixed/UTC+01:00:00", "localtime", "/etc/localtime", "Europe/../Europe/London",
        "Europe/", "right/Europe/London", "file:Europe/London", "Europe/Lon don"}) {
    request.set_time_zone(zone);
    EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD") << zone;
  }
}

TEST_F(TenantsTest, TheAutoSyncIntervalKeepsItsBounds) {
  ASSERT_TRUE(Create("acme").ok());
  v1::UpdateTenantRequest request = UpdateOf("acme");
  google::protobuf::Duration& interval = *request.mutable_auto_sync_interval();
  for (int64_t seconds : {0, 300, 301, 24 * 3600}) {
    interval.set_seconds(seconds);
    EXPECT_TRUE(Update(request).ok()) << seconds;
  }
  for (int64_t seconds : {-300, 1, 299, 24 * 3600 + 1}) {
    interval.set_seconds(seconds);
    EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD") << seconds;
  }
  interval.set_seconds(600);
  interval.set_nanos(1);
  EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD");
}

v1::UpdateTenantRequest BranchUpdate(const std::string& branch, std::optional<int64_t> seconds) {
  v1::UpdateTenantRequest request = UpdateOf("acme");
  v1::BranchAutoSync& one = *request.add_branch_auto_syncs();
  one.set_branch_id(branch);
  if (seconds.has_value()) one.mutable_auto_sync_interval()->set_seconds(*seconds);
  return request;
}

class BranchAutoSyncTest : public TenantsTest {
 protected:
  // The branches' IDs.
  std::vector<std::string> MakeBranches(int count) {
    EXPECT_TRUE(Create("acme").ok());
    std::vector<std::string> branches;
    for (int i = 0; i < count; ++i) {
      branches.push_back(
          engine_.ApplyChanges(fakes::Tenant("acme"), "rota", {fakes::BranchChange(absl::StrCat("b", i))})[0]
              .record_id());
    }
    return branches;
  }
  absl::Duration IntervalOf(const std::string& branch) const {
    return AutoSyncInterval(*GetTenant(*engine_.Snapshot(), fakes::Tenant("acme")), branch);
  }
};

// Requirement: S7
TEST_F(BranchAutoSyncTest, ABranchHasItsOwnIntervalAndTheOthersTheTenants) {
  const std::vector<std::string> branches = MakeBranches(2);
  ASSERT_TRUE(Update(BranchUpdate(branches[0], 300)).ok());
  ASSERT_TRUE(Update(BranchUpdate(branches[1], 0)).ok());
  EXPECT_EQ(IntervalOf(branches[0]), absl::Minutes(5));
  EXPECT_EQ(IntervalOf(branches[1]), absl::ZeroDuration());
  EXPECT_EQ(IntervalOf(""), absl::Minutes(30));
  EXPECT_EQ(Get("acme").branch_auto_syncs_size(), 2);
  ASSERT_TRUE(Update(BranchUpdate(absl::AsciiStrToUpper(branches[0]), std::nullopt)).ok());
  EXPECT_EQ(IntervalOf(branches[0]), absl::Minutes(30));
  ASSERT_EQ(Get("acme").branch_auto_syncs_size(), 1);
  EXPECT_EQ(Get("acme").branch_auto_syncs(0).branch_id(), branches[1]);
  EXPECT_TRUE(Get("acme").branch_auto_syncs(0).has_auto_sync_interval());
}

TEST_F(BranchAutoSyncTest, AnotherPreferenceLeavesThem) {
  const std::vector<std::string> branches = MakeBranches(1);
  ASSERT_TRUE(Update(BranchUpdate(branches[0], 300)).ok());
  v1::UpdateTenantRequest request = UpdateOf("acme");
  request.mutable_auto_sync_interval()->set_seconds(900);
  ASSERT_TRUE(Update(request).ok());
  EXPECT_EQ(IntervalOf(branches[0]), absl::Minutes(5));
  EXPECT_EQ(IntervalOf(""), absl::Minutes(15));
}

TEST_F(BranchAutoSyncTest, WhatIsWrongWithABranchIsNamedAndChangesNothing) {
  const std::vector<std::string> branches = MakeBranches(1);
  for (const int64_t seconds : {int64_t{1}, int64_t{299}, int64_t{24 * 3600 + 1}, int64_t{-300}}) {
    EXPECT_EQ(base::Reason(Update(BranchUpdate(branches[0], seconds)).status()), "INVALID_FIELD") << seconds;
  }
  EXPECT_EQ(base::Reason(Update(BranchUpdate("north", 300)).status()), "INVALID_FIELD");
  EXPECT_EQ(base::Reason(Update(BranchUpdate("00000000-0000-4000-8000-000000000009", 300)).status()), "BRANCH_UNKNOWN");
  v1::UpdateTenantRequest twice = BranchUpdate(branches[0], 300);
  *twice.add_branch_auto_syncs() = twice.branch_auto_syncs(0);
  EXPECT_EQ(base::Reason(Update(twice).status()), "INVALID_FIELD");
  EXPECT_EQ(Get("acme").branch_auto_syncs_size(), 0);
}

TEST_F(BranchAutoSyncTest, NoMoreBranchesThanTheBound) {
  const std::vector<std::string> branches = MakeBranches(static_cast<int>(base::limits::kBranchAutoSyncs) + 1);
  v1::UpdateTenantRequest request = UpdateOf("acme");
  for (const std::string& branch : branches) {
    *request.add_branch_auto_syncs() = BranchUpdate(branch, 300).branch_auto_syncs(0);
  }
  EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD");
  request.mutable_branch_auto_syncs()->RemoveLast();
  ASSERT_TRUE(Update(request).ok());
  EXPECT_EQ(base::Reason(Update(BranchUpdate(branches.back(), 300)).status()), "INVALID_FIELD");
  // One goes, another comes.
  request = BranchUpdate(branches.back(), 300);
  *request.add_branch_auto_syncs() = BranchUpdate(branches.front(), std::nullopt).branch_auto_syncs(0);
  EXPECT_TRUE(Update(request).ok());
}

// A message has room for tens of thousands.
TEST_F(BranchAutoSyncTest, OfMoreBranchesThanTheBoundNoneIsLookedUp) {
  ASSERT_TRUE(Create("acme").ok());
  v1::UpdateTenantRequest request = UpdateOf("acme");
  for (size_t i = 0; i <= base::limits::kBranchAutoSyncs; ++i) {
    const std::string unknown = absl::StrFormat("00000000-0000-4000-8000-%012d", i);
    *request.add_branch_auto_syncs() = BranchUpdate(unknown, 300).branch_auto_syncs(0);
  }
  EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD");
  request.mutable_branch_auto_syncs()->RemoveLast();
  EXPECT_EQ(base::Reason(Update(request).status()), "BRANCH_UNKNOWN");
}

TEST_F(TenantsTest, NothingIsBoundedWhereNothingIsAskedFor) {
  ASSERT_TRUE(Create("acme").ok());
  EXPECT_EQ(Get("acme").download_window().seconds(), 0);
  EXPECT_EQ(Get("acme").retention().seconds(), 0);
  EXPECT_EQ(Get("acme").least_app_version(), "");
}

TEST_F(TenantsTest, ADownloadWindowARetentionAndALeastAppVersionAreTaken) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  request.mutable_download_window()->set_seconds(7 * 24 * 3600);
  request.mutable_retention()->set_seconds(24 * 3600);
  request.set_least_app_version("4.10");
  ASSERT_TRUE(Create(request).ok());
  EXPECT_EQ(Get("acme").download_window().seconds(), 7 * 24 * 3600);
  EXPECT_EQ(Get("acme").retention().seconds(), 24 * 3600);
  EXPECT_EQ(Get("acme").least_app_version(), "4.10");

  v1::UpdateTenantRequest update = UpdateOf("acme");
  update.mutable_retention()->set_seconds(48 * 3600);
  ASSERT_TRUE(Update(update).ok());
  EXPECT_EQ(Get("acme").download_window().seconds(), 7 * 24 * 3600);
  EXPECT_EQ(Get("acme").retention().seconds(), 48 * 3600);
  update = UpdateOf("acme");
  update.mutable_download_window();
  update.set_least_app_version("");
  ASSERT_TRUE(Update(update).ok());
  EXPECT_EQ(Get("acme").download_window().seconds(), 0);
  EXPECT_EQ(Get("acme").least_app_version(), "");
}

TEST_F(TenantsTest, TheLengthsAreHandedDownToTheRecords) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  request.mutable_download_window()->set_seconds(3600);
  ASSERT_TRUE(Create(request).ok());
  const base::TenantId tenant = fakes::Tenant("acme");
  EXPECT_EQ(records::ReadEdges(*engine_.Snapshot(), tenant)->download_window_s(), 3600);
  EXPECT_TRUE(records::ReadEdges(*engine_.Snapshot(), tenant)->has_opening());
  v1::UpdateTenantRequest update = UpdateOf("acme");
  update.mutable_download_window();
  update.mutable_retention()->set_seconds(24 * 3600);
  ASSERT_TRUE(Update(update).ok());
  EXPECT_FALSE(records::ReadEdges(*engine_.Snapshot(), tenant)->has_opening());
  EXPECT_TRUE(records::ReadEdges(*engine_.Snapshot(), tenant)->has_closing());
}

TEST_F(TenantsTest, TheDownloadWindowAndTheRetentionKeepTheirBounds) {
  ASSERT_TRUE(Create("acme").ok());
  constexpr int64_t kDay = 24 * 3600;
  v1::UpdateTenantRequest request = UpdateOf("acme");
  for (int64_t seconds : {int64_t{0}, int64_t{3600}, 366 * kDay}) {
    request.mutable_download_window()->set_seconds(seconds);
    EXPECT_TRUE(Update(request).ok()) << seconds;
  }
  for (int64_t seconds : {int64_t{-3600}, int64_t{3599}, 366 * kDay + 1, INT64_MAX}) {
    request.mutable_download_window()->set_seconds(seconds);
    EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD") << seconds;
  }
  request = UpdateOf("acme");
  for (int64_t seconds : {int64_t{0}, kDay, 366 * kDay}) {
    request.mutable_retention()->set_seconds(seconds);
    EXPECT_TRUE(Update(request).ok()) << seconds;
  }
  for (int64_t seconds : {int64_t{-1}, kDay - 1, 366 * kDay + 1}) {
    request.mutable_retention()->set_seconds(seconds);
    EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD") << seconds;
  }
}

TEST_F(TenantsTest, ALeastAppVersionIsNumbersPartedByDots) {
  ASSERT_TRUE(Create("acme").ok());
  v1::UpdateTenantRequest request = UpdateOf("acme");
  for (const char* version : {"4", "4.10", "4.10.3.117", ""}) {
    request.set_least_app_version(version);
    EXPECT_TRUE(Update(request).ok()) << version;
  }
  for (const char* version : {"v4", "4.", "4.10-beta", "1.2.3.4.5", " 4"}) {
    request.set_least_app_version(version);
    EXPECT_EQ(base::Reason(Update(request).status()), "INVALID_FIELD") << version;
  }
}

TEST_F(TenantsTest, ANameIsAtMostSoLong) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  request.set_display_name(std::string(base::limits::kNameCharacters + 1, 'x'));
  EXPECT_EQ(base::Reason(Create(request).status()), "INVALID_FIELD");
  request.set_display_name(std::string(base::limits::kNameCharacters, 'x'));
  EXPECT_TRUE(Create(request).ok());
}

TEST_F(TenantsTest, ANameHoldsNothingThatSteersATerminal) {
  v1::Tenant request;
  request.set_tenant_id("acme");
  for (const char* name : {"Acme\nCare", "\x1b[2J", "Acme\t", "Acme\x7F",
                           "\xC2\x9B"
                           "2J"}) {
    request.set_display_name(name);
    EXPECT_EQ(base::Reason(Create(request).status()), "INVALID_FIELD") << name;
  }
  request.set_display_name(
      "Ren\xC3\xA9"
      "e's Care");
  EXPECT_TRUE(Create(request).ok());
}

TEST_F(TenantsTest, TenantsAreListedInPagesByTheirIds) {
  for (const char* id : {"delta", "alpha", "charlie", "bravo", "echo"}) ASSERT_TRUE(Create(id).ok());
  v1::ListTenantsRequest request;
  request.set_page_size(2);
  std::vector<std::string> ids;
  int pages = 0;
  do {
    const v1::ListTenantsResponse response = *ListTenants(*engine_.Snapshot(), request);
    for (const v1::Tenant& tenant : response.tenants()) ids.push_back(tenant.tenant_id());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(ids, (std::vector<std::string>{"alpha", "bravo", "charlie", "delta", "echo"}));
  EXPECT_EQ(pages, 3);
}

TEST_F(TenantsTest, AWrongPageIsRefused) {
  v1::ListTenantsRequest request;
  request.set_page_size(base::limits::kPageSizeMost + 1);
  EXPECT_EQ(base::Reason(ListTenants(*engine_.Snapshot(), request).status()), "INVALID_FIELD");
  request.set_page_size(1);
  request.set_page_token("%%%");
  EXPECT_EQ(base::Reason(ListTenants(*engine_.Snapshot(), request).status()),
            base::Reason(base::errors::PageTokenNotValid()));
}

}  // namespace
}  // namespace caresync::tenants
