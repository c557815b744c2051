#include "server/records/visibility.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/records/fan_out.h"
#include "server/records/grants.h"
#include "server/records/groups.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/records/review.h"
#include "server/records/review_resolution.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;
using base::ReceiverId;
using base::RecordKey;

// An entry's old and new row, its place, and the feed's head.
constexpr size_t kRowsPerEntry = 4;
// Kept for what ends a change: its tasks, their scopes, the tenant's head.
constexpr size_t kRowsLeft = 1'000;
// Names of children kept at hand, lists of them included: most records have a few, some have thousands.
constexpr size_t kChildrenKept = 65'536;
// Carers whose groups are kept at hand; a carer is in a few, in hundreds at most.
constexpr size_t kViewersKept = 1'024;
// Holders of grants kept at hand, records included.
constexpr size_t kHoldersKept = 65'536;
// Rows of grants on one record that are read to find them: a service user has one for each of its carers' visits. They
// take as long as some ten questions after one carer each.
constexpr size_t kGrantRowsRead = 256;
// Pairs of receiver and record that are read ahead at once: a half of what a step moves, so that little of it is in
// vain where the step ends for another reason.
constexpr size_t kPairsReadAhead = limits::kFanOutStepEntries / 2;

// Whether this very change gives the receiver a grant on the record. What was there before it need not be read then.
bool GivesGrant(const commit::Transaction& transaction, const RecordKey& record, const ReceiverId& receiver) {
  bool gives = false;
  transaction.VisitOwn(storage::Space::kRecords, base::keys::GrantsOfReceiver(transaction.tenant(), record, receiver),
                       [&gives](std::string_view, const std::optional<std::string>& row) {
                         gives = row.has_value();
                         return !gives;
                       });
  return gives;
}

}  // namespace

absl::Status Settler::Begin(Mode mode) {
  mode_ = mode;
  settled_any_ = false;
  replays_grants_ = false;
  viewers_.clear();
  group_sees_.clear();
  group_sees_kept_ = 0;
  holders_.clear();
  holders_kept_ = 0;
  facts_.clear();
  children_.clear();
  children_kept_ = 0;
  ASSIGN_OR_RETURN(has_scopes_, HasScopes(transaction(), transaction().tenant()));
  return absl::OkStatus();
}

absl::StatusOr<bool> Settler::Settle(const ReceiverId& receiver, const RecordKey& record) {
  if (!HasRoomFor(1)) return false;
  ASSIGN_OR_RETURN(const bool visible, Sees(receiver, record));
  ASSIGN_OR_RETURN(const Facts* const facts, FactsOf(record));
  const size_t mark = transaction().Mark();
  const size_t moved_before = moved();
  ASSIGN_OR_RETURN(const feed::Moved moved_how, Apply(receiver, *facts, visible));
  bool with_children =
      mode_ == Mode::kTask || moved_how == feed::Moved::kAppeared || moved_how == feed::Moved::kDisappeared;
  if (!with_children && has_scopes_ && IsCarer(receiver)) {
    ASSIGN_OR_RETURN(with_children, Concerns(receiver));
  }
  if (with_children) {
    ASSIGN_OR_RETURN(const std::vector<RecordKey>* const children, ChildrenOf(record));
    if (!HasRoomFor(children->size())) {
      transaction().RollBackTo(mark);
      set_moved(moved_before);
      return false;
    }
    RETURN_IF_ERROR(SettleChildren(receiver, *children, visible));
  }
  // While a fan-out is under way an entry may stand that the receiver had lost the grant for, and has again: what came
  // in between was judged by the grant.
  if (visible && (moved_how == feed::Moved::kAppeared || has_scopes_)) {
    RETURN_IF_ERROR(LookAtWaitingOn(receiver, record));
  }
  settled_any_ = true;
  return true;
}

absl::Status Settler::LookAtWaitingOn(const ReceiverId& receiver, const RecordKey& record) {
  if (NameOf(record).value_or(RecordName()).kind != v1::RECORD_KIND_SERVICE_USER) return absl::OkStatus();
  ASSIGN_OR_RETURN(Viewer* const viewer, ViewerOf(receiver));
  if (!viewer->carer.has_value()) return absl::OkStatus();
  if (!viewer->awaited.has_value()) {
    // Settling writes none, and looks at thousands of records for a few carers, of whom nearly none has any.
    ASSIGN_OR_RETURN(viewer->awaited, HasAnyReview(transaction(), transaction().tenant(), *viewer->carer));
  }
  if (!*viewer->awaited) return absl::OkStatus();
  return LookAtWaiting(transaction(), *viewer->carer, record);
}

