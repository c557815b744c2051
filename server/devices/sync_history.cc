#include "server/devices/sync_history.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "storage/tuple.h"

namespace caresync::devices {
namespace {

constexpr size_t kUuidBytes = 16;

v1::SyncSummary ToProto(const base::Uuid& device, const store::SyncRow& row) {
  v1::SyncSummary summary;
  summary.set_device_uuid(device.ToString());
  summary.set_session_id(row.session_id());
  summary.set_sync_type(row.sync_type());
  summary.set_carer_id(row.carer_id());
  base::SetTime(row.start_time_us(), [&] { return summary.mutable_start_time(); });
  base::SetTime(row.end_time_us(), [&] { return summary.mutable_end_time(); });
  summary.set_stage(row.stage());
  summary.set_outcome(row.outcome());
  summary.set_reason(row.reason());
  summary.set_interruption(row.interruption());
  summary.set_rebuild_reason(row.rebuild_reason());
  summary.set_upserts_sent(row.upserts_sent());
  summary.set_removals_sent(row.removals_sent());
  summary.set_bytes_sent(row.bytes_sent());
  summary.set_events_received(row.events_received());
  summary.set_events_accepted(row.events_accepted());
  summary.set_events_for_review(row.events_for_review());
  summary.set_start_revision(row.start_revision());
  summary.set_end_revision(row.end_revision());
  summary.set_app_version(row.app_version());
  summary.set_confirmations(row.confirmations());
  return summary;
}

// The row as it is to be shown: a sync that was under way and is over was interrupted.
absl::StatusOr<v1::SyncSummary> ReadRow(std::string_view value, const base::TenantId& tenant, const base::Uuid& device,
                                        const SyncsUnderWay& syncs) {
  ASSIGN_OR_RETURN(store::SyncRow row, base::ParseStored<store::SyncRow>(value));
  if (row.outcome() != v1::SYNC_OUTCOME_UNDER_WAY) return ToProto(device, row);
  ASSIGN_OR_RETURN(const bool over, syncs.IsOver(tenant, device, row.opening(), row.session_id()));
  if (!over) return ToProto(device, row);
  row.set_outcome(v1::SYNC_OUTCOME_INTERRUPTED);
  row.set_reason(base::Reason(base::errors::StreamCut()));
  return ToProto(device, row);
}

// The number of the last sync of the page before; 0: there was none.
absl::StatusOr<uint64_t> ReadPageToken(const std::string& query, const std::string& token) {
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, token));
  uint64_t number = 0;
  if (!after.empty() && (!absl::SimpleAtoi(after, &number) || number == 0)) return base::errors::PageTokenNotValid();
  return number;
}

absl::Status CheckKnown(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& device) {
  ASSIGN_OR_RETURN(
      const std::optional<std::string> row,
      reader.Get(storage::Space::kDevices, base::keys::DeviceRow(tenant, device, base::keys::DevicePart::kDevice)));
  return row.has_value() ? absl::OkStatus() : base::errors::DeviceUnknown(device.ToString());
}

absl::StatusOr<v1::ListSyncsResponse> SyncsOfDevice(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const v1::ListSyncsRequest& request, const SyncsUnderWay& syncs) {
  const std::optional<base::Uuid> device = base::Uuid::Parse(request.device_uuid());
  if (!device.has_value()) return base::errors::InvalidArgument("device_uuid", "is no UUID");
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = absl::StrCat("syncs/", device->ToString());
  ASSIGN_OR_RETURN(const uint64_t before, ReadPageToken(query, request.page_token()));
  RETURN_IF_ERROR(CheckKnown(reader, tenant, *device));

  v1::ListSyncsResponse response;
  absl::Status read;
  uint64_t last = 0;
  bool more = false;
  const auto visit = [&](std::string_view key, std::string_view value) {
    more = response.syncs_size() == page_size;
    if (more) return false;
    base::Uuid uuid;
    absl::StatusOr<v1::SyncSummary> sync = ReadRow(value, tenant, *device, syncs);
    read = base::keys::ParseSync(key, &uuid, &last) ? sync.status() : base::errors::DamagedRow("a device's sync");
    if (read.ok()) *response.add_syncs() = *std::move(sync);
    return read.ok();
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kDevices, base::keys::SyncsBefore(tenant, *device, before),
                              static_cast<size_t>(page_size) + 1, visit));
  RETURN_IF_ERROR(read);
  if (more) response.set_next_page_token(base::EncodePageToken(query, absl::StrCat(last)));
  return response;
}

// ---- A carer's

std::string EncodePlace(const CarerSyncPlace& place) {
  return storage::TupleWriter()
      .Uint64(static_cast<uint64_t>(place.start_us))
      .Raw(place.device.bytes())
      .Uint64(place.number)
      .Take();
}

