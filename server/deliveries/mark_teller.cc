#include "server/deliveries/mark_teller.h"

#include <memory>
#include <string_view>
#include <vector>

#include "observability/log.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/commit/tenant_list.h"
#include "server/deliveries/marks.h"

namespace caresync::deliveries {

void MarkTeller::Tell(const base::TenantId& tenant) {
  {
    storage::MutexLock lock(mutex_);
    const auto [telling, begins] = telling_.try_emplace(tenant, false);
    // What is under way may have read before these were committed.
    telling->second = !begins;
    if (!begins) return;
  }
  SubmitAfter(kMarksTogether, tenant);
}

void MarkTeller::SubmitAfter(absl::Duration wait, const base::TenantId& tenant) {
  executor_.PostAfter(wait, [this, tenant] { Submit(tenant); });
}

void MarkTeller::Submit(const base::TenantId& tenant) {
  {
    storage::MutexLock lock(mutex_);
    telling_[tenant] = false;
  }
  auto more = std::make_shared<bool>(false);
  sequencer_.Submit(
      tenant,
      [more](commit::Transaction& transaction) -> absl::Status {
        ASSIGN_OR_RETURN(*more, TellMarks(transaction));
        return absl::OkStatus();
      },
      [this, tenant, more](const absl::StatusOr<commit::Committed>& told) { OnTold(tenant, told.status(), *more); });
}

void MarkTeller::OnTold(const base::TenantId& tenant, const absl::Status& told, bool more) {
  if (!told.ok()) {
    observability::Log(observability::Level::kWarning, "deliveries_not_told",
                       {{"tenant", tenant.text()}, {"error", told.message()}});
  }
  {
    storage::MutexLock lock(mutex_);
    const auto telling = telling_.find(tenant);
    if (told.ok() && !more && !telling->second) {
      telling_.erase(telling);
      return;
    }
  }
  if (!told.ok()) return SubmitAfter(kMarksToldAgain, tenant);
  more ? Submit(tenant) : SubmitAfter(kMarksTogether, tenant);
}

absl::Status MarkTeller::TellAtStart(const storage::Reader& reader) {
  ASSIGN_OR_RETURN(const std::vector<base::TenantId> tenants, commit::ReadTenants(reader));
  for (const base::TenantId& tenant : tenants) {
    bool any = false;
    RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices, base::keys::AllUntoldMarks(tenant), 1,
                                [&any](std::string_view, std::string_view) {
                                  any = true;
                                  return false;
                                }));
    if (any) Tell(tenant);
  }
  return absl::OkStatus();
}

}  // namespace caresync::deliveries
