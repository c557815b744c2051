#include "tests/simulation/simulated_world.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/errors.h"
#include "server/records/record_key.h"
#include "server/roster/apply_changes.h"
#include "server/sync/download.h"
#include "server/tenants/tenants.h"

namespace caresync::simulation {
namespace {

// So many steps are between two looks at the report, beside those when the server has nothing left to do.
constexpr uint64_t kReportsEvery = 25;
// Likewise at what devices showed.
constexpr uint64_t kViewsEvery = 40;

// Half of the seeds have a carer with a device who is not there at the beginning.
bool HasLateCarer(uint64_t seed) { return seed / 2 % 2 == 0; }

// In two of five, phones have no network for hours, and visits are moved to and fro: every so many steps the one or the
// other.
bool HasFarPhones(uint64_t seed) { return seed % 5 == 2 || seed % 5 == 3; }
constexpr uint64_t kFarEvery = 120;

base::Uuid CarerId(const base::TenantId& tenant, const std::string& source, const std::string& carer) {
  return records::IntegratedId(tenant, source, v1::RECORD_KIND_CARER, carer);
}

}  // namespace

SimulatedWorld::SimulatedWorld(uint64_t seed, Counts& counts, bool echo)
    : echo_(echo),
      counts_(counts),
      random_(seed),
      seed_(seed),
      place_(PlaceOf(seed)),
      ids_(seed + 1'000'000'000),
      rota_(random_, place_.begins),
      oracle_([this](const std::string& fault) { Fail(fault); },
              {.session = [this](const std::string& session_id) { return FactsOf(session_id); },
               .may_have_shown = [this](absl::Time time, const Moment& since) { return MayHaveShown(time, since); },
               .latest_shown = [this](const Moment& since) { return LatestShown(since); },
               .may_have_called = [this](const base::TenantId& tenant, const base::Uuid& device,
                                         absl::Time time) { return MayHaveCalled(tenant, device, time); },
               .later_start =
                   [this](const StreamFacts& facts) {
                     return last_start_[{facts.identity.tenant, facts.identity.device}] > facts.arrival;
                   },
               .now = [this] { return clock_.Now(); }},
              [this](const std::string& what) { Count(what); }) {
  clock_.SetNow(place_.begins);
  AddTenant("alpha");
  AddTenant("beta");
  OpenServer(std::make_unique<storage::MemoryStore>());
  for (const base::TenantId& tenant : tenants_) {
    server_->sequencer().Submit(
        tenant,
        [tenant, zone = HeadOf(tenant).time_zone](commit::Transaction& transaction) {
          v1::Tenant request;
          request.set_tenant_id(tenant.text());
          request.set_time_zone(zone);
          return tenants::CreateTenant(transaction, request).status();
        },
        [](const absl::StatusOr<commit::Committed>& done) { ABSL_RAW_CHECK(done.ok(), "no tenant"); });
    SetRestoreWait(tenant);
    for (const std::string& source : RotaMaker::Sources()) {
      sources_[{tenant, source}].to_send.push_back(rota_.FirstMessage(source));
      SendNext(tenant, source);
    }
  }
  server_->executor().RunAll();
  // One carer with two devices, one device with two carers, some that may be handed over to another one, one UUID in
  // two tenants.
  const std::string shared = "11111111-1111-4111-8111-111111111111";
  AddDevice(tenants_[0], shared, {{"north", "ann"}}, 1);
  AddDevice(tenants_[0], "22222222-2222-4222-8222-222222222222", {{"north", "ann"}, {"north", "ben"}}, 1);
  AddDevice(tenants_[0], "33333333-3333-4333-8333-333333333333", {{"north", "ben"}, {"south", "cid"}}, 2);
  AddDevice(tenants_[0], "44444444-4444-4444-8444-444444444444", {{"south", "cid"}, {"north", "ann"}}, 1);
  AddDevice(tenants_[1], shared, {{"north", "ann"}}, 1);
  if (!HasLateCarer(seed_)) return;
  constexpr size_t kComesAfter = 150;
  late_comes_ = kComesAfter + Below(500);
  AddDevice(tenants_[0], "55555555-5555-4555-8555-555555555555", {{"north", RotaMaker::kLateCarer}}, 1);
}

SimulatedWorld::~SimulatedWorld() { RetireServer(); }

void SimulatedWorld::Fail(const std::string& fault) {
  if (!fault_.empty()) return;
  fault_ = absl::StrCat("step ", step_, ": ", fault);
  if (echo_) std::fprintf(stderr, "FAULT %s\n", fault_.c_str());
}

void SimulatedWorld::Mix(std::string_view bytes) {
  for (const char c : bytes) trace_hash_ = (trace_hash_ ^ static_cast<uint8_t>(c)) * 1099511628211u;
}

void SimulatedWorld::Trace(std::string_view what) {
  Mix(what);
  Echo(what);
}

void SimulatedWorld::Echo(std::string_view what) {
  if (echo_) std::fprintf(stderr, "%lu %.*s\n", step_, static_cast<int>(what.size()), what.data());
}

void SimulatedWorld::AddTenant(const std::string& name) {
  const base::TenantId tenant = *base::TenantId::Parse(name);
  tenants_.push_back(tenant);
  std::vector<std::string> carers;
  for (const std::string& source : RotaMaker::Sources()) {
    readers_[{tenant, source}] = {};
    for (const std::string& carer : RotaMaker::CarersWithDevices(source)) {
      carers.push_back(CarerId(tenant, source, carer).ToString());
    }
  }
  const bool is_first = tenants_.size() == 1;
  if (is_first && HasLateCarer(seed_)) carers.push_back(CarerId(tenant, "north", RotaMaker::kLateCarer).ToString());
  oracle_.AddTenant(tenant, carers, place_.zones[is_first ? 0 : 1]);
}

void SimulatedWorld::AddDevice(const base::TenantId& tenant, const std::string& uuid,
                               const std::vector<std::pair<std::string, std::string>>& carers, size_t users) {
  Device device{tenant, fakes::TestDevice(*base::Uuid::Parse(uuid)), {}, {}, {}, false, {}, {}, {}, {}};
  for (const auto& [source, carer] : carers) device.carers.push_back(CarerId(tenant, source, carer));
  oracle_.AddDevice(tenant, device.app.uuid());
  // A device of one carer becomes known by its first sync.
  if (carers.size() > 1) Enrol(device, users);
  devices_.push_back(std::move(device));
}

void SimulatedWorld::Enrol(const Device& device, size_t users) {
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(device.app.uuid().ToString());
  request.set_allow_missing(true);
  request.set_set_users(true);
  for (size_t i = 0; i < users; ++i) request.add_carer_ids(device.carers[i].ToString());
  server_->UpdateDevice(device.tenant, request,
                        [](const absl::Status& done) { ABSL_RAW_CHECK(done.ok(), "no device"); });
  server_->executor().RunAll();
}

void SimulatedWorld::OpenServer(std::unique_ptr<storage::MemoryStore> memory) {
  batch_bytes_ = sync::kChangesOverhead + 200 + Below(1'800);
  const uint64_t seed = seed_ * 1'000 + ++servers_;
  waits_.Open(clock_.Now());
  // With little room, most changes need more than one commit.
  commit::CommitRoom room;
  if (!OneIn(4)) {
    room.moved = 1 + Below(8);
    room.looked = 1 + Below(12);
    room.scopes = Below(4);
    room.listed = 1 + room.scopes;
  }
  crash_at_.reset();
  power_cut_at_.reset();
  power_at_risk_ = false;
  unflushed_.reset();
  preferences_.clear();
  untold_.clear();
  server_opened_ = clock_.Monotonic();
  server_ = std::make_unique<SimulatedServer>(std::move(memory), clock_, seed, batch_bytes_, room, Watches());
}

void SimulatedWorld::OnApplied(const std::vector<storage::Write>& writes) {
  for (const storage::Write& write : writes) {
    Mix(write.key);
    Mix(write.value.has_value() ? "=" : "-");
    Mix(write.value.value_or(""));
  }
  oracle_.OnApplied(writes);
  TakeMismatches(writes);
  for (const base::TenantId& tenant : tenants_) {
    const State& head = oracle_.model(tenant).head();
    if (!head.unsettled.empty()) Count("commit during a fan-out");
    const bool lags = head.edges.has_anew_by_start() || head.edges.has_anew_by_end();
    if (lags) Count("commit while a window is worked out anew");
  }
}

void SimulatedWorld::RetireServer() {
  Reap();
  retiring_ = true;
  for (const auto& stream : streams_) CutAtRandom(*stream);
  server_->RunOut();
  bool moved = true;
  while (moved) {
    moved = false;
    for (const auto& stream : streams_) {
      if (!stream->CanTellServer() && !stream->CanFinishWrite()) continue;
      moved = true;
      if (stream->CanTellServer()) stream->TellServer();
      if (stream->CanFinishWrite()) stream->FinishWrite(false);
    }
    server_->RunOut();
  }
  for (const auto& stream : streams_) {
    ABSL_RAW_CHECK(!stream->server_open(), "a session does not end after its stream was cut");
  }
  if (server_->live().count() != 0) Fail("a session is listed as live after its end");
  Reap();
  server_.reset();
  retiring_ = false;
}

std::string SimulatedWorld::Run(int steps) {
  for (int i = 0; i < steps && fault_.empty(); ++i) {
    Step();
    if (fault_.empty() && step_ % kReportsEvery == 0) CompareReports();
    if (fault_.empty() && step_ % kViewsEvery == 0) CompareViews(false);
  }
  Quieten();
  if (fault_.empty()) HealCopies();
  if (fault_.empty()) FollowAll();
  // Whoever is refused may need two to send again what it is asked for; then the others get it.
  for (int round : {1, 2, 2}) SyncAll(round);
  if (fault_.empty()) CompareDevices();
  if (fault_.empty()) GiveAllBack();
  // Those whom nothing is sent to keep what they hold.
  if (fault_.empty()) HealCopies();
  for (int round = 1; round <= 3 && fault_.empty(); ++round) SyncAll(round);
  if (fault_.empty()) CompareDevices();
  if (fault_.empty()) CompareGroups();
  if (fault_.empty()) CompareSources();
  if (fault_.empty()) CompareEvents();
  if (fault_.empty()) CompareReaders();
  if (fault_.empty()) CompareLastReports();
  if (fault_.empty()) CompareLastViews();
  if (fault_.empty()) CompareLastDeliveries();
  if (fault_.empty()) EndMismatches();
  if (fault_.empty()) CompareViews(true);
  return fault_;
}

void SimulatedWorld::Step() {
  static constexpr Kind kKinds[] = {
      {"rota", 50, &SimulatedWorld::SendRota},
      {"take from a new copy", 12, &SimulatedWorld::TakeFromNewCopy},
      {"event", 25, &SimulatedWorld::RecordEvent},
      {"sync", 50, &SimulatedWorld::StartSync},
      {"upload while following", 15, &SimulatedWorld::UploadWhileFollowing},
      {"notice", 5, &SimulatedWorld::TellNotice},
      {"credential", 5, &SimulatedWorld::LetCredentialEnd},
      {"stream", 500, &SimulatedWorld::MoveStream},
      {"work", 150, &SimulatedWorld::RunWork},
      {"all work", 60, &SimulatedWorld::RunAllWork},
      {"cut", 10, &SimulatedWorld::CutStream},
      {"kill", 4, &SimulatedWorld::KillDevice},
      {"spoil", 3, &SimulatedWorld::SpoilCopy},
      {"clone", 6, &SimulatedWorld::CloneDevice},
      {"back up a phone", 5, &SimulatedWorld::BackUpPhone},
      {"put a phone back", 3, &SimulatedWorld::PutPhoneBack},
      {"install anew", 2, &SimulatedWorld::ReinstallApp},
      {"half-close", 3, &SimulatedWorld::HalfCloseEarly},
      {"compact", 20, &SimulatedWorld::CompactFeed},
      {"fail commits", 8, &SimulatedWorld::FailCommits},
      {"land late", 4, &SimulatedWorld::LandCommitLate},
      {"hold commits", 10, &SimulatedWorld::HoldCommits},
      {"fail reads", 2, &SimulatedWorld::FailReads},
      {"others are quicker", 20, &SimulatedWorld::BeQuicker},
      {"time", 8, &SimulatedWorld::PassTime},
      {"clock", 2, &SimulatedWorld::JumpClock},
      {"hours", 3, &SimulatedWorld::PassHours},
      {"window", 6, &SimulatedWorld::ChangeWindow},
      {"access", 15, &SimulatedWorld::SetAccess},
      {"care plan", 15, &SimulatedWorld::ChangeCarePlan},
      {"device", 6, &SimulatedWorld::ChangeDevice},
      {"ruling", 30, &SimulatedWorld::ResolveEvent},
      {"least app", 2, &SimulatedWorld::ChangeLeastApp},
      {"restore wait", 2, &SimulatedWorld::ChangeRestoreWait},
      {"auto sync interval", 4, &SimulatedWorld::ChangeAutoSyncInterval},
      {"read events", 5, &SimulatedWorld::ReadCareEvents},
      {"again", 4, &SimulatedWorld::SendAgain},
      {"other bytes", 3, &SimulatedWorld::SendOtherBytes},
      {"mismatches", 10, &SimulatedWorld::LookAtMismatches},
      {"wait for looks", 2, &SimulatedWorld::WaitForLooks},
      {"ack during a look", 8, &SimulatedWorld::AckDuringLook},
      {"crash", 2, &SimulatedWorld::Crash},
      {"shut down", 1, &SimulatedWorld::ShutDown},
      {"power", 4, &SimulatedWorld::CutPower},
      {"week", 1, &SimulatedWorld::StayDownForAWeek},
      {"backup", 4, &SimulatedWorld::TakeBackup},
      {"restore", 1, &SimulatedWorld::Restore},
      {"release", 2, &SimulatedWorld::ReleaseRebuilds},
  };
  static const size_t total = [] {
    size_t sum = 0;
    for (const Kind& kind : kKinds) sum += kind.weight;
    return sum;
  }();
  ++step_;
  if (step_ == late_comes_) SendLateCarer();
  if (TakeAwaitedFault()) return;
  if (HasFarPhones(seed_) && step_ % kFarEvery == 0) {
    const bool moves = step_ / kFarEvery % 2 == 0;
    Trace(moves ? "move and move back" : "no network for hours");
    return moves ? MoveAndMoveBack() : LoseNetworkForHours();
  }
  // A batch leaves soon.
  const bool between_batches =
      std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) { return stream->IsBetweenBatches(); });
  if (between_batches && OneIn(3)) {
    Trace("take and give back");
    return TakeAndGiveBack();
  }
  size_t chosen = Below(total);
  for (const Kind& kind : kKinds) {
    if (chosen < kind.weight) {
      Trace(kind.name);
      return (this->*kind.take)();
    }
    chosen -= kind.weight;
  }
}

void SimulatedWorld::Predict(const base::TenantId& tenant, const v1::ApplyChangesRequest& request,
                             const std::vector<v1::ChangeResult>& results, base::Revision revision) {
  const NaiveModel& model = oracle_.model(tenant);
  State state = model.NextState();
  if (state.revision != revision) Fail("a change runs at another revision than the next one");
  for (int i = 0; i < request.changes_size(); ++i) {
    const State before = state;
    const v1::ChangeOutcome expected = model.Apply(state, request.changes(i));
    CountChange(tenant, model.NameOf(request.changes(i)), before, state);
    const v1::ChangeResult& result = results[static_cast<size_t>(i)];
    Count(absl::StrCat("change ", v1::ChangeOutcome_Name(expected)));
    if (result.outcome() != expected) {
      Fail(absl::StrCat("a change is ", v1::ChangeOutcome_Name(result.outcome()), " instead of ",
                        v1::ChangeOutcome_Name(expected), ": ", request.changes(i).ShortDebugString()));
    }
    if (result.record_id() != model.NameOf(request.changes(i)).second) Fail("a change makes another record");
  }
  oracle_.Propose(tenant, std::move(state));
}

void SimulatedWorld::CountChange(const base::TenantId& tenant, const Name& name, const State& before,
                                 const State& after) {
  if (name.first == v1::RECORD_KIND_EMPLOYEE_GROUP && after.touched.size() > before.touched.size()) {
    Count("a group's members change, seen by a carer");
    std::set<std::string> carers;
    for (const auto& touched : after.touched) {
      if (!before.touched.contains(touched)) carers.insert(touched.first);
    }
    CountDuringNewCopy(tenant, "a group's members change during a new copy", carers);
    CountWhileFollowing(tenant, "a group's members change while a member follows", carers);
  }
  if (name.first != v1::RECORD_KIND_CARER) return;
  const bool left = after.HasLeft(name.second);
  if (left != before.HasLeft(name.second)) Count(left ? "carer left" : "carer came back");
}

void SimulatedWorld::CountDuringNewCopy(const base::TenantId& tenant, std::string_view what,
                                        const std::set<std::string>& carers) {
  for (Device& device : devices_) {
    if (device.tenant != tenant) continue;
    for (const base::Uuid& carer : device.carers) {
      // Without a token nothing of it is durable yet.
      const auto& making = device.app.of(carer).making;
      if (making.has_value() && !making->token.empty() && carers.contains(carer.ToString())) Count(what);
    }
  }
}

void SimulatedWorld::CountWhileFollowing(const base::TenantId& tenant, std::string_view what,
                                         const std::set<std::string>& carers) {
  for (const auto& stream : streams_) {
    const StreamFacts& facts = stream->facts();
    const bool follows = stream->server_open() && facts.start.follow() && facts.recorded;
    if (follows && facts.identity.tenant == tenant && carers.contains(facts.carer)) Count(what);
  }
}

}  // namespace caresync::simulation
