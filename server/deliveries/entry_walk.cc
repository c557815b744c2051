#include "server/deliveries/entry_walk.h"

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"
#include "server/deliveries/delivery_rows.h"

namespace caresync::deliveries {
namespace {

namespace errors = base::errors;
namespace keys = base::keys;
using storage::Space;

}  // namespace

bool EntryWalk::Parse(std::string_view key, EntryPlace& place) const {
  place.key = std::string(key);
  if (over_.visit.has_value()) return keys::ParseVisitEntryByVisit(key, &place.visit, &place.carer, &place.revision);
  if (over_.carer.has_value()) return keys::ParseVisitEntry(key, &place.carer, &place.revision, &place.visit);
  return keys::ParseVisitEntryByRevision(key, &place.revision, &place.carer, &place.visit);
}

storage::KeyRange EntryWalk::All() const {
  if (over_.visit.has_value()) return keys::VisitEntriesOfVisit(tenant_, *over_.visit);
  if (over_.carer.has_value()) return keys::VisitEntriesOf(tenant_, *over_.carer, 0, base::RecordKey());
  return keys::AllVisitEntriesByRevision(tenant_, "");
}

absl::StatusOr<bool> EntryWalk::IsSince(absl::Time time, base::Revision revision) const {
  storage::KeyRange range = keys::AllVisitEntriesByRevision(tenant_, "");
  range.begin = keys::VisitEntryByRevision(tenant_, revision, base::Uuid(), base::RecordKey());
  std::optional<EntryPlace> found;
  bool damaged = false;
  RETURN_IF_ERROR(reader_.Scan(Space::kRecords, range, 1, [&](std::string_view key, std::string_view) {
    EntryPlace& place = found.emplace();
    damaged = !keys::ParseVisitEntryByRevision(key, &place.revision, &place.carer, &place.visit);
    return false;
  }));
  if (damaged) return errors::DamagedRow("the key of a visit's entry");
  if (!found.has_value()) return true;
  const absl::StatusOr<std::optional<Entry>> entry =
      GetEntry(reader_, tenant_, found->carer, found->revision, found->visit);
  // What cannot be read is walked over.
  if (absl::IsDataLoss(entry.status())) return true;
  RETURN_IF_ERROR(entry.status());
  return !entry->has_value() || base::FromStoredTime((*entry)->row.committed_us()) >= time;
}

absl::StatusOr<base::Revision> EntryWalk::RevisionAt(absl::Time time) const {
  ASSIGN_OR_RETURN(const base::CommitPoint head, commit::ReadHead(reader_, tenant_));
  base::Revision least = 0;
  base::Revision most = head.revision + 1;
  while (least < most) {
    const base::Revision middle = least + (most - least) / 2;
    ASSIGN_OR_RETURN(const bool since, IsSince(time, middle));
    if (since) {
      most = middle;
    } else {
      least = middle + 1;
    }
  }
  return least;
}

absl::StatusOr<std::string> EntryWalk::Begin() const {
  if (over_.visit.has_value() && over_.carer.has_value()) {
    return keys::VisitEntryByVisit(tenant_, *over_.visit, *over_.carer, 0);
  }
  if (over_.visit.has_value() || over_.from == absl::InfinitePast()) return All().begin;
  ASSIGN_OR_RETURN(const base::Revision revision, RevisionAt(over_.from - kClockSetBack));
  return over_.carer.has_value() ? keys::VisitEntry(tenant_, *over_.carer, revision, base::RecordKey())
                                 : keys::VisitEntryByRevision(tenant_, revision, base::Uuid(), base::RecordKey());
}

absl::Status EntryWalk::GoOnAfter(const std::string& key) {
  left_ = All();
  if (key.empty()) {
    ASSIGN_OR_RETURN(left_.begin, Begin());
    return absl::OkStatus();
  }
  // A token is text that a caller may have changed: it must not lead to another table, or another tenant.
  EntryPlace place;
  if (key < left_.begin || key >= left_.end || !Parse(key, place)) return errors::PageTokenNotValid();
  left_.begin = key + '\0';
  return absl::OkStatus();
}

absl::StatusOr<std::vector<EntryPlace>> EntryWalk::Next(size_t most) {
  std::vector<EntryPlace> places;
  bool damaged = false;
  bool ended = false;
  RETURN_IF_ERROR(reader_.Scan(Space::kRecords, left_, most, [&](std::string_view key, std::string_view) {
    EntryPlace place;
    damaged = !Parse(key, place);
    ended = over_.carer.has_value() && place.carer != *over_.carer;
    if (!damaged && !ended) places.push_back(std::move(place));
    return !damaged && !ended;
  }));
  if (damaged) return errors::DamagedRow("the key of a visit's entry");
  if (!places.empty()) left_.begin = places.back().key + '\0';
  return places;
}

}  // namespace caresync::deliveries
