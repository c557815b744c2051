#include "server/deliveries/explain_visit.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "caresync/store/mismatch.pb.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/commit/timeline.h"
#include "server/deliveries/visit_way.h"
#include "server/deliveries/way_wording.h"
#include "server/devices/assigned_devices.h"
#include "server/devices/device_rows.h"
#include "server/devices/names.h"
#include "server/devices/sent.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/carer_devices.h"
#include "server/mismatch/cause.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/visit_parts.h"
#include "server/records/carer_signs.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/records/window_edges.h"
#include "server/tenants/tenants.h"

namespace caresync::deliveries {
namespace {

namespace errors = base::errors;
using mismatch::CarerDevices;
using mismatch::UnlessDamaged;
using mismatch::VisitParts;
using records::KeyOf;

// The visit as its carers' devices would hold it if nothing kept it from them: with everybody's part.
absl::StatusOr<VisitParts> PlannedParts(store::Record visit) {
  visit.set_cancelled(false);
  visit.set_published(true);
  visit.set_outside_window(false);
  return mismatch::PartsOf(visit);
}

bool CredentialRefused(const v1::MismatchDevice& device) {
  const std::string& reason = device.last_api_call_reason();
  return absl::StartsWith(reason, "CREDENTIAL_") || reason == base::Reason(errors::NoCredential());
}

// One whose record cannot be read is a carer all the same.
absl::Status CheckKnown(const storage::Reader& reader, const base::TenantId& tenant, const base::Uuid& carer) {
  const absl::StatusOr<std::optional<store::Record>> record =
      records::GetRecord(reader, tenant, KeyOf({v1::RECORD_KIND_CARER, carer}));
  if (absl::IsDataLoss(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  return record->has_value() ? absl::OkStatus() : errors::CarerUnknown(carer.ToString());
}

// Reads for one request.
class Explainer {
 public:
  Explainer(const storage::Reader& reader, const base::TenantId& tenant, const devices::AsOf& as_of, base::Uuid carer,
            base::RecordKey visit)
      : reader_(reader), tenant_(tenant), as_of_(as_of), of_{carer, std::move(visit)}, names_(reader, tenant) {}

  absl::StatusOr<v1::ExplainVisitResponse> Explain(const store::Record& visit) {
    ASSIGN_OR_RETURN(preferences_, tenants::GetTenant(reader_, tenant_));
    RETURN_IF_ERROR(TellOfVisit(visit));
    RETURN_IF_ERROR(TellOfWindow(visit));
    RETURN_IF_ERROR(TellOfChange(visit));
    RETURN_IF_ERROR(TellOfDevice(visit));
    for (v1::DeliveryStepTold& step : WayOf(facts_)) *response_.add_steps() = std::move(step);
    const auto failed =
        std::find_if(response_.steps().begin(), response_.steps().end(),
                     [](const v1::DeliveryStepTold& step) { return step.state() == v1::DELIVERY_STEP_STATE_FAILED; });
    if (failed != response_.steps().end()) {
      response_.set_failed_step(failed->step());
      response_.set_fault(failed->fault());
    }
    // Of one that is cancelled it says nothing.
    if (response_.fault() != v1::DELIVERY_FAULT_TOO_FAR_AHEAD) response_.clear_enters_window_time();
    absl::TimeZone zone = absl::UTCTimeZone();
    absl::LoadTimeZone(preferences_.time_zone(), &zone);
    AddWords(zone, response_);
    return std::move(response_);
  }

 private:
  absl::Status TellOfVisit(const store::Record& visit) {
    response_.set_carer_id(of_.carer.ToString());
    ASSIGN_OR_RETURN(*response_.mutable_carer_name(), names_.Carer(response_.carer_id()));
    response_.set_visit_id(visit.record_id());
    response_.set_visit_revision(visit.version());
    base::SetTime(visit.origin().changed_time_us(), [&] { return response_.mutable_source_changed_time(); });
    ASSIGN_OR_RETURN(planned_, PlannedParts(visit));
    response_.set_branch_id(planned_.branch_id);
    facts_.cancelled = visit.cancelled();
    facts_.published = visit.published();
    const store::VisitPart* const part = planned_.Of(of_.carer);
    facts_.assigned = part != nullptr;
    if (part == nullptr) return absl::OkStatus();
    v1::VisitShown& shown = *response_.mutable_planned();
    base::SetTime(part->start_us(), [&] { return shown.mutable_start_time(); });
    base::SetTime(part->end_us(), [&] { return shown.mutable_end_time(); });
    shown.set_service_user_id(part->service_user_id());
    ASSIGN_OR_RETURN(*shown.mutable_service_user_name(), names_.ServiceUser(part->service_user_id()));
    return absl::OkStatus();
  }

  absl::Status TellOfWindow(const store::Record& visit) {
    if (!visit.outside_window()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const store::WindowEdges edges, records::ReadEdges(reader_, tenant_));
    store::WindowEdges opening = edges;
    opening.clear_closing();
    ASSIGN_OR_RETURN(const bool ahead, records::IsOutside(opening, of_.visit, visit));
    ASSIGN_OR_RETURN(const bool outside, records::IsOutside(edges, of_.visit, visit));
    facts_.window = ahead     ? WayFacts::Window::kTooFarAhead
                    : outside ? WayFacts::Window::kTooLongAgo
                              : WayFacts::Window::kMoving;
    if (!ahead || planned_.held.empty()) return absl::OkStatus();
    // It comes to all its carers at once, before the first of them begins.
    int64_t start_us = std::numeric_limits<int64_t>::max();
    for (const auto& [carer, part] : planned_.held) start_us = std::min(start_us, part.start_us());
    const absl::Time enters = base::FromStoredTime(start_us) - absl::Seconds(edges.download_window_s());
    *response_.mutable_enters_window_time() = base::ToTimestamp(enters);
    // The edge is on its way there, or the window has become longer, or has no bound any more.
    const bool is_late = edges.download_window_s() == 0 || enters <= as_of_.now;
    if (is_late) facts_.window = WayFacts::Window::kMoving;
    return absl::OkStatus();
  }

  absl::Status TellOfChange(const store::Record& visit) {
    ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row, mismatch::GetUndamaged(reader_, tenant_, of_));
    if (row.has_value()) {
      change_.time = base::FromStoredTime(row->last_change_us());
      base::SetTime(row->last_change_us(), [&] { return response_.mutable_last_change_time(); });
    }
    ASSIGN_OR_RETURN(const std::optional<feed::Entry> entry,
                     feed::ReadEntry(reader_, tenant_, records::CarerReceiver(of_.carer), of_.visit));
    if (entry.has_value()) {
      change_.revision = entry->position.revision;
      response_.set_feed_revision(change_.revision);
      facts_.in_feed = !entry->removal && entry->version == visit.version();
    }
    ASSIGN_OR_RETURN(const std::optional<records::CarerSign> seen,
                     UnlessDamaged(records::FindSeen(reader_, tenant_, of_.carer, of_.visit, visit.version()),
                                   "care_events_not_readable", tenant_, of_.carer));
    facts_.seen = seen.has_value();
    if (seen.has_value()) *response_.mutable_seen_time() = base::ToTimestamp(seen->occurred);
    return absl::OkStatus();
  }

  absl::Status TellOfDevice(const store::Record& visit) {
    mismatch::CarerDevicesReader reader(reader_, tenant_, as_of_.syncs);
    ASSIGN_OR_RETURN(const CarerDevices* const all, reader.Of(of_.carer));
    for (const v1::MismatchDevice& other : all->others) *response_.add_other_devices() = other;
    facts_.cause = mismatch::CauseOf(*all, of_.carer, preferences_, change_.time);
    ASSIGN_OR_RETURN(const VisitParts parts, mismatch::PartsOf(visit));
    mismatch::Delivery delivery(reader_, tenant_);
    ASSIGN_OR_RETURN(facts_.acknowledged, delivery.IsSettled(of_, visit, parts.Of(of_.carer) != nullptr));
    response_.set_acknowledged(facts_.acknowledged);
    if (!all->in_use.has_value()) return TellOfAssigned();
    *response_.mutable_device() = *all->in_use;
    RETURN_IF_ERROR(TellOfUsable());
    facts_.credential_refused = CredentialRefused(*all->in_use);
    facts_.failing = mismatch::IsFailing(*all->in_use);
    RETURN_IF_ERROR(TellOfCopy(all->rows));
    const std::optional<base::Uuid> device = base::Uuid::Parse(all->in_use->device_uuid());
    if (!device.has_value()) return errors::DamagedRow("a device in use that is no UUID");
    ASSIGN_OR_RETURN(const devices::SyncsOnDevice syncs,
                     devices::ReadSyncs(reader_, tenant_, of_.carer, *device, as_of_.syncs));
    facts_.sync_under_way = syncs.under_way;
    facts_.may_have_been_sent = devices::MaySend(syncs, change_);
    return absl::OkStatus();
  }

  absl::Status TellOfAssigned() {
    // All devices of the tenant are read for it.
    if (facts_.cause != v1::MISMATCH_CAUSE_NO_DEVICE || !IsToBeHeld(facts_)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const devices::AssignedDevices assigned,
                     devices::ReadAssignedDevices(reader_, tenant_, of_.carer, base::limits::kMismatchDevices));
    facts_.has_device = !assigned.devices.empty();
    for (const devices::AssignedDevice& device : assigned.devices) {
      facts_.has_usable_device |= !device.blocked;
      response_.add_assigned_device_uuids(device.uuid.ToString());
    }
    // It may be one that the carer can use.
    if (assigned.damaged && !facts_.has_usable_device) facts_.cause = v1::MISMATCH_CAUSE_UNSPECIFIED;
    return absl::OkStatus();
  }

  // Where the carer may sign in when the device in use is blocked.
  absl::Status TellOfUsable() {
    // All devices of the tenant are read for it.
    if (facts_.cause != v1::MISMATCH_CAUSE_DEVICE_BLOCKED || !IsToBeHeld(facts_)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const devices::AssignedDevices assigned,
                     devices::ReadAssignedDevices(reader_, tenant_, of_.carer, base::limits::kMismatchDevices));
    for (const devices::AssignedDevice& device : assigned.devices) {
      if (!device.blocked) response_.add_assigned_device_uuids(device.uuid.ToString());
    }
    return absl::OkStatus();
  }

  absl::Status TellOfCopy(const devices::DeviceRows& rows) {
    const store::DeviceCopy* const copy =
        rows.report.has_value() ? devices::FindCopy(*rows.report, of_.carer) : nullptr;
    if (copy == nullptr) return absl::OkStatus();
    facts_.copy_unfinished = copy->rebuild_number() > copy->in_use_number();
    const base::CommitPoint cursor{copy->timeline(), copy->revision()};
    if (cursor.timeline.empty() || copy->diverged()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const commit::CursorStanding standing, commit::Standing(reader_, tenant_, cursor));
    const bool known = standing == commit::CursorStanding::kKnown;
    if (known) response_.set_acknowledged_revision(copy->position_revision());
    return absl::OkStatus();
  }

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const devices::AsOf& as_of_;
  const mismatch::CarerVisit of_;
  devices::Names names_;
  store::Tenant preferences_;
  VisitParts planned_;
  devices::FeedChange change_;
  WayFacts facts_;
  v1::ExplainVisitResponse response_;
};

}  // namespace

absl::StatusOr<v1::ExplainVisitResponse> ExplainVisit(const storage::Reader& reader, const base::TenantId& tenant,
                                                      const v1::ExplainVisitRequest& request,
                                                      const devices::AsOf& as_of) {
  const std::optional<base::Uuid> carer = base::Uuid::Parse(request.carer_id());
  if (!carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  const std::optional<base::Uuid> visit = base::Uuid::Parse(request.visit_id());
  if (!visit.has_value()) return errors::InvalidArgument("visit_id", "is no UUID");
  RETURN_IF_ERROR(CheckKnown(reader, tenant, *carer));
  const base::RecordKey key = KeyOf({v1::RECORD_KIND_VISIT, *visit});
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, records::GetRecord(reader, tenant, key));
  if (!record.has_value()) return errors::VisitUnknown(visit->ToString());
  return Explainer(reader, tenant, as_of, *carer, key).Explain(*record);
}

}  // namespace caresync::deliveries
