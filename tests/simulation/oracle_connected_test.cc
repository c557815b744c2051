// What the oracle says of what connected devices are told, and of why they are sent away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/simulation/oracle.h"

namespace caresync::simulation {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class OracleOfConnectedTest : public ::testing::Test {
 protected:
  OracleOfConnectedTest() {
    oracle_.AddTenant(tenant_, {carer_.ToString()});
    oracle_.AddDevice(tenant_, device_);
    facts_.session_id = "session";
    facts_.identity = {tenant_, device_, carer_, now_ + absl::Hours(1)};
    facts_.carer = carer_.ToString();
    facts_.start.set_follow(true);
    facts_.head_at_start = 0;
  }

  // The tenant's next revision; the carer may have come with it.
  void Commit(absl::Duration interval, bool knows_carer) {
    State state = oracle_.model(tenant_).NextState();
    state.auto_sync_interval = interval;
    if (knows_carer) {
      state.records[{v1::RECORD_KIND_CARER, carer_.ToString()}] = std::make_shared<const NaiveRecord>();
    }
    store::TenantHead head;
    head.set_revision(state.revision);
    oracle_.Propose(tenant_, std::move(state));
    const std::vector<storage::Write> writes = {
        {storage::Space::kRecords, base::keys::TenantHead(tenant_), head.SerializeAsString()}};
    oracle_.OnHandedOver(writes);
    oracle_.OnApplied(writes);
  }

