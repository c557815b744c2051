#include "server/records/groups.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/record_key.h"

namespace caresync::records {
namespace {

using base::RecordKey;
using storage::Space;

absl::StatusOr<std::set<RecordKey>> MembersIn(const store::Record& group) {
  std::set<RecordKey> members;
  if (group.dissolved()) return members;
  ASSIGN_OR_RETURN(const v1::EmployeeGroup payload, base::ParseStored<v1::EmployeeGroup>(group.payload()));
  for (const std::string& carer : payload.carer_ids()) {
    const std::optional<base::Uuid> id = base::Uuid::Parse(carer);
    if (!id.has_value()) return base::errors::DamagedRow("a group that names a carer by no UUID");
    members.insert(KeyOf({v1::RECORD_KIND_CARER, *id}));
  }
  return members;
}

void PutMember(commit::Transaction& transaction, const RecordKey& group, const RecordKey& carer,
               const std::string& value) {
  transaction.Put(Space::kRecords, base::keys::Member(transaction.tenant(), group, carer), value);
  transaction.Put(Space::kRecords, base::keys::GroupOf(transaction.tenant(), carer, group), value);
}

absl::Status CheckGroupsOf(const commit::Transaction& transaction, const RecordKey& carer) {
  ASSIGN_OR_RETURN(const std::vector<GroupOfCarer> groups, GroupsOf(transaction, transaction.tenant(), carer));
  const auto leaving = std::count_if(groups.begin(), groups.end(), [](const GroupOfCarer& of) { return of.leaving; });
  const size_t live = groups.size() - static_cast<size_t>(leaving);
  const bool fits = live <= base::limits::kGroupsOfCarer && groups.size() <= base::limits::kGroupRowsOfCarer;
  const std::optional<RecordName> name = NameOf(carer);
  return fits ? absl::OkStatus() : base::errors::TooManyGroups(name.has_value() ? name->id.ToString() : "");
}

bool IsGroup(const RecordKey& key) {
  const std::optional<RecordName> name = NameOf(key);
  return name.has_value() && name->kind == v1::RECORD_KIND_EMPLOYEE_GROUP;
}

using ParsePair = bool (*)(std::string_view, RecordKey*, RecordKey*);

absl::StatusOr<std::vector<RecordKey>> SecondsIn(const storage::Reader& reader, const storage::KeyRange& range,
                                                 ParsePair parse, size_t most) {
  std::vector<RecordKey> seconds;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, range, most, [&](std::string_view key, std::string_view) {
    RecordKey first;
    damaged = !parse(key, &first, &seconds.emplace_back());
    return !damaged;
  }));
  if (damaged) return base::errors::DamagedRow("a row of an employee group");
  return seconds;
}

}  // namespace

std::string LeavingSince(base::Revision revision) {
  store::Leaving leaving;
  leaving.set_since_revision(revision);
  return leaving.SerializeAsString();
}

absl::StatusOr<bool> IsLeavingSince(std::string_view value, base::Revision revision) {
  if (value.empty()) return false;
  ASSIGN_OR_RETURN(const store::Leaving leaving, base::ParseStored<store::Leaving>(value));
  return leaving.since_revision() == revision;
}

absl::StatusOr<std::vector<GroupOfCarer>> GroupsOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                   const RecordKey& carer) {
  std::vector<GroupOfCarer> groups;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::GroupsOf(tenant, carer), std::numeric_limits<size_t>::max(),
                              [&](std::string_view key, std::string_view value) {
                                RecordKey of;
                                GroupOfCarer& group = groups.emplace_back();
                                group.leaving = !value.empty();
                                damaged = !base::keys::ParseGroupOf(key, &of, &group.group) || !IsGroup(group.group);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("a row of a carer's groups");
  return groups;
}

absl::StatusOr<std::vector<RecordKey>> LiveGroupsOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const RecordKey& carer) {
  ASSIGN_OR_RETURN(std::vector<GroupOfCarer> groups, GroupsOf(reader, tenant, carer));
  std::vector<RecordKey> live;
  for (GroupOfCarer& group : groups) {
    if (!group.leaving) live.push_back(std::move(group.group));
  }
  return live;
}

absl::StatusOr<MemberChange> CompareMembers(const store::Record* old, const store::Record& group) {
  std::set<RecordKey> before;
  if (old != nullptr) {
    ASSIGN_OR_RETURN(before, MembersIn(*old));
  }
  ASSIGN_OR_RETURN(const std::set<RecordKey> after, MembersIn(group));
  MemberChange change;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(change.leave));
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(change.join));
  return change;
}

absl::Status WriteMembers(commit::Transaction& transaction, const RecordKey& group, const MemberChange& change) {
  const std::string leaving = LeavingSince(transaction.revision());
  for (const RecordKey& carer : change.leave) PutMember(transaction, group, carer, leaving);
  for (const RecordKey& carer : change.join) {
    PutMember(transaction, group, carer, "");
    RETURN_IF_ERROR(CheckGroupsOf(transaction, carer));
  }
  return absl::OkStatus();
}

absl::Status ForgetMember(commit::Transaction& transaction, const RecordKey& group, const RecordKey& carer,
                          base::Revision since) {
  const std::string key = base::keys::Member(transaction.tenant(), group, carer);
  ASSIGN_OR_RETURN(const std::optional<std::string> row, transaction.Get(Space::kRecords, key));
  if (!row.has_value()) return absl::OkStatus();
  // The carer may have joined again meanwhile, or left again: then it is not this row's to delete.
  ASSIGN_OR_RETURN(const bool ours, IsLeavingSince(*row, since));
  if (!ours) return absl::OkStatus();
  transaction.Delete(Space::kRecords, key);
  transaction.Delete(Space::kRecords, base::keys::GroupOf(transaction.tenant(), carer, group));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RecordKey>> MembersOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const RecordKey& group, const RecordKey& after, size_t most) {
  return SecondsIn(reader, base::keys::Members(tenant, group, after), base::keys::ParseMember, most);
}

absl::StatusOr<std::vector<RecordKey>> RecordsOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const RecordKey& group, const RecordKey& after, size_t most) {
  return SecondsIn(reader, base::keys::GroupRecords(tenant, group, after), base::keys::ParseGroupRecord, most);
}

}  // namespace caresync::records
