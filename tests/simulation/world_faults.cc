// What goes wrong in the simulated world, and what else comes from outside.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/feed/feed_compaction.h"
#include "server/records/record_key.h"
#include "server/roster/care_event_stream.h"
#include "server/tenants/tenants.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

// ---- Work

void SimulatedWorld::RunWork() { server_->executor().RunOne(); }

void SimulatedWorld::RunAllWork() {
  server_->executor().RunAll();
  CheckAcksTaken();
  CheckConnected();
  CompareReports();
  CheckStalls();
}

// ---- The network and the devices

void SimulatedWorld::CutAtRandom(SimulatedStream& stream) {
  stream.Cut(Below(stream.under_way_to_device() + 1), Below(stream.under_way_to_server() + 1));
}

// Half of the time one that is so far, where there is one: some phases are short.
void SimulatedWorld::CutStream() {
  if (streams_.empty()) return;
  SimulatedStream* wanted = OneIn(2) ? FindSyncIn(AnyPhase()) : nullptr;
  SimulatedStream& stream = wanted != nullptr ? *wanted : *streams_[Below(streams_.size())];
  if (stream.network_broken()) return;
  Count("cut");
  Count(absl::StrCat("cut: ", NameOf(PhaseOf(stream))));
  CutAtRandom(stream);
}

void SimulatedWorld::KillDevice() {
  if (streams_.empty()) return;
  SimulatedStream& stream = *streams_[Below(streams_.size())];
  if (!stream.device_open()) return;
  Count("device killed");
  stream.CloseAtDevice();
  CutAtRandom(stream);
}

// Between two syncs a record of the copy in use gets lost, or other bytes.
void SimulatedWorld::SpoilCopy() {
  const size_t index = Below(devices_.size());
  if (HasOpenStream(index)) return;
  Device& device = devices_[index];
  const base::Uuid carer = device.carers[Below(device.carers.size())];
  fakes::HeldRecords& held = device.app.of(carer).in_use;
  if (held.empty()) return;
  Count("copy spoiled");
  device.spoiled.insert(carer);
  const auto record = std::next(held.begin(), static_cast<ptrdiff_t>(Below(held.size())));
  if (OneIn(2)) {
    held.erase(record);
  } else {
    record->second += "?";
  }
}

// A phone is set up from another one's backup: a second one with its UUID, its copies and what it has not sent. One in
// a seed, and not in each.
void SimulatedWorld::CloneDevice() {
  const bool may_clone = seed_ % 2 == 0;
  if (!may_clone || cloned_.has_value()) return;
  Count("phone cloned");
  cloned_ = Below(devices_.size());
  Device copy = devices_[*cloned_];
  copy.off_until.reset();
  devices_.push_back(std::move(copy));
}

void SimulatedWorld::HalfCloseEarly() {
  if (streams_.empty()) return;
  SimulatedStream& stream = *streams_[Below(streams_.size())];
  if (!stream.device_open() || stream.half_closed() || stream.CanFlush()) return;
  Count("half-closed early");
  stream.HalfClose();
}

// ---- The store

void SimulatedWorld::CompactFeed() {
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  const State& head = oracle_.model(tenant).head();
  const auto view = std::next(head.views.begin(), static_cast<ptrdiff_t>(Below(head.views.size())));
  const base::ReceiverId receiver = records::CarerReceiver(*base::Uuid::Parse(view->first));
  feed::Position up_to = feed::Position::EndOf(Below(head.revision + 1));
  if (OneIn(3) && !head.records.empty()) {
    const auto record = std::next(head.records.begin(), static_cast<ptrdiff_t>(Below(head.records.size())));
    up_to.record = KeyOf(record->first);
  }
  ForgetRemovals(tenant, receiver, up_to, 1 + Below(5));
}

void SimulatedWorld::ForgetRemovals(const base::TenantId& tenant, const base::ReceiverId& receiver,
                                    const feed::Position& up_to, size_t most) {
  server_->sequencer().Submit(
      tenant,
      [this, receiver, up_to, most](commit::Transaction& transaction) {
        const absl::StatusOr<size_t> forgotten = feed::Compact(transaction, receiver, up_to, most);
        if (forgotten.ok() && *forgotten > 0 && !retiring_) Count("removals forgotten");
        return forgotten.status();
      },
      [](const absl::StatusOr<commit::Committed>&) {});
}

