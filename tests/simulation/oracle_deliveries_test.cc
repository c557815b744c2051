// What the oracle says of the proof of delivery: of the entries that commits write, and of what devices held.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "caresync/store/delivery.pb.h"
#include "server/base/keys.h"
#include "server/records/record_key.h"
#include "tests/fakes/rota.h"
#include "tests/simulation/oracle.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Writes = std::vector<storage::Write>;

// A carer with a device, and a visit that comes into the carer's feed.
class OracleOfDeliveriesTest : public ::testing::Test {
 protected:
  OracleOfDeliveriesTest() {
    oracle_.AddTenant(tenant_, {carer_.ToString()});
    oracle_.AddDevice(tenant_, device_);
    Commit({fakes::CarerChange("ann"), fakes::ServiceUserChange("person")}, {});
  }

  base::Uuid IdOf(v1::RecordKind kind, const std::string& id) const {
    return records::IntegratedId(tenant_, kSource, kind, id);
  }

  void Commit(const std::vector<v1::RosterChange>& changes, Writes writes) {
    NaiveModel& model = oracle_.model(tenant_);
    State state = model.NextState();
    for (v1::RosterChange change : changes) {
      change.set_source(kSource);
      model.Apply(state, change);
    }
    store::TenantHead head;
    head.set_revision(state.revision);
    head.set_timeline("opening");
    oracle_.Propose(tenant_, std::move(state));
    writes.push_back({storage::Space::kRecords, keys::TenantHead(tenant_), head.SerializeAsString()});
    oracle_.OnHandedOver(writes);
    oracle_.OnApplied(writes);
  }

  // The visit lies in the feed from the second revision on.
  storage::Write Place() const {
    store::FeedPlace place;
    place.set_revision(2);
    place.mutable_entry()->set_version(2);
    return {storage::Space::kFeeds, keys::FeedPlace(tenant_, records::CarerReceiver(carer_), KeyOf(visit_)),
            place.SerializeAsString()};
  }

  storage::Write EntryWith(const std::string& payload) const {
    store::VisitEntry entry;
    entry.set_payload(payload);
    entry.set_version(2);
    return {storage::Space::kRecords, keys::VisitEntry(tenant_, carer_, 2, KeyOf(visit_)), entry.SerializeAsString()};
  }

  std::string Payload() const {
    NaiveModel model = oracle_.truth().models.at(tenant_);
    State state = model.NextState();
    v1::RosterChange change = fakes::VisitChange("visit", "person", {"ann"});
    change.set_source(kSource);
    model.Apply(state, change);
    return state.records.at(visit_)->payload;
  }

  void CommitVisit(Writes writes) { Commit({fakes::VisitChange("visit", "person", {"ann"})}, std::move(writes)); }

  // A session of the device's begins.
  void Begin(std::vector<store::DeviceCopy> copies, Writes writes) {
    store::DeviceSession session;
    session.set_session_id(facts_.session_id);
    writes.push_back({storage::Space::kDevices, keys::DeviceRow(tenant_, device_, keys::DevicePart::kSession),
                      session.SerializeAsString()});
    Write(copies, std::move(writes));
  }

  void Write(const std::vector<store::DeviceCopy>& copies, Writes writes) {
    store::DeviceReport report;
    for (const store::DeviceCopy& copy : copies) *report.add_copies() = copy;
    writes.push_back({storage::Space::kDevices, keys::DeviceRow(tenant_, device_, keys::DevicePart::kReport),
                      report.SerializeAsString()});
    store::SyncRow row;
    row.set_session_id(facts_.session_id);
    row.set_carer_id(facts_.carer);
    row.set_sync_type(facts_.start.sync_type());
    row.set_outcome(v1::SYNC_OUTCOME_UNDER_WAY);
    writes.push_back({storage::Space::kDevices, keys::Sync(tenant_, device_, 1), row.SerializeAsString()});
    oracle_.OnApplied(writes);
  }

  sync::ResumeToken TokenOf(base::Revision revision) const {
    return {device_, carer_, 1, {"opening", revision}, feed::Position::EndOf(revision), 1, std::nullopt};
  }

  store::DeviceCopy CopyAt(base::Revision revision) const {
    const feed::Position position = feed::Position::EndOf(revision);
    store::DeviceCopy copy;
    copy.set_carer_id(facts_.carer);
    copy.set_timeline("opening");
    copy.set_revision(revision);
    copy.set_position_revision(position.revision);
    copy.set_position_record(position.record.bytes);
    return copy;
  }

  storage::Write MarkOf(uint64_t number, absl::Time time) const {
    store::CopyMark mark;
    mark.set_time_us(absl::ToUnixMicros(time));
    mark.set_session_id(facts_.session_id);
    return {storage::Space::kDevices, keys::CopyMark(tenant_, device_, carer_, number), mark.SerializeAsString()};
  }

  // The device has a copy when it says `start`.
  void StartWithCopy() {
    facts_.session_id = "session";
    facts_.identity = {tenant_, device_, carer_};
    facts_.carer = carer_.ToString();
    facts_.start.set_sync_type(v1::SYNC_TYPE_AUTO);
    facts_.start.set_resume_token("a token");
    facts_.head_at_start = 1;
    facts_.start_token = TokenOf(1);
    facts_.held_at_start[visit_] = "as held";
  }

