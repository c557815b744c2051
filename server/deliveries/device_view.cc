#include "server/deliveries/device_view.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"
#include "server/deliveries/keeping.h"
#include "server/deliveries/outcome.h"
#include "server/devices/device_rows.h"
#include "server/feed/feed_reader.h"
#include "server/records/record_key.h"

namespace caresync::deliveries {
namespace {

using Known = DeviceView::Known;

// Entries that are read at once.
constexpr size_t kEntriesAtOnce = 500;

// An entry of one visit in the carer's feed, without what it shows.
struct Step {
  base::Revision revision = 0;
  bool removal = false;
};
// In the order of the feed.
using Steps = std::map<base::RecordKey, std::vector<Step>>;

// What a device holds of a visit: the entry by which it holds it.
struct Held {
  // nullopt, where `certain` is false alone: it may hold none.
  std::optional<base::Revision> revision;
  // Where that is not so: the last one by which it may hold another.
  base::Revision last = 0;
  bool certain = true;
};
using HeldVisits = std::map<base::RecordKey, Held>;

bool SaysAll(const Mark& mark) {
  const std::optional<feed::Position> reach = ReachOf(mark);
  return reach.has_value() && (*reach >= feed::Position::EndOf(mark.row.revision()) ||
                               base::HasPlantedBug(base::PlantedBug::kPartOfDeltaIsWhole));
}

// The last one before marks[at] with the same token; nullopt: none that is kept has it.
std::optional<size_t> FindSameToken(const std::vector<Mark>& marks, size_t at) {
  const Mark& wanted = marks[at];
  while (at-- > 0) {
    const bool same = ReachOf(marks[at]).has_value() && marks[at].row.timeline() == wanted.row.timeline() &&
                      marks[at].row.revision() == wanted.row.revision() && marks[at].position() == wanted.position();
    if (same) return at;
  }
  return std::nullopt;
}

// What a view is made of.
struct Chain {
  Known known = Known::kNotKnown;
  // With kAll: one that says all, and those that lead on from it, in their order.
  std::vector<const Mark*> marks;
};

Chain ChainTo(const std::vector<Mark>& marks, size_t at) {
  std::vector<const Mark*> newest_first;
  for (;;) {
    const Mark& mark = marks[at];
    if (SaysAll(mark)) {
      newest_first.push_back(&mark);
      return {Known::kAll, {newest_first.rbegin(), newest_first.rend()}};
    }
    if (mark.row.kind() == store::CopyMark::EMPTY) {
      // A new copy is made whole: nothing leads on from none.
      return {newest_first.empty() ? Known::kNoCopy : Known::kNotKnown, {}};
    }
    if (mark.row.kind() == store::CopyMark::FELL_BACK) {
      const std::optional<size_t> same = FindSameToken(marks, at);
      if (!same.has_value()) return {};
      at = *same;
      continue;
    }
    if (mark.row.kind() == store::CopyMark::NOT_KNOWN || at == 0) return {};
    newest_first.push_back(&mark);
    --at;
  }
}

// The carer's, up to `revision`.
absl::StatusOr<Steps> ReadSteps(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer,
                                base::Revision revision) {
  Steps steps;
  feed::Position after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<Entry> entries, ReadEntries(reader, tenant, carer, after, kEntriesAtOnce));
    for (const Entry& entry : entries) {
      if (entry.revision > revision) return steps;
      steps[entry.visit].push_back({entry.revision, !entry.row.has_payload()});
    }
    if (entries.size() < kEntriesAtOnce) return steps;
    after = entries.back().position();
  }
}

// How many of a visit's steps lie at `revision` or before.
size_t CountUntil(const std::vector<Step>& steps, base::Revision revision) {
  const auto behind = std::upper_bound(steps.begin(), steps.end(), revision,
                                       [](base::Revision wanted, const Step& step) { return wanted < step.revision; });
  return static_cast<size_t>(behind - steps.begin());
}

void HoldLast(const base::RecordKey& visit, const Step& last, HeldVisits& held) {
  if (last.removal) {
    held.erase(visit);
  } else {
    held[visit] = {.revision = last.revision, .last = last.revision, .certain = true};
  }
}

// What the feed showed at `revision`.
HeldVisits HeldAt(const Steps& steps, base::Revision revision) {
  HeldVisits held;
  for (const auto& [visit, of_visit] : steps) {
    const size_t count = CountUntil(of_visit, revision);
    if (count > 0) HoldLast(visit, of_visit[count - 1], held);
  }
  return held;
}

// What the device held before, led on by a mark that says that it applied what lies behind `before`, up to its reach.
void LeadOn(const Steps& steps, const feed::Position& before, const Mark& mark, HeldVisits& held) {
  const feed::Position reach = *ReachOf(mark);
  for (const auto& [visit, of_visit] : steps) {
    const size_t count = CountUntil(of_visit, mark.row.revision());
    if (count == 0) continue;
    const Step& last = of_visit[count - 1];
    if (feed::Position{last.revision, visit} <= reach) {
      if (before < feed::Position{last.revision, visit}) HoldLast(visit, last, held);
      continue;
    }
    // It moved on behind the reach before the last batch was read. A batch before that one may have brought what lay
    // in between, or not.
    const auto held_before = held.find(visit);
    bool may_hold_another = false;
    base::Revision between = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      const feed::Position position{of_visit[i].revision, visit};
      if (position <= before || position > reach) continue;
      may_hold_another |= !of_visit[i].removal || held_before != held.end();
      between = of_visit[i].revision;
    }
    if (!may_hold_another) continue;
    Held& uncertain = held[visit];
    uncertain.certain = false;
    uncertain.last = between;
  }
}

