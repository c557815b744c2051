// What a device says that it holds, as marks of the proof of delivery (deliveries/marks.h): one for each ack that says
// something new, none for a sync in which nothing was new.
#include <algorithm>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/deliveries/marks.h"
#include "server/sync/session.h"

namespace caresync::sync {
namespace {

using store::CopyMark;

bool IsWhole(const ResumeToken& token) { return token.position >= feed::Position::EndOf(token.cursor.revision); }

}  // namespace

std::optional<CopyMark::Kind> Session::KindOfHeld(const ResumeToken& token) {
  const store::DeviceCopy& before = rows_->copy();
  // All that the feed showed, and by the right count and sum: nothing before it matters.
  const bool stands_alone = IsWhole(token) && !before.diverged();
  if (token.rebuild_number > before.in_use_number()) return IsWhole(token) ? CopyMark::SWAPPED : CopyMark::FELL_BACK;
  if (token.rebuild_number < before.in_use_number()) return CopyMark::FELL_BACK;
  // What made a wrong copy stays unknown until the copy was found to be right.
  if (before.diverged() && success_ != Success::kConfirmed && phase_ != Phase::kRunning) return std::nullopt;
  if (before.timeline().empty()) return stands_alone ? CopyMark::APPLIED : CopyMark::FELL_BACK;
  const feed::Position recorded = devices::PositionOf(before);
  if (token.position < recorded) {
    if (facts_->summary.EndsBy(token.position)) return std::nullopt;
    return CopyMark::FELL_BACK;
  }
  if (before.not_known() && success_ == Success::kConfirmed) return CopyMark::APPLIED;
  if (token.position == recorded || !cursor_lags_) return std::nullopt;
  return CopyMark::APPLIED;
}

void Session::MarkHeld(const ResumeToken& token, absl::Time sent) {
  if (rows_->dropped_own()) return;
  const std::optional<CopyMark::Kind> kind = KindOfHeld(token);
  if (!kind.has_value()) return;
  rows_->copy().set_not_known(rows_->copy().diverged() && success_ != Success::kConfirmed);
  AddMark(identity_.carer, *kind, token, sent);
}

void Session::MarkNotHeld() {
  if (start_.resume_token().empty()) {
    if (rows_->Holds(identity_.carer.ToString())) AddMark(identity_.carer, CopyMark::EMPTY, {}, absl::InfinitePast());
    rows_->copy().set_not_known(false);
    return;
  }
  MarkNotKnown();
}

void Session::MarkNotKnown() {
  if (rows_->dropped_own() || rows_->copy().not_known()) return;
  rows_->copy().set_not_known(true);
  AddMark(identity_.carer, CopyMark::NOT_KNOWN, {}, absl::InfinitePast());
}

void Session::AddMark(const base::Uuid& carer, CopyMark::Kind kind, const ResumeToken& token, absl::Time sent) {
  CopyMark row;
  row.set_kind(kind);
  row.set_time_us(base::ToStoredTime(now_));
  row.set_timeline(token.cursor.timeline);
  row.set_revision(token.cursor.revision);
  row.set_position_revision(token.position.revision);
  row.set_position_record(token.position.record.bytes);
  row.set_sent_us(sent == absl::InfinitePast() ? 0 : base::ToStoredTime(sent));
  news_.AddMark({carer, std::move(row)});
}

storage::Commit Session::CommitOf(storage::Commit (devices::SessionRows::*make)(storage::Durability),
                                  storage::Durability durability) {
  std::vector<std::pair<base::Uuid, deliveries::Mark>> numbered;
  for (NewMark& mark : news_.TakeAlong()) {
    mark.row.set_sync_number(rows_->number());
    mark.row.set_session_id(session_id_);
    numbered.push_back({mark.carer, {rows_->TakeMarkNumber(), std::move(mark.row)}});
  }
  storage::Commit commit = ((*rows_).*make)(durability);
  for (const auto& [carer, mark] : numbered) {
    deliveries::AddMark(commit, identity_.tenant, identity_.device, carer, mark);
  }
  return commit;
}

}  // namespace caresync::sync
