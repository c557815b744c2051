#include "tests/simulation/oracle.h"

#include <openssl/sha.h>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "server/records/record_key.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;

std::string Sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

base::ReceiverId ReceiverOf(const std::string& carer) { return records::CarerReceiver(*base::Uuid::Parse(carer)); }

}  // namespace

void Oracle::AddTenant(const base::TenantId& tenant, const std::vector<std::string>& carers) {
  truth_.models.emplace(tenant, NaiveModel(tenant, carers));
  head_keys_[keys::TenantHead(tenant)] = tenant;
}

void Oracle::AddDevice(const base::TenantId& tenant, const base::Uuid& device) {
  report_keys_[keys::DeviceRow(tenant, device, keys::DevicePart::kReport)] = {tenant, device};
  device_keys_[keys::DeviceRow(tenant, device, keys::DevicePart::kDevice)] = {tenant, device};
  truth_.permissions.AddDevice(tenant, device);
}

void Oracle::AddEvent(const base::TenantId& tenant, const SentEvent& event) {
  events_[keys::EventIdentity(tenant, event.event_id)].push_back({tenant, event});
  review_keys_[keys::ReviewItem(tenant, event.event_id, Sha256(event.bytes))] = {tenant, event};
}

void Oracle::GoBackTo(const Truth& truth) {
  truth_ = truth;
  proposed_.clear();
}

void Oracle::Propose(const base::TenantId& tenant, State state) {
  Withdraw(tenant);
  proposed_.emplace(tenant, std::move(state));
}

void Oracle::OnApplied(const std::vector<storage::Write>& writes) {
  Rows rows;
  for (const storage::Write& write : writes) rows[write.key] = write.value;
  for (const auto& [key, tenant] : head_keys_) {
    const auto row = rows.find(key);
    if (row == rows.end()) continue;
    store::TenantHead head;
    Expect(row->second.has_value() && head.ParseFromString(*row->second), "a head row cannot be read");
    OnTenantCommit(model(tenant), head, rows);
  }
  TakeDevices(rows);
  CheckReports(rows);
}

void Oracle::OnTenantCommit(NaiveModel& model, const store::TenantHead& head, const Rows& rows) {
  Expect(head.revision() == model.head().revision + 1,
         absl::StrCat("revision ", head.revision(), " follows ", model.head().revision));
  State state;
  const auto proposed = proposed_.find(model.tenant());
  if (proposed != proposed_.end() && proposed->second.revision == head.revision()) {
    state = std::move(proposed->second);
  } else {
    state = StateAfter(model, rows);
  }
  Withdraw(model.tenant());
  TakeEdges(model, rows, state);
  TakeHorizons(model, rows, state);
  feeds_.Take(model.tenant(), model.head(), rows, state);
  model.Commit(std::move(state), head.timeline());
}

// What a commit that is no message of a source must have made: it released what waited, or took events.
State Oracle::StateAfter(const NaiveModel& model, const Rows& rows) {
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
  TakeEvents(model, rows, state);
  return state;
}

void Oracle::TakeEvents(const NaiveModel& model, const Rows& rows, State& state) {
  for (const auto& [key, row] : rows) {
    const auto review = review_keys_.find(key);
    if (review == review_keys_.end()) continue;
    const SentEvent& event = review->second.event;
    store::ReviewItem item;
    Expect(row.has_value() && item.ParseFromString(*row), "an event for review cannot be read");
    const bool was_kept = state.for_review.contains({event.event_id, event.bytes});
    if (item.resolution() != v1::RESOLUTION_UNSPECIFIED) {
      Expect(was_kept, absl::StrCat("event ", event.event_id, " is resolved twice"));
      state.for_review.erase({event.event_id, event.bytes});
      Release(model.tenant(), event, state);
      continue;
    }
    // One that leads now, after what it followed was taken, says why it waits itself.
    const bool leads = was_kept && item.reason() != v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW;
    Expect(!was_kept || leads, absl::StrCat("event ", event.event_id, " is kept for review twice"));
    state.for_review.insert({event.event_id, event.bytes});
    if (event.parent.first == v1::RECORD_KIND_VISIT) state.held_up.insert({event.carer, event.parent});
  }
  for (const auto& [key, row] : rows) {
    const auto known = events_.find(key);
    if (known == events_.end()) continue;
    store::EventIdentity identity;
    Expect(row.has_value() && identity.ParseFromString(*row), "an event's identity cannot be read");
    for (const KnownEvent& candidate : known->second) {
      const SentEvent& event = candidate.event;
      if (Sha256(event.bytes) != identity.digest()) continue;
      if (identity.outcome() == v1::EVENT_OUTCOME_ACCEPTED) {
        CheckAccepted(model, event, state);
        if (state.records.contains(event.parent)) model.Accept(state, event);
      } else {
        CheckForReview(model, event, state);
      }
    }
  }
}

