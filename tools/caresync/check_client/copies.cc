#include "tools/caresync/check_client/copies.h"

#include <utility>

namespace caresync::cli::check {

void Copies::GoOnFrom(const std::string& token) {
  if (const auto found = after_.find(token); found != after_.end()) {
    now_ = found->second;
  } else {
    now_.making.reset();
  }
}

void Copies::Drop() {
  now_ = CopyState();
  after_.clear();
}

void Copies::Begin(uint64_t rebuild_number) {
  now_.making.emplace();
  now_.making_number = rebuild_number;
}

void Copies::Apply(const v1::Changes& changes) {
  if (!now_.making && !now_.in_use) now_.in_use.emplace();
  HeldRecords& records = now_.making ? *now_.making : *now_.in_use;
  for (const v1::Upsert& upsert : changes.upserts()) {
    const RecordName name(upsert.kind(), upsert.record_id());
    records[name] = upsert.payload();
    ever_[name].push_back(upsert.payload());
  }
  for (const v1::Removal& removal : changes.removals()) records.erase({removal.kind(), removal.record_id()});
  after_[changes.resume_token()] = now_;
}

void Copies::CaughtUp(const v1::CaughtUp& caught_up) {
  if (now_.making) now_.in_use = std::exchange(now_.making, std::nullopt);
  if (!now_.in_use) now_.in_use.emplace();
  after_[caught_up.resume_token()] = now_;
}

const CopyState* Copies::After(const std::string& token) const {
  const auto found = after_.find(token);
  return found == after_.end() ? nullptr : &found->second;
}

}  // namespace caresync::cli::check
