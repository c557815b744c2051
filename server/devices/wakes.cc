#include "server/devices/wakes.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "nlohmann/json.hpp"
#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/outbox/outbox_rows.h"
#include "server/tenants/tenants.h"

namespace caresync::devices {
namespace {

using observability::Level;
using observability::Log;
using storage::Space;

// One that is refused comes again and again, and is refused sooner than its whole history is read. Where it was told
// before so many it is told once more.
constexpr size_t kMostSyncsLookedAt = 64;

void PutWake(commit::Transaction& transaction, const base::Uuid& device, const store::DeviceWake& wake) {
  transaction.Put(Space::kDevices, base::keys::DeviceWake(transaction.tenant(), device), wake.SerializeAsString());
}

std::string BodyOf(const base::Uuid& device) {
  return nlohmann::json{{"device_uuid", device.ToString()}, {"what", "sync"}}.dump();
}

absl::StatusOr<std::optional<outbox::Destination>> PushService(const storage::Reader& reader,
                                                               const base::TenantId& tenant,
                                                               const store::OutboxNotice& /*notice*/) {
  ASSIGN_OR_RETURN(const store::Tenant stored, tenants::GetTenant(reader, tenant));
  if (!stored.has_push_webhook()) return std::optional<outbox::Destination>();
  return std::optional<outbox::Destination>({stored.push_webhook().url(), stored.push_webhook().key()});
}

absl::Status PutOrHurryNotice(commit::Transaction& transaction, const base::Uuid& device, base::RandomSource& random,
                              store::DeviceWake& wake) {
  ASSIGN_OR_RETURN(const bool waits, outbox::HurryNotice(transaction, wake.notice()));
  if (waits) return absl::OkStatus();
  ASSIGN_OR_RETURN(const uint64_t notice,
                   outbox::PutNotice(transaction, {kPushNotice, device.ToString(), BodyOf(device)}, random));
  wake.set_notice(notice);
  return absl::OkStatus();
}

absl::Status NoteEnd(commit::Transaction& transaction, uint64_t number, const store::OutboxNotice& notice,
                     outbox::NoticeEnd end) {
  const std::optional<base::Uuid> device = base::Uuid::Parse(notice.subject());
  if (!device.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(store::DeviceWake wake, ReadWake(transaction, transaction.tenant(), *device));
  if (wake.notice() == number) wake.clear_notice();
  if (end == outbox::NoticeEnd::kTaken) wake.set_woken_us(base::ToStoredTime(transaction.now()));
  PutWake(transaction, *device, wake);
  return absl::OkStatus();
}

// What cannot be read counts as told: it is not to be told in one sync after the other.
bool WasToldIn(std::string_view sync) {
  const absl::StatusOr<store::SyncRow> row = base::ParseStored<store::SyncRow>(sync);
  if (!row.ok()) return true;
  if (row->stage() == v1::SYNC_STAGE_STARTED) return false;
  // Events are taken before a refusal, too.
  return row->stage() != v1::SYNC_STAGE_UPLOADING || row->outcome() != v1::SYNC_OUTCOME_REFUSED;
}

// Whether the device was told in one of its last syncs, of those behind the first `syncs`.
absl::StatusOr<bool> WasToldBehind(const storage::Reader& reader, const base::TenantId& tenant,
                                   const base::Uuid& device, uint64_t syncs) {
  bool told = false;
  RETURN_IF_ERROR(reader.Scan(Space::kDevices, base::keys::SyncsBefore(tenant, device, 0), kMostSyncsLookedAt,
                              [&](std::string_view key, std::string_view sync) {
                                base::Uuid of;
                                uint64_t number = 0;
                                if (!base::keys::ParseSync(key, &of, &number) || number <= syncs) return false;
                                told = WasToldIn(sync);
                                return !told;
                              }));
  return told;
}

}  // namespace

absl::StatusOr<store::DeviceWake> ReadWake(const storage::Reader& reader, const base::TenantId& tenant,
                                           const base::Uuid& device) {
  absl::StatusOr<std::optional<store::DeviceWake>> wake =
      base::GetStored<store::DeviceWake>(reader, Space::kDevices, base::keys::DeviceWake(tenant, device));
  if (absl::IsDataLoss(wake.status())) {
    Log(Level::kError, "wake_not_readable", {{"tenant", tenant.text()}, {"device", device.ToString()}});
    return store::DeviceWake();
  }
  if (!wake.ok()) return wake.status();
  return (*std::move(wake)).value_or(store::DeviceWake());
}

absl::StatusOr<Asked> AskToSync(commit::Transaction& transaction, const base::Uuid& device,
                                base::RandomSource& random) {
  ASSIGN_OR_RETURN(const store::Tenant tenant, tenants::GetTenant(transaction, transaction.tenant()));
  ASSIGN_OR_RETURN(store::DeviceWake wake, ReadWake(transaction, transaction.tenant(), device));
  wake.set_asked_us(base::ToStoredTime(transaction.now()));
  ASSIGN_OR_RETURN(const auto report,
                   base::GetStored<store::DeviceReport>(
                       transaction, Space::kDevices,
                       base::keys::DeviceRow(transaction.tenant(), device, base::keys::DevicePart::kReport)));
  // By number: a clock that was put back would have it told in one sync after the other.
  wake.set_asked_after_syncs(report.has_value() ? report->syncs() : 0);
  if (tenant.has_push_webhook()) RETURN_IF_ERROR(PutOrHurryNotice(transaction, device, random, wake));
  PutWake(transaction, device, wake);
  return Asked{.by_push_service = tenant.has_push_webhook(), .wake = std::move(wake)};
}

absl::StatusOr<bool> IsToBeTold(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& device,
                                const std::optional<store::DeviceReport>& report) {
  ASSIGN_OR_RETURN(const store::DeviceWake wake, ReadWake(reader, tenant, device));
  if (wake.asked_us() == 0) return false;
  if (!report.has_value() || report->syncs() <= wake.asked_after_syncs()) return true;
  // The common case needs no row of the history.
  if (report->last_succeeded().number() > wake.asked_after_syncs()) return false;
  ASSIGN_OR_RETURN(const bool told, WasToldBehind(reader, tenant, device, wake.asked_after_syncs()));
  return !told;
}

outbox::NoticeKind PushNotices() { return {.destination = PushService, .ended = NoteEnd}; }

}  // namespace caresync::devices