  void Send(const v1::SyncResponse& response) { oracle_.OnSend(facts_, response, sealer_, 1'000); }

  static v1::Policy PolicyOf(absl::Duration interval) {
    v1::Policy policy;
    policy.set_time_zone("UTC");
    policy.mutable_auto_sync_interval()->set_seconds(absl::ToInt64Seconds(interval));
    // Of a start that says no time, by the epoch.
    if (interval > absl::ZeroDuration()) {
      *policy.mutable_next_auto_sync_time() = base::ToTimestamp(absl::UnixEpoch() + interval);
    }
    return policy;
  }

  void SendStarted(absl::Duration interval) {
    v1::SyncResponse response;
    *response.mutable_started()->mutable_policy() = PolicyOf(interval);
    Send(response);
  }

  void SendGoingAway(absl::Duration reconnect_after) {
    v1::SyncResponse response;
    response.mutable_notice()->mutable_going_away()->mutable_reconnect_after()->set_seconds(
        absl::ToInt64Seconds(reconnect_after));
    Send(response);
  }

  const base::TenantId tenant_ = *base::TenantId::Parse("acme");
  const base::Uuid device_ = *base::Uuid::Parse("11111111-1111-4111-8111-111111111111");
  const base::Uuid carer_ = *base::Uuid::Parse("aaaaaaaa-0000-4000-8000-000000000000");
  const base::TokenSealer sealer_{std::string(32, 'k')};
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  StreamFacts facts_;
  std::vector<std::string> faults_;
  Oracle oracle_{[this](const std::string& fault) { faults_.push_back(fault); },
                 {.session = [this](const std::string&) { return &facts_; },
                  .may_have_shown = [](absl::Time, const Moment&) { return true; },
                  .latest_shown = [this](const Moment&) { return now_; },
                  .may_have_called = [](const base::TenantId&, const base::Uuid&, absl::Time) { return true; },
                  .later_start = [](const StreamFacts&) { return false; },
                  .now = [this] { return now_; }},
                 [](const std::string&) {}};
};

TEST_F(OracleOfConnectedTest, ADeviceIsToldWhatItsTenantWantsSinceItsStart) {
  SendStarted(base::limits::kAutoSyncIntervalDefault);
  Commit(absl::Minutes(5), false);
  v1::SyncResponse notice;
  *notice.mutable_notice()->mutable_preferences() = PolicyOf(absl::Minutes(5));
  Send(notice);
  EXPECT_THAT(faults_, IsEmpty());
  ASSERT_TRUE(facts_.policy.has_value());
  EXPECT_TRUE(IsPolicyOf(*facts_.policy, oracle_.model(tenant_).head()));
}

TEST_F(OracleOfConnectedTest, PreferencesThatTheTenantNeverHadAreAFault) {
  SendStarted(absl::Minutes(7));
  EXPECT_THAT(faults_, Contains("a device is told preferences that its tenant has not had since the start"));
}

TEST_F(OracleOfConnectedTest, AnotherTenantsTimeZoneIsAFault) {
  v1::SyncResponse response;
  *response.mutable_started()->mutable_policy() = PolicyOf(base::limits::kAutoSyncIntervalDefault);
  response.mutable_started()->mutable_policy()->set_time_zone("Australia/Lord_Howe");
  Send(response);
  EXPECT_THAT(faults_, Contains("a device is told preferences that its tenant has not had since the start"));
}

TEST_F(OracleOfConnectedTest, ATimeOutsideTheIntervalIsAFault) {
  v1::SyncResponse response;
  v1::Started& started = *response.mutable_started();
  *started.mutable_policy() = PolicyOf(base::limits::kAutoSyncIntervalDefault);
  *started.mutable_server_time() = base::ToTimestamp(now_);
  google::protobuf::Timestamp& next = *started.mutable_policy()->mutable_next_auto_sync_time();
  const absl::Duration latest = base::limits::kAutoSyncIntervalDefault * 3 / 2;
  next = base::ToTimestamp(now_ + latest);
  EXPECT_TRUE(SyncsInTime(started));
  next = base::ToTimestamp(now_ + latest + absl::Seconds(1));
  EXPECT_FALSE(SyncsInTime(started));
  next = base::ToTimestamp(now_ + base::limits::kBroughtForwardLeast + absl::Seconds(1));
  EXPECT_TRUE(SyncsInTime(started));
  next = base::ToTimestamp(now_ + base::limits::kBroughtForwardLeast);
  Send(response);
  EXPECT_THAT(faults_, Contains("a device's next auto sync is too soon, or too late for its interval"));
}

TEST_F(OracleOfConnectedTest, ACredentialThatHasEndedSendsAFollowerAway) {
  SendStarted(base::limits::kAutoSyncIntervalDefault);
  now_ = facts_.identity.credential_end;
  oracle_.CheckEnd(facts_, base::errors::CredentialExpired());
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(OracleOfConnectedTest, ACredentialThatIsGoodSendsNobodyAway) {
  now_ = facts_.identity.credential_end - absl::Seconds(1);
  oracle_.CheckEnd(facts_, base::errors::CredentialExpired());
  EXPECT_THAT(faults_, Contains("CREDENTIAL_EXPIRED though the credential is good"));
}

TEST_F(OracleOfConnectedTest, ACredentialsEndSendsNobodyAwayWhoDoesNotFollow) {
  facts_.start.set_follow(false);
  now_ = facts_.identity.credential_end;
  oracle_.CheckEnd(facts_, base::errors::CredentialExpired());
  EXPECT_THAT(faults_, Contains("CREDENTIAL_EXPIRED though the device does not follow"));
}

TEST_F(OracleOfConnectedTest, TheNoticeOfACredentialsEndComesMinutesBeforeIt) {
  v1::SyncResponse notice;
  *notice.mutable_notice()->mutable_credentials_end_time() = base::ToTimestamp(facts_.identity.credential_end);
  now_ = facts_.identity.credential_end - base::limits::kCredentialNotice;
  Send(notice);
  EXPECT_TRUE(facts_.credential_end_told);
  EXPECT_THAT(faults_, IsEmpty());
  now_ -= absl::Seconds(1);
  Send(notice);
  EXPECT_THAT(faults_, Contains("a device is told that its credential ends long before it does"));
}

TEST_F(OracleOfConnectedTest, AServerThatGoesAwaySaysSoLast) {
  SendStarted(base::limits::kAutoSyncIntervalDefault);
  facts_.told_to_stop = true;
  SendGoingAway(base::limits::kReconnectAfter);
  facts_.ended_while_sending = true;
  oracle_.CheckEnd(facts_, base::errors::ShuttingDown(base::limits::kReconnectAfter));
  EXPECT_THAT(faults_, IsEmpty());
  SendStarted(base::limits::kAutoSyncIntervalDefault);
  EXPECT_THAT(faults_, Contains("something is sent after going_away"));
}

TEST_F(OracleOfConnectedTest, AServerThatGoesAwayAndSaysNothingIsAFault) {
  SendStarted(base::limits::kAutoSyncIntervalDefault);
  facts_.told_to_stop = true;
  oracle_.CheckEnd(facts_, base::errors::ShuttingDown(base::limits::kReconnectAfter));
  EXPECT_THAT(faults_, Contains("SHUTTING_DOWN, and the device is not told before"));
}

TEST_F(OracleOfConnectedTest, AServerThatStaysSendsNobodyAway) {
  SendGoingAway(base::limits::kReconnectAfter);
  oracle_.CheckEnd(facts_, base::errors::ShuttingDown(base::limits::kReconnectAfter));
  EXPECT_THAT(faults_, Contains("a device is told that the server goes away, which stays"));
  EXPECT_THAT(faults_, Contains("SHUTTING_DOWN though the server stays"));
}

TEST_F(OracleOfConnectedTest, ACarerWhoHasNotComeIsUnknown) {
  oracle_.CheckEnd(facts_, base::errors::CarerUnknown(facts_.carer));
  EXPECT_THAT(faults_, IsEmpty());
  Commit(base::limits::kAutoSyncIntervalDefault, true);
  facts_.head_at_start = oracle_.model(tenant_).head().revision;
  oracle_.CheckEnd(facts_, base::errors::CarerUnknown(facts_.carer));
  EXPECT_THAT(faults_, Contains("CARER_UNKNOWN though the carer is there"));
}

}  // namespace
}  // namespace caresync::simulation