absl::StatusOr<bool> Settler::Concerns(const ReceiverId& receiver) {
  ASSIGN_OR_RETURN(Viewer* const viewer, ViewerOf(receiver));
  if (!viewer->concerned.has_value()) {
    ASSIGN_OR_RETURN(viewer->concerned, IsConcerned(transaction(), transaction().tenant(), receiver));
  }
  return *viewer->concerned;
}

absl::StatusOr<bool> Settler::SettleChild(const ReceiverId& receiver, const RecordKey& record, const RecordKey& child) {
  if (!HasRoomFor(1)) return false;
  ASSIGN_OR_RETURN(const bool visible, Sees(receiver, record));
  RETURN_IF_ERROR(SettleChildren(receiver, {child}, visible));
  settled_any_ = true;
  return true;
}

absl::StatusOr<size_t> Settler::ReadAhead(absl::Span<const ReceiverId> receivers, absl::Span<const RecordKey> records) {
  const size_t pairs = std::min(kPairsReadAhead, RoomLeft());
  receivers = receivers.subspan(0, pairs);
  const size_t most = receivers.empty() ? 0 : pairs / receivers.size();
  std::vector<RecordKey> wanted;
  size_t covered = 0;
  while (covered < records.size() && (covered == 0 || wanted.size() < most)) {
    const RecordKey& record = records[covered++];
    wanted.push_back(record);
    // Elsewhere most records move without what hangs on them.
    if (mode_ != Mode::kTask) continue;
    ASSIGN_OR_RETURN(const std::vector<RecordKey>* const children, ChildrenOf(record));
    wanted.insert(wanted.end(), children->begin(), children->end());
  }
  // The rest of what hangs on the last one is read as it is settled.
  if (wanted.size() > most) wanted.resize(most);
  if (receivers.size() * wanted.size() > 1) RETURN_IF_ERROR(feeds_.ReadAhead(receivers, wanted));
  return covered;
}

bool Settler::Look() {
  if (!HasRoomFor(1)) return false;
  ++looked_;
  settled_any_ = true;
  return true;
}

commit::CommitRoom Settler::Room() {
  commit::CommitRoom room = transaction().room();
  if (mode_ == Mode::kTask) {
    room.moved = std::min(room.moved, limits::kFanOutStepEntries);
    room.looked = std::min(room.looked, limits::kFanOutStepPairs);
  }
  return room;
}

bool Settler::HasRoomFor(size_t entries) {
  if (mode_ == Mode::kTask && !settled_any_) return true;
  const commit::CommitRoom room = Room();
  return moved() + entries <= room.moved && looked_ + entries <= room.looked &&
         transaction().rows() + kRowsPerEntry * entries + kRowsLeft <= room.rows;
}

size_t Settler::RoomLeft() {
  const commit::CommitRoom room = Room();
  if (moved() >= room.moved || looked_ >= room.looked) return 0;
  return std::min(room.moved - moved(), room.looked - looked_);
}

absl::StatusOr<feed::Moved> Settler::Apply(const ReceiverId& receiver, const Facts& facts, bool visible) {
  ++looked_;
  if (!visible || facts.gone) return feeds_.Remove(receiver, facts.version.record);
  return feeds_.Upsert(receiver, facts.version);
}

