// What people in the office of the simulated world say of events for review.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/sha256.h"
#include "server/care_events/resolving.h"
#include "server/records/review.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

v1::ResolveEventRequest RequestFor(const Ruling& ruling) {
  v1::ResolveEventRequest request;
  request.set_review_id(records::TextOf({ruling.event.first, base::Sha256Of(ruling.event.second)}));
  const std::string target = ruling.target.has_value() ? ruling.target->second : "";
  if (ruling.resolution == v1::RESOLUTION_APPLIED) {
    request.mutable_apply_to_visit()->set_visit_id(target);
  } else if (ruling.resolution == v1::RESOLUTION_ACCEPTED_AS_UNPLANNED) {
    request.mutable_accept_as_unplanned()->set_service_user_id(target);
  } else {
    request.mutable_discard()->set_reason(ruling.note);
  }
  return request;
}

// Those behind which others wait that may go the way of the first.
std::vector<EventKey> LeadersOf(const State& state) {
  std::vector<EventKey> leaders;
  for (const auto& [event, kept] : state.for_review) {
    if (kept.parent.first != v1::RECORD_KIND_VISIT) continue;
    const std::vector<EventKey> waiting = state.WaitingOf(kept.carer, kept.parent);
    if (waiting.size() > 1 && waiting.front() == event) leaders.push_back(event);
  }
  return leaders;
}

}  // namespace

std::optional<Ruling> SimulatedWorld::MakeRuling(const base::TenantId& tenant) {
  const State& head = oracle_.model(tenant).head();
  std::vector<EventKey> events;
  for (const auto& [event, kept] : head.for_review) events.push_back(event);
  // Now and then one that was resolved, or that never waited.
  if (OneIn(6)) {
    for (const auto& [event, settled] : head.settled) events.push_back(event);
  }
  if (events.empty()) return std::nullopt;
  static constexpr v1::Resolution kResolutions[] = {v1::RESOLUTION_APPLIED, v1::RESOLUTION_ACCEPTED_AS_UNPLANNED,
                                                    v1::RESOLUTION_DISCARDED};
  Ruling ruling;
  const std::vector<EventKey> leaders = LeadersOf(head);
  const std::vector<EventKey>& of = leaders.empty() || OneIn(2) ? events : leaders;
  ruling.event = of[Below(of.size())];
  ruling.resolution = kResolutions[Below(std::size(kResolutions))];
  if (ruling.resolution == v1::RESOLUTION_DISCARDED) {
    ruling.note = absl::StrCat("reason ", Below(2));
    return ruling;
  }
  if (OneIn(2)) return ruling;
  const bool applied = ruling.resolution == v1::RESOLUTION_APPLIED;
  const v1::RecordKind kind = applied ? v1::RECORD_KIND_VISIT : v1::RECORD_KIND_SERVICE_USER;
  std::vector<Name> targets = {{kind, base::Uuid::Random(ids_).ToString()}};
  for (const auto& [name, record] : head.records) {
    if (name.first == kind) targets.push_back(name);
  }
  ruling.target = targets[Below(targets.size())];
  return ruling;
}

void SimulatedWorld::ResolveEvent() {
  const base::TenantId tenant = tenants_[OneIn(4) ? 1 : 0];
  const std::optional<Ruling> ruling = MakeRuling(tenant);
  if (!ruling.has_value()) return;
  SubmitRuling(tenant, *ruling);
  // A person who heard nothing says it again.
  if (OneIn(4)) SubmitRuling(tenant, *ruling);
}

void SimulatedWorld::SubmitRuling(const base::TenantId& tenant, const Ruling& ruling) {
  server_->sequencer().Submit(
      tenant,
      [this, tenant, ruling](commit::Transaction& transaction) -> absl::Status {
        const absl::Status made = care_events::ResolveEvent(transaction, RequestFor(ruling), "a person").status();
        const std::string reason = base::Reason(made);
        if (retiring_ || reason == "STORE_UNAVAILABLE") return made;
        const State& head = oracle_.model(tenant).head();
        const std::string expected = NaiveModel::WhyNot(head, ruling);
        if (reason != expected) {
          Fail(absl::StrCat("a word on event ", ruling.event.first, " is answered '", reason, "' instead of '",
                            expected, "'"));
        }
        if (made.ok() && transaction.wrote() != head.for_review.contains(ruling.event)) {
          Fail("a word that was said before writes something, or a new one does not");
        }
        if (!made.ok() || !transaction.wrote()) return made;
        oracle_.ProposeRuling(tenant, ruling);
        if (head.for_review.at(ruling.event).reused) Count("ruling of one whose ID was used");
        return made;
      },
      [this, tenant, ruling](const absl::StatusOr<commit::Committed>& done) {
        if (retiring_) return;
        oracle_.Withdraw(tenant);
        const std::string what = v1::Resolution_Name(ruling.resolution);
        if (!done.ok()) return Count(absl::StrCat("ruling refused ", base::Reason(done.status())));
        Count(done->wrote ? absl::StrCat("ruling ", what) : "ruling said again");
        if (done->wrote && ruling.target.has_value()) Count(absl::StrCat("ruling ", what, " on another record"));
      });
}

}  // namespace caresync::simulation
