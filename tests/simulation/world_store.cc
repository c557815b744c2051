// What the simulated world's store does to those who commit and read, and what they met of it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "server/base/keys.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;
using storage::CommitOutcome;

// A fault as those hear of it who asked for the commit.
struct MetFault {
  CommitOutcome outcome;
  const char* detail;
  const char* name;
};

constexpr MetFault kMetFaults[] = {
    {CommitOutcome::kConflict, "injected", "commit conflicts"},
    {CommitOutcome::kUnknown, "injected: applied", "commit unknown, applied"},
    {CommitOutcome::kUnknown, "injected: not applied", "commit unknown, not applied"},
    {CommitOutcome::kUnknown, "injected: applied late", "commit lands late"},
    {CommitOutcome::kFull, "injected", "store full"},
    {CommitOutcome::kUnavailable, "injected", "store unavailable"},
};

bool IsSame(const storage::Write& one, const storage::Write& other) {
  return one.space == other.space && one.key == other.key && one.value == other.value;
}

bool HasKey(const std::vector<storage::Write>& writes, const std::string& key) {
  return std::any_of(writes.begin(), writes.end(), [&key](const storage::Write& write) { return write.key == key; });
}

}  // namespace

// ---- Asking for faults

void SimulatedWorld::FailCommits() {
  static constexpr fakes::Fault kFaults[] = {fakes::Fault::kConflict, fakes::Fault::kUnknownApplied,
                                             fakes::Fault::kUnknownNotApplied, fakes::Fault::kFull,
                                             fakes::Fault::kUnavailable};
  const fakes::Fault fault = kFaults[Below(std::size(kFaults))];
  server_->store().FailNext(fault, OneIn(6) ? 9 : 1 + static_cast<int>(Below(3)));
}

// A tenant's commit takes effect only after the server has looked for it and tried again.
void SimulatedWorld::LandCommitLate() { server_->store().LandLate(storage::Space::kRecords); }

void SimulatedWorld::HoldCommits() {
  const size_t roll = Below(4);
  if (roll == 0) return server_->store().HoldBackDone(true);
  if (server_->store().held_back() > 0) Count("commits held back");
  if (roll == 1) {
    server_->store().ReleaseOne();
  } else {
    server_->store().HoldBackDone(false);
    server_->store().ReleaseAll();
  }
}

void SimulatedWorld::FailReads() {
  server_->store().FailReads(true);
  for (size_t i = 1 + Below(4); i > 0; --i) server_->executor().RunOne();
  server_->store().FailReads(false);
}

// ---- Meeting them

CommitWatches SimulatedWorld::Watches() {
  CommitWatches watches;
  watches.of_store.before = [this](const storage::Commit& commit) { OnTried(commit); };
  watches.of_store.applied = [this](const std::vector<storage::Write>& writes) { OnApplied(writes); };
  watches.of_store.answered = [this](const std::vector<storage::Write>& writes, const storage::CommitResult& result) {
    if (std::exchange(is_late_, false)) OnLateOutcome(writes, result.outcome);
  };
  watches.of_callers.before = [this](const storage::Commit& commit) { asked_ = commit.writes; };
  watches.of_callers.answered = [this](const std::vector<storage::Write>& writes, const storage::CommitResult& result) {
    OnAnswered(writes, result);
  };
  watches.of_callers.read_failed = [this] { Count("reads fail"); };
  watches.of_sequencer.before = [this](const storage::Commit& commit) { oracle_.OnHandedOver(commit.writes); };
  watches.comes_behind = [this](const storage::Commit& commit) { return IsLate(commit) && OneIn(2); };
  return watches;
}

bool SimulatedWorld::IsLate(const storage::Commit& commit) const {
  return !std::equal(commit.writes.begin(), commit.writes.end(), asked_.begin(), asked_.end(), IsSame);
}

void SimulatedWorld::OnTried(const storage::Commit& commit) {
  KeepWhatIsFlushed(commit.durability);
  is_late_ = IsLate(commit);
}

void SimulatedWorld::OnLateOutcome(const std::vector<storage::Write>& writes, CommitOutcome outcome) {
  if (outcome == CommitOutcome::kConflict) Count("late commit met a conflict");
  if (outcome != CommitOutcome::kCommitted) return;
  Count("late commit took effect");
  for (const base::TenantId& tenant : tenants_) {
    if (HasKey(writes, keys::TenantHead(tenant))) untold_[tenant].insert(HeadOf(tenant).revision);
  }
}

void SimulatedWorld::OnAnswered(const std::vector<storage::Write>& writes, const storage::CommitResult& result) {
  for (const MetFault& fault : kMetFaults) {
    if (result.outcome == fault.outcome && result.detail == fault.detail) Count(fault.name);
  }
  const bool conflict_injected = result.outcome == CommitOutcome::kConflict && result.detail == "injected";
  if (!conflict_injected) return;
  for (const auto& stream : streams_) {
    StreamFacts& facts = stream->facts();
    const std::string report = keys::DeviceRow(facts.identity.tenant, facts.identity.device, keys::DevicePart::kReport);
    if (HasKey(writes, report)) facts.conflict_injected = true;
  }
}

}  // namespace caresync::simulation