// The key after which the page begins; empty: the first page.
absl::StatusOr<std::string> ReadCarerPageToken(const base::TenantId& tenant, const base::Uuid& carer,
                                               const std::string& query, const std::string& token) {
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, token));
  if (after.empty()) return std::string();
  storage::TupleReader reader(after);
  uint64_t start_us = 0;
  std::string device_bytes;
  uint64_t number = 0;
  const bool ok =
      reader.Uint64(&start_us) && reader.Raw(kUuidBytes, &device_bytes) && reader.Uint64(&number) && reader.AtEnd();
  const std::optional<base::Uuid> device = ok ? base::Uuid::FromBytes(device_bytes) : std::nullopt;
  if (!device.has_value()) return base::errors::PageTokenNotValid();
  return base::keys::SyncOfCarer(tenant, carer, static_cast<int64_t>(start_us), *device, number);
}

absl::Status CheckCarerKnown(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                   records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_CARER, carer})));
  return record.has_value() ? absl::OkStatus() : base::errors::CarerUnknown(carer.ToString());
}

absl::StatusOr<v1::ListSyncsResponse> SyncsOfCarer(const storage::Reader& reader, const base::TenantId& tenant,
                                                   const v1::ListSyncsRequest& request, const SyncsUnderWay& syncs) {
  const std::optional<base::Uuid> carer = base::Uuid::Parse(request.carer_id());
  if (!carer.has_value()) return base::errors::InvalidArgument("carer_id", "is no UUID");
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = absl::StrCat("syncs-of-carer/", carer->ToString());
  ASSIGN_OR_RETURN(const std::string after, ReadCarerPageToken(tenant, *carer, query, request.page_token()));
  RETURN_IF_ERROR(CheckCarerKnown(reader, tenant, *carer));

  ASSIGN_OR_RETURN(CarerSyncPlaces read,
                   ReadCarerSyncPlaces(reader, tenant, *carer, after, static_cast<size_t>(page_size) + 1));
  if (read.damaged) return base::errors::DamagedRow("a carer's sync");
  std::vector<CarerSyncPlace>& places = read.places;
  v1::ListSyncsResponse response;
  if (places.size() > static_cast<size_t>(page_size)) {
    places.pop_back();
    response.set_next_page_token(base::EncodePageToken(query, EncodePlace(places.back())));
  }
  std::vector<std::string> keys;
  keys.reserve(places.size());
  for (const CarerSyncPlace& place : places) keys.push_back(base::keys::Sync(tenant, place.device, place.number));
  ASSIGN_OR_RETURN(const std::vector<std::optional<std::string>> rows, reader.MultiGet(storage::Space::kDevices, keys));
  for (size_t i = 0; i < rows.size(); ++i) {
    // The two are written and deleted together.
    if (!rows[i].has_value()) return base::errors::DamagedRow("a carer's sync that no device has");
    ASSIGN_OR_RETURN(*response.add_syncs(), ReadRow(*rows[i], tenant, places[i].device, syncs));
  }
  return response;
}

}  // namespace

absl::StatusOr<v1::ListSyncsResponse> ListSyncs(const storage::Reader& reader, const base::TenantId& tenant,
                                                const v1::ListSyncsRequest& request, const SyncsUnderWay& syncs) {
  if (request.device_uuid().empty() == request.carer_id().empty()) {
    return base::errors::InvalidArgument("device_uuid", "and carer_id: give exactly one of the two");
  }
  return request.carer_id().empty() ? SyncsOfDevice(reader, tenant, request, syncs)
                                    : SyncsOfCarer(reader, tenant, request, syncs);
}

absl::StatusOr<std::optional<store::SyncRow>> ReadLastSync(const storage::Reader& reader, const base::TenantId& tenant,
                                                           const base::Uuid& device) {
  const std::string key = base::keys::DeviceRow(tenant, device, base::keys::DevicePart::kReport);
  ASSIGN_OR_RETURN(const std::optional<store::DeviceReport> report,
                   base::GetStored<store::DeviceReport>(reader, storage::Space::kDevices, key));
  if (!report.has_value()) return std::optional<store::SyncRow>();
  return base::GetStored<store::SyncRow>(reader, storage::Space::kDevices,
                                         base::keys::Sync(tenant, device, report->syncs()));
}

absl::StatusOr<CarerSyncPlaces> ReadCarerSyncPlaces(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, std::string_view after, size_t most) {
  CarerSyncPlaces read;
  RETURN_IF_ERROR(
      reader.Scan(storage::Space::kDevices, base::keys::SyncsOfCarer(tenant, carer, after), most,
                  [&read](std::string_view key, std::string_view) {
                    base::Uuid of;
                    CarerSyncPlace place;
                    if (base::keys::ParseSyncOfCarer(key, &of, &place.start_us, &place.device, &place.number)) {
                      read.places.push_back(place);
                    } else {
                      read.damaged = true;
                    }
                    return true;
                  }));
  return read;
}

}  // namespace caresync::devices
