// Which record an external ID means, within a tenant and a source. Used inside a change only.
#ifndef CARESYNC_SERVER_ROSTER_MATCHING_H_
#define CARESYNC_SERVER_ROSTER_MATCHING_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "caresync/v1/records.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/commit/transaction.h"
#include "storage/store.h"

namespace caresync::roster {

// The record that is matched to the ID; nullopt where none is yet.
absl::StatusOr<std::optional<base::Uuid>> FindMatch(const storage::Reader& reader, const base::TenantId& tenant,
                                                    std::string_view source, v1::RecordKind kind,
                                                    std::string_view external_id);

// The record that the ID means: the matched one, else the one that it will be matched to when it comes.
absl::StatusOr<base::Uuid> MeantBy(const storage::Reader& reader, const base::TenantId& tenant, std::string_view source,
                                   v1::RecordKind kind, std::string_view external_id);

void SetMatch(commit::Transaction& transaction, std::string_view source, v1::RecordKind kind,
              std::string_view external_id, const base::Uuid& record);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_MATCHING_H_
