#include "server/records/fan_out_walk.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/types/span.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/records/fan_out.h"
#include "server/records/grants.h"
#include "server/records/groups.h"
#include "server/records/record_key.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;
using storage::Space;

// Rows of a group that are read at once: as many pairs as are read ahead for one carer or record, since a step ends
// soon after.
constexpr size_t kRowsAtOnce = base::limits::kFanOutStepEntries / 2;
// Carers who are walked over together: what is read of a record is read once for all of them, and of each feed's rows
// many are written at once.
constexpr int kCarersTogether = 32;

absl::StatusOr<ReceiverId> ReceiverOf(const RecordKey& carer) {
  const std::optional<RecordName> name = NameOf(carer);
  if (!name.has_value()) return base::errors::DamagedRow("a group's row that names no carer");
  return CarerReceiver(name->id);
}

// The first holder in `rest`.
absl::StatusOr<std::optional<ReceiverId>> FirstHolder(const storage::Reader& reader, const storage::KeyRange& rest) {
  std::optional<ReceiverId> holder;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, rest, 1, [&](std::string_view key, std::string_view) {
    RecordKey of;
    std::string reason;
    damaged = !base::keys::ParseGrant(key, &of, &holder.emplace(), &reason);
    return false;
  }));
  if (damaged) return base::errors::DamagedRow("grant");
  return holder;
}

// Whether the change that made the task saw all of its pairs become visible.
bool OnlyGives(const store::FanOut& fan_out) {
  return absl::StrContains(fan_out.task_id(), "/1/") && (fan_out.has_of_pairs() || fan_out.has_of_group_record());
}

class Walk {
 public:
  Walk(Settler& settler, store::FanOut& fan_out)
      : settler_(settler),
        transaction_(settler.transaction()),
        tenant_(transaction_.tenant()),
        fan_out_(fan_out),
        // A fan-out that is not a task yet belongs to this very change.
        since_(fan_out.task_id().empty() ? transaction_.revision() : fan_out.change_revision()) {}

  absl::StatusOr<bool> Run() {
    switch (fan_out_.target_case()) {
      case store::FanOut::kOfRecord:
        return OverHolders({fan_out_.of_record().record()}, std::nullopt);
      case store::FanOut::kOfChild:
        return OverHolders({fan_out_.of_child().record()}, RecordKey{fan_out_.of_child().child()});
      case store::FanOut::kOfMembers:
        return OverMembers();
      case store::FanOut::kOfGroupRecord:
        return OverMembersOfGroup();
      case store::FanOut::kOfPairs:
        return OverPairs();
      case store::FanOut::TARGET_NOT_SET:
        break;
    }
    return base::errors::DamagedRow("a fan-out without a target");
  }

 private:
  absl::StatusOr<bool> Settle(const ReceiverId& receiver, const RecordKey& record,
                              const std::optional<RecordKey>& child) {
    if (child.has_value()) return settler_.SettleChild(receiver, record, *child);
    return settler_.Settle(receiver, record);
  }

  // The next holder to be looked at: the one whose members are being walked over, else the one after the last.
  absl::StatusOr<std::optional<ReceiverId>> NextHolder(const RecordKey& record) const {
    storage::KeyRange rest = base::keys::GrantsOfRecord(tenant_, record);
    if (!fan_out_.done_holder().empty()) {
      const storage::KeyRange last = base::keys::GrantsOfReceiver(tenant_, record, {fan_out_.done_holder()});
      rest.begin = fan_out_.done_record().empty() ? last.end : last.begin;
    }
    return FirstHolder(transaction_, rest);
  }

