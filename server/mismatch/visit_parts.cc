#include "server/mismatch/visit_parts.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/internal/endian.h"
#include "absl/time/time.h"
#include "caresync/v1/records.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/proto_time.h"
#include "server/base/sha256.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::mismatch {
namespace {

// Of what this carer is to do, or any.
uint64_t ActivitiesDigest(const v1::Visit& visit, std::string_view carer) {
  base::Sha256 digest;
  for (const v1::PlannedActivity& activity : visit.planned_activities()) {
    if (!activity.carer_id().empty() && activity.carer_id() != carer) continue;
    const std::string bytes = activity.SerializeAsString();
    digest.AddBigEndian(static_cast<uint32_t>(bytes.size())).Add(bytes);
  }
  return absl::big_endian::Load64(digest.Finish().data());
}

// The span of an assignment joins the part's.
absl::Status AddSpan(const v1::Assignment& assignment, store::VisitPart& part) {
  const std::optional<absl::Time> start = base::FromTimestamp(assignment.start_time());
  const std::optional<absl::Time> end = base::FromTimestamp(assignment.end_time());
  if (!start.has_value() || !end.has_value()) return base::errors::DamagedRow("a visit's assignment");
  const bool first = part.start_us() == 0 && part.end_us() == 0;
  const int64_t start_us = base::ToStoredTime(*start);
  const int64_t end_us = base::ToStoredTime(*end);
  part.set_start_us(first ? start_us : std::min(part.start_us(), start_us));
  part.set_end_us(first ? end_us : std::max(part.end_us(), end_us));
  return absl::OkStatus();
}

v1::VisitGone WhyNobody(const store::Record& visit) {
  if (visit.cancelled()) return v1::VISIT_GONE_CANCELLED;
  if (!visit.published()) return v1::VISIT_GONE_TAKEN_AWAY;
  return visit.outside_window() ? v1::VISIT_GONE_OUT_OF_WINDOW : v1::VISIT_GONE_UNSPECIFIED;
}

}  // namespace

const store::VisitPart* VisitParts::Of(const base::Uuid& carer) const {
  const auto found = held.find(carer);
  return found == held.end() ? nullptr : &found->second;
}

v1::VisitGone VisitParts::WhyGone(const base::Uuid& carer) const {
  const bool of_all = assigned.contains(carer) || gone == v1::VISIT_GONE_CANCELLED;
  return of_all && gone != v1::VISIT_GONE_UNSPECIFIED ? gone : v1::VISIT_GONE_TAKEN_AWAY;
}

absl::StatusOr<VisitParts> PartsOf(const std::optional<store::Record>& visit) {
  VisitParts parts;
  if (!visit.has_value()) return parts;
  parts.gone = WhyNobody(*visit);
  ASSIGN_OR_RETURN(const v1::Visit payload, base::ParseStored<v1::Visit>(visit->payload()));
  parts.branch_id = payload.branch_id();
  for (const v1::Assignment& assignment : payload.assignments()) {
    const std::optional<base::Uuid> carer = base::Uuid::Parse(assignment.carer_id());
    if (!carer.has_value()) return base::errors::DamagedRow("a visit's carer");
    parts.assigned.insert(*carer);
    if (parts.gone != v1::VISIT_GONE_UNSPECIFIED) continue;
    RETURN_IF_ERROR(AddSpan(assignment, parts.held[*carer]));
  }
  for (auto& [carer, part] : parts.held) {
    part.set_service_user_id(payload.service_user_id());
    part.set_fingerprint(visit->fingerprint());
    part.set_activities_digest(ActivitiesDigest(payload, carer.ToString()));
  }
  return parts;
}

std::vector<v1::VisitChangeKind> Difference(const store::Mismatch& row) {
  if (!row.has_now()) {
    switch (row.gone()) {
      case v1::VISIT_GONE_CANCELLED:
        return {v1::VISIT_CHANGE_KIND_CANCELLED};
      case v1::VISIT_GONE_OUT_OF_WINDOW:
        return {v1::VISIT_CHANGE_KIND_OUT_OF_WINDOW};
      default:
        return {v1::VISIT_CHANGE_KIND_TAKEN_AWAY};
    }
  }
  if (!row.has_acknowledged()) return {v1::VISIT_CHANGE_KIND_NEW};
  const store::VisitPart& from = row.acknowledged();
  const store::VisitPart& to = row.now();
  std::vector<v1::VisitChangeKind> kinds;
  if (from.start_us() != to.start_us() || from.end_us() != to.end_us()) kinds.push_back(v1::VISIT_CHANGE_KIND_MOVED);
  if (from.service_user_id() != to.service_user_id()) kinds.push_back(v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER);
  if (from.activities_digest() != to.activities_digest()) kinds.push_back(v1::VISIT_CHANGE_KIND_ACTIVITIES);
  if (kinds.empty()) kinds.push_back(v1::VISIT_CHANGE_KIND_DETAILS);
  return kinds;
}

}  // namespace caresync::mismatch
