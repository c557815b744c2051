#include "server/deliveries/entries.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/stored.h"
#include "server/deliveries/delivery_rows.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/rota.h"

namespace caresync::deliveries {
namespace {

const base::TenantId kTenant = fakes::Tenant("agency");
constexpr size_t kAll = 1'000;

base::Uuid CarerId(const std::string& name) {
  return records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_CARER, name);
}
base::RecordKey VisitKey(const std::string& name) {
  return records::KeyOf({v1::RECORD_KIND_VISIT, records::IntegratedId(kTenant, "rota", v1::RECORD_KIND_VISIT, name)});
}

// Carers c1 and c2 and a service user.
class EntriesTest : public testing::Test {
 protected:
  EntriesTest() {
    engine_.CreateTenant(kTenant);
    Send({fakes::CarerChange("c1"), fakes::CarerChange("c2"), fakes::ServiceUserChange("p1")});
  }

  v1::RosterChange Visit(const std::vector<std::string>& carers, const std::string& notes = "") {
    v1::RosterChange change = fakes::VisitChange("v1", "p1", carers);
    change.mutable_visit()->set_notes(notes);
    return change;
  }
  void Send(std::vector<v1::RosterChange> changes) { engine_.ApplyChanges(kTenant, "rota", std::move(changes)); }
  void SetWindow(int64_t seconds) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(kTenant.text());
    request.mutable_download_window()->set_seconds(seconds);
    const auto update = [&](commit::Transaction& transaction) {
      return tenants::UpdateTenant(transaction, request).status();
    };
    ASSERT_TRUE(engine_.Run(kTenant, update).ok());
  }
  std::vector<Entry> EntriesOf(const std::string& carer) const {
    const absl::StatusOr<std::vector<Entry>> entries =
        ReadEntries(*engine_.Snapshot(), kTenant, CarerId(carer), feed::Position(), kAll);
    EXPECT_TRUE(entries.ok());
    return *entries;
  }
  size_t Count(storage::Space space, const storage::KeyRange& range) const {
    size_t rows = 0;
    EXPECT_TRUE(engine_.Snapshot()
                    ->Scan(space, range, kAll,
                           [&rows](std::string_view, std::string_view) {
                             ++rows;
                             return true;
                           })
                    .ok());
    return rows;
  }
  std::string PayloadNow() const {
    const auto record = records::GetRecord(*engine_.Snapshot(), kTenant, VisitKey("v1"));
    EXPECT_TRUE(record.ok() && record->has_value());
    return (*record)->payload();
  }

  fakes::Engine engine_{1, fakes::Mismatches::kNotedWithDeliveries};
};

TEST_F(EntriesTest, ANewVisitIsNotedOnceForEachOfItsCarers) {
  v1::RosterChange change = Visit({"c1", "c2"});
  const absl::Time made = engine_.clock().Now() - absl::Minutes(5);
  *change.mutable_changed_time() = base::ToTimestamp(made);
  Send({change});
  for (const std::string carer : {"c1", "c2"}) {
    const std::vector<Entry> entries = EntriesOf(carer);
    ASSERT_EQ(entries.size(), 1u) << carer;
    EXPECT_EQ(entries[0].visit, VisitKey("v1"));
    EXPECT_EQ(entries[0].carer, CarerId(carer));
    const store::VisitEntry& row = entries[0].row;
    EXPECT_EQ(row.payload(), PayloadNow());
    EXPECT_TRUE(row.rota_change());
    EXPECT_EQ(row.version(), entries[0].revision);
    EXPECT_EQ(row.source(), "rota");
    EXPECT_EQ(row.changed_us(), base::ToStoredTime(made));
    EXPECT_EQ(row.received_us(), row.committed_us());
  }
  EXPECT_EQ(Count(storage::Space::kRecords, base::keys::VisitEntriesOfVisit(kTenant, VisitKey("v1"))), 2u);
  EXPECT_EQ(Count(storage::Space::kRecords, base::keys::AllVisitEntriesByRevision(kTenant, "")), 2u);
}

TEST_F(EntriesTest, WhatIsNoChangeOfAVisitIsNotNoted) {
  Send({Visit({"c1"})});
  Send({Visit({"c1"})});
  Send({fakes::ServiceUserChange("p2"), fakes::CarerChange("c3")});
  EXPECT_EQ(EntriesOf("c1").size(), 1u);
}

TEST_F(EntriesTest, AChangeIsNotedWithTheBytesThatGoToTheDevice) {
  Send({Visit({"c1"})});
  Send({Visit({"c1"}, "other notes")});
  const std::vector<Entry> entries = EntriesOf("c1");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_LT(entries[0].revision, entries[1].revision);
  EXPECT_NE(entries[0].row.payload(), entries[1].row.payload());
  EXPECT_EQ(entries[1].row.payload(), PayloadNow());
  EXPECT_TRUE(entries[1].row.rota_change());
}

TEST_F(EntriesTest, AVisitThatIsGivenToAnotherCarerLeavesTheOne) {
  Send({Visit({"c1"})});
  Send({Visit({"c2"})});
  const std::vector<Entry> left = EntriesOf("c1");
  ASSERT_EQ(left.size(), 2u);
  EXPECT_FALSE(left[1].row.has_payload());
  EXPECT_EQ(left[1].row.gone(), v1::VISIT_GONE_TAKEN_AWAY);
  EXPECT_TRUE(left[1].row.rota_change());
  const std::vector<Entry> came = EntriesOf("c2");
  ASSERT_EQ(came.size(), 1u);
  EXPECT_TRUE(came[0].row.has_payload());
}

