// The office looks at mismatches: at what commits make of them, at any moment, and at the end; and what may come
// between a look of the server's and its commit.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/mismatches.pb.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/commit/tasks.h"
#include "server/mismatch/mismatch_list.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;

constexpr int kPagesMost = 1'000;
// By then the server has looked at what is due: a look that failed is tried again after a pause, and one that a start
// of the server put off has come.
constexpr absl::Duration kLooked = absl::Minutes(10);
static_assert(kLooked > limits::kTaskPauseMost && kLooked > limits::kMismatchesRest && kLooked > limits::kTaskSleep);
// A clock that was set back may have left the task so far ahead, and nobody looks at it earlier.
constexpr absl::Duration kLookedAfterJump = absl::Minutes(150);
static_assert(kLookedAfterJump > commit::kTaskAheadMost);
// Where nothing is in its way, but that a clock was set ahead.
constexpr absl::Duration kLookedAtOnce = absl::Minutes(2);
static_assert(kLookedAtOnce > limits::kTaskSleep);
// A device takes so long, at most, from its start to its ack.
constexpr absl::Duration kOfSync = absl::Seconds(20);
// For a mismatch that is further ahead nobody waits here.
constexpr absl::Duration kAheadMost = absl::Minutes(45);
constexpr int kMovesMost = 100;
constexpr absl::Duration kMovedBy = absl::Minutes(15);

bool Lies(const std::string& key, const storage::KeyRange& range) { return key >= range.begin && key < range.end; }

bool IsListWritten(const std::vector<storage::Write>& writes, const base::TenantId& tenant) {
  const storage::KeyRange open = keys::ListedMismatches(tenant, false, {});
  const storage::KeyRange resolved = keys::ListedMismatches(tenant, true, {});
  return std::any_of(writes.begin(), writes.end(), [&](const storage::Write& write) {
    return write.space == storage::Space::kRecords && (Lies(write.key, open) || Lies(write.key, resolved));
  });
}

}  // namespace

// ---- What people see

std::vector<v1::Mismatch> SimulatedWorld::ReadMismatches(const base::TenantId& tenant,
                                                         v1::ListMismatchesRequest request) {
  std::vector<v1::Mismatch> all;
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  request.set_page_size(3 + static_cast<int>(step_ % 40));
  for (int page = 0; page < kPagesMost; ++page) {
    const absl::StatusOr<v1::ListMismatchesResponse> read =
        mismatch::ListMismatches(**snapshot, tenant, request, {{.opening = server_->opening()}, clock_.Now()});
    if (!read.ok()) {
      Fail(absl::StrCat("mismatches cannot be listed: ", read.status().ToString()));
      return all;
    }
    all.insert(all.end(), read->mismatches().begin(), read->mismatches().end());
    if (read->next_page_token().empty()) return all;
    request.set_page_token(read->next_page_token());
  }
  Fail("the list of mismatches has no end");
  return all;
}

ListedMismatches SimulatedWorld::ListMismatches(const base::TenantId& tenant) {
  v1::ListMismatchesRequest ended;
  ended.set_ended(true);
  return {ReadMismatches(tenant, {}), ReadMismatches(tenant, ended), clock_.Now(), clock_.Monotonic() - server_opened_,
          false};
}

void SimulatedWorld::TakeMismatches(const std::vector<storage::Write>& writes) {
  for (const base::TenantId& tenant : tenants_) {
    if (!IsListWritten(writes, tenant)) continue;
    ListedMismatches listed = ListMismatches(tenant);
    listed.after_commit = true;
    oracle_.OnMismatches(tenant, listed);
    for (const v1::Mismatch& shown : listed.open) CountClockChange(shown);
  }
}

void SimulatedWorld::LookAtMismatches() {
  for (const base::TenantId& tenant : tenants_) {
    const ListedMismatches listed = ListMismatches(tenant);
    oracle_.OnMismatches(tenant, listed);
    CompareWatcher(tenant, listed);
    if (listed.open.empty()) continue;
    Count("mismatches listed");
    for (const v1::Mismatch& shown : listed.open) CountOff(tenant, shown);
    CompareFilters(tenant, listed.open);
  }
}

