#include "server/deliveries/delivery_list.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/deliveries/delivery_devices.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/entry_walk.h"
#include "server/deliveries/lateness.h"
#include "server/deliveries/outcome.h"
#include "server/deliveries/visit_shown.h"
#include "server/devices/names.h"
#include "server/devices/sent.h"
#include "server/mismatch/carer_devices.h"
#include "server/mismatch/cause.h"
#include "server/mismatch/damage.h"
#include "server/records/carer_signs.h"
#include "server/records/record_key.h"
#include "server/tenants/tenants.h"

namespace caresync::deliveries {
namespace {

namespace errors = base::errors;

// Entries whose places are read at once.
constexpr size_t kPlacesAtOnce = 500;

// Which changes are wanted.
struct Filter {
  std::optional<base::RecordKey> visit;
  std::optional<base::Uuid> carer;
  std::optional<base::Uuid> device;
  // With `device`: whom it concerns.
  std::set<base::Uuid> carers_on_it;
  absl::Time from = absl::InfinitePast();
  absl::Time until = absl::InfiniteFuture();
  bool late_only = false;

  bool Takes(const EntryPlace& place) const {
    return (!carer.has_value() || place.carer == *carer) && (!device.has_value() || carers_on_it.contains(place.carer));
  }
  bool Takes(const store::VisitEntry& row) const {
    const absl::Time committed = base::FromStoredTime(row.committed_us());
    return row.rota_change() && committed >= from && committed < until;
  }
  bool Takes(const v1::Delivery& delivery) const {
    return !late_only || delivery.late_reason() != v1::DELIVERY_LATE_REASON_UNSPECIFIED;
  }
};

// nullopt: not given.
absl::StatusOr<std::optional<base::Uuid>> UuidIn(std::string_view field, const std::string& text) {
  if (text.empty()) return std::optional<base::Uuid>();
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(text);
  if (!uuid.has_value()) return errors::InvalidArgument(field, "is no UUID");
  return uuid;
}

absl::StatusOr<Filter> FilterIn(const v1::ListDeliveriesRequest& request) {
  Filter filter;
  ASSIGN_OR_RETURN(const std::optional<base::Uuid> visit, UuidIn("visit_id", request.visit_id()));
  if (visit.has_value()) filter.visit = records::KeyOf({v1::RECORD_KIND_VISIT, *visit});
  ASSIGN_OR_RETURN(filter.carer, UuidIn("carer_id", request.carer_id()));
  ASSIGN_OR_RETURN(filter.device, UuidIn("device_uuid", request.device_uuid()));
  if (request.has_committed_from_time()) {
    const std::optional<absl::Time> from = base::FromTimestamp(request.committed_from_time());
    if (!from.has_value()) return errors::InvalidArgument("committed_from_time", "is no time");
    filter.from = *from;
  }
  if (request.has_committed_until_time()) {
    const std::optional<absl::Time> until = base::FromTimestamp(request.committed_until_time());
    if (!until.has_value()) return errors::InvalidArgument("committed_until_time", "is no time");
    filter.until = *until;
  }
  filter.late_only = request.late_only();
  const bool of_a_time = request.has_committed_from_time() || request.has_committed_until_time();
  if (!visit.has_value() && !filter.carer.has_value() && !filter.device.has_value() && !of_a_time) {
    return errors::InvalidArgument("visit_id",
                                   "is empty, and so are all other filters: name a visit, a carer, a device or a time");
  }
  return filter;
}

WalkOver WalkOf(const Filter& filter) {
  WalkOver over{.visit = filter.visit, .carer = filter.carer, .from = filter.from};
  const bool of_one = filter.device.has_value() && filter.carers_on_it.size() == 1;
  if (!over.carer.has_value() && of_one) over.carer = *filter.carers_on_it.begin();
  return over;
}

// Reads for one request.
class Lister {
 public:
  Lister(const storage::Reader& reader, const base::TenantId& tenant, const Filter& filter, const devices::AsOf& as_of)
      : reader_(reader),
        tenant_(tenant),
        filter_(filter),
        as_of_(as_of),
        names_(reader, tenant),
        devices_(reader, tenant, filter.device, as_of.syncs),
        carers_(reader, tenant, as_of.syncs) {}

  // nullopt where the filter does not take it, and where it cannot be read.
  absl::StatusOr<std::optional<v1::Delivery>> Tell(const EntryPlace& place) {
    if (!filter_.Takes(place)) return std::optional<v1::Delivery>();
    ASSIGN_OR_RETURN(const std::optional<Entry> entry,
                     mismatch::UnlessDamaged(GetEntry(reader_, tenant_, place.carer, place.revision, place.visit),
                                             "delivery_not_readable", tenant_, place.carer));
    if (!entry.has_value()) return std::optional<v1::Delivery>();
    past_ =
        !filter_.visit.has_value() && base::FromStoredTime(entry->row.committed_us()) >= filter_.until + kClockSetBack;
    if (!filter_.Takes(entry->row)) return std::optional<v1::Delivery>();
    return mismatch::UnlessDamaged(TellIfWanted(*entry), "delivery_not_readable", tenant_, place.carer);
  }

