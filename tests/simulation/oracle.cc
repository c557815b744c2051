#include "tests/simulation/oracle.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "server/base/sha256.h"
#include "server/records/record_key.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;

std::map<std::string, std::optional<std::string>> RowsOf(const std::vector<storage::Write>& writes) {
  std::map<std::string, std::optional<std::string>> rows;
  for (const storage::Write& write : writes) rows[write.key] = write.value;
  return rows;
}

base::ReceiverId ReceiverOf(const std::string& carer) { return records::CarerReceiver(*base::Uuid::Parse(carer)); }

}  // namespace

void Oracle::AddTenant(const base::TenantId& tenant, const std::vector<std::string>& carers,
                       const std::string& time_zone) {
  truth_.models.emplace(tenant, NaiveModel(tenant, carers, time_zone));
  truth_.mismatches[tenant];
  for (const std::string& carer : carers) {
    in_use_keys_[keys::DeviceInUse(tenant, *base::Uuid::Parse(carer))] = {tenant, carer};
  }
  head_keys_[keys::TenantHead(tenant)] = tenant;
}

void Oracle::AddDevice(const base::TenantId& tenant, const base::Uuid& device) {
  report_keys_[keys::DeviceRow(tenant, device, keys::DevicePart::kReport)] = {tenant, device};
  device_keys_[keys::DeviceRow(tenant, device, keys::DevicePart::kDevice)] = {tenant, device};
  truth_.permissions.AddDevice(tenant, device);
}

void Oracle::AddEvent(const base::TenantId& tenant, const SentEvent& event) {
  events_[keys::EventIdentity(tenant, event.event_id)].push_back({tenant, event});
  review_keys_[keys::ReviewItem(tenant, event.event_id, base::Sha256Of(event.bytes))] = {tenant, event};
}

void Oracle::GoBackTo(const Truth& truth) {
  truth_ = truth;
  for (auto& [copy, visits] : sent_) {
    const base::Revision head = model(std::get<0>(copy)).head().revision;
    for (auto& [name, revisions] : visits) {
      std::set<base::Revision> kept;
      for (const base::Revision revision : revisions) kept.insert(std::min(revision, head));
      revisions = std::move(kept);
    }
  }
  proposed_.clear();
  handed_over_.clear();
  left_use_.clear();
  looked_at_ = absl::InfinitePast();
}

void Oracle::NoteLoss() {
  for (auto& [of, held] : truth_.held) held.Break();
}

void Oracle::Propose(const base::TenantId& tenant, State state) {
  proposed_[tenant] = {std::move(state), std::nullopt, 0};
}

void Oracle::ProposeRuling(const base::TenantId& tenant, const Ruling& ruling) {
  proposed_[tenant] = {std::nullopt, ruling, 0};
}

void Oracle::Withdraw(const base::TenantId& tenant) { proposed_.erase(tenant); }

void Oracle::OnHandedOver(const std::vector<storage::Write>& writes) {
  for (const auto& [tenant, head] : HeadsIn(RowsOf(writes))) {
    auto proposed = proposed_.extract(tenant);
    Proposal& handed_over = handed_over_[tenant][head.commit_id()];
    handed_over = proposed.empty() ? Proposal() : std::move(proposed.mapped());
    handed_over.applied_before = applied_;
  }
}

void Oracle::OnApplied(const std::vector<storage::Write>& writes) {
  const Rows rows = RowsOf(writes);
  LookAtMismatches();
  const auto heads = HeadsIn(rows);
  for (const auto& [tenant, head] : heads) OnTenantCommit(model(tenant), head, rows);
  for (const auto& [report_key, of] : report_keys_) CheckTakeOvers(report_key, of.first, of.second, rows);
  TakeDevices(rows);
  CheckReports(rows);
  CheckSignIns(rows);
  TakeReports(rows);
  LookAtMismatches(rows, heads.empty());
  ++applied_;
}

