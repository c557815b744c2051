#include "server/deliveries/visit_shown.h"

#include "caresync/store/stored.pb.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/mismatch/visit_parts.h"

namespace caresync::deliveries {

absl::StatusOr<v1::VisitShown> ShownTo(const base::Uuid& carer, const std::string& payload, devices::Names& names) {
  // A feed shows a visit only while its devices are to hold it.
  store::Record visit;
  visit.set_payload(payload);
  visit.set_published(true);
  ASSIGN_OR_RETURN(const mismatch::VisitParts parts, mismatch::PartsOf(visit));
  ASSIGN_OR_RETURN(const v1::Visit parsed, base::ParseStored<v1::Visit>(payload));
  v1::VisitShown shown;
  shown.set_service_user_id(parsed.service_user_id());
  ASSIGN_OR_RETURN(*shown.mutable_service_user_name(), names.ServiceUser(shown.service_user_id()));
  const store::VisitPart* const part = parts.Of(carer);
  if (part == nullptr) return shown;
  base::SetTime(part->start_us(), [&] { return shown.mutable_start_time(); });
  base::SetTime(part->end_us(), [&] { return shown.mutable_end_time(); });
  return shown;
}

}  // namespace caresync::deliveries
