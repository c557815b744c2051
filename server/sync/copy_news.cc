#include "server/sync/copy_news.h"

#include <utility>

#include "server/deliveries/delivery_rows.h"

namespace caresync::sync {

using store::CopyMark;

void CopyNews::AddCarer(const base::Uuid& carer) { carers_.insert(carer.ToString()); }

void CopyNews::AddApplied(const std::vector<mismatch::RotaChange>& changes) {
  applied_.insert(applied_.end(), changes.begin(), changes.end());
}

void CopyNews::AddMark(NewMark mark) {
  // Where all of it is held by now the steps on the way say nothing more.
  const bool takes_in = !marks_.empty() && marks_.back().carer == mark.carer && mark.row.kind() == CopyMark::APPLIED &&
                        marks_.back().row.kind() == CopyMark::APPLIED &&
                        deliveries::Mark{.number = 0, .row = mark.row}.is_whole();
  if (takes_in) {
    mark.row.set_sent_us(marks_.back().row.sent_us());
    marks_.pop_back();
  }
  marks_.push_back(std::move(mark));
}

void CopyNews::Forget() {
  carers_.clear();
  applied_.clear();
  marks_.clear();
}

std::vector<NewMark> CopyNews::TakeAlong() {
  to_look_at_ = {std::exchange(carers_, {}), std::exchange(applied_, {})};
  marks_to_tell_ = !marks_.empty();
  return std::exchange(marks_, {});
}

std::vector<SessionAction> CopyNews::TakeFollowUps() {
  std::vector<SessionAction> actions;
  LookAtMismatchesAction to_look_at = std::exchange(to_look_at_, {});
  if (!to_look_at.carers.empty() || !to_look_at.applied.empty()) actions.push_back(std::move(to_look_at));
  if (std::exchange(marks_to_tell_, false)) actions.push_back(TellMarksAction{});
  return actions;
}

}  // namespace caresync::sync