  absl::StatusOr<bool> OverHolders(const RecordKey& record, const std::optional<RecordKey>& child) {
    while (true) {
      ASSIGN_OR_RETURN(const std::optional<ReceiverId> holder, NextHolder(record));
      if (!holder.has_value()) return true;
      // The group whose members were being walked over may have lost its last row meanwhile.
      if (holder->bytes != fan_out_.done_holder()) fan_out_.clear_done_record();
      const std::optional<RecordKey> group = GroupOfHolder(*holder);
      bool through = true;
      if (group.has_value()) {
        ASSIGN_OR_RETURN(through, OverMembersOf(*group, record, child));
      } else {
        ASSIGN_OR_RETURN(through, Settle(*holder, record, child));
      }
      if (through || !fan_out_.done_record().empty()) fan_out_.set_done_holder(holder->bytes);
      if (!through) return false;
      fan_out_.clear_done_record();
    }
  }

  // All members of the group after the last one, for one record.
  absl::StatusOr<bool> OverMembersOf(const RecordKey& group, const RecordKey& record,
                                     const std::optional<RecordKey>& child) {
    while (true) {
      ASSIGN_OR_RETURN(const std::vector<RecordKey> members,
                       MembersOf(transaction_, tenant_, group, {fan_out_.done_record()}, kRowsAtOnce));
      std::vector<ReceiverId> receivers;
      receivers.reserve(members.size());
      for (const RecordKey& member : members) {
        ASSIGN_OR_RETURN(receivers.emplace_back(), ReceiverOf(member));
      }
      RETURN_IF_ERROR(settler_.ReadAhead(receivers, {child.value_or(record)}).status());
      for (size_t i = 0; i < members.size(); ++i) {
        ASSIGN_OR_RETURN(const bool settled, Settle(receivers[i], record, child));
        if (!settled) return false;
        fan_out_.set_done_record(members[i].bytes);
      }
      if (members.size() < kRowsAtOnce) return true;
    }
  }

  absl::StatusOr<bool> OverMembersOfGroup() {
    const RecordKey group{fan_out_.of_group_record().group()};
    const RecordKey record{fan_out_.of_group_record().record()};
    ASSIGN_OR_RETURN(const bool through, OverMembersOf(group, record, std::nullopt));
    if (!through) return false;
    RETURN_IF_ERROR(ForgetGroupGrant(transaction_, group, record, since_));
    return true;
  }

  // The record for each of the receivers, from the one after the last.
  absl::StatusOr<bool> OverReceivers(const std::vector<ReceiverId>& receivers, const RecordKey& record) {
    const bool begun = fan_out_.done_record() == record.bytes && !fan_out_.done_holder().empty();
    auto next = receivers.begin();
    if (begun) {
      const auto last = std::find(next, receivers.end(), ReceiverId{fan_out_.done_holder()});
      if (last == receivers.end()) return base::errors::DamagedRow("a fan-out that is at no carer of its own");
      next = last + 1;
    }
    for (; next != receivers.end(); ++next) {
      ASSIGN_OR_RETURN(const bool settled, settler_.Settle(*next, record));
      if (!settled) return false;
      fan_out_.set_done_record(record.bytes);
      fan_out_.set_done_holder(next->bytes);
    }
    fan_out_.clear_done_holder();
    return true;
  }

  // All records of the group after the last one, each for all of the receivers.
  absl::StatusOr<bool> OverRecordsOf(const RecordKey& group, const std::vector<ReceiverId>& receivers) {
    if (!fan_out_.done_holder().empty()) {
      // It may be the group's no more: then the rest of them are right already.
      ASSIGN_OR_RETURN(const bool through, OverReceivers(receivers, {fan_out_.done_record()}));
      if (!through) return false;
    }
    while (true) {
      ASSIGN_OR_RETURN(const std::vector<RecordKey> records,
                       RecordsOf(transaction_, tenant_, group, {fan_out_.done_record()}, kRowsAtOnce));
      size_t ahead = 0;
      for (size_t i = 0; i < records.size(); ++i) {
        if (i == ahead) {
          ASSIGN_OR_RETURN(const size_t more, settler_.ReadAhead(receivers, absl::MakeConstSpan(records).subspan(i)));
          ahead += more;
        }
        ASSIGN_OR_RETURN(const bool through, OverReceivers(receivers, records[i]));
        if (!through) return false;
      }
      if (records.size() < kRowsAtOnce) return true;
    }
  }

