// What becomes of rows that cannot be read: they are taken for absent, and logged. Neither rotas nor other carers may
// wait for the repair of one.
#ifndef CARESYNC_SERVER_MISMATCH_DAMAGE_H_
#define CARESYNC_SERVER_MISMATCH_DAMAGE_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "observability/log.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"

namespace caresync::mismatch {

// Says in the log, as `event`, that a row of the carer's cannot be read.
inline void LogDamage(std::string_view event, const base::TenantId& tenant, const base::Uuid& carer,
                      const absl::Status& status) {
  observability::Log(observability::Level::kError, event,
                     {{"tenant", tenant.text()}, {"carer", carer.ToString()}, {"error", status.message()}});
}

// What was read for the carer; nullopt, and `event` in the log, where it is damaged. Other errors stay.
template <typename T>
absl::StatusOr<std::optional<T>> UnlessDamaged(absl::StatusOr<std::optional<T>> read, std::string_view event,
                                               const base::TenantId& tenant, const base::Uuid& carer) {
  if (!absl::IsDataLoss(read.status())) return read;
  LogDamage(event, tenant, carer, read.status());
  return std::optional<T>();
}

}  // namespace caresync::mismatch

#endif  // CARESYNC_SERVER_MISMATCH_DAMAGE_H_
