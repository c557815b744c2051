#include "server/records/window.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/records/record_store.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;
using Edge = store::WindowEdges::Edge;
using Stretch = store::WindowEdges::Stretch;

constexpr int64_t kSecond = 1'000'000;

// Where the opening edge belongs; nullopt: after all visits. A visit that starts in exactly the window's length is
// inside.
std::optional<Place> OpeningTarget(const store::WindowEdges& edges, int64_t now_us) {
  if (edges.download_window_s() == 0) return std::nullopt;
  return Place{now_us + edges.download_window_s() * kSecond + 1, {}};
}

// Where the closing edge belongs; nullopt: before all visits.
std::optional<Place> ClosingTarget(const store::WindowEdges& edges, int64_t now_us) {
  if (edges.retention_s() == 0) return std::nullopt;
  return Place{now_us - edges.retention_s() * kSecond, {}};
}

// Makes `stretch` reach from `from` (nullopt: the first place) to `to` (nullopt: the last) as well.
void Extend(const std::optional<Place>& from, const std::optional<Place>& to, bool is_set, Stretch& stretch) {
  if (!from.has_value()) {
    stretch.clear_from();
  } else if (!is_set || (stretch.has_from() && *from < PlaceOf(stretch.from()))) {
    SetEdge(*from, *stretch.mutable_from());
  }
  if (!to.has_value()) {
    stretch.clear_to();
  } else if (!is_set || (stretch.has_to() && *to > PlaceOf(stretch.to()))) {
    SetEdge(*to, *stretch.mutable_to());
  }
}

// A longer window is a matter of steps forward; a shorter one moves the edge back, over visits that devices hold. Where
// that is not worked out yet, a longer one takes the edge along: else visits would be taken off devices and put back.
void TakeOpeningBack(const std::optional<Place>& target, store::WindowEdges& edges) {
  const std::optional<Place> edge = edges.has_opening() ? std::optional<Place>(PlaceOf(edges.opening())) : std::nullopt;
  const bool longer = edge.has_value() && (!target.has_value() || *target > *edge);
  if (longer && edges.has_anew_by_start()) {
    Extend(edge, target, true, *edges.mutable_anew_by_start());
    if (target.has_value()) {
      SetEdge(*target, *edges.mutable_opening());
    } else {
      edges.clear_opening();
    }
    return;
  }
  if (!target.has_value() || (edge.has_value() && *edge <= *target)) return;
  Extend(target, edge, edges.has_anew_by_start(), *edges.mutable_anew_by_start());
  SetEdge(*target, *edges.mutable_opening());
}

// A shorter retention is a matter of steps forward; a longer one moves the edge back, over visits that devices dropped.
void TakeClosingBack(const std::optional<Place>& target, store::WindowEdges& edges) {
  if (!edges.has_closing()) return;
  const Place edge = PlaceOf(edges.closing());
  if (target.has_value() && edge <= *target) return;
  Extend(target, edge, edges.has_anew_by_end(), *edges.mutable_anew_by_end());
  if (target.has_value()) {
    SetEdge(*target, *edges.mutable_closing());
  } else {
    edges.clear_closing();
  }
}

// Where it is the first of its commit, it will never fit.
bool IsNoRoom(const absl::Status& status) {
  return base::Reason(status) == base::Reason(base::errors::CommitTooLarge());
}

bool Lags(const store::WindowEdges& edges) { return edges.has_anew_by_start() || edges.has_anew_by_end(); }

