#include "tests/simulation/naive_mismatches.h"

#include <algorithm>
#include <set>
#include <utility>

#include "caresync/v1/records.pb.h"
#include "server/base/limits.h"

namespace caresync::simulation {
namespace {

namespace limits = base::limits;

struct Span {
  absl::Time from = absl::InfiniteFuture();
  absl::Time until = absl::InfinitePast();

  void Add(absl::Time time) {
    from = std::min(from, time);
    until = std::max(until, time);
  }
};

bool IsPlanned(const State& state, const std::string& carer, const Name& visit) {
  const auto record = state.records.find(visit);
  if (record == state.records.end() || !record->second->published || record->second->cancelled) return false;
  return record->second->carers.contains(carer);
}

bool IsHeld(const State& state, const std::string& carer, const Name& visit) {
  return IsPlanned(state, carer, visit) && !state.outside.contains(visit);
}

// What the carer is to do there, inside the window or not.
std::optional<NaivePart> PlannedPart(const State& state, const std::string& carer, const Name& visit) {
  if (!IsPlanned(state, carer, visit)) return std::nullopt;
  const NaiveRecord& record = *state.records.at(visit);
  v1::Visit payload;
  payload.ParseFromString(record.payload);
  NaivePart part{absl::InfiniteFuture(), absl::InfinitePast(), record.service_user};
  for (const v1::Assignment& own : payload.assignments()) {
    if (own.carer_id() != carer) continue;
    part.start = std::min(part.start, absl::FromUnixSeconds(own.start_time().seconds()));
    part.end = std::max(part.end, absl::FromUnixSeconds(own.end_time().seconds()));
  }
  return part;
}

void AddAcknowledged(NaiveMismatch& row, const std::optional<NaivePart>& part) {
  const bool known = std::find(row.acknowledged.begin(), row.acknowledged.end(), part) != row.acknowledged.end();
  if (!known) row.acknowledged.push_back(part);
}

// The start that counts: the earlier one of what the device shows and of what is planned, but for one that had passed
// when the change came. One at that very moment may count or not.
void AddDue(const std::optional<NaivePart>& acknowledged, const NaivePart& planned, absl::Time change, Span& due) {
  std::vector<absl::Time> starts = {planned.start};
  if (acknowledged.has_value()) starts.push_back(acknowledged->start);
  for (const bool counts_at_once : {false, true}) {
    std::vector<absl::Time> ahead = starts;
    std::erase_if(ahead, [&](absl::Time start) { return start < change || (start == change && !counts_at_once); });
    const std::vector<absl::Time>& counting = ahead.empty() ? starts : ahead;
    due.Add(DueOf(change, *std::min_element(counting.begin(), counting.end())));
  }
}

// What concerns only times that are over is no change: those of the visit, before and after, and those that `row` tells
// of (nullptr: there is none).
Known IsChange(const std::optional<NaivePart>& before, const std::optional<NaivePart>& after, absl::Time made,
               const NaiveMismatch* row) {
  absl::Time end = absl::InfinitePast();
  for (const std::optional<NaivePart>* part : {&before, &after}) {
    if (part->has_value()) end = std::max(end, (*part)->end);
  }
  if (end > made) return Known::kYes;
  bool may_go_on = end == made;
  bool goes_on = false;
  if (row != nullptr) {
    const auto is_ahead = [&](const auto& part) { return part.has_value() && part->end >= made; };
    const bool planned = row->planned.end >= made;
    may_go_on = may_go_on || planned || std::any_of(row->acknowledged.begin(), row->acknowledged.end(), is_ahead);
    const bool shown = std::all_of(row->acknowledged.begin(), row->acknowledged.end(), is_ahead);
    goes_on = !row->may_be_gone && ((planned && row->is_exact) || shown);
  }
  if (goes_on) return Known::kYes;
  return may_go_on ? Known::kMaybe : Known::kNo;
}

void TakeDue(const Span& due, Known counts, Known settled_before, NaiveMismatch& row) {
  const bool waited = row.waits != Known::kNo;
  if (counts == Known::kYes) {
    // The first of several changes is due first, unless the device had acknowledged it.
    const bool anew = settled_before == Known::kYes || !waited;
    const bool goes_on = settled_before == Known::kNo && row.waits == Known::kYes;
    row.due_from = anew ? due.from : std::min(row.due_from, due.from);
    row.due_until = goes_on ? std::min(row.due_until, due.until) : due.until;
    row.waits = Known::kYes;
    return;
  }
  row.due_from = waited ? std::min(row.due_from, due.from) : due.from;
  const bool still_waits = row.waits == Known::kYes && settled_before == Known::kNo;
  if (still_waits) return;
  row.due_until = waited ? std::max(row.due_until, due.until) : due.until;
  row.waits = Known::kMaybe;
}

}  // namespace

std::optional<NaivePart> PartOf(const State& state, const std::string& carer, const Name& visit) {
  return IsHeld(state, carer, visit) ? PlannedPart(state, carer, visit) : std::nullopt;
}

absl::Time DueOf(absl::Time change, absl::Time start) {
  return std::min(std::max(change + limits::kMismatchGrace, start - limits::kMismatchLead),
                  std::max(change + limits::kMismatchSoonest, start - limits::kMismatchLatest));
}

Known IsSettled(const NaiveModel& model, const std::string& carer, const Name& visit, const NaiveCopy* copy) {
  const State& head = model.head();
  const bool held = IsHeld(head, carer, visit);
  const auto feed = head.feeds.find(carer);
  // None of the devices is this carer's.
  if (feed == head.feeds.end()) return held ? Known::kNo : Known::kMaybe;
  // What was applied to a copy that diverged is not known.
  const bool said = copy != nullptr && !copy->cursor.timeline.empty() && !copy->diverged && model.IsKnown(copy->cursor);
  const auto item = feed->second->find(visit);
  if (item == feed->second->end()) {
    if (held) return Known::kNo;
    if (!said) return Known::kMaybe;
    return copy->position >= head.horizons.at(carer) ? Known::kYes : Known::kNo;
  }
  // A fan-out is under way.
  const bool is_told = item->second.removal ? !held : held && item->second.version == head.records.at(visit)->version;
  if (!is_told) return Known::kNo;
  if (said && copy->position >= feed::Position{item->second.moved, KeyOf(visit)}) return Known::kYes;
  return !held && copy == nullptr ? Known::kMaybe : Known::kNo;
}

bool IsTakenBack(const NaiveMismatches::Of& of, const NaiveMismatch& row, const NaiveCopy* copy,
                 const NaiveMismatches::WasSent& was_sent) {
  const bool holds = copy != nullptr && !copy->cursor.timeline.empty();
  return std::any_of(row.beginnings.begin(), row.beginnings.end(), [&](const NaiveBeginning& beginning) {
    const bool stands = !beginning.reached.has_value() || (holds && copy->position >= *beginning.reached);
    return stands && beginning.payload == row.payload && !was_sent(of, beginning.revision, row.changed_at);
  });
}

void NoteSettled(NaiveMismatch& row) {
  AddAcknowledged(row, row.held ? std::optional<NaivePart>(row.planned) : std::nullopt);
}

void NaiveMismatches::OnCommit(const NaiveModel& model, const State& after, absl::Time made, bool is_late,
                               const CopyInUse& copy_of) {
  last_commit_ = made;
  last_was_late_ = is_late;
  for (auto& [of, row] : rows_) {
    row.settled_at_commit = std::exchange(row.settled_meanwhile, false);
    row.taken_back_at_commit = std::exchange(row.taken_back_meanwhile, false);
    row.must_resolve = false;
    // The clock was ahead when the change came, and is put right: it is waited for by what the clock shows now.
    if (made < row.last_change) row.due_from = absl::InfinitePast();
  }
  const State& before = model.head();
  for (auto visit = after.records.lower_bound({v1::RECORD_KIND_VISIT, ""}); visit != after.records.end(); ++visit) {
    const auto& [name, record] = *visit;
    if (name.first != v1::RECORD_KIND_VISIT) break;
    const auto old = before.records.find(name);
    const bool is_new = old == before.records.end();
    const bool written = is_new || old->second != record;
    if (!written && before.outside.contains(name) == after.outside.contains(name)) continue;
    const bool same_bytes = !is_new && old->second->payload == record->payload;
    const bool same_state =
        !is_new && old->second->published == record->published && old->second->cancelled == record->cancelled;
    std::set<std::string> carers = record->carers;
    if (!is_new) carers.insert(old->second->carers.begin(), old->second->carers.end());
    for (const std::string& carer : carers) {
      Change change;
      change.before = PartOf(before, carer, name);
      change.after = PartOf(after, carer, name);
      change.payload_before = is_new ? "" : old->second->payload;
      change.payload = record->payload;
      change.is_new = is_new;
      change.settled_before = Known::kMaybe;
      change.made = made;
      change.revision = after.revision;
      const bool same = change.before.has_value() == change.after.has_value() && same_bytes;
      const bool nothing = !change.before.has_value() && !change.after.has_value();
      // As time goes by, or because the window is another one: nobody said anything of the visit.
      const bool leaves_window = !written && !change.after.has_value();
      // It was outside the window, and comes back without this carer, or is another there.
      const bool comes_back = before.outside.contains(name) && !after.outside.contains(name);
      const bool is_another = written && !(same_bytes && same_state);
      const bool had_left = nothing && before.outside.contains(name) && (comes_back || is_another);
      if (!had_left && (leaves_window || same || nothing)) continue;
      const NaiveCopy* const copy = copy_of(carer);
      if (!is_late) change.settled_before = IsSettled(model, carer, name, copy);
      if (copy != nullptr) change.reached = is_late ? feed::Position() : copy->position;
      if (had_left) {
        TakeOfOneLeft({carer, name}, PlannedPart(after, carer, name), change);
      } else {
        Take({carer, name}, change);
      }
    }
  }
}

void NaiveMismatches::TakeOfOneLeft(const Of& of, const std::optional<NaivePart>& planned, Change change) {
  const auto found = rows_.find(of);
  if (found == rows_.end() || change.settled_before == Known::kYes) return;
  NaiveMismatch& row = found->second;
  const bool is_sure = row.is_exact && !row.may_be_gone;
  const bool shows_as_planned = planned == row.planned;
  if (is_sure && (!row.held || shows_as_planned)) return;
  change.before = row.planned;
  change.counts_most = is_sure && change.settled_before == Known::kNo ? Known::kYes : Known::kMaybe;
  // When the device had acknowledged that may have been seen or not.
  AddAcknowledged(row, row.planned);
  Take(of, change);
}

void NaiveMismatches::Take(const Of& of, const Change& change) {
  const auto found = rows_.find(of);
  const bool is_new = found == rows_.end();
  const Known counts = std::min(IsChange(change.before, change.after, change.made, is_new ? nullptr : &found->second),
                                change.counts_most);
  if (counts == Known::kNo) return;
  NaiveMismatch& row = rows_[of];
  const bool is_exact = counts == Known::kYes && change.settled_before == Known::kYes;
  if (is_exact) row.looked_again = false;
  // It may have been settled as taken back, and waits anew then.
  if (std::exchange(row.may_be_taken_back, false)) row.waits = std::min(row.waits, Known::kMaybe);
  if (is_exact) row.acknowledged.clear();
  if (is_exact) row.beginnings.clear();
  NoteBeginning(change, row);
  if (is_exact || is_new || row.may_be_gone || change.settled_before != Known::kNo) AddAcknowledged(row, change.before);
  // Of what was there before anything was noted of it, or has been forgotten, the server may take nothing to be known.
  if (!is_exact && (is_new || row.may_be_gone)) AddAcknowledged(row, std::nullopt);
  row.planned = change.after.has_value() ? *change.after : *change.before;
  row.held = change.after.has_value();
  row.payload.reset();
  if (row.held) row.payload = change.payload;
  row.is_exact = counts == Known::kYes;
  row.last_change = change.made;
  row.changed_at = change.revision;
  Span due;
  for (const std::optional<NaivePart>& acknowledged : row.acknowledged) {
    AddDue(acknowledged, row.planned, change.made, due);
  }
  TakeDue(due, counts, change.settled_before, row);
  row.seen = change.made;
  row.may_be_gone = row.may_be_gone && counts != Known::kYes;
  row.must_resolve = row.open && is_exact;
  row.owed = false;
  row.lapsed = false;
}

void NaiveMismatches::NoteBeginning(const Change& change, NaiveMismatch& row) {
  const bool may_begin = change.is_new || (change.settled_before != Known::kNo && change.reached.has_value());
  if (!may_begin) return;
  NaiveBeginning beginning;
  if (change.before.has_value()) beginning.payload = change.payload_before;
  beginning.revision = change.revision;
  if (!change.is_new) beginning.reached = change.reached;
  row.beginnings.push_back(std::move(beginning));
}

void NaiveMismatches::LookAgain(const NaiveModel& model, const std::string& carer, const CopyInUse& copy_of) {
  for (auto row = rows_.lower_bound({carer, {}}); row != rows_.end() && row->first.first == carer; ++row) {
    NaiveMismatch& mismatch = row->second;
    // When the server looked, before it wrote what is seen here, is not known.
    mismatch.looked_again = true;
    mismatch.due_from = absl::InfinitePast();
    if (mismatch.waits == Known::kNo || std::exchange(mismatch.may_be_taken_back, false)) {
      mismatch.waits = Known::kMaybe;
      mismatch.due_until = absl::InfiniteFuture();
    }
    if (IsSettled(model, carer, row->first.second, copy_of(carer)) != Known::kNo) mismatch.settled_at_commit = true;
  }
}

void NaiveMismatches::NoteFallBacks(const NaiveModel& model, const CopyInUse& copy_of) {
  std::set<std::string> carers;
  for (const auto& [of, row] : rows_) carers.insert(of.first);
  for (const std::string& carer : carers) {
    const NaiveCopy* const copy = copy_of(carer);
    const bool holds = copy != nullptr && !copy->cursor.timeline.empty() && !copy->diverged;
    const Acknowledged now{holds ? copy->position : feed::Position(), copy != nullptr};
    const auto [known, is_new] = acknowledged_.try_emplace(carer, now);
    // A copy where there was none may show what is gone.
    const bool falls_back = now.position < known->second.position || (holds && !known->second.has_copy);
    if (!is_new && falls_back) LookAgain(model, carer, copy_of);
    known->second = now;
  }
}

void NaiveMismatches::Look(const NaiveModel& model, absl::Time now, bool by_device, const CopyInUse& copy_of,
                           const WasSent& was_sent) {
  NoteFallBacks(model, copy_of);
  for (auto& [of, row] : rows_) {
    row.seen = std::max(row.seen, now);
    if (!row.open && row.seen >= row.planned.end) {
      row.may_be_gone = true;
      row.waits = std::min(row.waits, Known::kMaybe);
    }
    const bool is_looked_at = row.open || (row.waits != Known::kNo && row.seen >= row.due_from);
    if (!is_looked_at) continue;
    if (IsTakenBack(of, row, copy_of(of.first), was_sent)) {
      row.taken_back_meanwhile = true;
      row.may_be_taken_back = true;
    }
    const Known settled = IsSettled(model, of.first, of.second, copy_of(of.first));
    if (settled != Known::kNo) {
      row.settled_meanwhile = true;
      row.waits = std::min(row.waits, Known::kMaybe);
      NoteSettled(row);
    }
    // Removals are forgotten of which the device has not got all, so that it cannot be told any more which it has.
    if (!by_device && row.settled == Known::kYes && settled == Known::kNo) row.lapsed = true;
    const bool settled_now = by_device && !row.lapsed && row.settled == Known::kNo && settled == Known::kYes;
    row.owed = row.open && settled == Known::kYes && (row.owed || settled_now);
    row.settled = settled;
  }
}

}  // namespace caresync::simulation
