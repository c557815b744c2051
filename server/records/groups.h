// Which carers are in which employee groups: rows in both directions, written when a group's record is.
#ifndef CARESYNC_SERVER_RECORDS_GROUPS_H_
#define CARESYNC_SERVER_RECORDS_GROUPS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::records {

// The value of a membership's or a group's grant's row: empty, it holds; else it is leaving since this revision.
std::string LeavingSince(base::Revision revision);
absl::StatusOr<bool> IsLeavingSince(std::string_view value, base::Revision revision);

// A group of a carer; leaving: the carer is out of it, and the fan-out of that is not through.
struct GroupOfCarer {
  base::RecordKey group;
  bool leaving = false;
};
absl::StatusOr<std::vector<GroupOfCarer>> GroupsOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                   const base::RecordKey& carer);
// Only those that the carer is in.
absl::StatusOr<std::vector<base::RecordKey>> LiveGroupsOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::RecordKey& carer);

// What a new version of a group's record changes: first those who leave, then those who join, each in order.
struct MemberChange {
  std::vector<base::RecordKey> leave;
  std::vector<base::RecordKey> join;
};
// `old` may be nullptr. A dissolved group has no members. Errors: DAMAGED_ROW.
absl::StatusOr<MemberChange> CompareMembers(const store::Record* old, const store::Record& group);

// Writes the rows of the change. Errors: TOO_MANY_GROUPS past limits::kGroupsOfCarer; those of reading.
absl::Status WriteMembers(commit::Transaction& transaction, const base::RecordKey& group, const MemberChange& change);
// Deletes what is left of a membership that was ended at this revision, if it still is.
absl::Status ForgetMember(commit::Transaction& transaction, const base::RecordKey& group, const base::RecordKey& carer,
                          base::Revision since);

// Up to `most` members of the group after `after` (empty: from the first), leaving ones too.
absl::StatusOr<std::vector<base::RecordKey>> MembersOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const base::RecordKey& group, const base::RecordKey& after,
                                                       size_t most);
// Up to `most` records that the group was given, in the same way.
absl::StatusOr<std::vector<base::RecordKey>> RecordsOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                       const base::RecordKey& group, const base::RecordKey& after,
                                                       size_t most);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_GROUPS_H_
