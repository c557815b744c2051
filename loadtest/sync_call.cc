#include "loadtest/sync_call.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/base/errors.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// Of a sync in which the device does its part.
constexpr absl::Duration kLongestSync = absl::Minutes(2);

}  // namespace

std::optional<absl::Duration> ShedFor(const absl::Status& ended) {
  return cli::ErrorReason(ended) == "OVERLOADED" ? base::RetryDelay(ended) : std::nullopt;
}

std::optional<absl::Duration> LongestCall(const SyncPlan& plan) {
  if (plan.stall.has_value()) return kLongestSync + plan.stall->ended_within;
  return plan.follow ? std::nullopt : std::optional<absl::Duration>(kLongestSync);
}

std::shared_ptr<SyncCall> SyncCall::Begin(SyncWiring wiring, SyncPlan plan) {
  std::shared_ptr<SyncCall> call(new SyncCall(std::move(wiring), std::move(plan)));
  call->self_ = call;
  call->context_.AddMetadata("authorization", call->wiring_.authorization);
  const bool stalls = call->plan_.stall.has_value();
  if (const std::optional<absl::Duration> longest = LongestCall(call->plan_); longest.has_value()) {
    call->context_.set_deadline(absl::ToChronoTime(absl::Now() + *longest));
  }
  call->began_ = call->plan_.first_tried.value_or(Now());
  {
    storage::MutexLock lock(call->mutex_);
    call->end_.type = call->plan_.type;
    for (v1::SyncRequest& request : call->wiring_.device->Begin(call->plan_.type, call->plan_.follow)) {
      call->outbox_.push_back(std::move(request));
    }
    call->wiring_.stub->async()->Sync(&call->context_, call.get());
    call->WriteNext();
    call->unread_ = stalls && call->plan_.stall->message == 0;
    if (call->unread_) {
      call->AddHold();
    } else {
      call->StartRead(&call->incoming_);
    }
  }
  call->StartCall();
  if (call->plan_.cut.has_value() && call->plan_.cut->message == 0) call->Leave();
  return call;
}

void SyncCall::Leave() {
  {
    storage::MutexLock lock(mutex_);
    if (left_) return;
    left_ = true;
    end_.cut = true;
  }
  context_.TryCancel();
  StartReading();
}

void SyncCall::StartReading() {
  {
    storage::MutexLock lock(mutex_);
    if (!std::exchange(unread_, false)) return;
    StartRead(&incoming_);
  }
  RemoveHold();
}

void SyncCall::OnReadInitialMetadataDone(bool ok) {
  // What it has ended with can be told.
  if (!ok) return StartReading();
  {
    storage::MutexLock lock(mutex_);
    if (!unread_ || left_) return;
    stalled_ = true;
  }
  plan_.stall->on_stalled();
}

void SyncCall::OnReadDone(bool ok) {
  // OnDone tells how it ended.
  if (!ok) return;
  const Instant came = Now();
  bool cut = false;
  bool stalls = false;
  {
    storage::MutexLock lock(mutex_);
    if (!left_ && !stalled_) {
      // One that was let read before the server had begun to answer stalls at what it reads first.
      stalled_ = StallsNow();
      if (!stalled_) cut = Take(came);
      stalls = stalled_;
    }
  }
  if (stalls) plan_.stall->on_stalled();
  if (cut) CutOff();
  StartRead(&incoming_);
}

bool SyncCall::IsCutAt(Cut::Place place) const {
  return plan_.cut.has_value() && plan_.cut->message == end_.messages && plan_.cut->place == place;
}

bool SyncCall::StallsNow() const {
  return plan_.stall.has_value() && plan_.stall->message == end_.messages && !end_.recorded;
}

bool SyncCall::Take(Instant came) {
  ++end_.messages;
  if (IsCutAt(Cut::Place::kUnapplied)) return true;
  CountMessage();
  std::optional<v1::SyncRequest> answer = wiring_.device->Handle(incoming_);
  if (incoming_.has_sync_recorded() && !end_.recorded) {
    end_.recorded = true;
    end_.latency = Between(began_, came);
  }
  if (plan_.on_applied) plan_.on_applied(incoming_, came);
  if (IsCutAt(Cut::Place::kUnacked)) return true;
  if (StallsNow()) {
    stalled_ = true;
    return false;
  }
  if (answer.has_value()) {
    outbox_.push_back(*std::move(answer));
    WriteNext();
  }
  return IsCutAt(Cut::Place::kAcked);
}

void SyncCall::CountMessage() {
  end_.bytes += incoming_.ByteSizeLong();
  end_.upserts += static_cast<uint64_t>(incoming_.changes().upserts_size());
  end_.removals += static_cast<uint64_t>(incoming_.changes().removals_size());
  end_.event_results += static_cast<uint64_t>(incoming_.upload_result().results_size());
  if (incoming_.has_rebuild()) ++end_.rebuilds;
}

void SyncCall::CutOff() {
  if (!plan_.cut->unheard) return Leave();
  SyncEnd end;
  {
    storage::MutexLock lock(mutex_);
    if (left_) return;
    left_ = true;
    end_.cut = true;
    end_.unheard = true;
    end = end_;
  }
  wiring_.on_end(end);
}

void SyncCall::WriteNext() {
  if (writing_ || outbox_.empty()) return;
  writing_ = true;
  StartWrite(&outbox_.front());
}

void SyncCall::OnWriteDone(bool ok) {
  storage::MutexLock lock(mutex_);
  writing_ = false;
  outbox_.pop_front();
  if (ok && !left_) WriteNext();
}

void SyncCall::OnDone(const grpc::Status& status) {
  const absl::Status ended = cli::errors::FromCall(status, wiring_.server);
  SyncEnd end;
  {
    storage::MutexLock lock(mutex_);
    end_.status = ended;
    if (!left_) end_.shed = ShedFor(ended);
    end_.stalled = stalled_ && !left_ && !end_.shed.has_value();
    end = end_;
  }
  if (end.stalled) plan_.stall->on_ended(ended);
  if (!end.unheard) wiring_.on_end(end);
  wiring_.on_gone(end.unheard ? std::optional<absl::Status>(ended) : std::nullopt);
  // Perhaps the last reference.
  const std::shared_ptr<SyncCall> self = std::move(self_);
}

}  // namespace caresync::loadtest