// Elsewhere in the server, and at a source, things go on while somebody is about to read.
void SimulatedWorld::BeQuicker() { WorkBeforeSnapshots(1 + Below(6)); }

void SimulatedWorld::WorkBeforeSnapshots(size_t times) {
  server_->store().BeforeNextSnapshot([this, times] {
    Count("others are quicker");
    if (OneIn(2)) SendRota();
    for (size_t i = 1 + Below(6); i > 0; --i) server_->executor().RunOne();
    if (times > 1) WorkBeforeSnapshots(times - 1);
  });
}

void SimulatedWorld::TakeBackup() {
  Count("backup");
  if (backups_.size() == 3) backups_.erase(backups_.begin());
  backups_.push_back({server_->memory().Copy(), oracle_.truth()});
}

// The server dies and comes back on what was committed: at any moment, or when a sync is so far.
void SimulatedWorld::Crash() {
  if (!crash_at_.has_value() && OneIn(2)) {
    crash_at_ = AnyPhase();
    return;
  }
  CrashNow();
}

void SimulatedWorld::CrashNow() {
  Count("crash");
  CountPhases("crash");
  Restart(absl::ZeroDuration());
}

bool SimulatedWorld::TakeAwaitedFault() {
  if (crash_at_.has_value() && IsAnySyncIn(*crash_at_)) {
    Trace("awaited crash");
    CrashNow();
    return true;
  }
  if (unflushed_.has_value() && power_cut_at_.has_value() && IsAnySyncIn(*power_cut_at_)) {
    Trace("awaited power cut");
    CutPower();
    return true;
  }
  return false;
}

bool SimulatedWorld::IsAnySyncIn(SyncPhase phase) const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [phase](const auto& stream) { return PhaseOf(*stream) == phase; });
}

SimulatedStream* SimulatedWorld::FindSyncIn(SyncPhase phase) {
  const size_t first = Below(streams_.size());
  for (size_t i = 0; i < streams_.size(); ++i) {
    SimulatedStream& stream = *streams_[(first + i) % streams_.size()];
    if (!stream.network_broken() && PhaseOf(stream) == phase) return &stream;
  }
  return nullptr;
}

void SimulatedWorld::CountPhases(const std::string& fault) {
  for (const auto& stream : streams_) {
    if (stream->server_open()) Count(absl::StrCat(fault, ": ", NameOf(PhaseOf(*stream))));
  }
}

// The server is told to go away: it says so to whoever is connected, ends all that is open, and is started again.
void SimulatedWorld::ShutDown() {
  Count("orderly shutdown");
  CountPhases("shutdown");
  server_->store().HoldBackDone(false);
  server_->store().ReleaseAll();
  for (const auto& stream : streams_) {
    if (stream->server_open()) stream->Stop(base::errors::ShuttingDown(base::limits::kReconnectAfter));
  }
  // For longer it waits for none.
  server_->executor().Advance(base::limits::kShutdownGrace);
  const bool any_left =
      std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) { return stream->server_open(); });
  if (any_left) Fail("a session goes on though the server goes away");
  Reap();
  // Else the network breaks before the devices hear of it.
  if (OneIn(2)) MoveStreams();
  Restart(absl::ZeroDuration());
}

// Not in each seed: what the sources plan lies in the past then.
void SimulatedWorld::StayDownForAWeek() {
  if (seed_ % 4 != 3) return;
  Count("restart after a week");
  Restart(absl::Hours(24 * 7) + absl::Minutes(static_cast<int>(Below(600))));
}

void SimulatedWorld::Restart(absl::Duration down) {
  std::unique_ptr<storage::MemoryStore> memory = server_->memory().Copy();
  const Truth truth = oracle_.truth();
  RetireServer();
  oracle_.GoBackTo(truth);
  waits_.Saw(clock_.Now());
  clock_.Advance(down);
  OpenServer(std::move(memory));
  for (auto& [of, source] : sources_) source.begins_stream = true;
}

