// How a session goes on after its first success, what it waits for, and what it tells the device of its own accord.
#include <algorithm>
#include <utility>
#include <variant>

#include "google/protobuf/util/time_util.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/sync/notice.h"
#include "server/sync/policy.h"
#include "server/sync/session.h"
#include "server/sync/start_check.h"
#include "server/tenants/tenants.h"

namespace caresync::sync {

namespace errors = base::errors;
namespace limits = base::limits;

// ---- Rounds

void Session::On(MovedEvent event) {
  moved_to_ = std::max(moved_to_, event.revision);
  Continue();
}

void Session::BeginRound() {
  success_ = Success::kNotYet;
  records_done_ = 0;
  records_total_ = 0;
  store::SyncRow& sync = rows_->sync();
  sync.set_outcome(v1::SYNC_OUTCOME_UNDER_WAY);
  sync.set_end_time_us(0);
}

void Session::MarkSuccess() {
  // What a copy has acknowledged that was wrong counts from now on.
  if (rows_->copy().diverged()) news_.AddCarer(identity_.carer);
  if (follows()) rows_->sync().set_confirmations(rows_->sync().confirmations() + 1);
  rows_->MarkSuccess(now_);
  success_ = Success::kBeingRecorded;
}

void Session::OnRecorded() {
  success_ = Success::kRecorded;
  outcome_ = v1::SYNC_OUTCOME_SUCCEEDED;
  if (!follows()) return;
  caught_up_sent_ = false;
  SetConfirmTimer();
}

v1::SyncRecorded Session::RecordedNow() {
  v1::SyncRecorded recorded;
  *recorded.mutable_recorded_time() = base::ToTimestamp(now_);
  if (manual_due_since_.has_value()) {
    *recorded.mutable_manual_sync_due_since_time() = base::ToTimestamp(*manual_due_since_);
  }
  if (!std::exchange(changes_wait_, false)) return recorded;
  const v1::Policy policy = PolicyNow();
  if (policy.has_next_auto_sync_time()) *recorded.mutable_next_auto_sync_time() = policy.next_auto_sync_time();
  return recorded;
}

void Session::On(ManualDueReadEvent event) {
  if (phase_ != Phase::kRunning) return;
  if (!event.since.ok()) return Fail(base::Named(event.since.status()), v1::SYNC_OUTCOME_SERVER_FAILED);
  manual_due_since_ = *event.since;
}

void Session::SetConfirmTimer() {
  const absl::Duration interval = tenants::AutoSyncInterval(facts_->tenant, facts_->branch_id);
  actions_.push_back(
      SetTimerAction{SessionTimer::kConfirm, interval > absl::ZeroDuration() ? interval : limits::kFollowInterval});
}

// ---- Waiting for fan-outs

void Session::WaitForFanOuts() {
  if (!std::exchange(waiting_, true)) {
    actions_.push_back(SetTimerAction{SessionTimer::kFanOutWait, limits::kFanOutWait});
    actions_.push_back(SubscribeAction{SessionTopic::kFanOuts});
    // It may have gone through before anybody could tell.
    look_again_ = true;
  }
  actions_.push_back(SetTimerAction{SessionTimer::kFanOutLook, limits::kFanOutLook});
  Continue();
}

void Session::EndWaiting() {
  if (!std::exchange(waiting_, false)) return;
  // Every fan-out of the tenant would tell it for as long as the stream lasts.
  actions_.push_back(UnsubscribeAction{SessionTopic::kFanOuts});
  actions_.push_back(SetTimerAction{SessionTimer::kFanOutWait, std::nullopt});
  actions_.push_back(SetTimerAction{SessionTimer::kFanOutLook, std::nullopt});
}

// One that was on its way when the subscription ended is harmless: who does not wait needs no leave to look.
void Session::On(FanOutsMovedEvent event) {
  look_again_ = true;
  Continue();
}

// ---- Notices

void Session::On(NoticeEvent event) {
  if (std::holds_alternative<SyncAsked>(event.notice)) {
    notices_.sync_now = true;
  } else if (std::holds_alternative<PreferencesChanged>(event.notice)) {
    notices_.preferences_asked = true;
    actions_.push_back(ReadTenantAction{});
  } else {
    const DropAsked& asked = std::get<DropAsked>(event.notice);
    notices_.drop_now.insert(asked.carer_ids.begin(), asked.carer_ids.end());
    if (notices_.drop_now.contains(identity_.carer.ToString())) permission_asked_ = true;
  }
  Continue();
}

void Session::On(TenantReadEvent event) {
  if (!event.tenant.ok()) return Fail(base::Named(event.tenant.status()), v1::SYNC_OUTCOME_SERVER_FAILED);
  const bool differ = event.tenant->SerializeAsString() != facts_->tenant.SerializeAsString() ||
                      event.branch_id.value_or(facts_->branch_id) != facts_->branch_id;
  facts_->tenant = *std::move(event.tenant);
  if (event.branch_id.has_value()) facts_->branch_id = *std::move(event.branch_id);
  notices_.preferences |= std::exchange(notices_.preferences_asked, false) || differ;
  if (!WhyTooOld(facts_->tenant, start_.app_version()).ok()) permission_asked_ = true;
  if (follows() && IsIdle()) SetConfirmTimer();
  Continue();
}

std::optional<v1::SyncResponse> Session::NextNotice() {
  v1::SyncResponse response;
  v1::Notice& notice = *response.mutable_notice();
  if (!notices_.drop_now.empty()) {
    for (const std::string& carer : std::exchange(notices_.drop_now, {})) {
      notice.mutable_drop_now()->add_carer_ids(carer);
      drops_told_.insert(carer);
      if (carer == identity_.carer.ToString()) own_drop_told_ = permission_asked_ = true;
    }
  } else if (std::exchange(notices_.preferences, false)) {
    *notice.mutable_preferences() = PolicyNow();
  } else if (std::exchange(notices_.sync_now, false)) {
    notice.mutable_sync_now();
  } else if (std::exchange(notices_.credentials_end, false)) {
    *notice.mutable_credentials_end_time() = base::ToTimestamp(identity_.credential_end);
  } else {
    return std::nullopt;
  }
  return response;
}

void Session::SetCredentialTimer(absl::Duration early) {
  if (identity_.credential_end == absl::InfiniteFuture()) return;
  const absl::Duration left = identity_.credential_end - now_ - early;
  actions_.push_back(SetTimerAction{SessionTimer::kCredential, std::max(left, absl::ZeroDuration())});
}

// The wall clock decides, whatever the timer said.
void Session::OnCredentialTimer() {
  const absl::Duration left = identity_.credential_end - now_;
  if (left <= absl::ZeroDuration()) return Fail(errors::CredentialExpired(), v1::SYNC_OUTCOME_INTERRUPTED);
  if (left > limits::kCredentialNotice) return SetCredentialTimer(limits::kCredentialNotice);
  notices_.credentials_end = true;
  SetCredentialTimer(absl::ZeroDuration());
  Continue();
}

void Session::SayGoodbye() {
  // What is under way leaves first, and then the end itself says when to come back.
  if (!going_away_ || !begun_ || sending_ || abandon_) return;
  v1::SyncResponse response;
  *response.mutable_notice()->mutable_going_away()->mutable_reconnect_after() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(
          absl::ToInt64Milliseconds(ReconnectAfter(identity_.device)));
  actions_.push_back(SendAction{std::move(response)});
}

}  // namespace caresync::sync
