// What the oracle says of what devices are told beside their data: what their tenant wants, that a credential ends,
// that the server goes away.
#include <optional>

#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/simulation/oracle.h"

namespace caresync::simulation {

namespace limits = base::limits;

bool IsPolicyOf(const v1::Policy& policy, const State& state) {
  return absl::Seconds(policy.auto_sync_interval().seconds()) == state.auto_sync_interval &&
         policy.least_app_version() == state.least_app_version && policy.time_zone() == state.time_zone;
}

bool SyncsInTime(const v1::Started& started) {
  const v1::Policy& policy = started.policy();
  if (!policy.has_next_auto_sync_time()) return true;
  const std::optional<absl::Time> now = base::FromTimestamp(started.server_time());
  const std::optional<absl::Time> next = base::FromTimestamp(policy.next_auto_sync_time());
  const absl::Duration interval = absl::Seconds(policy.auto_sync_interval().seconds());
  return now.has_value() && next.has_value() && *next > *now + limits::kBroughtForwardLeast &&
         *next <= *now + interval + interval / 2;
}

void Oracle::CheckTold(StreamFacts& facts, const v1::SyncResponse& response) {
  Expect(!facts.going_away_told, "something is sent after going_away");
  const v1::Notice& notice = response.notice();
  if (response.has_started()) {
    CheckPolicy(facts, response.started().policy());
    Expect(SyncsInTime(response.started()), "a device's next auto sync is too soon, or too late for its interval");
  }
  if (notice.has_preferences()) {
    const bool is_other = facts.policy.has_value() && facts.policy->auto_sync_interval().seconds() !=
                                                          notice.preferences().auto_sync_interval().seconds();
    if (is_other) on_count_("another auto sync interval told while connected");
    CheckPolicy(facts, notice.preferences());
  }
  if (notice.has_credentials_end_time()) CheckCredentialNotice(facts, notice);
  if (notice.has_going_away()) CheckGoingAway(facts, notice.going_away());
}

// The tenant wanted it at some time since the start.
void Oracle::CheckPolicy(StreamFacts& facts, const v1::Policy& policy) {
  const NaiveModel& model = this->model(facts.identity.tenant);
  bool was_so = false;
  for (base::Revision at = facts.head_at_start.value_or(0); at <= model.head().revision; ++at) {
    was_so = was_so || IsPolicyOf(policy, *model.At(at));
  }
  Expect(was_so, "a device is told preferences that its tenant has not had since the start");
  Expect(policy.has_next_auto_sync_time() == (policy.auto_sync_interval().seconds() > 0),
         "a device is told a time of its next auto sync and is to have none, or the other way round");
  facts.policy = policy;
}

void Oracle::CheckCredentialNotice(StreamFacts& facts, const v1::Notice& notice) {
  const absl::Time end = facts.identity.credential_end;
  Expect(facts.start.follow(), "a device that does not follow is told that its credential ends");
  Expect(base::FromTimestamp(notice.credentials_end_time()) == end, "a device is told another end of its credential");
  Expect(world_.latest_shown(facts.at_opening) >= end - limits::kCredentialNotice,
         "a device is told that its credential ends long before it does");
  facts.credential_end_told = true;
  on_count_("credential's end told");
}

void Oracle::CheckGoingAway(StreamFacts& facts, const v1::GoingAway& going_away) {
  Expect(facts.told_to_stop, "a device is told that the server goes away, which stays");
  const absl::Duration after =
      absl::Seconds(going_away.reconnect_after().seconds()) + absl::Nanoseconds(going_away.reconnect_after().nanos());
  Expect(after >= limits::kReconnectAfter && after <= limits::kReconnectAfter + limits::kReconnectSpread,
         "a device is told to come back too soon, or too late");
  facts.going_away_told = true;
  on_count_("going_away told");
}

}  // namespace caresync::simulation
