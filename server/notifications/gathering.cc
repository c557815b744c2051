#include "server/notifications/gathering.h"

#include <optional>
#include <string_view>
#include <utility>

#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::notifications {

namespace keys = base::keys;
namespace limits = base::limits;
using mismatch::CarerVisit;
using storage::Space;

store::ToldHour HourAt(const store::ToldHour& stored, absl::Time now) {
  const absl::Time began = base::FromStoredTime(stored.began_us());
  const bool has_begun = stored.began_us() != 0 && began <= now;
  if (has_begun && now < began + limits::kToldHour) return stored;
  store::ToldHour hour;
  hour.set_began_us(base::ToStoredTime(now));
  const bool follows = has_begun && now < began + 2 * limits::kToldHour;
  hour.set_busy(follows && stored.notices() + stored.held() > limits::kNoticesInAnHour);
  return hour;
}

absl::Time HourEnds(const store::ToldHour& hour) { return base::FromStoredTime(hour.began_us()) + limits::kToldHour; }

bool HoldsBack(const store::ToldHour& hour) { return hour.busy() || hour.notices() >= limits::kNoticesInAnHour; }

bool IsNear(absl::Time start, absl::Time now) { return start <= now + limits::kToldAtOnce; }

absl::StatusOr<store::ToldHour> ReadHour(const storage::Reader& reader, const base::TenantId& tenant,
                                         const std::string& branch) {
  absl::StatusOr<std::optional<store::ToldHour>> hour =
      base::GetStored<store::ToldHour>(reader, Space::kRecords, keys::ToldHour(tenant, branch));
  if (absl::IsDataLoss(hour.status())) {
    observability::Log(observability::Level::kError, "told_hour_not_readable",
                       {{"tenant", tenant.text()}, {"branch", branch}, {"error", hour.status().message()}});
    return store::ToldHour();
  }
  RETURN_IF_ERROR(hour.status());
  return (*std::move(hour)).value_or(store::ToldHour());
}

void PutHour(commit::Transaction& transaction, const std::string& branch, const store::ToldHour& hour) {
  transaction.Put(Space::kRecords, keys::ToldHour(transaction.tenant(), branch), hour.SerializeAsString());
}

void HoldBack(commit::Transaction& transaction, const std::string& branch, const CarerVisit& of) {
  transaction.Put(Space::kRecords, keys::HeldMismatch(transaction.tenant(), branch, of.carer, of.visit), std::string());
}

absl::StatusOr<bool> IsHeldBack(const storage::Reader& reader, const base::TenantId& tenant, const std::string& branch,
                                const CarerVisit& of) {
  ASSIGN_OR_RETURN(const std::optional<std::string> row,
                   reader.Get(Space::kRecords, keys::HeldMismatch(tenant, branch, of.carer, of.visit)));
  return row.has_value();
}

absl::StatusOr<std::vector<CarerVisit>> ReadHeld(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const std::string& branch, size_t most) {
  std::vector<CarerVisit> held;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::HeldMismatchesOf(tenant, branch), most,
                              [&](std::string_view key, std::string_view) {
                                CarerVisit& of = held.emplace_back();
                                std::string of_branch;
                                damaged = !keys::ParseHeldMismatch(key, &of_branch, &of.carer, &of.visit);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("the key of a mismatch that is held back");
  return held;
}

void ForgetHeld(commit::Transaction& transaction, const std::string& branch, const CarerVisit& of) {
  transaction.Delete(Space::kRecords, keys::HeldMismatch(transaction.tenant(), branch, of.carer, of.visit));
}

}  // namespace caresync::notifications
