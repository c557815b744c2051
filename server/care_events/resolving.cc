#include "server/care_events/resolving.h"

#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"
#include "server/base/uuid.h"
#include "server/care_events/event_lists.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"
#include "server/records/review_resolution.h"

namespace caresync::care_events {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;

absl::StatusOr<std::optional<records::RecordName>> TargetIn(std::string_view field, v1::RecordKind kind,
                                                            const std::string& text) {
  if (text.empty()) return std::optional<records::RecordName>();
  const std::optional<base::Uuid> id = base::Uuid::Parse(text);
  if (!id.has_value()) return errors::InvalidArgument(field, "is no UUID");
  return std::optional<records::RecordName>({kind, *id});
}

absl::StatusOr<records::Ruling> RulingIn(const v1::ResolveEventRequest& request) {
  records::Ruling ruling;
  switch (request.resolution_case()) {
    case v1::ResolveEventRequest::kApplyToVisit: {
      ruling.resolution = v1::RESOLUTION_APPLIED;
      ASSIGN_OR_RETURN(ruling.target,
                       TargetIn("apply_to_visit.visit_id", v1::RECORD_KIND_VISIT, request.apply_to_visit().visit_id()));
      return ruling;
    }
    case v1::ResolveEventRequest::kAcceptAsUnplanned: {
      ruling.resolution = v1::RESOLUTION_ACCEPTED_AS_UNPLANNED;
      ASSIGN_OR_RETURN(ruling.target, TargetIn("accept_as_unplanned.service_user_id", v1::RECORD_KIND_SERVICE_USER,
                                               request.accept_as_unplanned().service_user_id()));
      return ruling;
    }
    case v1::ResolveEventRequest::kDiscard: {
      ruling.resolution = v1::RESOLUTION_DISCARDED;
      ruling.note = request.discard().reason();
      const std::optional<size_t> characters = base::CountCharacters(ruling.note);
      if (characters.has_value() && *characters > 0 && *characters <= limits::kDiscardReasonCharacters) return ruling;
      return errors::InvalidArgument("discard.reason",
                                     absl::StrCat("must have 1 to ", limits::kDiscardReasonCharacters, " characters"));
    }
    case v1::ResolveEventRequest::RESOLUTION_NOT_SET:
      break;
  }
  return errors::InvalidArgument("resolution", "is missing; apply to a visit, accept as unplanned, or discard");
}

}  // namespace

absl::StatusOr<v1::ResolveEventResponse> ResolveEvent(commit::Transaction& transaction,
                                                      const v1::ResolveEventRequest& request,
                                                      const std::string& person) {
  const std::optional<records::ReviewName> name = records::ParseReviewName(request.review_id());
  if (!name.has_value()) return errors::InvalidArgument("review_id", "is none; take one from ListEventsForReview");
  ASSIGN_OR_RETURN(records::Ruling ruling, RulingIn(request));
  ruling.person = person;
  records::RecordStore records(transaction);
  ASSIGN_OR_RETURN(const records::Resolved resolved, records::Resolve(records, *name, ruling));
  v1::ResolveEventResponse response;
  ASSIGN_OR_RETURN(*response.mutable_event(), ToProto(transaction, transaction.tenant(), *name, resolved.item));
  response.set_followers_taken(static_cast<uint32_t>(resolved.followers));
  return response;
}

}  // namespace caresync::care_events
