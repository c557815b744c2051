#include "loadtest/fleet.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

// Under which the UUIDs of a fleet's devices are derived.
constexpr char kDeviceSpace[] = "8d3f1f52-6c0e-4a3b-9a55-1f0a7c5e2b90";

std::string WordsOf(const absl::Status& status) {
  return absl::StrCat(cli::ErrorReason(status), ": ", std::string(status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Make(size_t count, const std::string& name,
                                                   const std::vector<std::string>& carer_ids,
                                                   const Credentials& credentials, const Connections& connections,
                                                   Faults& faults) {
  const base::Uuid space = *base::Uuid::Parse(kDeviceSpace);
  std::unique_ptr<Fleet> fleet(new Fleet(connections, faults));
  for (size_t i = 0; i < count; ++i) {
    const std::string uuid = base::Uuid::Derived(space, absl::StrCat(name, "/", i)).ToString();
    const std::string& carer = carer_ids[i % carer_ids.size()];
    ASSIGN_OR_RETURN(std::string authorization, credentials.OfDevice(carer, uuid));
    VirtualDevice device(uuid, absl::StrFormat("Fleet %05d", i), carer);
    fleet->members_.push_back(std::make_unique<Member>(std::move(device), std::move(authorization)));
  }
  return fleet;
}

void Fleet::Run(NextSync next, Tally& tally) {
  Start(std::move(next), tally);
  Wait();
}

void Fleet::RunOnce(v1::SyncType type, Tally& tally) {
  // Each entry is its device's alone.
  const auto done = std::make_shared<std::vector<char>>(size());
  Run(
      [type, done](size_t index, VirtualDevice&) -> std::optional<SyncPlan> {
        if (std::exchange((*done)[index], 1) != 0) return std::nullopt;
        SyncPlan plan;
        plan.type = type;
        return plan;
      },
      tally);
}

void Fleet::Start(NextSync next, Tally& tally) {
  next_ = std::move(next);
  tally_ = &tally;
  {
    storage::MutexLock lock(mutex_);
    resting_ = 0;
  }
  for (size_t i = 0; i < members_.size(); ++i) Advance(i);
}

void Fleet::Wait() {
  storage::MutexLock lock(mutex_);
  while (!AllRest()) changed_.Wait(mutex_);
}

bool Fleet::WaitFor(std::chrono::milliseconds most) {
  const Instant until = Now() + most;
  storage::MutexLock lock(mutex_);
  while (!AllRest() && Now() < until) {
    changed_.WaitFor(mutex_, until - Now());
  }
  return AllRest();
}

bool Fleet::AllRest() const { return resting_ == members_.size() && calls_ == 0; }

void Fleet::Rouse(size_t index) {
  {
    // The device may still be on its way to its rest, and is counted a moment later then.
    storage::MutexLock lock(mutex_);
    --resting_;
  }
  Advance(index);
}

void Fleet::LeaveAll() {
  std::vector<std::shared_ptr<SyncCall>> calls;
  {
    storage::MutexLock lock(mutex_);
    for (const std::unique_ptr<Member>& member : members_) {
      if (member->call != nullptr) calls.push_back(member->call);
    }
  }
  for (const std::shared_ptr<SyncCall>& call : calls) call->Leave();
}

void Fleet::Leave(size_t index) {
  if (const std::shared_ptr<SyncCall> call = CallOf(index); call != nullptr) call->Leave();
}

void Fleet::LetRead(size_t index) {
  if (const std::shared_ptr<SyncCall> call = CallOf(index); call != nullptr) call->StartReading();
}

std::shared_ptr<SyncCall> Fleet::CallOf(size_t index) const {
  storage::MutexLock lock(mutex_);
  return members_[index]->call;
}

size_t Fleet::resting() const {
  storage::MutexLock lock(mutex_);
  return resting_;
}

void Fleet::Advance(size_t index) {
  std::optional<SyncPlan> plan = next_(index, members_[index]->device);
  if (!plan.has_value()) return Rest();
  BeginLater(index, *std::move(plan));
}

void Fleet::BeginLater(size_t index, SyncPlan plan) {
  if (plan.pause <= absl::ZeroDuration()) return BeginSync(index, std::move(plan));
  Member& member = *members_[index];
  const auto when = std::chrono::system_clock::now() + absl::ToChronoMicroseconds(plan.pause);
  // When it rings, this may still be at setting it: the next pause must not destroy it then.
  const auto alarm = std::make_shared<grpc::Alarm>();
  member.alarm = alarm;
  alarm->Set(when, [this, index, plan = std::move(plan)](bool) { BeginSync(index, plan); });
}

void Fleet::BeginSync(size_t index, SyncPlan plan) {
  Member& member = *members_[index];
  {
    storage::MutexLock lock(mutex_);
    ++calls_;
    if (plan.cut.has_value() && member.unheard_open) plan.cut->unheard = false;
  }
  if (!plan.first_tried.has_value()) plan.first_tried = Now();
  member.plan = plan;
  SyncWiring wiring;
  wiring.stub = plan.stub == nullptr ? connections_->OfDevice(index) : plan.stub;
  wiring.device = &member.device;
  wiring.authorization = member.authorization;
  wiring.server = connections_->server();
  wiring.on_end = [this, index](const SyncEnd& end) { OnEnd(index, end); };
  wiring.on_gone = [this, index](const std::optional<absl::Status>& unheard) { OnGone(index, unheard); };
  const bool may_be_left = plan.follow || plan.stall.has_value();
  const std::shared_ptr<SyncCall> call = SyncCall::Begin(std::move(wiring), std::move(plan));
  if (!may_be_left) return;
  // It may have ended meanwhile; to leave it then does nothing.
  storage::MutexLock lock(mutex_);
  member.call = call;
}

void Fleet::OnEnd(size_t index, const SyncEnd& end) {
  Member& member = *members_[index];
  tally_->Add(end);
  for (const std::string& fault : member.device.TakeFaults()) Tell(index, fault);
  if (end.shed.has_value()) return OnShed(index, *end.shed);
  if (!end.cut && !end.stalled && (!end.status.ok() || !end.recorded)) {
    Tell(index, end.status.ok() ? "the stream ended well before the sync was recorded" : WordsOf(end.status));
    return Rest();
  }
  if (end.unheard) {
    storage::MutexLock lock(mutex_);
    member.unheard_open = true;
  }
  Advance(index);
}

void Fleet::OnShed(size_t index, absl::Duration retry_after) {
  Member& member = *members_[index];
  member.device.Refused();
  if (!member.plan.again_when_shed) return Advance(index);
  // A server that goes on refusing must not keep a run from its end.
  if (StopWished()) return Rest();
  SyncPlan again = member.plan;
  again.pause = retry_after;
  BeginLater(index, std::move(again));
}

void Fleet::OnGone(size_t index, const std::optional<absl::Status>& unheard) {
  if (unheard.has_value() && !unheard->ok() && cli::ErrorReason(*unheard) != "SESSION_TAKEN_OVER") {
    Tell(index, absl::StrCat("a stream that another one took over ended so: ", WordsOf(*unheard)));
  }
  storage::MutexLock lock(mutex_);
  if (unheard.has_value()) members_[index]->unheard_open = false;
  --calls_;
  changed_.NotifyAll();
}

void Fleet::Rest() {
  storage::MutexLock lock(mutex_);
  ++resting_;
  changed_.NotifyAll();
}

void Fleet::Tell(size_t index, const std::string& fault) {
  const VirtualDevice& device = members_[index]->device;
  faults_.Add(absl::StrCat("device ", index, " (", device.uuid(), "): ", fault));
}

}  // namespace caresync::loadtest