  // The carers who are walked over together: those of the step before, where it was not done with them.
  absl::StatusOr<std::vector<ReceiverId>> Together(store::FanOut::OfMembers& target) {
    if (target.together() == 0) {
      // A task of an older server, which is in the middle, walks over one after the other.
      const bool begun = !fan_out_.done_record().empty();
      target.set_together(begun ? 1 : std::min(target.carers_size(), kCarersTogether));
    }
    std::vector<ReceiverId> receivers;
    for (const std::string& carer : target.carers()) {
      if (receivers.size() == target.together()) break;
      ASSIGN_OR_RETURN(receivers.emplace_back(), ReceiverOf({carer}));
    }
    return receivers;
  }

  absl::StatusOr<bool> OverMembers() {
    store::FanOut::OfMembers& target = *fan_out_.mutable_of_members();
    const RecordKey group{target.group()};
    const std::set<std::string> scopes(fan_out_.scopes().begin(), fan_out_.scopes().end());
    while (target.carers_size() > 0) {
      ASSIGN_OR_RETURN(const std::vector<ReceiverId> receivers, Together(target));
      ASSIGN_OR_RETURN(const bool through, OverRecordsOf(group, receivers));
      // They cost a look though the group has no records.
      if (!through || !settler_.Look()) return false;
      fan_out_.clear_done_record();
      for (size_t i = 0; i < receivers.size(); ++i) {
        RETURN_IF_ERROR(ForgetMember(transaction_, group, {target.carers(static_cast<int>(i))}, since_));
        // Its feed is right: it need not wait for the others.
        if (scopes.contains(receivers[i].bytes)) DeleteScope(transaction_, receivers[i].bytes, fan_out_.task_id());
      }
      target.mutable_carers()->DeleteSubrange(0, static_cast<int>(receivers.size()));
      target.clear_together();
    }
    return true;
  }

  absl::StatusOr<bool> OverPairs() {
    store::FanOut::OfPairs& target = *fan_out_.mutable_of_pairs();
    int done = 0;
    bool settled = true;
    for (; done < target.pairs_size(); ++done) {
      const store::FanOut::Pair& pair = target.pairs(done);
      ASSIGN_OR_RETURN(settled, settler_.Settle({pair.receiver()}, {pair.record()}));
      if (!settled) break;
    }
    target.mutable_pairs()->DeleteSubrange(0, done);
    return settled;
  }

  Settler& settler_;
  commit::Transaction& transaction_;
  const base::TenantId tenant_;
  store::FanOut& fan_out_;
  const base::Revision since_;
};

}  // namespace

absl::StatusOr<bool> WalkFanOut(Settler& settler, Settler::Mode mode, store::FanOut& fan_out) {
  RETURN_IF_ERROR(settler.Begin(mode));
  const bool replays = base::HasPlantedBug(base::PlantedBug::kReplayedFanOut) && OnlyGives(fan_out);
  if (replays) settler.ReplayGrants();
  return Walk(settler, fan_out).Run();
}

absl::StatusOr<std::vector<ReceiverId>> HoldersOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const RecordKey& record, size_t most) {
  std::vector<ReceiverId> holders;
  storage::KeyRange rest = base::keys::GrantsOfRecord(tenant, record);
  // One row a holder: a carer who was assigned to hundreds of visits has hundreds of rows, which are stepped over.
  while (holders.size() < most) {
    ASSIGN_OR_RETURN(std::optional<ReceiverId> next, FirstHolder(reader, rest));
    if (!next.has_value()) break;
    rest.begin = base::keys::GrantsOfReceiver(tenant, record, *next).end;
    holders.push_back(*std::move(next));
  }
  return holders;
}

}  // namespace caresync::records