// Between a change of the rota and what is to come of it the clocks were changed.
void SimulatedWorld::CountClockChange(const v1::Mismatch& shown) {
  if (!place_.change.has_value()) return;
  const auto is_before = [this](const google::protobuf::Timestamp& stamp) {
    return *base::FromTimestamp(stamp) < place_.change->time;
  };
  if (!is_before(shown.first_change_time())) return;
  const std::string how = place_.change->forwards ? "forwards" : "back";
  if (!is_before(shown.open_time())) Count(absl::StrCat("mismatch opened after clocks went ", how));
  const v1::VisitShown& visit = shown.has_to() ? shown.to() : shown.from();
  if (!is_before(visit.start_time())) Count(absl::StrCat("mismatch of a visit after clocks go ", how));
}

void SimulatedWorld::CountOff(const base::TenantId& tenant, const v1::Mismatch& shown) {
  for (const Device& device : devices_) {
    const bool is_it = device.tenant == tenant && device.app.uuid().ToString() == shown.device().device_uuid();
    if (is_it && IsOff(device)) Count("mismatch of a phone that is off for hours");
  }
}

// Those of one carer, and of one branch, are those of the whole list.
void SimulatedWorld::CompareFilters(const base::TenantId& tenant, const std::vector<v1::Mismatch>& open) {
  const v1::Mismatch& one = open[step_ % open.size()];
  for (const bool of_carer : {true, false}) {
    if (!of_carer && one.branch_id().empty()) continue;
    v1::ListMismatchesRequest request;
    if (of_carer) request.set_carer_id(one.carer_id());
    if (!of_carer) request.set_branch_id(one.branch_id());
    std::vector<std::string> expected;
    for (const v1::Mismatch& other : open) {
      const bool same = of_carer ? other.carer_id() == one.carer_id() : other.branch_id() == one.branch_id();
      if (same) expected.push_back(other.SerializeAsString());
    }
    std::vector<std::string> listed;
    for (const v1::Mismatch& other : ReadMismatches(tenant, request)) listed.push_back(other.SerializeAsString());
    if (listed != expected) Fail("a filtered list of mismatches has other ones than the whole");
  }
}

// ---- What the server does with time

// Nothing is in the server's way for so long that it must have looked at whatever is due.
void SimulatedWorld::WaitForLooks() {
  Count("waited for looks");
  server_->store().HoldBackDone(false);
  server_->store().ReleaseAll();
  const bool was_steady = clock_.Monotonic() - last_jump_ > kLookedAfterJump;
  const absl::Duration slack = was_steady ? kLooked : kLookedAfterJump;
  server_->executor().Advance(slack + absl::Minutes(static_cast<int>(Below(60))));
  for (const base::TenantId& tenant : tenants_) oracle_.CheckNoneMissed(tenant, clock_.Now(), slack);
}

std::optional<SimulatedWorld::LookAhead> SimulatedWorld::FindLookAhead() {
  const size_t first = Below(devices_.size());
  for (size_t i = 0; i < devices_.size(); ++i) {
    const size_t index = (first + i) % devices_.size();
    const Device& device = devices_[index];
    if (HasOpenStream(index) || IsOfPair(device) || IsOff(device)) continue;
    for (const auto& [of, row] : oracle_.truth().mismatches.at(device.tenant).rows()) {
      const auto& [carer, visit] = of;
      if (oracle_.DeviceInUse(device.tenant, carer) != device.app.uuid()) continue;
      if (!oracle_.WhyRefused(device.tenant, device.app.uuid(), carer).empty()) continue;
      const bool is_sure = !row.open && row.waits == Known::kYes && row.due_from == row.due_until;
      const bool is_near = row.due_from > clock_.Now() + kOfSync && row.due_from < clock_.Now() + kAheadMost;
      if (!is_sure || !is_near || oracle_.HasSettled(device.tenant, carer, visit) != Known::kNo) continue;
      return LookAhead{index, *base::Uuid::Parse(carer), visit, row.due_from};
    }
  }
  return std::nullopt;
}

