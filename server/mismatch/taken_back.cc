#include "server/mismatch/taken_back.h"

#include <optional>
#include <utility>

#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/commit/timeline.h"
#include "server/feed/feed_entry.h"
#include "server/mismatch/damage.h"

namespace caresync::mismatch {

bool NothingRemains(const store::Mismatch& row) {
  if (row.has_now() != row.has_acknowledged()) return false;
  return !row.has_now() || row.now().fingerprint() == row.acknowledged().fingerprint();
}

absl::StatusOr<bool> TakenBack::IsUnseen(const CarerVisit& of, const store::Mismatch& row) {
  absl::StatusOr<bool> unseen = Judge(of, row);
  if (!absl::IsDataLoss(unseen.status())) return unseen;
  LogDamage("what_was_sent_not_known", tenant_, of.carer, unseen.status());
  return false;
}

absl::StatusOr<bool> TakenBack::Judge(const CarerVisit& of, const store::Mismatch& row) {
  const bool is_known = row.first_change_revision() != 0 && row.acknowledged_revision() != 0;
  if (!is_known || !NothingRemains(row)) return false;
  ASSIGN_OR_RETURN(const std::optional<base::Uuid> device, delivery_.DeviceInUse(of.carer));
  ASSIGN_OR_RETURN(const std::optional<feed::Position> position, delivery_.PositionOf(of.carer));
  // Another device may show another version, and so may this one where it has fallen back.
  const bool shows_it =
      device.has_value() && position.has_value() && *position >= feed::Position::EndOf(row.acknowledged_revision());
  if (!shows_it) return false;
  if (base::HasPlantedBug(base::PlantedBug::kMovedBackSettles)) return true;
  ASSIGN_OR_RETURN(const bool may_send, MaySend(of.carer, *device, row.first_change_revision()));
  return !may_send;
}

absl::StatusOr<bool> TakenBack::MaySend(const base::Uuid& carer, const base::Uuid& device,
                                        base::Revision first_change) {
  // The store may have been put back to an earlier state: what was sent since is in no history.
  ASSIGN_OR_RETURN(const commit::PastCommit opened, commit::HeadAtOpening(reader_, tenant_, syncs_.opening));
  if (first_change <= opened.point.revision) return true;
  if (syncs_.is_open && syncs_.is_open(tenant_, device)) return true;
  ASSIGN_OR_RETURN(const devices::SyncsOnDevice* const syncs, SyncsOf(carer, device));
  // By revisions alone: a clock that was set back would show one that was cut off as over before the change.
  return devices::MaySend(*syncs, {.revision = first_change, .time = absl::InfinitePast()});
}

absl::StatusOr<const devices::SyncsOnDevice*> TakenBack::SyncsOf(const base::Uuid& carer, const base::Uuid& device) {
  const auto known = read_.find(carer);
  if (known != read_.end()) return &known->second;
  ASSIGN_OR_RETURN(devices::SyncsOnDevice syncs, devices::ReadSyncs(reader_, tenant_, carer, device, syncs_));
  return &read_.emplace(carer, std::move(syncs)).first->second;
}

}  // namespace caresync::mismatch