HeldVisits HeldBy(const Steps& steps, const std::vector<const Mark*>& chain) {
  HeldVisits held = HeldAt(steps, chain.front()->row.revision());
  for (size_t i = 1; i < chain.size(); ++i) LeadOn(steps, *ReachOf(*chain[i - 1]), *chain[i], held);
  return held;
}

// Of what the feed showed at `revision` nothing was let go since; or nothing has taken its place.
absl::StatusOr<bool> IsAllKept(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer,
                               base::Revision revision) {
  ASSIGN_OR_RETURN(const base::Revision horizon, ReadHorizon(reader, tenant));
  if (horizon <= revision) return true;
  ASSIGN_OR_RETURN(const feed::FeedSummary summary, feed::ReadSummary(reader, tenant, records::CarerReceiver(carer)));
  return summary.last_revision <= revision;
}

// All marks of the chain are of this store's past.
absl::StatusOr<bool> AreOfThisStore(const storage::Reader& reader, const base::TenantId& tenant,
                                    const std::vector<const Mark*>& chain) {
  for (const Mark* mark : chain) {
    ASSIGN_OR_RETURN(const commit::CursorStanding standing,
                     commit::Standing(reader, tenant, {mark->row.timeline(), mark->row.revision()}));
    if (standing == commit::CursorStanding::kForeign) return false;
  }
  return true;
}

absl::StatusOr<HeldVisit> ReadHeld(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer,
                                   const base::RecordKey& visit, const Held& held) {
  HeldVisit read;
  read.certain = held.certain;
  read.revision = held.revision.value_or(held.last);
  ASSIGN_OR_RETURN(std::optional<Entry> entry, GetEntry(reader, tenant, carer, read.revision, visit));
  if (!entry.has_value()) return base::errors::DamagedRow("the entry of a visit that an index row names");
  read.committed = base::FromStoredTime(entry->row.committed_us());
  if (held.revision.has_value()) read.payload = std::move(*entry->row.mutable_payload());
  return read;
}

// What is known where no mark was made by then. `first`: the first that is kept; nullptr: there is none.
absl::StatusOr<Known> KnownWithoutMark(const storage::Reader& reader, const base::TenantId& tenant,
                                       const base::Uuid& device, const base::Uuid& carer, const Mark* first) {
  if (first != nullptr) {
    // In its first sync it made its first copy.
    const bool is_first_copy = first->row.kind() == store::CopyMark::SWAPPED && first->row.sync_number() == 1;
    return is_first_copy ? Known::kNoCopy : Known::kNotKnown;
  }
  ASSIGN_OR_RETURN(const devices::DeviceRows rows, devices::ReadDeviceRows(reader, tenant, device));
  const store::DeviceCopy* const copy = rows.report.has_value() ? devices::FindCopy(*rows.report, carer) : nullptr;
  // Marks of it were let go, or an earlier server made none.
  return copy == nullptr || copy->timeline().empty() ? Known::kNoCopy : Known::kNotKnown;
}

}  // namespace

absl::StatusOr<DeviceView> ReadDeviceView(const storage::Reader& reader, const base::TenantId& tenant,
                                          const base::Uuid& device, const base::Uuid& carer, absl::Time time) {
  ASSIGN_OR_RETURN(const std::vector<Mark> marks, ReadAllMarks(reader, tenant, device, carer));
  const auto last = std::find_if(marks.rbegin(), marks.rend(),
                                 [&](const Mark& mark) { return base::FromStoredTime(mark.row.time_us()) <= time; });
  DeviceView view;
  if (last == marks.rend()) {
    ASSIGN_OR_RETURN(view.known,
                     KnownWithoutMark(reader, tenant, device, carer, marks.empty() ? nullptr : &marks.front()));
    return view;
  }
  view.mark = *last;
  const Chain chain = ChainTo(marks, static_cast<size_t>(marks.rend() - last) - 1);
  view.known = chain.known;
  if (chain.known != Known::kAll) return view;

  view.known = Known::kNotKnown;
  ASSIGN_OR_RETURN(const bool of_this_store, AreOfThisStore(reader, tenant, chain.marks));
  if (!of_this_store) return view;
  ASSIGN_OR_RETURN(const bool all_kept, IsAllKept(reader, tenant, carer, chain.marks.front()->row.revision()));
  if (!all_kept) return view;

  ASSIGN_OR_RETURN(const Steps steps, ReadSteps(reader, tenant, carer, chain.marks.back()->row.revision()));
  for (const auto& [visit, held] : HeldBy(steps, chain.marks)) {
    ASSIGN_OR_RETURN(view.visits[visit], ReadHeld(reader, tenant, carer, visit, held));
  }
  view.known = Known::kAll;
  return view;
}

}  // namespace caresync::deliveries
