#include "tests/simulation/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/keys.h"

namespace caresync::simulation {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class OracleTest : public ::testing::Test {
 protected:
  OracleTest() { oracle_.AddTenant(tenant_, {}); }

  // The write of a head that a change made on the empty store.
  std::vector<storage::Write> FirstCommit(const std::string& commit_id) {
    store::TenantHead head;
    head.set_revision(1);
    head.set_commit_id(commit_id);
    return {{storage::Space::kRecords, base::keys::TenantHead(tenant_), head.SerializeAsString()}};
  }

  void ProposeLeastApp(const std::string& version) {
    State state = oracle_.model(tenant_).NextState();
    state.least_app_version = version;
    oracle_.Propose(tenant_, std::move(state));
  }

  std::string LeastApp() { return oracle_.model(tenant_).head().least_app_version; }

  const base::TenantId tenant_ = *base::TenantId::Parse("acme");
  std::vector<std::string> faults_;
  Oracle oracle_{[this](const std::string& fault) { faults_.push_back(fault); },
                 {.session = nullptr,
                  .may_have_shown = nullptr,
                  .latest_shown = nullptr,
                  .may_have_called = nullptr,
                  .later_start = nullptr,
                  .now = [] { return absl::UnixEpoch(); }},
                 [](const std::string&) {}};
};

TEST_F(OracleTest, ALateCommitIsNotTakenForTheChangeThatIsAtWork) {
  // Nothing is proposed of the first: only its rows say what it did.
  oracle_.OnHandedOver(FirstCommit("late"));
  oracle_.Withdraw(tenant_);
  ProposeLeastApp("5.0.0");
  oracle_.OnHandedOver(FirstCommit("at work"));
  oracle_.OnApplied(FirstCommit("late"));
  EXPECT_EQ(oracle_.model(tenant_).head().revision, 1u);
  EXPECT_EQ(LeastApp(), "");
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OracleTest, ALateCommitIsWhatItsOwnChangeProposed) {
  ProposeLeastApp("4.2");
  oracle_.OnHandedOver(FirstCommit("late"));
  oracle_.Withdraw(tenant_);
  ProposeLeastApp("5.0.0");
  oracle_.OnHandedOver(FirstCommit("at work"));
  oracle_.OnApplied(FirstCommit("late"));
  EXPECT_EQ(LeastApp(), "4.2");
  EXPECT_THAT(faults_, IsEmpty());
}

// What sessions of one device write of its copies.
class OracleOfCopiesTest : public ::testing::Test {
 protected:
  OracleOfCopiesTest() {
    oracle_.AddTenant(tenant_, {ann_.ToString(), ben_.ToString()});
    oracle_.AddDevice(tenant_, device_);
    store::TenantHead head;
    head.set_revision(kHead.revision);
    head.set_timeline(kHead.timeline);
    State state = oracle_.model(tenant_).NextState();
    for (const base::Uuid& carer : {ann_, ben_}) {
      state.records[{v1::RECORD_KIND_CARER, carer.ToString()}] = std::make_shared<const NaiveRecord>();
    }
    oracle_.Propose(tenant_, std::move(state));
    const std::vector<storage::Write> writes = {
        {storage::Space::kRecords, base::keys::TenantHead(tenant_), head.SerializeAsString()}};
    oracle_.OnHandedOver(writes);
    oracle_.OnApplied(writes);
  }

  // The device says `start` for the carer, and has a copy of the carer's where there is a token.
  StreamFacts& Start(const std::string& session_id, const base::Uuid& carer, bool has_token) {
    StreamFacts& facts = sessions_[session_id];
    facts.session_id = session_id;
    facts.identity = {tenant_, device_, carer};
    facts.carer = carer.ToString();
    // Says nothing of which device the carer uses.
    facts.start.set_sync_type(v1::SYNC_TYPE_AUTO);
    facts.start.set_resume_token("a token");
    facts.head_at_start = kHead.revision;
    if (has_token) facts.start_token = sync::ResumeToken{device_, carer, 1, kHead, kPlace, 1, std::nullopt};
    return facts;
  }

  // As far as its device has said; it never had a success.
  store::DeviceCopy CopyOf(const base::Uuid& carer) {
    store::DeviceCopy copy;
    copy.set_carer_id(carer.ToString());
    copy.set_timeline(kHead.timeline);
    copy.set_revision(kHead.revision);
    copy.set_position_revision(kPlace.revision);
    copy.set_position_record(kPlace.record.bytes);
    return copy;
  }

  // One of which nothing is known yet.
  store::DeviceCopy NoCopyOf(const base::Uuid& carer) {
    store::DeviceCopy copy;
    copy.set_carer_id(carer.ToString());
    return copy;
  }

  storage::Write SyncOf(const StreamFacts& session, v1::SyncOutcome outcome) {
    store::SyncRow row;
    row.set_session_id(session.session_id);
    row.set_carer_id(session.carer);
    row.set_sync_type(session.start.sync_type());
    row.set_outcome(outcome);
    if (outcome != v1::SYNC_OUTCOME_UNDER_WAY) row.set_reason("SESSION_TAKEN_OVER");
    const uint64_t number = &session == &sessions_.at("first") ? 1 : 2;
    return {storage::Space::kDevices, base::keys::Sync(tenant_, device_, number), row.SerializeAsString()};
  }

  void Write(const StreamFacts& session, const std::vector<store::DeviceCopy>& copies,
             std::vector<storage::Write> writes = {}) {
    store::DeviceReport report;
    for (const store::DeviceCopy& copy : copies) *report.add_copies() = copy;
    writes.push_back({storage::Space::kDevices,
                      base::keys::DeviceRow(tenant_, device_, base::keys::DevicePart::kReport),
                      report.SerializeAsString()});
    writes.push_back(SyncOf(session, v1::SYNC_OUTCOME_UNDER_WAY));
    oracle_.OnApplied(writes);
  }

