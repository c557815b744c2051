#include "tests/simulation/held_copies.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/simulation/naive_model.h"

namespace caresync::simulation {
namespace {

using Known = deliveries::DeviceView::Known;

// Of each copy; one that has many has some of its whole past.
constexpr size_t kKeptMost = 8;

bool IsSame(const std::shared_ptr<const HeldVisits>& one, const std::shared_ptr<const HeldVisits>& other) {
  if (one == nullptr || other == nullptr) return one == other;
  return *one == *other;
}

bool IsWhole(const HeardCopy& heard) {
  return !heard.cursor.timeline.empty() && heard.position >= feed::Position::EndOf(heard.cursor.revision);
}

std::string Say(const base::RecordKey& visit) {
  return absl::BytesToHexString(absl::string_view(visit.bytes.data(), visit.bytes.size()));
}

}  // namespace

HeldVisits VisitsOf(const fakes::HeldRecords& records) {
  HeldVisits visits;
  for (const auto& [name, payload] : records) {
    if (name.first == v1::RECORD_KIND_VISIT) visits[KeyOf(name)] = payload;
  }
  return visits;
}

bool HeldCopies::TakeMark(uint64_t number, absl::Time time) {
  const bool comes_next = number > last_number_;
  last_number_ = std::max(last_number_, number);
  last_mark_ = time;
  marked_ = true;
  std::erase_if(kept_, [time](const KeptCopy& kept) { return kept.time >= time; });
  for (KeptCopy& kept : kept_) kept.until = std::min(kept.until, time);
  return comes_next;
}

void HeldCopies::Break() { doubt_ = std::max(doubt_, Doubt::kMayBeUnknown); }

void HeldCopies::TakePlace(const HeardCopy& heard, bool marked) {
  const bool is_ahead = heard.position > position_;
  position_ = heard.position;
  if (IsWhole(heard) && !heard.foreign) {
    // A start of which nothing is told anew, or that falls back, ends no doubt.
    if (marked && !heard.put_back) doubt_ = Doubt::kNone;
  } else if (!IsWhole(heard) && (heard.of_pair || (heard.put_back && is_ahead))) {
    doubt_ = Doubt::kNotCompared;
  } else if (heard.foreign || heard.put_back) {
    doubt_ = std::max(doubt_, Doubt::kMayBeUnknown);
  }
}

void HeldCopies::Take(const HeardCopy& heard, absl::Time now) {
  const bool marked = std::exchange(marked_, false);
  const bool moved = heard.position != position_;
  // Nothing is taken over of a start whose token is not believed, and nothing is lost that was not lost before.
  const bool is_believed = marked || moved || !heard.cursor.timeline.empty();
  if (heard.what == HeardCopy::What::kHolds && !is_believed) return;
  const bool is_nothing = heard.what == HeardCopy::What::kNothing;
  if (!is_nothing) TakePlace(heard, marked);
  if (is_nothing) position_ = heard.position;
  if (is_nothing && marked) doubt_ = Doubt::kNone;
  if (heard.what == HeardCopy::What::kNotJudged) return;
  if (!is_nothing && !IsWhole(heard) && doubt_ == Doubt::kNotCompared) return;
  const bool ever_marked = last_number_ > 0;
  // By a clock that was set back it lies before what was heard earlier.
  if (!marked && ever_marked && now < last_mark_) return;
  const bool says_more = kept_.empty() || !IsSame(kept_.back().visits, heard.visits);
  if (!marked && !moved && !says_more) return;
  KeptCopy kept{.time = marked ? last_mark_ : now};
  kept.visits = heard.visits;
  kept.is_part = !heard.cursor.timeline.empty() && !IsWhole(heard);
  kept.may_be_unknown = heard.foreign || doubt_ != Doubt::kNone || (is_nothing && !ever_marked);
  Keep(std::move(kept));
}

void HeldCopies::Keep(KeptCopy kept) {
  kept_.push_back(std::move(kept));
  if (kept_.size() <= kKeptMost) return;
  kept_.erase(kept_.begin() + static_cast<ptrdiff_t>(let_go_++ % kKeptMost));
}

namespace {

std::string FaultOfVisits(const HeldVisits& held, const std::map<base::RecordKey, deliveries::HeldVisit>& viewed) {
  for (const auto& [visit, payload] : held) {
    const auto shown = viewed.find(visit);
    if (shown == viewed.end()) return absl::StrCat("it held visit ", Say(visit), ", which is not shown");
    if (shown->second.certain && shown->second.payload != payload) {
      return absl::StrCat("it held another version of visit ", Say(visit));
    }
  }
  for (const auto& [visit, shown] : viewed) {
    if (shown.certain && !held.contains(visit)) return absl::StrCat("it did not hold visit ", Say(visit));
  }
  return "";
}

}  // namespace

ViewVerdict Judge(const KeptCopy& kept, const deliveries::DeviceView& view) {
  ViewVerdict verdict;
  if (view.known == Known::kNotKnown) {
    if (!kept.may_be_unknown) verdict.fault = "what it held is not known";
    return verdict;
  }
  if (view.known == Known::kNoCopy) {
    if (kept.visits != nullptr) verdict.fault = "it held a copy, and none is shown";
    return verdict;
  }
  if (kept.visits == nullptr) {
    verdict.fault = "it held no copy, and one is shown";
    return verdict;
  }
  verdict.visits = view.visits.size();
  verdict.uncertain = static_cast<size_t>(
      std::count_if(view.visits.begin(), view.visits.end(), [](const auto& shown) { return !shown.second.certain; }));
  verdict.fault = FaultOfVisits(*kept.visits, view.visits);
  return verdict;
}

}  // namespace caresync::simulation