// What a commit leaves in the cache alone is on the disk once a later one is flushed.
void SimulatedWorld::KeepWhatIsFlushed(storage::Durability durability) {
  if (!power_at_risk_) return;
  if (durability == storage::Durability::kDurable) return unflushed_.reset();
  if (!unflushed_.has_value()) unflushed_ = Backup{server_->memory().Copy(), oracle_.truth()};
}

// First it begins to be kept what would be left; then the power goes, at any moment or when a sync is so far, and the
// server comes back on that.
void SimulatedWorld::CutPower() {
  if (!std::exchange(power_at_risk_, true) && OneIn(2)) power_cut_at_ = AnyPhase();
  if (!unflushed_.has_value()) return;
  Count("power cut");
  CountPhases("power cut");
  Backup left = *std::exchange(unflushed_, std::nullopt);
  power_at_risk_ = false;
  JudgePowerCut(left.truth);
  RetireServer();
  oracle_.GoBackTo(left.truth);
  oracle_.NoteLoss();
  OpenServer(std::move(left.memory));
  for (auto& [of, source] : sources_) source.begins_stream = true;
}

void SimulatedWorld::JudgePowerCut(const Truth& left) {
  const auto is_lost = [&](const base::TenantId& tenant, const base::CommitPoint& commit) {
    return oracle_.model(tenant).IsKnown(commit) && !left.models.at(tenant).IsKnown(commit);
  };
  for (const auto& [of, source] : sources_) {
    const base::CommitPoint seen{source.last_commit.timeline(), source.last_commit.revision()};
    if (is_lost(of.first, seen)) Fail("a power cut loses a change that a source was answered for");
  }
  for (const Answered& answered : answered_) {
    const EventKey event{answered.event.event_id(), answered.event.event()};
    const State& now = oracle_.model(answered.sender.tenant).head();
    const State& then = left.models.at(answered.sender.tenant).head();
    const bool is_there = now.settled.contains(event) || now.for_review.contains(event);
    if (is_there && !then.settled.contains(event) && !then.for_review.contains(event)) {
      Fail("a power cut loses an event that a device was answered for");
    }
  }
  for (const auto& [device, known] : oracle_.truth().devices) {
    const auto then = left.devices.find(device);
    const std::optional<absl::Time> success = then == left.devices.end() ? std::nullopt : then->second.last_success;
    if (known.last_success != success) Fail("a power cut loses a sync that was recorded");
  }
}

// An older copy of the store takes the place of the one in use.
void SimulatedWorld::Restore() {
  if (backups_.empty()) return;
  Count("restore");
  const Backup& backup = backups_[Below(backups_.size())];
  RetireServer();
  oracle_.GoBackTo(backup.truth);
  oracle_.NoteLoss();
  OpenServer(backup.memory->Copy());
  // It may be of a time that a clock showed which was ahead.
  last_jump_ = clock_.Monotonic();
  for (const base::TenantId& tenant : tenants_) {
    const bool shows = std::any_of(devices_.begin(), devices_.end(),
                                   [&](const Device& device) { return device.tenant == tenant && ShowsALoss(device); });
    if (shows) continue;
    // No device holds anything of the lost state but events that were answered: nothing tells the server.
    Count("restore that no device shows");
    for (Device& device : devices_) device.send_kept_again |= device.tenant == tenant;
  }
  // The server asks for events again by UUID: one of two phones is never asked.
  for (Device& device : devices_) device.send_kept_again |= IsOfPair(device);
  for (auto& [of, source] : sources_) source.begins_stream = true;
  for (auto& [of, reader] : readers_) reader.restored = true;
  for (auto& [tenant, watcher] : watchers_) watcher.restored = true;
  // Phones may come before any source has found out: at once, or when a short wait and its spread are over.
  constexpr int kEarlyPhones = 3;
  if (OneIn(2)) {
    if (OneIn(2)) server_->executor().Advance(absl::Minutes(2) + base::limits::kRebuildSpread);
    for (int i = 0; i < kEarlyPhones; ++i) StartSync();
    server_->executor().RunAll();
  }
}

