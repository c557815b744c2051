// The tenants of a store.
#ifndef CARESYNC_SERVER_COMMIT_TENANT_LIST_H_
#define CARESYNC_SERVER_COMMIT_TENANT_LIST_H_

#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/ids.h"
#include "storage/store.h"

namespace caresync::commit {

// By name, at most so many of those after `after` (empty: from the first). Errors: those of reading, DAMAGED_ROW.
absl::StatusOr<std::vector<base::TenantId>> ReadTenants(const storage::Reader& reader, std::string_view after = "",
                                                        size_t most = std::numeric_limits<size_t>::max());

}  // namespace caresync::commit

#endif  // CARESYNC_SERVER_COMMIT_TENANT_LIST_H_