// Others of its carer and visit are held up no more where none is left for review.
void Oracle::Release(const base::TenantId& tenant, const SentEvent& event, State& state) const {
  for (const auto& [key, known] : review_keys_) {
    const SentEvent& other = known.event;
    const bool same_parent = known.tenant == tenant && other.carer == event.carer && other.parent == event.parent;
    if (same_parent && state.for_review.contains({other.event_id, other.bytes})) return;
  }
  state.held_up.erase({event.carer, event.parent});
}

void Oracle::CheckAccepted(const NaiveModel& model, const SentEvent& event, const State& state) {
  const State& before = model.head();
  Expect(!before.accepted.contains(event.event_id), absl::StrCat("event ", event.event_id, " takes effect twice"));
  Expect(!state.for_review.contains({event.event_id, event.bytes}),
         absl::StrCat("event ", event.event_id, " is accepted and for review"));
  Expect(NaiveModel::MayRecord(before, event.carer, event.parent),
         absl::StrCat("event ", event.event_id, " is accepted on what is not its carer's"));
  const bool was_kept = before.for_review.contains({event.event_id, event.bytes});
  Expect(was_kept || !before.held_up.contains({event.carer, event.parent}),
         absl::StrCat("event ", event.event_id, " overtakes one that is for review"));
}

void Oracle::CheckForReview(const NaiveModel& model, const SentEvent& event, const State& state) {
  Expect(state.for_review.contains({event.event_id, event.bytes}),
         absl::StrCat("event ", event.event_id, " is for review but not kept"));
  // With it, others of the same upload may hold it up.
  size_t others = 0;
  for (const auto& [key, known] : review_keys_) {
    const SentEvent& other = known.event;
    const bool same_parent = known.tenant == model.tenant() && other.carer == event.carer &&
                             other.parent == event.parent &&
                             other.event_id + other.bytes != event.event_id + event.bytes;
    if (same_parent && state.for_review.contains({other.event_id, other.bytes})) ++others;
  }
  const bool may_record = NaiveModel::MayRecord(model.head(), event.carer, event.parent);
  const bool held_up = others > 0 && event.parent.first == v1::RECORD_KIND_VISIT;
  Expect(!may_record || held_up, absl::StrCat("event ", event.event_id, " is for review without a reason"));
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

void Oracle::CheckReports(const Rows& rows) {
  for (const auto& [key, row] : rows) {
    const auto known = report_keys_.find(key);
    if (known == report_keys_.end()) continue;
    store::DeviceReport report;
    Expect(row.has_value() && report.ParseFromString(*row), "a device's report row cannot be read");
    int64_t& last = truth_.last_success_us[key];
    if (report.last_success_us() == last) continue;
    last = report.last_success_us();
    Expect(may_record_(known->second.first, known->second.second),
           "a sync is recorded that no device of the session confirmed");
  }
}

void Oracle::TakeDevices(const Rows& rows) {
  for (const auto& [key, row] : rows) {
    const auto known = device_keys_.find(key);
    if (known == device_keys_.end()) continue;
    const auto& [tenant, device] = known->second;
    store::Device stored;
    Expect(row.has_value() && stored.ParseFromString(*row), "a device's row cannot be read");
    truth_.permissions.Take(tenant, device, model(tenant).head().revision, stored);
  }
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