  void WriteBegin(const StreamFacts& session, const std::vector<store::DeviceCopy>& copies,
                  std::vector<storage::Write> writes = {}) {
    store::DeviceSession row;
    row.set_session_id(session.session_id);
    writes.push_back({storage::Space::kDevices,
                      base::keys::DeviceRow(tenant_, device_, base::keys::DevicePart::kSession),
                      row.SerializeAsString()});
    Write(session, copies, std::move(writes));
  }

  // The device is the one that Ann uses.
  storage::Write InUse() {
    store::DeviceInUse row;
    row.set_device_uuid(device_.ToString());
    return {storage::Space::kDevices, base::keys::DeviceInUse(tenant_, ann_), row.SerializeAsString()};
  }

  // Ann's copy is known by a session of hers; then the device is told in one of Ben's to drop it, and says that it did.
  StreamFacts& DropAnnsCopy() {
    const StreamFacts& first = Start("first", ann_, true);
    WriteBegin(first, {CopyOf(ann_)});
    StreamFacts& second = Start("second", ben_, false);
    WriteBegin(second, {CopyOf(ann_), NoCopyOf(ben_)}, {SyncOf(first, v1::SYNC_OUTCOME_TAKEN_OVER)});
    second.dropped.insert(ann_.ToString());
    return second;
  }

  const base::CommitPoint kHead{"opening", 1};
  const feed::Position kPlace = feed::Position::EndOf(1);
  const base::TenantId tenant_ = *base::TenantId::Parse("acme");
  const base::Uuid device_ = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
  const base::Uuid ann_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000000");
  const base::Uuid ben_ = *base::Uuid::Parse("bbbbbbbb-0000-4000-8000-000000000000");
  std::map<std::string, StreamFacts> sessions_;
  std::vector<std::string> faults_;
  Oracle oracle_{[this](const std::string& fault) { faults_.push_back(fault); },
                 {.session = [this](const std::string& session_id) { return &sessions_.at(session_id); },
                  .may_have_shown = [](absl::Time, const Moment&) { return true; },
                  .latest_shown = [](const Moment&) { return absl::UnixEpoch(); },
                  .may_have_called = [](const base::TenantId&, const base::Uuid&, absl::Time) { return true; },
                  .later_start = [](const StreamFacts&) { return false; },
                  .now = [] { return absl::UnixEpoch(); }},
                 [](const std::string&) {}};
};

TEST_F(OracleOfCopiesTest, ACopyIsNotForgottenBeforeItsDropIsWritten) {
  StreamFacts& session = DropAnnsCopy();
  // On its way when the device's word came.
  Write(session, {CopyOf(ann_), NoCopyOf(ben_)});
  EXPECT_THAT(faults_, IsEmpty());
  Write(session, {NoCopyOf(ben_)});
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OracleOfCopiesTest, ACopyThatWasDroppedIsNotWrittenAgain) {
  StreamFacts& session = DropAnnsCopy();
  Write(session, {NoCopyOf(ben_)});
  ASSERT_THAT(faults_, IsEmpty());
  Write(session, {CopyOf(ann_), NoCopyOf(ben_)});
  EXPECT_THAT(faults_, Contains("a copy that its device dropped is written again"));
}

TEST_F(OracleOfCopiesTest, ACopyThatNoDeviceDroppedIsNotForgotten) {
  StreamFacts& session = DropAnnsCopy();
  session.dropped.clear();
  Write(session, {NoCopyOf(ben_)});
  EXPECT_THAT(faults_, Contains("a copy is forgotten that was not dropped"));
}

TEST_F(OracleOfCopiesTest, AStartIsAnAckWhateverBecomesOfItsSync) {
  WriteBegin(Start("first", ann_, true), {NoCopyOf(ann_)});
  EXPECT_THAT(faults_, Contains("a sync begins or is refused, and what its start acknowledged is not recorded"));
}

TEST_F(OracleOfCopiesTest, AStartIsNoAckOfACopyThatIsToBeDropped) {
  store::Device blocked;
  blocked.add_carer_ids(ann_.ToString());
  blocked.set_blocked(true);
  WriteBegin(Start("first", ann_, true), {},
             {{storage::Space::kDevices, base::keys::DeviceRow(tenant_, device_, base::keys::DevicePart::kDevice),
               blocked.SerializeAsString()}});
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OracleOfCopiesTest, ACarerWhoSignsInUsesTheDevice) {
  StreamFacts& session = Start("first", ann_, true);
  session.start.set_sync_type(v1::SYNC_TYPE_STANDARD);
  WriteBegin(session, {CopyOf(ann_)}, {InUse()});
  EXPECT_THAT(faults_, IsEmpty());
  EXPECT_EQ(oracle_.DeviceInUse(tenant_, ann_.ToString()), device_);
}

TEST_F(OracleOfCopiesTest, ASignInThatIsNotWrittenDownIsAFault) {
  StreamFacts& session = Start("first", ann_, true);
  session.start.set_sync_type(v1::SYNC_TYPE_STANDARD);
  WriteBegin(session, {CopyOf(ann_)});
  EXPECT_THAT(faults_, Contains("a carer signs in on a device that is not taken to be in use"));
}

TEST_F(OracleOfCopiesTest, AnAutoSyncIsNoSignIn) {
  WriteBegin(Start("first", ann_, true), {CopyOf(ann_)}, {InUse()});
  EXPECT_THAT(faults_, Contains("an auto sync is taken for the carer's doing"));
}

}  // namespace
}  // namespace caresync::simulation