// The device in use has applied a change and its ack is on its way as the change falls due: the server has it before
// the look commits, and after the look has read.
void SimulatedWorld::AckDuringLook() {
  const std::optional<LookAhead> ahead = FindLookAhead();
  if (!ahead.has_value()) return;
  server_->executor().Advance(ahead->due - clock_.Now() - kOfSync);
  if (HasOpenStream(ahead->device)) return;
  SimulatedStream& stream = OpenStream(ahead->device, ahead->carer, v1::SYNC_TYPE_AUTO, false);
  for (int i = 0; i < kMovesMost && fault_.empty() && stream.acks_said().empty(); ++i) {
    server_->executor().RunAll();
    if (!MoveOne(stream, false)) break;
  }
  if (stream.acks_said().empty() || clock_.Now() >= ahead->due) return;
  const base::TenantId tenant = devices_[ahead->device].tenant;
  const auto is_settled = [this, tenant, ahead] {
    return oracle_.HasSettled(tenant, ahead->carer.ToString(), ahead->visit) == Known::kYes;
  };
  server_->DuringNextLook([this, tenant, ahead, is_settled, &stream](const base::TenantId& of) {
    if (of != tenant || clock_.Now() < ahead->due) return false;
    const bool was_settled = is_settled();
    for (int i = 0; i < kMovesMost && fault_.empty() && !is_settled(); ++i) {
      if (!MoveOne(stream, false) && !server_->executor().RunOne()) break;
    }
    if (!was_settled && is_settled()) Count("ack between a look and its commit");
    return true;
  });
  server_->executor().Advance(ahead->due - clock_.Now() + absl::Seconds(1));
  server_->DuringNextLook(nullptr);
}

// A visit is moved, the device in use applies that and its ack is lost, and the visit is moved back: the phone shows it
// where it is not, and nothing is left to be told but what the phone had acknowledged before. Or the device is silent
// meanwhile, and there is nothing to tell.
void SimulatedWorld::MoveAndMoveBack() {
  const size_t first = Below(devices_.size());
  for (size_t i = 0; i < devices_.size(); ++i) {
    const size_t index = (first + i) % devices_.size();
    const Device& device = devices_[index];
    if (HasOpenStream(index) || IsOfPair(device) || IsOff(device)) continue;
    for (const base::Uuid& carer : device.carers) {
      const bool in_use = oracle_.DeviceInUse(device.tenant, carer.ToString()) == device.app.uuid();
      if (in_use && WhyRefused(device, carer).empty() && MoveAndMoveBackOn(index, carer)) return;
    }
  }
}

bool SimulatedWorld::MoveAndMoveBackOn(size_t device, const base::Uuid& carer) {
  const base::TenantId tenant = devices_[device].tenant;
  const NaiveModel& model = oracle_.model(tenant);
  // As its source has it, ahead, and acknowledged.
  const auto is_wanted = [&](const v1::RosterChange& visit) {
    const Name name = model.NameOf(visit);
    const std::optional<NaivePart> part = PartOf(model.head(), carer.ToString(), name);
    if (!part.has_value() || part->start <= clock_.Now()) return false;
    if (oracle_.HasSettled(tenant, carer.ToString(), name) != Known::kYes) return false;
    State state = model.NextState();
    return model.Apply(state, visit) == v1::CHANGE_OUTCOME_UNCHANGED;
  };
  const std::optional<TakenVisit> moved = SendMove(tenant, is_wanted, kMovedBy);
  if (!moved.has_value()) return false;
  const auto shown = [&] {
    const fakes::HeldRecords& held = devices_[device].app.of(carer).in_use;
    const auto visit = held.find(moved->name);
    return visit == held.end() ? std::string() : visit->second;
  };
  const std::string before = shown();
  const auto move_back = [&] {
    SendMove(
        tenant,
        [&](const v1::RosterChange& visit) {
          return visit.source() == moved->source && visit.external_id() == moved->external_id;
        },
        -kMovedBy);
  };
  if (OneIn(3)) {
    // Nobody tells the device of it: there is nothing to settle, before it is due or when it is open.
    Count("moved back while the device is silent");
    if (OneIn(2)) WaitForLooks();
    move_back();
    WaitForLooks();
    return true;
  }
  SimulatedStream& stream = OpenStream(device, carer, v1::SYNC_TYPE_AUTO, false);
  for (int i = 0; i < kMovesMost && fault_.empty() && shown() == before; ++i) {
    server_->executor().RunAll();
    if (!MoveOne(stream, false)) break;
  }
  stream.CloseAtDevice();
  stream.Cut(0, 0);
  move_back();
  const auto record = model.head().records.find(moved->name);
  const bool is_back = record != model.head().records.end() && record->second->payload == before;
  const bool shows_move = !shown().empty() && shown() != before;
  if (is_back && shows_move && oracle_.HasSettled(tenant, carer.ToString(), moved->name) == Known::kNo) {
    Count("moved back while the ack of the move is lost");
  }
  if (OneIn(2)) WaitForLooks();
  return true;
}