  // What comes behind the last place is later than what is wanted.
  bool past() const { return past_; }

 private:
  absl::StatusOr<std::optional<v1::Delivery>> TellIfWanted(const Entry& entry) {
    ASSIGN_OR_RETURN(v1::Delivery delivery, TellEntry(entry));
    if (!filter_.Takes(delivery)) return std::optional<v1::Delivery>();
    return std::optional<v1::Delivery>(std::move(delivery));
  }

  absl::StatusOr<v1::Delivery> TellEntry(const Entry& entry) {
    const std::optional<records::RecordName> visit = records::NameOf(entry.visit);
    if (!visit.has_value()) return errors::DamagedRow("an entry that is of no visit");
    v1::Delivery delivery;
    delivery.set_carer_id(entry.carer.ToString());
    ASSIGN_OR_RETURN(*delivery.mutable_carer_name(), names_.Carer(delivery.carer_id()));
    delivery.set_visit_id(visit->id.ToString());
    if (entry.row.has_payload()) {
      ASSIGN_OR_RETURN(*delivery.mutable_visit(), ShownTo(entry.carer, entry.row.payload(), names_));
    } else {
      delivery.set_gone(entry.row.gone());
    }
    delivery.set_revision(entry.revision);
    base::SetTime(entry.row.committed_us(), [&] { return delivery.mutable_committed_time(); });
    delivery.set_source(entry.row.source());
    base::SetTime(entry.row.changed_us(), [&] { return delivery.mutable_source_changed_time(); });
    base::SetTime(entry.row.received_us(), [&] { return delivery.mutable_received_time(); });
    RETURN_IF_ERROR(TellOfDevices(entry, delivery));
    ASSIGN_OR_RETURN(
        const std::optional<records::CarerSign> seen,
        mismatch::UnlessDamaged(records::FindSeen(reader_, tenant_, entry.carer, entry.visit, entry.row.version()),
                                "care_events_not_readable", tenant_, entry.carer));
    if (seen.has_value()) *delivery.mutable_seen_time() = base::ToTimestamp(seen->occurred);
    return delivery;
  }

  absl::Status TellOfDevices(const Entry& entry, v1::Delivery& delivery) {
    ASSIGN_OR_RETURN(const std::vector<CarerOnDevice>* const all, devices_.Of(entry.carer));
    ASSIGN_OR_RETURN(const std::vector<base::Revision> of_visit,
                     ReadRevisions(reader_, tenant_, entry.carer, entry.visit));
    for (const CarerOnDevice& device : *all) TellOfDevice(entry, of_visit, device, *delivery.add_devices());
    ASSIGN_OR_RETURN(const std::optional<absl::Time> start, StartOf(entry, of_visit, delivery));
    const std::optional<absl::Time> promised =
        start.has_value() ? PromisedBy(entry.row, *start) : std::optional<absl::Time>();
    if (!promised.has_value()) return absl::OkStatus();
    *delivery.mutable_promised_time() = base::ToTimestamp(*promised);
    return TellOfLateness(entry, *promised, *all, delivery);
  }

  // Of a visit that was taken away, as it was before that. nullopt: that is not kept.
  absl::StatusOr<std::optional<absl::Time>> StartOf(const Entry& entry, const std::vector<base::Revision>& of_visit,
                                                    const v1::Delivery& delivery) {
    if (delivery.has_visit()) return base::FromTimestamp(delivery.visit().start_time());
    const auto at = std::lower_bound(of_visit.begin(), of_visit.end(), entry.revision);
    if (at == of_visit.begin()) return std::optional<absl::Time>();
    ASSIGN_OR_RETURN(const std::optional<Entry> before,
                     GetEntry(reader_, tenant_, entry.carer, *std::prev(at), entry.visit));
    if (!before.has_value() || !before->row.has_payload()) return std::optional<absl::Time>();
    ASSIGN_OR_RETURN(const v1::VisitShown shown, ShownTo(entry.carer, before->row.payload(), names_));
    return base::FromTimestamp(shown.start_time());
  }

