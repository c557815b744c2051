// Copies that the device must drop at once: told, and recorded when it says that it did.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/uuid.h"
#include "server/sync/session.h"

namespace caresync::sync {

void Session::NoteOwnCopy() {
  // A restore may have taken back that the device has this copy, or the phone itself was put back.
  if (start_.resume_token().empty()) return;
  if (WhyNotHeld(facts_->rows.rows.device, identity_.carer, facts_->carer_left).ok()) return;
  std::vector<std::string>& drops = facts_->pending_drops;
  const std::string carer = identity_.carer.ToString();
  if (std::find(drops.begin(), drops.end(), carer) == drops.end()) drops.push_back(carer);
}

void Session::TellDrops(v1::Started& started) {
  for (const std::string& carer : facts_->pending_drops) {
    started.add_drop_now_carer_ids(carer);
    drops_told_.insert(carer);
  }
}

bool Session::AwaitsDrops() const {
  const bool recorded = dropped_.empty() && writing_dropped_.empty() && recording_drops_ == 0;
  return !half_closed_ && (!drops_told_.empty() || !recorded);
}

void Session::OnDropped(const v1::Ack& ack) {
  bool any = false;
  for (const std::string& id : ack.dropped_carer_ids()) {
    // Told in lower case; a device may spell it as it likes.
    const std::optional<base::Uuid> carer = base::Uuid::Parse(id);
    if (!carer.has_value()) continue;
    // One that it was not told to drop is its own affair, but what is said of it here would be wrong.
    if (drops_told_.erase(carer->ToString()) == 0) continue;
    ForgetDropped(*carer);
    any = true;
  }
  rows_changed_ |= any;
}

void Session::ForgetDropped(const base::Uuid& carer) {
  const std::string id = carer.ToString();
  if (rows_->Holds(id)) {
    AddMark(carer, store::CopyMark::EMPTY, {}, absl::InfinitePast());
    less_of_.insert(carer);
  }
  rows_->ForgetCopy(id);
  news_.AddCarer(carer);
  dropped_.push_back(id);
}

void Session::RecordDropped() {
  if (writing_dropped_.empty()) return;
  ++recording_drops_;
  actions_.push_back(RecordDropsAction{std::exchange(writing_dropped_, {})});
}

void Session::On(DropsRecordedEvent event) {
  --recording_drops_;
  if (phase_ != Phase::kRunning) return;
  if (!event.status.ok()) return Fail(base::Named(event.status), v1::SYNC_OUTCOME_SERVER_FAILED);
  Continue();
}

}  // namespace caresync::sync