TEST_F(EntriesTest, ACancelledVisitIsGoneForAllOfItsCarers) {
  Send({Visit({"c1", "c2"})});
  v1::RosterChange cancelled = Visit({"c1", "c2"});
  cancelled.mutable_visit()->set_cancelled(true);
  Send({cancelled});
  for (const std::string carer : {"c1", "c2"}) {
    const std::vector<Entry> entries = EntriesOf(carer);
    ASSERT_EQ(entries.size(), 2u) << carer;
    EXPECT_FALSE(entries[1].row.has_payload());
    EXPECT_EQ(entries[1].row.gone(), v1::VISIT_GONE_CANCELLED);
    EXPECT_TRUE(entries[1].row.rota_change());
  }
}

TEST_F(EntriesTest, AVisitThatEntersOrLeavesTheWindowIsNotedAndIsNoChangeOfTheRota) {
  Send({Visit({"c1"})});
  SetWindow(3600);
  engine_.Advance(absl::Minutes(2));
  std::vector<Entry> entries = EntriesOf("c1");
  ASSERT_EQ(entries.size(), 2u) << "it is hours ahead";
  EXPECT_FALSE(entries[1].row.has_payload());
  EXPECT_EQ(entries[1].row.gone(), v1::VISIT_GONE_OUT_OF_WINDOW);
  EXPECT_FALSE(entries[1].row.rota_change());
  engine_.Advance(absl::Hours(2) + absl::Minutes(30));
  entries = EntriesOf("c1");
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[2].row.payload(), PayloadNow());
  EXPECT_FALSE(entries[2].row.rota_change());
  EXPECT_EQ(entries[2].row.source(), "");
}

// It is what the carer's devices hear of the change, be it made weeks before.
TEST_F(EntriesTest, AVisitThatWasMadeBeyondTheWindowIsAChangeOfTheRotaWhenItEnters) {
  SetWindow(3600);
  Send({Visit({"c1"})});
  engine_.Advance(absl::Minutes(2));
  EXPECT_TRUE(EntriesOf("c1").empty());
  engine_.Advance(absl::Hours(2) + absl::Minutes(30));
  const std::vector<Entry> entries = EntriesOf("c1");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_TRUE(entries[0].row.rota_change());
  EXPECT_EQ(entries[0].row.source(), "rota");
  EXPECT_EQ(entries[0].row.received_us(), 0) << "not when the window came there";
}

// One message gives so many carers so much that most of it is carried out by steps of a fan-out.
TEST_F(EntriesTest, AVisitThatComesByAStepOfAFanOutIsNotedOnceAndByThatStep) {
  constexpr int kVisits = 40;
  constexpr int kCarersOfEach = 16;
  const auto name_of = [](int number) { return absl::StrCat("w", number); };
  std::vector<v1::RosterChange> visits;
  for (int i = 0; i < kVisits; ++i) {
    std::vector<v1::RosterChange> carers;
    std::vector<std::string> names;
    for (int j = 0; j < kCarersOfEach; ++j) {
      names.push_back(name_of(i * kCarersOfEach + j));
      carers.push_back(fakes::CarerChange(names.back()));
    }
    Send(std::move(carers));
    visits.push_back(fakes::VisitChange(absl::StrCat("wide", i), "p1", names));
  }
  Send(std::move(visits));
  engine_.Advance(absl::Minutes(1));
  size_t by_steps = 0;
  for (int carer = 0; carer < kVisits * kCarersOfEach; ++carer) {
    const std::vector<Entry> entries = EntriesOf(name_of(carer));
    ASSERT_EQ(entries.size(), 1u) << carer;
    EXPECT_TRUE(entries[0].row.has_payload());
    EXPECT_TRUE(entries[0].row.rota_change()) << "the change of which it is a step";
    by_steps += entries[0].revision > entries[0].row.version() ? 1 : 0;
  }
  EXPECT_GT(by_steps, 0u);
}

TEST_F(EntriesTest, WhatWaitedForAnotherRecordWasReceivedBefore) {
  Send({fakes::VisitChange("v2", "p9", {"c1"})});
  const absl::Time received = engine_.clock().Now();
  EXPECT_TRUE(EntriesOf("c1").empty());
  engine_.Advance(absl::Minutes(7));
  Send({fakes::ServiceUserChange("p9")});
  const std::vector<Entry> entries = EntriesOf("c1");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].row.received_us(), base::ToStoredTime(received));
  EXPECT_GT(entries[0].row.committed_us(), entries[0].row.received_us());
}

TEST_F(EntriesTest, TheTaskThatLetsGoOfThemIsThereFromTheFirstOn) {
  const std::string key = base::keys::Keeping(kTenant);
  EXPECT_FALSE(engine_.Snapshot()->Get(storage::Space::kRecords, key)->has_value());
  Send({Visit({"c1"})});
  const auto keeping = base::GetStored<store::Keeping>(*engine_.Snapshot(), storage::Space::kRecords, key);
  ASSERT_TRUE(keeping.ok() && keeping->has_value());
  EXPECT_GT((*keeping)->next_due_us(), 0);
}

}  // namespace
}  // namespace caresync::deliveries