  // `all`: those of `delivery`, in their order.
  absl::Status TellOfLateness(const Entry& entry, absl::Time promised, const std::vector<CarerOnDevice>& all,
                              v1::Delivery& delivery) {
    ASSIGN_OR_RETURN(const mismatch::CarerDevices* const carer, carers_.WithoutOthers(entry.carer));
    const std::string in_use = carer->in_use.has_value() ? carer->in_use->device_uuid() : "";
    const v1::DeviceDelivery* counts = nullptr;
    for (size_t i = 0; i < all.size(); ++i) {
      const v1::DeviceDelivery& device = delivery.devices(static_cast<int>(i));
      if (device.device_uuid() == in_use && HeldSomething(all[i], promised)) counts = &device;
    }
    delivery.set_late_reason(LateReasonOf(delivery, promised, counts, as_of_.now));
    const bool asks_of_another = filter_.device.has_value() && filter_.device->ToString() != in_use;
    if (asks_of_another || !IsAwaited(delivery, counts)) return absl::OkStatus();
    if (!preferences_.has_value()) {
      ASSIGN_OR_RETURN(preferences_, tenants::GetTenant(reader_, tenant_));
    }
    const absl::Time change = base::FromStoredTime(entry.row.committed_us());
    delivery.set_late_cause(mismatch::CauseOf(*carer, entry.carer, *preferences_, change));
    return absl::OkStatus();
  }

  // By then it had said something of the carer: one that came into use later could not show the change in time.
  static bool HeldSomething(const CarerOnDevice& device, absl::Time by) {
    if (device.marks.empty()) return false;
    return !device.begins_with_first || base::FromStoredTime(device.marks.front().row.time_us()) <= by;
  }

  void TellOfDevice(const Entry& entry, const std::vector<base::Revision>& of_visit, const CarerOnDevice& device,
                    v1::DeviceDelivery& told) const {
    told.set_device_uuid(device.uuid.ToString());
    told.set_device_name(device.name);
    const std::optional<Outcome> outcome = OutcomeOf(device.marks, entry.position(), of_visit);
    if (!outcome.has_value()) {
      const devices::FeedChange change{.revision = entry.revision,
                                       .time = base::FromStoredTime(entry.row.committed_us())};
      told.set_state(devices::MaySend(device.syncs, change) ? v1::DELIVERY_STATE_MAY_HAVE_BEEN_SENT
                                                            : v1::DELIVERY_STATE_NOT_SENT);
      return;
    }
    told.set_state(outcome->applied ? v1::DELIVERY_STATE_APPLIED : v1::DELIVERY_STATE_SUPERSEDED);
    // One that was let go may have said so before.
    if (outcome->mark == &device.marks.front() && !device.begins_with_first) return;
    const store::CopyMark& mark = outcome->mark->row;
    if (outcome->applied) base::SetTime(mark.sent_us(), [&] { return told.mutable_sent_time(); });
    base::SetTime(mark.time_us(), [&] { return told.mutable_applied_time(); });
    told.set_sync_number(mark.sync_number());
    told.set_session_id(mark.session_id());
  }

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const Filter& filter_;
  const devices::AsOf& as_of_;
  bool past_ = false;
  devices::Names names_;
  DeliveryDevices devices_;
  mismatch::CarerDevicesReader carers_;
  // Read where it is needed.
  std::optional<store::Tenant> preferences_;
};

// What a token of another list does not go on with.
std::string QueryOf(const v1::ListDeliveriesRequest& request) {
  return absl::StrCat("deliveries/", request.visit_id(), "/", request.carer_id(), "/", request.device_uuid(), "/",
                      request.committed_from_time().SerializeAsString(), "/",
                      request.committed_until_time().SerializeAsString(), "/", request.late_only() ? "late" : "");
}

}  // namespace

absl::StatusOr<v1::ListDeliveriesResponse> ListDeliveries(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListDeliveriesRequest& request,
                                                          const devices::AsOf& as_of) {
  ASSIGN_OR_RETURN(Filter filter, FilterIn(request));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query = QueryOf(request);
  ASSIGN_OR_RETURN(std::string after, base::DecodePageToken(query, request.page_token()));
  if (filter.device.has_value()) {
    ASSIGN_OR_RETURN(filter.carers_on_it, ReadCarersOn(reader, tenant, *filter.device));
  }
  const WalkOver over = WalkOf(filter);
  EntryWalk walk(reader, tenant, over);
  RETURN_IF_ERROR(walk.GoOnAfter(after));
  Lister lister(reader, tenant, filter, as_of);

  v1::ListDeliveriesResponse response;
  for (size_t looked_at = 0; looked_at < base::limits::kSearchedRows;) {
    ASSIGN_OR_RETURN(const std::vector<EntryPlace> places, walk.Next(kPlacesAtOnce));
    for (const EntryPlace& place : places) {
      if (response.deliveries_size() == page_size) {
        response.set_next_page_token(base::EncodePageToken(query, after));
        return response;
      }
      ASSIGN_OR_RETURN(std::optional<v1::Delivery> delivery, lister.Tell(place));
      if (lister.past()) return response;
      if (delivery.has_value()) *response.add_deliveries() = *std::move(delivery);
      after = place.key;
    }
    if (places.size() < kPlacesAtOnce) return response;
    looked_at += places.size();
  }
  response.set_next_page_token(base::EncodePageToken(query, after));
  return response;
}

}  // namespace caresync::deliveries
