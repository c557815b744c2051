#include "server/devices/sent.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/timeline.h"
#include "server/devices/sync_history.h"

namespace caresync::devices {
namespace {

namespace keys = base::keys;
using storage::Space;

// The number of a device's first sync.
constexpr uint64_t kFirstSync = 1;

// What a session's row says of whether it sent the change.
enum class Verdict {
  kMayHave,
  // Nor did any before it.
  kNot,
  kNotThisOne,
};

bool SentNothing(const store::SyncRow& sync) {
  // Written by its own session, at its end.
  const bool refused = sync.outcome() == v1::SYNC_OUTCOME_REFUSED;
  return refused && (sync.stage() == v1::SYNC_STAGE_STARTED || sync.stage() == v1::SYNC_STAGE_UPLOADING);
}

// `ended_idle`: as of SyncsOnDevice.
Verdict Judge(const store::SyncRow& sync, bool ended_idle, const FeedChange& change) {
  if (SentNothing(sync)) return Verdict::kNotThisOne;
  if (sync.start_revision() >= change.revision) return Verdict::kMayHave;
  // One that was followed may have gone on sending behind what it last confirmed.
  const bool ended_well = sync.outcome() == v1::SYNC_OUTCOME_SUCCEEDED && (sync.confirmations() == 0 || ended_idle);
  if (ended_well) return sync.end_revision() < change.revision ? Verdict::kNot : Verdict::kMayHave;
  // Its end is written down late rather than early.
  const bool over = sync.outcome() != v1::SYNC_OUTCOME_SUCCEEDED && sync.outcome() != v1::SYNC_OUTCOME_UNDER_WAY;
  const bool before = over && sync.end_time_us() != 0 && base::FromStoredTime(sync.end_time_us()) < change.time;
  return before ? Verdict::kNot : Verdict::kMayHave;
}

// Their numbers, the last one first.
absl::StatusOr<std::vector<uint64_t>> NumbersOf(const storage::Reader& reader, const base::TenantId& tenant,
                                                const base::Uuid& carer, const base::Uuid& device) {
  ASSIGN_OR_RETURN(const CarerSyncPlaces syncs,
                   ReadCarerSyncPlaces(reader, tenant, carer, "", base::limits::kMismatchSyncsSearched));
  std::vector<uint64_t> numbers;
  for (const CarerSyncPlace& sync : syncs.places) {
    if (sync.device == device) numbers.push_back(sync.number);
  }
  // A clock that was set back may have put them in another order.
  std::sort(numbers.rbegin(), numbers.rend());
  return numbers;
}

}  // namespace

absl::StatusOr<SyncsOnDevice> ReadSyncs(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::Uuid& carer, const base::Uuid& device,
                                        const SyncsUnderWay& under_way) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, NumbersOf(reader, tenant, carer, device));
  SyncsOnDevice all;
  for (const uint64_t number : numbers) {
    absl::StatusOr<std::optional<store::SyncRow>> row =
        base::GetStored<store::SyncRow>(reader, Space::kDevices, keys::Sync(tenant, device, number));
    if (absl::IsDataLoss(row.status())) return all;
    RETURN_IF_ERROR(row.status());
    if (!row->has_value()) return all;
    all.syncs.push_back(**std::move(row));
  }
  all.complete = !numbers.empty() && numbers.back() == kFirstSync;
  if (all.syncs.empty()) return all;
  const store::SyncRow& last = all.syncs.front();
  if (last.opening() != under_way.opening) {
    ASSIGN_OR_RETURN(const commit::PastCommit opened, commit::HeadAtOpening(reader, tenant, under_way.opening));
    all.over_at = opened.point.revision;
    return all;
  }
  if (last.outcome() == v1::SYNC_OUTCOME_UNDER_WAY) {
    ASSIGN_OR_RETURN(const bool over, under_way.IsOver(tenant, device, last.opening(), last.session_id()));
    all.under_way = !over;
  } else if (last.outcome() == v1::SYNC_OUTCOME_SUCCEEDED && last.confirmations() > 0 && under_way.ended_idle) {
    ASSIGN_OR_RETURN(all.ended_idle, under_way.ended_idle(tenant, device, last));
  }
  return all;
}

bool MaySend(const SyncsOnDevice& all, const FeedChange& change) {
  if (all.over_at.has_value() && change.revision > *all.over_at) return false;
  for (const store::SyncRow& sync : all.syncs) {
    const Verdict verdict = Judge(sync, all.ended_idle && &sync == &all.syncs.front(), change);
    if (verdict != Verdict::kNotThisOne) return verdict == Verdict::kMayHave;
  }
  return !all.complete;
}

}  // namespace caresync::devices
