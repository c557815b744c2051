#include "server/records/applicability.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/grants.h"
#include "server/records/record_store.h"

namespace caresync::records {
namespace {

using base::RecordKey;

constexpr v1::ReviewReason kApplicable = v1::REVIEW_REASON_UNSPECIFIED;

// Whether the visit is the carer's, be it on devices or not: a phone that was offline for longer than a visit stays on
// devices still tells what was recorded there.
absl::StatusOr<bool> IsAssigned(const store::Record& visit, const base::Uuid& carer) {
  ASSIGN_OR_RETURN(const v1::Visit payload, base::ParseStored<v1::Visit>(visit.payload()));
  return std::any_of(payload.assignments().begin(), payload.assignments().end(),
                     [&carer](const v1::Assignment& part) { return base::Uuid::Parse(part.carer_id()) == carer; });
}

// Why the carer may not record anything on `parent`; kApplicable where it may. `visible`: a service user whom it may
// see, a visit that it is assigned to.
v1::ReviewReason Refusal(const RecordName& name, const std::optional<store::Record>& parent, bool visible) {
  if (name.kind == v1::RECORD_KIND_SERVICE_USER) {
    return parent.has_value() && visible ? kApplicable : v1::REVIEW_REASON_SERVICE_USER_NOT_VISIBLE;
  }
  if (!parent.has_value()) return v1::REVIEW_REASON_VISIT_UNKNOWN;
  if (parent->cancelled() || !parent->published()) return v1::REVIEW_REASON_VISIT_CANCELLED;
  return visible ? kApplicable : v1::REVIEW_REASON_CARER_NOT_ASSIGNED;
}

}  // namespace

absl::StatusOr<Applicability> WhetherApplicable(const storage::Reader& reader, const base::TenantId& tenant,
                                                const base::Uuid& carer, const RecordName& parent) {
  Applicability applicability;
  ASSIGN_OR_RETURN(applicability.parent, GetRecord(reader, tenant, KeyOf(parent)));
  const bool of_visit = parent.kind == v1::RECORD_KIND_VISIT;
  bool visible = false;
  if (of_visit && applicability.parent.has_value()) {
    ASSIGN_OR_RETURN(visible, IsAssigned(*applicability.parent, carer));
  } else if (!of_visit) {
    ASSIGN_OR_RETURN(visible, IsVisible(reader, tenant, KeyOf(parent), CarerReceiver(carer)));
  }
  applicability.reason = Refusal(parent, applicability.parent, visible);
  return applicability;
}

absl::StatusOr<bool> HasRoomForEvent(const storage::Reader& reader, const base::TenantId& tenant,
                                     const RecordKey& parent) {
  // By a scan, which the bound keeps short: a visit holds some tens of events, and no row is to be kept for counting
  // them. A service user's care plans are bounded by themselves.
  size_t events = 0;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords, ChildrenOfKind(tenant, parent, v1::RECORD_KIND_CARE_EVENT),
                              base::limits::kEventsOfRecord, [&events](std::string_view, std::string_view) {
                                ++events;
                                return true;
                              }));
  return events < base::limits::kEventsOfRecord;
}

}  // namespace caresync::records