// One step of the task.
class Step {
 public:
  Step(commit::Transaction& transaction, store::WindowEdges edges, ClosingEdgeAllowance& allowance)
      : transaction_(transaction),
        records_(transaction),
        edges_(std::move(edges)),
        allowance_(allowance),
        now_us_(absl::ToUnixMicros(transaction.now())) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(bool through, WorkAnew(VisitIndex::kByStart));
    if (through) {
      ASSIGN_OR_RETURN(through, WorkAnew(VisitIndex::kByEnd));
    }
    if (through) {
      ASSIGN_OR_RETURN(through, MoveOpening());
    }
    if (through) {
      ASSIGN_OR_RETURN(through, MoveClosing());
    }
    std::optional<int64_t> due = kAtOnce;
    if (through) {
      ASSIGN_OR_RETURN(due, NextDue());
    }
    edges_.set_next_due_us(0);
    if (due.has_value()) ScheduleEdges(transaction_, *due, edges_);
    PutEdges(transaction_, edges_);
    return absl::OkStatus();
  }

 private:
  // What a step may still do is the bound of one commit, with room for one more visit.
  bool IsFull() const {
    return judged_ >= transaction_.room().looked || records_.SetMark().moved > transaction_.room().moved / 2 ||
           transaction_.rows() > limits::kCommitRows / 2 || transaction_.bytes() > limits::kVisitStepBytes;
  }

  // Judges the visits from `from` on, before `to`, as far as one commit goes; `pass` hears of each place that is done
  // with, before the visit is judged. True when none is left.
  template <typename Pass>
  absl::StatusOr<bool> Judge(VisitIndex index, Place from, const std::optional<Place>& to, Pass pass) {
    ASSIGN_OR_RETURN(const std::vector<Place> places,
                     ReadPlaces(transaction_, transaction_.tenant(), index, from, to,
                                transaction_.room().looked - std::min(judged_, transaction_.room().looked) + 1));
    for (const Place& place : places) {
      if (IsFull()) return false;
      pass(After(place));
      const RecordStore::Mark before = records_.SetMark();
      const absl::Status judged = records_.JudgeVisit(place.record, edges_);
      if (judged_ > 0 && IsNoRoom(judged)) {
        records_.RollBackTo(before);
        pass(place);
        return false;
      }
      RETURN_IF_ERROR(judged);
      ++judged_;
    }
    return true;
  }

  absl::StatusOr<bool> WorkAnew(VisitIndex index) {
    const bool by_start = index == VisitIndex::kByStart;
    if (by_start ? !edges_.has_anew_by_start() : !edges_.has_anew_by_end()) return true;
    Stretch& stretch = by_start ? *edges_.mutable_anew_by_start() : *edges_.mutable_anew_by_end();
    const Place from = stretch.has_from() ? PlaceOf(stretch.from()) : Place{};
    const std::optional<Place> to = stretch.has_to() ? std::optional<Place>(PlaceOf(stretch.to())) : std::nullopt;
    ASSIGN_OR_RETURN(const bool through, Judge(index, from, to, [&stretch](const Place& place) {
                       SetEdge(place, *stretch.mutable_from());
                     }));
    if (!through) return false;
    by_start ? edges_.clear_anew_by_start() : edges_.clear_anew_by_end();
    return true;
  }

  absl::StatusOr<bool> MoveOpening() {
    if (!edges_.has_opening()) return true;
    const std::optional<Place> target = OpeningTarget(edges_, now_us_);
    const Place from = PlaceOf(edges_.opening());
    if (target.has_value() && *target <= from) return true;
    ASSIGN_OR_RETURN(const bool through, Judge(VisitIndex::kByStart, from, target, [this](const Place& place) {
                       SetEdge(place, *edges_.mutable_opening());
                     }));
    if (!through) return false;
    if (target.has_value()) {
      SetEdge(*target, *edges_.mutable_opening());
    } else {
      edges_.clear_opening();
    }
    return true;
  }

  absl::StatusOr<bool> MoveClosing() {
    const std::optional<Place> target = ClosingTarget(edges_, now_us_);
    if (!target.has_value()) return true;
    const base::TenantId& tenant = transaction_.tenant();
    const Place from = edges_.has_closing() ? PlaceOf(edges_.closing()) : Place{};
    // What the edge passes up to there costs nothing: a person put it there.
    const int64_t free = std::max(from.time_us, edges_.closing_free_us());
    const Place allowed{free + absl::ToInt64Microseconds(allowance_.Available(tenant)), {}};
    closing_is_held_back_ = allowed < *target;
    const Place to = std::min(*target, allowed);
    if (to <= from) return true;
    ASSIGN_OR_RETURN(const bool through, Judge(VisitIndex::kByEnd, from, to, [this](const Place& place) {
                       SetEdge(place, *edges_.mutable_closing());
                     }));
    if (through) SetEdge(to, *edges_.mutable_closing());
    const int64_t moved_us = edges_.closing().time_us() - free;
    if (edges_.has_closing() && moved_us > 0) allowance_.Spend(tenant, absl::Microseconds(moved_us));
    return through;
  }

  // When the edges are to move on; nullopt where none is to. Both are where they belong, or held back.
  absl::StatusOr<std::optional<int64_t>> NextDue() {
    if (edges_.download_window_s() == 0 && edges_.retention_s() == 0) return std::optional<int64_t>();
    int64_t due = now_us_ + absl::ToInt64Microseconds(limits::kWindowSleep);
    if (edges_.has_opening()) {
      ASSIGN_OR_RETURN(const std::vector<Place> next,
                       ReadPlaces(transaction_, transaction_.tenant(), VisitIndex::kByStart, PlaceOf(edges_.opening()),
                                  std::nullopt, 1));
      if (!next.empty()) due = std::min(due, next[0].time_us - edges_.download_window_s() * kSecond);
    }
    // Without a retention nothing moves the closing edge, and what lies behind it is no reason to look at once.
    if (edges_.has_closing() && edges_.retention_s() > 0 && !closing_is_held_back_) {
      ASSIGN_OR_RETURN(const std::vector<Place> next,
                       ReadPlaces(transaction_, transaction_.tenant(), VisitIndex::kByEnd, PlaceOf(edges_.closing()),
                                  std::nullopt, 1));
      if (!next.empty()) due = std::min(due, next[0].time_us + edges_.retention_s() * kSecond + 1);
    }
    return std::optional<int64_t>(std::max(due, now_us_));
  }

  commit::Transaction& transaction_;
  RecordStore records_;
  store::WindowEdges edges_;
  ClosingEdgeAllowance& allowance_;
  const int64_t now_us_;
  size_t judged_ = 0;
  bool closing_is_held_back_ = false;
};

}  // namespace