std::vector<std::pair<base::TenantId, store::TenantHead>> Oracle::HeadsIn(const Rows& rows) {
  std::vector<std::pair<base::TenantId, store::TenantHead>> heads;
  for (const auto& [key, tenant] : head_keys_) {
    const auto row = rows.find(key);
    if (row == rows.end()) continue;
    store::TenantHead head;
    Expect(row->second.has_value() && head.ParseFromString(*row->second), "a head row cannot be read");
    heads.emplace_back(tenant, std::move(head));
  }
  return heads;
}

void Oracle::OnTenantCommit(NaiveModel& model, const store::TenantHead& head, const Rows& rows) {
  Expect(head.revision() == model.head().revision + 1,
         absl::StrCat("revision ", head.revision(), " follows ", model.head().revision));
  Proposal proposal = TakeProposal(model.tenant(), head.commit_id());
  const bool is_late = proposal.applied_before != applied_;
  State state = proposal.state.has_value() ? *std::move(proposal.state) : StateAfter(model, rows, proposal.ruling);
  TakeEdges(model, rows, state);
  TakeHorizons(model, rows, state);
  feeds_.Take(model.tenant(), model.head(), rows, state);
  CheckEntries(model.tenant(), state, rows);
  truth_.mismatches.at(model.tenant())
      .OnCommit(model, state, absl::FromUnixMicros(head.commit_time_us()), is_late, CopiesInUse(model.tenant()));
  model.Commit(std::move(state), head.timeline());
}

Oracle::Proposal Oracle::TakeProposal(const base::TenantId& tenant, const std::string& commit_id) {
  // The others were made on the same head, and can take effect no more.
  const auto all = handed_over_.extract(tenant);
  if (all.empty()) return {};
  const auto proposal = all.mapped().extract(commit_id);
  return proposal.empty() ? Proposal() : std::move(proposal.mapped());
}

// What a commit that is no message of a source must have made: it released what waited, took events, or resolved some.
State Oracle::StateAfter(const NaiveModel& model, const Rows& rows, const std::optional<Ruling>& ruling) {
  State state = model.NextState();
  std::vector<std::pair<Name, bool>> released;
  for (const auto& [name, change] : state.waiting) {
    const auto row = rows.find(keys::Waiting(model.tenant(), KeyOf(name)));
    if (row != rows.end()) released.emplace_back(name, row->second.has_value());
  }
  for (const auto& [name, still_waits] : released) {
    model.Release(state, name);
    Expect(state.waiting.contains(name) == still_waits, "a change waits no more, or still, without a reason");
  }
  TakeEvents(model, rows, ruling, state);
  return state;
}

// Visibility follows the edges as they are stored.
void Oracle::TakeEdges(const NaiveModel& model, const Rows& rows, State& state) {
  const auto row = rows.find(keys::WindowEdges(model.tenant()));
  if (row == rows.end()) return;
  store::WindowEdges edges;
  Expect(!row->second.has_value() || edges.ParseFromString(*row->second), "the window edges cannot be read");
  model.MoveEdges(state, edges);
}

void Oracle::TakeHorizons(const NaiveModel& model, const Rows& rows, State& state) {
  for (auto& [carer, horizon] : state.horizons) {
    const auto row = rows.find(keys::FeedHead(model.tenant(), ReceiverOf(carer)));
    if (row == rows.end()) continue;
    store::FeedHead head;
    Expect(row->second.has_value() && head.ParseFromString(*row->second), "a feed's head row cannot be read");
    const feed::Position moved{head.horizon_revision(), {head.horizon_record()}};
    Expect(moved >= horizon, "a horizon goes back");
    horizon = moved;
  }
}

void Oracle::OnDivergence(StreamFacts& facts) {
  facts.diverged = true;
  truth_.diverged.insert(CopyOf(facts));
}

bool Oracle::HeldAll(const StreamFacts& facts) const {
  if (facts.recorded || !facts.head_at_start.has_value() || !facts.start_token.has_value()) return false;
  const NaiveModel& model = truth_.models.at(facts.identity.tenant);
  for (base::Revision at = *facts.head_at_start; at <= model.head().revision; ++at) {
    if (model.At(at)->ViewOf(facts.carer).Through(facts.level) == facts.held_at_start) return true;
  }
  return false;
}

}  // namespace caresync::simulation