  const std::vector<KeptCopy>& Kept() { return oracle_.truth().held.at({tenant_, device_, facts_.carer}).kept(); }

  const std::string kSource = "north";
  const absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  const base::TenantId tenant_ = *base::TenantId::Parse("acme");
  const base::Uuid device_ = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
  const base::Uuid carer_ = IdOf(v1::RECORD_KIND_CARER, "ann");
  const Name visit_{v1::RECORD_KIND_VISIT, IdOf(v1::RECORD_KIND_VISIT, "visit").ToString()};
  StreamFacts facts_;
  std::vector<std::string> faults_;
  Oracle oracle_{[this](const std::string& fault) { faults_.push_back(fault); },
                 {.session = [this](const std::string&) { return &facts_; },
                  .may_have_shown = [this](absl::Time time, const Moment&) { return time <= now_; },
                  .latest_shown = [this](const Moment&) { return now_; },
                  .may_have_called = [](const base::TenantId&, const base::Uuid&, absl::Time) { return true; },
                  .later_start = [](const StreamFacts&) { return false; },
                  .now = [this] { return now_; }},
                 [](const std::string&) {}};
};

TEST_F(OracleOfDeliveriesTest, AVisitThatMovesInAFeedHasItsEntry) {
  CommitVisit({Place(), EntryWith(Payload())});
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OracleOfDeliveriesTest, AMoveWithoutAnEntryIsAFault) {
  CommitVisit({Place()});
  EXPECT_THAT(faults_, Contains("a visit moves in a carer's feed, and no entry says so"));
}

TEST_F(OracleOfDeliveriesTest, AnEntryWithoutAMoveIsAFault) {
  CommitVisit({EntryWith(Payload())});
  EXPECT_THAT(faults_, Contains("an entry is written of a visit that does not move in the carer's feed"));
}

TEST_F(OracleOfDeliveriesTest, AnEntryWithOtherBytesIsAFault) {
  CommitVisit({Place(), EntryWith("other bytes")});
  EXPECT_THAT(faults_, Contains("an entry has another payload than its visit"));
}

TEST_F(OracleOfDeliveriesTest, WhatADeviceHeldIsKeptWithTheTokenOfItsStart) {
  StartWithCopy();
  Begin({CopyAt(1)}, {MarkOf(1, now_ - absl::Minutes(1))});
  EXPECT_THAT(faults_, IsEmpty());
  ASSERT_THAT(Kept(), SizeIs(1));
  EXPECT_EQ(Kept()[0].time, now_ - absl::Minutes(1));
  EXPECT_EQ(*Kept()[0].visits, (HeldVisits{{KeyOf(visit_), "as held"}}));
}

TEST_F(OracleOfDeliveriesTest, WhatItHeldIsKeptWithEachTokenThatItAcknowledges) {
  StartWithCopy();
  Begin({CopyAt(1)}, {MarkOf(1, now_)});
  const auto later = std::make_shared<const HeldVisits>(HeldVisits{{KeyOf(visit_), "later"}});
  facts_.applied.push_back({TokenOf(2), later, false});
  facts_.acked.push_back(TokenOf(2));
  Write({CopyAt(2)}, {MarkOf(2, now_)});
  EXPECT_THAT(faults_, IsEmpty());
  ASSERT_THAT(Kept(), SizeIs(1));
  EXPECT_EQ(*Kept()[0].visits, *later);
}

TEST_F(OracleOfDeliveriesTest, ASpoiledCopyIsNotKept) {
  StartWithCopy();
  facts_.spoiled_at_start = true;
  Begin({CopyAt(1)}, {MarkOf(1, now_)});
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(OracleOfDeliveriesTest, ASpoiledCopyOfOneOfTwoPhonesIsNotKeptThoughACopyOfTheUuidIsKnownToHaveDiverged) {
  StartWithCopy();
  facts_.spoiled_at_start = true;
  facts_.of_pair = true;
  store::DeviceCopy copy = CopyAt(1);
  copy.set_diverged(true);
  Begin({copy}, {MarkOf(1, now_)});
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(OracleOfDeliveriesTest, ACopyThatWasDroppedIsKeptAsNone) {
  StartWithCopy();
  Begin({CopyAt(1)}, {MarkOf(1, now_ - absl::Minutes(1))});
  facts_.dropped.insert(facts_.carer);
  Write({}, {MarkOf(2, now_)});
  EXPECT_THAT(faults_, IsEmpty());
  ASSERT_THAT(Kept(), SizeIs(2));
  EXPECT_EQ(Kept()[1].visits, nullptr);
  EXPECT_EQ(Kept()[0].until, now_);
}

TEST_F(OracleOfDeliveriesTest, AMarkOfATimeThatTheClockDidNotShowIsAFault) {
  StartWithCopy();
  Begin({CopyAt(1)}, {MarkOf(1, now_ + absl::Minutes(1))});
  EXPECT_THAT(faults_, Contains("a mark is of no time since the device said start"));
}

TEST_F(OracleOfDeliveriesTest, WhatIsLostWithTheStoreIsNotKept) {
  StartWithCopy();
  const Truth before = oracle_.truth();
  Begin({CopyAt(1)}, {MarkOf(1, now_)});
  oracle_.GoBackTo(before);
  oracle_.NoteLoss();
  EXPECT_THAT(oracle_.truth().held, IsEmpty());
}

}  // namespace
}  // namespace caresync::simulation