absl::Status SetWindow(commit::Transaction& transaction, const WindowLengths& lengths) {
  ASSIGN_OR_RETURN(store::WindowEdges edges, ReadEdges(transaction, transaction.tenant()));
  const int64_t window_s = absl::ToInt64Seconds(lengths.download_window);
  const int64_t retention_s = absl::ToInt64Seconds(lengths.retention);
  const bool window_changes = window_s != edges.download_window_s();
  const bool retention_changes = retention_s != edges.retention_s();
  if (!window_changes && !retention_changes) return absl::OkStatus();

  const int64_t now_us = absl::ToUnixMicros(transaction.now());
  edges.set_download_window_s(window_s);
  edges.set_retention_s(retention_s);
  if (window_changes) TakeOpeningBack(OpeningTarget(edges, now_us), edges);
  if (retention_changes) {
    const std::optional<Place> target = ClosingTarget(edges, now_us);
    TakeClosingBack(target, edges);
    edges.set_closing_free_us(target.has_value() ? target->time_us : 0);
  }
  ScheduleEdges(transaction, kAtOnce, edges);
  PutEdges(transaction, edges);
  return absl::OkStatus();
}

absl::StatusOr<bool> WindowLags(const storage::Reader& reader, const base::TenantId& tenant, absl::Time now) {
  ASSIGN_OR_RETURN(const store::WindowEdges edges, ReadEdges(reader, tenant));
  if (Lags(edges)) return true;
  if (!edges.has_opening()) return false;
  const std::optional<Place> belongs = OpeningTarget(edges, absl::ToUnixMicros(now - limits::kOpeningEdgeLag));
  const Place edge = PlaceOf(edges.opening());
  if (belongs.has_value() && *belongs <= edge) return false;
  ASSIGN_OR_RETURN(const std::vector<Place> late, ReadPlaces(reader, tenant, VisitIndex::kByStart, edge, belongs, 1));
  return !late.empty();
}

commit::TaskStep WindowStep(ClosingEdgeAllowance& allowance) {
  return [&allowance](commit::Transaction& transaction, const std::string& payload) -> absl::Status {
    ASSIGN_OR_RETURN(store::WindowEdges edges, ReadEdges(transaction, transaction.tenant()));
    // Another one took its place.
    if (!commit::IsTaskAt(edges.next_due_us(), payload)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool lagged, WindowLags(transaction, transaction.tenant(), transaction.now()));
    RETURN_IF_ERROR(Step(transaction, std::move(edges), allowance).Run());
    ASSIGN_OR_RETURN(const bool lags, WindowLags(transaction, transaction.tenant(), transaction.now()));
    if (lagged && !lags) transaction.Announce(FanOutTopic());
    return absl::OkStatus();
  };
}

}  // namespace caresync::records