std::optional<SimulatedWorld::TakenVisit> SimulatedWorld::SendMove(const base::TenantId& tenant,
                                                                   const RotaMaker::IsWanted& is_wanted,
                                                                   absl::Duration by) {
  for (const std::string& name : RotaMaker::Sources()) {
    Source& source = sources_[{tenant, name}];
    // Its changes keep their order.
    if (source.in_flight || !source.to_send.empty()) continue;
    std::optional<v1::ApplyChangesRequest> request = rota_.Move(name, is_wanted, by);
    if (!request.has_value()) continue;
    const v1::RosterChange& visit = request->changes(0);
    TakenVisit sent{name, visit.external_id(), oracle_.model(tenant).NameOf(visit)};
    source.to_send.push_back(*std::move(request));
    SendNext(tenant, name);
    server_->executor().RunAll();
    return sent;
  }
  return std::nullopt;
}

// ---- The end

// Of what the rota changes while devices are off, exactly what they have not acknowledged is open once it is due; what
// they get then resolves it.
void SimulatedWorld::EndMismatches() {
  static constexpr int kWaitMinutes[] = {3, 9, 14, 40, 3 * 60};
  PlanVisits();
  SyncSome();
  for (const int minutes : kWaitMinutes) {
    server_->executor().Advance(absl::Minutes(minutes));
    LookForMissed();
    // Another rota comes when the first has begun to fall due.
    if (minutes == kWaitMinutes[1]) PlanVisits();
    if (minutes == kWaitMinutes[2]) SyncSome();
  }
  // A day's waiting would be little else than that.
  SetClock(clock_.Now() + absl::Hours(24));
  server_->executor().Advance(2 * kLookedAtOnce);
  LookForMissed();
  SyncAll(1);
  LookForMissed();
  if (!fault_.empty()) return;
  Restart(absl::ZeroDuration());
  server_->executor().Advance(limits::kTaskSleep);
  LookAtMismatches();
  CheckNoneLeft(true);
}

void SimulatedWorld::PlanVisits() {
  constexpr size_t kPlanned = 4;
  for (auto& [of, source] : sources_) source.to_send.push_back(rota_.PlanVisits(of.second, clock_.Now(), kPlanned));
  SettleSources();
}

void SimulatedWorld::LookForMissed() {
  if (!fault_.empty()) return;
  MoveAll();
  LookAtMismatches();
  for (const base::TenantId& tenant : tenants_) oracle_.CheckNoneMissed(tenant, clock_.Now(), kLookedAtOnce);
  CheckNoneLeft(false);
}

// Some devices get what has changed: those in use, and others in a drawer.
void SimulatedWorld::SyncSome() {
  for (size_t i = 0; i < devices_.size(); ++i) {
    if (!fault_.empty() || !OneIn(3)) continue;
    const base::Uuid carer = devices_[i].carers[Below(devices_[i].carers.size())];
    OpenStream(i, carer, OneIn(3) ? v1::SYNC_TYPE_STANDARD : v1::SYNC_TYPE_AUTO, false);
    MoveAll();
    Reap();
  }
}

void SimulatedWorld::CheckNoneLeft(bool swept) {
  for (const base::TenantId& tenant : tenants_) oracle_.CheckNoneLeft(tenant, swept);
}

}  // namespace caresync::simulation
