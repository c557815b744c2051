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
#include "server/mismatch/due.h"

namespace caresync::mismatch {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

absl::StatusOr<std::vector<CarerVisit>> ReadOpen(const storage::Reader& reader, const storage::KeyRange& range,
                                                 size_t most) {
  std::vector<CarerVisit> open;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, range, most, [&](std::string_view key, std::string_view) {
    CarerVisit& of = open.emplace_back();
    damaged = !keys::ParseOpenMismatch(key, &of.carer, &of.visit);
    return !damaged;
  }));
  if (damaged) return base::errors::DamagedRow("an open mismatch's key");
  return open;
}

void Resolve(absl::Time now, store::Mismatch& row) {
  // What the device is known to have acknowledged may be about to become less.
  if (row.again_us() <= base::ToStoredTime(now)) row.clear_again_us();
  row.set_due_us(row.again_us());
  if (!IsLive(row)) return;
  row.clear_snoozed_until_us();
  row.clear_taken_back();
  row.set_state(store::Mismatch::RESOLVED);
  row.set_ended_us(base::ToStoredTime(now));
}

void ResolveByStart(absl::Time now, const records::CarerSign& sign, store::Mismatch& row) {
  const bool was_live = IsLive(row);
  Resolve(now, row);
  if (!was_live) return;
  row.mutable_sign()->set_occurred_us(base::ToStoredTime(sign.occurred));
  row.mutable_sign()->set_received_us(base::ToStoredTime(sign.received));
}

void ResolveTakenBack(absl::Time now, store::Mismatch& row) {
  const bool was_live = IsLive(row);
  Resolve(now, row);
  if (was_live) row.set_taken_back(true);
}

void Open(absl::Time now, store::Mismatch& row) {
  row.clear_due_us();
  if (row.again_us() <= base::ToStoredTime(now)) row.clear_again_us();
  row.clear_snoozed_until_us();
  row.clear_ended_us();
  row.clear_sign();
  row.clear_taken_back();
  row.set_state(store::Mismatch::OPEN);
  row.set_opened_us(base::ToStoredTime(now));
}

absl::Status NoteSign(commit::Transaction& transaction, const CarerVisit& of, const records::CarerSign& sign) {
  ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetUndamaged(transaction, transaction.tenant(), of));
  if (!old.has_value() || !IsLive(*old) || sign.occurred < EarliestSign(*old)) return absl::OkStatus();
  store::Mismatch row = *old;
  ResolveByStart(transaction.now(), sign, row);
  return PutMismatch(transaction, of, old, std::move(row));
}

absl::Status BeginSweep(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(store::MismatchLooks looks, ReadLooks(transaction, transaction.tenant()));
  looks.set_sweeping(true);
  looks.clear_swept();
  ScheduleLook(transaction, transaction.now(), looks);
  PutLooks(transaction, looks);
  return absl::OkStatus();
}

absl::Status ResolveIfSettled(commit::Transaction& transaction, const CarerVisit& of, Delivery& delivery) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::optional<store::Mismatch> old, GetUndamaged(transaction, tenant, of));
  if (!old.has_value() || !IsLive(*old)) {
    // Of a row that cannot be read, or that was replaced since it could not.
    transaction.Delete(Space::kRecords, keys::OpenMismatch(tenant, of.carer, of.visit));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool settled, delivery.IsSettled(of));
  // One that a server opened which knew of nobody who watches is told now; one that lies where an earlier server put it
  // gets its place.
  if (!settled && old->told_revision() != 0 && IsInItsPlace(*old, transaction.now())) return absl::OkStatus();
  store::Mismatch row = *old;
  if (settled) Resolve(transaction.now(), row);
  return PutMismatch(transaction, of, old, std::move(row));
}

absl::Status ResolveSettled(commit::Transaction& transaction, const base::Uuid& carer) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::vector<CarerVisit> open,
                   ReadOpen(transaction, keys::OpenMismatchesOf(tenant, carer), limits::kMismatchesOfSync + 1));
  if (open.size() > limits::kMismatchesOfSync) return BeginSweep(transaction);
  Delivery delivery(transaction, tenant);
  for (const CarerVisit& of : open) RETURN_IF_ERROR(ResolveIfSettled(transaction, of, delivery));
  return absl::OkStatus();
}

absl::Status ResolveAfterAck(const storage::Reader& reader, commit::Sequencer& sequencer, const base::TenantId& tenant,
                             const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const std::vector<CarerVisit> open, ReadOpen(reader, keys::OpenMismatchesOf(tenant, carer), 1));
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
