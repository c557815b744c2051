#include "server/deliveries/view_told.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/base/uuid.h"
#include "server/deliveries/device_view.h"
#include "server/deliveries/visit_shown.h"
#include "server/devices/device_rows.h"
#include "server/devices/names.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::deliveries {
namespace {

namespace errors = base::errors;

v1::DeviceViewKnown ToProto(DeviceView::Known known) {
  switch (known) {
    case DeviceView::Known::kAll:
      return v1::DEVICE_VIEW_KNOWN_ALL;
    case DeviceView::Known::kNoCopy:
      return v1::DEVICE_VIEW_KNOWN_NO_COPY;
    case DeviceView::Known::kNotKnown:
      return v1::DEVICE_VIEW_KNOWN_NOT_KNOWN;
  }
  return v1::DEVICE_VIEW_KNOWN_UNSPECIFIED;
}

// One whose record cannot be read is a carer all the same.
absl::StatusOr<store::Device> ReadKnown(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::Uuid& device, const base::Uuid& carer) {
  ASSIGN_OR_RETURN(std::optional<store::Device> row, devices::ReadDevice(reader, tenant, device));
  if (!row.has_value()) return errors::DeviceUnknown(device.ToString());
  const absl::StatusOr<std::optional<store::Record>> record =
      records::GetRecord(reader, tenant, records::KeyOf({v1::RECORD_KIND_CARER, carer}));
  if (absl::IsDataLoss(record.status())) return *std::move(row);
  RETURN_IF_ERROR(record.status());
  if (!record->has_value()) return errors::CarerUnknown(carer.ToString());
  return *std::move(row);
}

absl::StatusOr<v1::ViewedVisit> TellVisit(const base::RecordKey& key, const HeldVisit& held, const base::Uuid& carer,
                                          devices::Names& names) {
  const std::optional<records::RecordName> name = records::NameOf(key);
  if (!name.has_value()) return errors::DamagedRow("an entry that is of no visit");
  v1::ViewedVisit visit;
  visit.set_visit_id(name->id.ToString());
  visit.set_revision(held.revision);
  visit.set_certain(held.certain);
  if (!held.payload.has_value()) return visit;
  ASSIGN_OR_RETURN(*visit.mutable_visit(), base::ParseStored<v1::Visit>(*held.payload));
  ASSIGN_OR_RETURN(*visit.mutable_shown(), ShownTo(carer, *held.payload, names));
  *visit.mutable_committed_time() = base::ToTimestamp(held.committed);
  return visit;
}

// What a device showed is known until now, and not beyond.
absl::StatusOr<absl::Time> ViewTime(const v1::GetDeviceViewRequest& request, absl::Time now) {
  if (!request.has_view_time()) return now;
  const std::optional<absl::Time> time = base::FromTimestamp(request.view_time());
  if (!time.has_value()) return errors::InvalidArgument("view_time", "is no time");
  if (*time > now + base::limits::kViewAhead) {
    return errors::InvalidArgument("view_time", "lies ahead; ask of a moment that has been");
  }
  return std::min(*time, now);
}

// Another mark begins the list anew: the visits may be others.
std::string QueryOf(const v1::GetDeviceViewRequest& request, const DeviceView& view) {
  return absl::StrCat("device-view/", request.device_uuid(), "/", request.carer_id(), "/",
                      request.view_time().SerializeAsString(), "/", view.mark.has_value() ? view.mark->number : 0);
}

}  // namespace

absl::StatusOr<v1::GetDeviceViewResponse> TellDeviceView(const storage::Reader& reader, const base::TenantId& tenant,
                                                         const v1::GetDeviceViewRequest& request, absl::Time now) {
  const std::optional<base::Uuid> device = base::Uuid::Parse(request.device_uuid());
  if (!device.has_value()) return errors::InvalidArgument("device_uuid", "is no UUID");
  const std::optional<base::Uuid> carer = base::Uuid::Parse(request.carer_id());
  if (!carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  ASSIGN_OR_RETURN(const absl::Time time, ViewTime(request, now));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const store::Device known, ReadKnown(reader, tenant, *device, *carer));
  ASSIGN_OR_RETURN(const DeviceView view, ReadDeviceView(reader, tenant, *device, *carer, time));
  const std::string query = QueryOf(request, view);
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, request.page_token()));

  v1::GetDeviceViewResponse response;
  response.set_device_uuid(device->ToString());
  response.set_carer_id(carer->ToString());
  *response.mutable_view_time() = base::ToTimestamp(time);
  response.set_known(ToProto(view.known));
  response.set_cloned(known.cloned());
  if (view.mark.has_value()) {
    base::SetTime(view.mark->row.time_us(), [&] { return response.mutable_heard_time(); });
    response.set_sync_number(view.mark->row.sync_number());
    response.set_revision(view.mark->row.revision());
  }
  devices::Names names(reader, tenant);
  size_t bytes = 0;
  std::string last;
  for (auto held = view.visits.upper_bound({after}); held != view.visits.end(); ++held) {
    if (response.visits_size() == page_size || bytes >= base::limits::kRecordBytes) {
      response.set_next_page_token(base::EncodePageToken(query, last));
      break;
    }
    ASSIGN_OR_RETURN(*response.add_visits(), TellVisit(held->first, held->second, *carer, names));
    bytes += response.visits(response.visits_size() - 1).ByteSizeLong();
    last = held->first.bytes;
  }
  return response;
}

}  // namespace caresync::deliveries
