// What the oracle says of care events: those that take effect, those for review, and what becomes of these.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/sha256.h"
#include "tests/simulation/oracle.h"

namespace caresync::simulation {
namespace {

EventKey KeyOfEvent(const SentEvent& event) { return {event.event_id, event.bytes}; }

bool IsUsedElsewhere(const State& state, const EventKey& event) {
  const auto is_other = [&event](const auto& entry) {
    return entry.first.first == event.first && entry.first.second != event.second;
  };
  return std::any_of(state.for_review.begin(), state.for_review.end(), is_other) ||
         std::any_of(state.settled.begin(), state.settled.end(), is_other);
}

}  // namespace

void Oracle::TakeEvents(const NaiveModel& model, const Rows& rows, const std::optional<Ruling>& ruling, State& state) {
  TakeResolutions(model, rows, ruling, state);
  TakeKept(model, rows, state);
  TakeIdentities(model, rows, state);
}

// Which events were resolved, and how, the model works out: by the word of a person, or from the place at which one
// was looked at.
void Oracle::TakeResolutions(const NaiveModel& model, const Rows& rows, const std::optional<Ruling>& ruling,
                             State& state) {
  std::map<EventKey, SettledEvent> resolved;
  std::set<std::pair<std::string, Name>> looked_at;
  for (const auto& [key, row] : rows) {
    const auto review = review_keys_.find(key);
    if (review == review_keys_.end()) continue;
    store::ReviewItem item;
    Expect(row.has_value() && item.ParseFromString(*row), "an event for review cannot be read");
    if (item.resolution() == v1::RESOLUTION_UNSPECIFIED) continue;
    const SentEvent& event = review->second.event;
    Expect(state.for_review.contains(KeyOfEvent(event)),
           absl::StrCat("event ", event.event_id, " is resolved twice, or never was for review"));
    resolved[KeyOfEvent(event)] = {item.resolution(), item.resolution_note(), std::nullopt};
    looked_at.insert({event.carer, event.parent});
    if (item.stored_on().empty()) continue;
    for (const auto& [name, record] : state.records) {
      if (KeyOf(name).bytes == item.stored_on()) resolved[KeyOfEvent(event)].stored_on = name;
    }
  }
  if (ruling.has_value()) {
    model.Rule(state, *ruling);
  } else {
    for (const auto& [carer, parent] : looked_at) model.TakeWaiting(state, carer, parent, std::nullopt);
  }
  size_t expected = 0;
  for (const auto& [event, settled] : state.settled) {
    if (model.head().settled.contains(event)) continue;
    ++expected;
    const auto stored = resolved.find(event);
    Expect(stored != resolved.end(), absl::StrCat("event ", event.first, " goes on waiting without a reason"));
    Expect(stored == resolved.end() || stored->second == settled,
           absl::StrCat("event ", event.first, " is resolved otherwise than it was ruled, or can be"));
    if (settled.resolution != v1::RESOLUTION_BY_ITSELF) continue;
    on_count_(ruling.has_value() ? "event follows one that a person ruled on" : "event resolved by itself");
  }
  Expect(expected == resolved.size(), "an event is resolved without a reason");
}

void Oracle::TakeKept(const NaiveModel& model, const Rows& rows, State& state) {
  for (const auto& [key, row] : rows) {
    const auto review = review_keys_.find(key);
    if (review == review_keys_.end() || !row.has_value()) continue;
    const SentEvent& event = review->second.event;
    store::ReviewItem item;
    if (!item.ParseFromString(*row) || item.resolution() != v1::RESOLUTION_UNSPECIFIED) continue;
    if (model.head().for_review.contains(KeyOfEvent(event))) {
      // One that leads now, after what it followed was taken, says why it waits itself.
      Expect(item.reason() != v1::REVIEW_REASON_FOLLOWS_ONE_FOR_REVIEW,
             absl::StrCat("event ", event.event_id, " is kept for review twice"));
      continue;
    }
    const bool reused = item.reason() == v1::REVIEW_REASON_EVENT_ID_REUSED;
    state.for_review[KeyOfEvent(event)] = {event.carer, event.parent, reused, item.revision(), item.event_sequence()};
  }
}

void Oracle::TakeIdentities(const NaiveModel& model, const Rows& rows, State& state) {
  for (const auto& [key, row] : rows) {
    const auto known = events_.find(key);
    if (known == events_.end()) continue;
    store::EventIdentity identity;
    Expect(row.has_value() && identity.ParseFromString(*row), "an event's identity cannot be read");
    for (const KnownEvent& candidate : known->second) {
      const SentEvent& event = candidate.event;
      if (base::Sha256Of(event.bytes) != identity.digest()) continue;
      const bool accepted = identity.outcome() == v1::EVENT_OUTCOME_ACCEPTED;
      if (model.head().for_review.contains(KeyOfEvent(event))) {
        Expect(accepted && state.settled.contains(KeyOfEvent(event)), "an event for review is another one now");
      } else if (accepted) {
        CheckAccepted(model, event, state);
        if (state.records.contains(event.parent)) model.Accept(state, event);
      } else {
        CheckForReview(model, event, state);
      }
    }
  }
  for (const auto& [event, kept] : state.for_review) {
    const bool is_new = !model.head().for_review.contains(event);
    Expect(!is_new || !kept.reused || IsUsedElsewhere(state, event),
           absl::StrCat("event ", event.first, " is for review as if its ID had been used"));
  }
}

void Oracle::CheckAccepted(const NaiveModel& model, const SentEvent& event, const State& state) {
  const State& before = model.head();
  Expect(!before.records.contains({v1::RECORD_KIND_CARE_EVENT, event.event_id}) &&
             !before.settled.contains(KeyOfEvent(event)),
         absl::StrCat("event ", event.event_id, " takes effect twice"));
  Expect(!state.for_review.contains(KeyOfEvent(event)),
         absl::StrCat("event ", event.event_id, " is accepted and for review"));
  Expect(NaiveModel::MayRecord(before, event.carer, event.parent),
         absl::StrCat("event ", event.event_id, " is accepted on what is not its carer's"));
  const bool of_visit = event.parent.first == v1::RECORD_KIND_VISIT;
  Expect(!of_visit || before.WaitingOf(event.carer, event.parent).empty(),
         absl::StrCat("event ", event.event_id, " overtakes one that is for review"));
}

void Oracle::CheckForReview(const NaiveModel& model, const SentEvent& event, const State& state) {
  Expect(state.for_review.contains(KeyOfEvent(event)),
         absl::StrCat("event ", event.event_id, " is for review but not kept"));
  // With it, others of the same upload may hold it up.
  const bool has_others = state.WaitingOf(event.carer, event.parent).size() > 1;
  const bool may_record = NaiveModel::MayRecord(model.head(), event.carer, event.parent);
  const bool held_up = has_others && event.parent.first == v1::RECORD_KIND_VISIT;
  Expect(!may_record || held_up, absl::StrCat("event ", event.event_id, " is for review without a reason"));
}

}  // namespace caresync::simulation