absl::Status Settler::SettleChildren(const ReceiverId& receiver, const std::vector<RecordKey>& children, bool visible) {
  for (const RecordKey& child : children) {
    ASSIGN_OR_RETURN(const Facts* const facts, FactsOf(child));
    RETURN_IF_ERROR(Apply(receiver, *facts, visible).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<Settler::Viewer*> Settler::ViewerOf(const ReceiverId& receiver) {
  const auto known = viewers_.find(receiver);
  if (known != viewers_.end()) return &known->second;
  Viewer viewer;
  viewer.carer = CarerOf(receiver);
  if (viewer.carer.has_value()) {
    ASSIGN_OR_RETURN(viewer.groups, LiveGroupsOf(transaction(), transaction().tenant(), *viewer.carer));
  }
  if (viewers_.size() >= kViewersKept) viewers_.clear();
  return &(viewers_[receiver] = std::move(viewer));
}

absl::StatusOr<bool> Settler::GroupSees(const RecordKey& group, const RecordKey& record) {
  if (const auto of_record = group_sees_.find(record); of_record != group_sees_.end()) {
    const auto known = of_record->second.find(group);
    if (known != of_record->second.end()) return known->second;
  }
  ASSIGN_OR_RETURN(const bool granted, IsGrantedTo(transaction(), transaction().tenant(), record, group));
  if (group_sees_kept_ >= limits::kFanOutPairs) {
    group_sees_.clear();
    group_sees_kept_ = 0;
  }
  ++group_sees_kept_;
  return group_sees_[record][group] = granted;
}

absl::StatusOr<bool> Settler::Sees(const ReceiverId& receiver, const RecordKey& record) {
  if (base::HasPlantedBug(base::PlantedBug::kReplayedFanOut) && replays_grants_) return true;
  ASSIGN_OR_RETURN(const Viewer* viewer, ViewerOf(receiver));
  // Groups first: what is known of them is known for all their members.
  for (const RecordKey& group : viewer->groups) {
    ASSIGN_OR_RETURN(const bool granted, GroupSees(group, record));
    if (granted) return true;
  }
  return Holds(receiver, record);
}

absl::StatusOr<bool> Settler::Holds(const ReceiverId& receiver, const RecordKey& record) {
  const base::TenantId& tenant = transaction().tenant();
  // Nearly all that is settled in the change itself is what it gave. A task's step gives nothing.
  if (mode_ == Mode::kInline && GivesGrant(transaction(), record, receiver)) return true;
  if (holders_kept_ >= kHoldersKept) {
    holders_.clear();
    holders_kept_ = 0;
  }
  const auto [known, first] = holders_.try_emplace(record);
  if (first) {
    ++holders_kept_;
    return HasOwnGrant(transaction(), tenant, record, receiver);
  }
  // Whoever asks twice of a record goes on asking: of all who leave a group, or of all who see it.
  Holders& holders = known->second;
  if (!holders.read) {
    ASSIGN_OR_RETURN(holders.all, ReadHolders(transaction(), tenant, record, kGrantRowsRead));
    holders.read = true;
    holders_kept_ += holders.all.has_value() ? holders.all->size() : 0;
  }
  if (!holders.all.has_value()) return HasOwnGrant(transaction(), tenant, record, receiver);
  return holders.all->contains(receiver);
}

absl::StatusOr<const Settler::Facts*> Settler::FactsOf(const RecordKey& record) {
  const auto known = facts_.find(record);
  if (known != facts_.end()) return &known->second;
  ASSIGN_OR_RETURN(const std::optional<store::Record> stored, GetRecord(transaction(), transaction().tenant(), record));
  Facts facts{.version = {.record = record}, .gone = true};
  if (stored.has_value()) {
    facts.gone = stored->deleted();
    facts.version = {.record = record,
                     .version = stored->version(),
                     .fingerprint = stored->fingerprint(),
                     .payload_bytes = stored->payload().size(),
                     .level = LevelOf(stored->kind())};
  }
  // A step walks over the same records for one carer after the other.
  if (facts_.size() >= limits::kFanOutPairs) facts_.clear();
  return &(facts_[record] = std::move(facts));
}

absl::StatusOr<const std::vector<RecordKey>*> Settler::ChildrenOf(const RecordKey& record) {
  const auto known = children_.find(record);
  if (known != children_.end()) return &known->second;
  std::vector<RecordKey> children;
  bool damaged = false;
  RETURN_IF_ERROR(transaction().Scan(storage::Space::kRecords, base::keys::Children(transaction().tenant(), record),
                                     std::numeric_limits<size_t>::max(), [&](std::string_view key, std::string_view) {
                                       RecordKey of;
                                       damaged = !base::keys::ParseChild(key, &of, &children.emplace_back());
                                       return !damaged;
                                     }));
  if (damaged) return base::errors::DamagedRow("child");
  if (children_kept_ >= kChildrenKept) {
    children_.clear();
    children_kept_ = 0;
  }
  children_kept_ += children.size() + 1;
  return &(children_[record] = std::move(children));
}

}  // namespace caresync::records