// ---- Time

void SimulatedWorld::PassTime() {
  const size_t roll = Below(12);
  if (roll == 0) {
    Count("an interval");
    return server_->executor().Advance(absl::Minutes(31));
  }
  if (roll < 4) Count("silence");
  server_->executor().Advance(roll < 4 ? absl::Seconds(61) : absl::Seconds(1 + static_cast<int>(Below(12))));
}

void SimulatedWorld::SetClock(absl::Time now) {
  const absl::Time before = clock_.Now();
  latest_ = std::max(latest_, before);
  clock_.SetNow(now);
  waits_.WasSet(before, now);
  last_jump_ = clock_.Monotonic();
  jumps_.emplace_back(before, now);
}

void SimulatedWorld::JumpClock() {
  const absl::Time before = clock_.Now();
  SetClock(before + absl::Minutes(static_cast<int>(Below(6'000)) - 3'000));
  Count(clock_.Now() < before ? "clock jump back" : "clock jump forwards");
}

// Time enough for visits to cross the window's edges.
void SimulatedWorld::PassHours() {
  const std::set<Name> before = oracle_.model(tenants_[0]).head().outside;
  server_->executor().Advance(absl::Minutes(30 + static_cast<int>(Below(300))));
  const std::set<Name>& after = oracle_.model(tenants_[0]).head().outside;
  for (const Name& visit : before) {
    if (!after.contains(visit)) Count("a visit comes with time");
  }
  for (const Name& visit : after) {
    if (!before.contains(visit)) Count("a visit leaves with time");
  }
}

void SimulatedWorld::ChangeWindow() {
  static constexpr int kWindows[] = {0, 1, 3, 9, 48};
  static constexpr int kRetentions[] = {0, 24, 30, 48};
  v1::UpdateTenantRequest request;
  const base::TenantId& tenant = tenants_[OneIn(4) ? 1 : 0];
  request.set_tenant_id(tenant.text());
  if (!OneIn(4)) request.mutable_download_window()->set_seconds(3600 * kWindows[Below(std::size(kWindows))]);
  if (!OneIn(4)) request.mutable_retention()->set_seconds(3600 * kRetentions[Below(std::size(kRetentions))]);
  server_->sequencer().Submit(
      tenant,
      [request](commit::Transaction& transaction) { return tenants::UpdateTenant(transaction, request).status(); },
      [this, tenant](const absl::StatusOr<commit::Committed>& done) {
        if (retiring_ || !done.ok()) return;
        if (done->wrote) Count("window changed");
        server_->TellPreferences(tenant);
      });
}

// ---- A source's reader

void SimulatedWorld::ReadCareEvents() {
  const auto reader = std::next(readers_.begin(), static_cast<ptrdiff_t>(Below(readers_.size())));
  ReadOne(reader->first.first, reader->first.second, reader->second);
}

void SimulatedWorld::ReadOne(const base::TenantId& tenant, const std::string& source, Reader& reader) {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  if (!snapshot.ok()) return Fail("no snapshot");
  const absl::StatusOr<v1::StreamCareEventsResponse> read =
      roster::ReadCareEvents(**snapshot, tenant, source, reader.token, server_->sealer());
  if (!read.ok()) return Fail(absl::StrCat("a source cannot read its events: ", read.status().ToString()));
  if (read->restarted()) {
    Count("source reads anew");
    if (!reader.restored) Fail("a source's events come from the beginning without a restore");
    reader.events.clear();
  }
  for (const v1::CareEventDelivery& delivery : read->events()) {
    const bool is_new = reader.events.emplace(delivery.event_id(), delivery.event()).second;
    if (!is_new && !reader.restored) Fail(absl::StrCat("event ", delivery.event_id(), " is delivered twice"));
    reader.events[delivery.event_id()] = delivery.event();
    if (delivery.parent_external_id().empty()) Fail("a source's event does not name the source's record");
  }
  reader.token = read->resume_token();
}

}  // namespace caresync::simulation
