#include "server/mismatch/resolving.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/visit_parts.h"
#include "server/records/record_store.h"

namespace caresync::mismatch {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

absl::StatusOr<std::vector<CarerVisit>> OpenOf(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::Uuid& carer, size_t most) {
  std::vector<CarerVisit> open;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::OpenMismatchesOf(tenant, carer), most,
                              [&](std::string_view key, std::string_view) {
                                CarerVisit of;
                                damaged = !keys::ParseOpenMismatch(key, &of.carer, &of.visit);
                                open.push_back(std::move(of));
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("an open mismatch's key");
  return open;
}

absl::StatusOr<std::optional<bool>> Judge(const storage::Reader& reader, const base::TenantId& tenant,
                                          const CarerVisit& of, Delivery& delivery) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> visit, records::GetRecord(reader, tenant, of.visit));
  ASSIGN_OR_RETURN(const VisitParts parts, PartsOf(visit));
  ASSIGN_OR_RETURN(const bool settled, delivery.IsSettled(of.carer, of.visit, visit, parts.Of(of.carer) != nullptr));
  return std::optional<bool>(settled);
}

}  // namespace

absl::StatusOr<bool> IsSettled(const storage::Reader& reader, const base::TenantId& tenant, const CarerVisit& of,
                               Delivery& delivery) {
  absl::StatusOr<std::optional<bool>> settled = Judge(reader, tenant, of, delivery);
  ASSIGN_OR_RETURN(const std::optional<bool> known,
                   UnlessDamaged(std::move(settled), "visit_not_readable", tenant, of.carer));
  return known.value_or(false);
}

void Resolve(absl::Time now, store::Mismatch& row) {
  row.clear_due_us();
  if (!IsLive(row)) return;
  row.clear_snoozed_until_us();
  row.set_state(store::Mismatch::RESOLVED);
  row.set_ended_us(base::ToStoredTime(now));
}

void Open(absl::Time now, store::Mismatch& row) {
  row.clear_due_us();
  row.clear_snoozed_until_us();
  row.clear_ended_us();
  row.set_state(store::Mismatch::OPEN);
  row.set_opened_us(base::ToStoredTime(now));
}

absl::Status BeginSweep(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(store::MismatchLooks looks, ReadLooks(transaction, transaction.tenant()));
  looks.set_sweeping(true);
  looks.clear_swept();
  ScheduleLook(transaction, transaction.now(), looks);
  PutLooks(transaction, looks);
  return absl::OkStatus();
}

absl::Status ResolveSettled(commit::Transaction& transaction, const base::Uuid& carer) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::vector<CarerVisit> open,
                   OpenOf(transaction, tenant, carer, limits::kMismatchesOfSync + 1));
  if (open.size() > limits::kMismatchesOfSync) return BeginSweep(transaction);
  Delivery delivery(transaction, tenant);
  for (const CarerVisit& of : open) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old,
                     UnlessDamaged(GetMismatch(transaction, tenant, of), "mismatch_not_readable", tenant, carer));
    if (!old.has_value() || !IsLive(*old)) {
      // Of a row that cannot be read, or that was replaced since it could not.
      transaction.Delete(Space::kRecords, keys::OpenMismatch(tenant, of.carer, of.visit));
      continue;
    }
    ASSIGN_OR_RETURN(const bool settled, IsSettled(transaction, tenant, of, delivery));
    if (!settled) continue;
    store::Mismatch row = *old;
    Resolve(transaction.now(), row);
    RETURN_IF_ERROR(PutMismatch(transaction, of, old, std::move(row)));
  }
  return absl::OkStatus();
}

absl::Status ResolveAfterAck(const storage::Reader& reader, commit::Sequencer& sequencer, const base::TenantId& tenant,
                             const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const std::vector<CarerVisit> open, OpenOf(reader, tenant, carer, 1));
  if (open.empty()) return absl::OkStatus();
  sequencer.Submit(
      tenant, [carer](commit::Transaction& transaction) { return ResolveSettled(transaction, carer); },
      [tenant, carer](const absl::StatusOr<commit::Committed>& done) {
        if (done.ok()) return;
        observability::Log(
            observability::Level::kWarning, "mismatches_not_resolved",
            {{"tenant", tenant.text()}, {"carer", carer.ToString()}, {"error", done.status().message()}});
      });
  return absl::OkStatus();
}

}  // namespace caresync::mismatch
