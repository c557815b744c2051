#include "server/roster/validation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"

namespace caresync::roster {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;

absl::Status ValidateText(std::string_view field, std::string_view text, size_t least, size_t most) {
  const std::optional<size_t> characters = base::CountCharacters(text);
  if (!characters.has_value()) return errors::InvalidArgument(field, "is not valid UTF-8");
  if (*characters >= least && *characters <= most) return absl::OkStatus();
  return errors::InvalidArgument(field, absl::StrCat("has ", *characters, " characters; give ", least, " to ", most));
}

absl::Status ValidateName(std::string_view field, std::string_view name) {
  return ValidateText(field, name, 1, limits::kNameCharacters);
}

// What is wrong with an external ID; empty where nothing is.
std::string WrongExternalId(std::string_view id) {
  if (id.empty() || id.size() > limits::kExternalIdBytes) {
    return absl::StrCat("has ", id.size(), " bytes; give 1 to ", limits::kExternalIdBytes);
  }
  if (!base::CountCharacters(id).has_value()) return "is not valid UTF-8";
  if (base::HasControlCharacters(id)) return "holds control characters";
  return "";
}

absl::Status ValidateReference(std::string_view field, std::string_view id) {
  const std::string wrong = WrongExternalId(id);
  return wrong.empty() ? absl::OkStatus() : errors::InvalidArgument(field, absl::StrCat("as an external ID ", wrong));
}

absl::Status ValidateOptionalReference(std::string_view field, std::string_view id) {
  return id.empty() ? absl::OkStatus() : ValidateReference(field, id);
}

absl::Status ValidateInstant(std::string_view field, const google::protobuf::Timestamp& time) {
  if (base::FromTimestamp(time).has_value()) return absl::OkStatus();
  return errors::InvalidArgument(field, "is no instant from 0001-01-01 to 9999-12-31");
}

absl::Status ValidateDate(std::string_view field, const v1::Date& date) {
  const absl::CivilDay day(date.year(), date.month(), date.day());
  const bool exists = date.year() >= 1 && date.year() <= 9999 && day.year() == date.year() &&
                      day.month() == date.month() && day.day() == date.day();
  return exists ? absl::OkStatus() : errors::InvalidArgument(field, "is no date of the calendar");
}

absl::Status ValidateLocation(std::string_view field, const v1::Location& location) {
  // Written so that NaN is refused.
  const bool exists = std::abs(location.latitude()) <= 90.0 && std::abs(location.longitude()) <= 180.0;
  return exists ? absl::OkStatus()
                : errors::InvalidArgument(field, "is no place: latitude -90 to 90, longitude -180 to 180 degrees");
}

absl::Status ValidateEmail(std::string_view field, std::string_view email) {
  if (email.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(ValidateText(field, email, 1, limits::kEmailCharacters));
  const bool one_at = std::count(email.begin(), email.end(), '@') == 1;
  if (one_at && email.front() != '@' && email.back() != '@') return absl::OkStatus();
  return errors::InvalidArgument(field, "is no address: it has one @ with something on either side");
}

absl::Status ValidateServiceUser(const v1::RosterServiceUser& user) {
  RETURN_IF_ERROR(ValidateName("service_user.name", user.name()));
  RETURN_IF_ERROR(ValidateOptionalReference("service_user.branch", user.branch()));
  if (user.has_date_of_birth()) RETURN_IF_ERROR(ValidateDate("service_user.date_of_birth", user.date_of_birth()));
  if (!user.nhs_number().empty() && !IsNhsNumber(user.nhs_number())) {
    return errors::InvalidArgument("service_user.nhs_number", "is no NHS number: ten digits, the last a check digit");
  }
  RETURN_IF_ERROR(ValidateText("service_user.phone", user.phone(), 0, limits::kPhoneCharacters));
  RETURN_IF_ERROR(ValidateEmail("service_user.email", user.email()));
  RETURN_IF_ERROR(ValidateText("service_user.address", user.address(), 0, limits::kAddressCharacters));
  if (user.has_location()) RETURN_IF_ERROR(ValidateLocation("service_user.location", user.location()));
  return absl::OkStatus();
}

absl::Status ValidateAssignment(const std::string& field, const v1::RosterAssignment& assignment) {
  RETURN_IF_ERROR(ValidateReference(absl::StrCat(field, ".carer"), assignment.carer()));
  const std::string end_field = absl::StrCat(field, ".end_time");
  if (!assignment.has_start_time()) return errors::InvalidArgument(absl::StrCat(field, ".start_time"), "is missing");
  if (!assignment.has_end_time()) return errors::InvalidArgument(end_field, "is missing");
  RETURN_IF_ERROR(ValidateInstant(absl::StrCat(field, ".start_time"), assignment.start_time()));
  RETURN_IF_ERROR(ValidateInstant(end_field, assignment.end_time()));
  const bool ends_after = *base::FromTimestamp(assignment.start_time()) < *base::FromTimestamp(assignment.end_time());
  return ends_after ? absl::OkStatus() : errors::InvalidArgument(end_field, "is not after start_time");
}

absl::Status ValidateAssignments(const v1::RosterVisit& visit) {
  const size_t count = static_cast<size_t>(visit.assignments_size());
  if (count < 1 || count > limits::kVisitAssignments) {
    return errors::InvalidArgument("visit.assignments",
                                   absl::StrCat("has ", count, "; give 1 to ", limits::kVisitAssignments));
  }
  std::set<std::pair<std::string, absl::Time>> parts;
  absl::Time first = absl::InfiniteFuture();
  absl::Time last = absl::InfinitePast();
  for (int i = 0; i < visit.assignments_size(); ++i) {
    const v1::RosterAssignment& assignment = visit.assignments(i);
    const std::string field = absl::StrCat("visit.assignments[", i, "]");
    RETURN_IF_ERROR(ValidateAssignment(field, assignment));
    const absl::Time start = *base::FromTimestamp(assignment.start_time());
    if (!parts.insert({assignment.carer(), start}).second) {
      return errors::InvalidArgument(field, "repeats an assignment: one carer starts once at one time");
    }
    first = std::min(first, start);
    last = std::max(last, *base::FromTimestamp(assignment.end_time()));
  }
  if (last - first <= limits::kVisitLength) return absl::OkStatus();
  return errors::InvalidArgument("visit.assignments",
                                 absl::StrCat("span ", absl::FormatDuration(last - first), "; at most ",
                                              absl::FormatDuration(limits::kVisitLength)));
}

absl::Status ValidateActivity(const std::string& field, const v1::RosterPlannedActivity& activity,
                              const std::set<std::string>& carers) {
  RETURN_IF_ERROR(
      ValidateText(absl::StrCat(field, ".activity_id"), activity.activity_id(), 1, limits::kActivityIdCharacters));
  RETURN_IF_ERROR(ValidateName(absl::StrCat(field, ".activity_kind"), activity.activity_kind()));
  RETURN_IF_ERROR(ValidateText(absl::StrCat(field, ".description"), activity.description(), 0,
                               limits::kActivityDescriptionCharacters));
  const int64_t most = absl::ToInt64Minutes(limits::kVisitLength);
  if (activity.planned_minutes() < 0 || activity.planned_minutes() > most) {
    return errors::InvalidArgument(absl::StrCat(field, ".planned_minutes"),
                                   absl::StrCat("is ", activity.planned_minutes(), "; give 0 to ", most));
  }
  if (activity.carer().empty() || carers.contains(activity.carer())) return absl::OkStatus();
  return errors::InvalidArgument(absl::StrCat(field, ".carer"), "is not assigned to the visit");
}

absl::Status ValidateActivities(const v1::RosterVisit& visit) {
  const size_t count = static_cast<size_t>(visit.planned_activities_size());
  if (count > limits::kVisitActivities) {
    return errors::InvalidArgument("visit.planned_activities",
                                   absl::StrCat("has ", count, "; at most ", limits::kVisitActivities));
  }
  std::set<std::string> carers;
  for (const v1::RosterAssignment& assignment : visit.assignments()) carers.insert(assignment.carer());
  std::set<std::string> ids;
  for (int i = 0; i < visit.planned_activities_size(); ++i) {
    const v1::RosterPlannedActivity& activity = visit.planned_activities(i);
    const std::string field = absl::StrCat("visit.planned_activities[", i, "]");
    RETURN_IF_ERROR(ValidateActivity(field, activity, carers));
    if (!ids.insert(activity.activity_id()).second) {
      return errors::InvalidArgument(absl::StrCat(field, ".activity_id"), "is used twice in the visit");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateVisit(const v1::RosterVisit& visit) {
  RETURN_IF_ERROR(ValidateReference("visit.service_user", visit.service_user()));
  RETURN_IF_ERROR(ValidateOptionalReference("visit.branch", visit.branch()));
  RETURN_IF_ERROR(ValidateText("visit.notes", visit.notes(), 0, limits::kVisitNotesCharacters));
  RETURN_IF_ERROR(ValidateAssignments(visit));
  return ValidateActivities(visit);
}

absl::Status ValidateMembers(const v1::RosterEmployeeGroup& group) {
  if (static_cast<size_t>(group.carers_size()) > limits::kGroupMembers) {
    return errors::InvalidArgument("employee_group.carers",
                                   absl::StrCat("has ", group.carers_size(), "; at most ", limits::kGroupMembers));
  }
  std::set<std::string_view> seen;
  for (const std::string& carer : group.carers()) {
    RETURN_IF_ERROR(ValidateReference("employee_group.carers", carer));
    if (!seen.insert(carer).second) {
      return errors::InvalidArgument("employee_group.carers", "names a carer twice; name each once");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateRecord(const v1::RosterChange& change) {
  switch (change.record_case()) {
    case v1::RosterChange::kCareService:
      return ValidateName("care_service.name", change.care_service().name());
    case v1::RosterChange::kBranch:
      RETURN_IF_ERROR(ValidateName("branch.name", change.branch().name()));
      return ValidateOptionalReference("branch.care_service", change.branch().care_service());
    case v1::RosterChange::kCarer:
      RETURN_IF_ERROR(ValidateName("carer.name", change.carer().name()));
      return ValidateOptionalReference("carer.branch", change.carer().branch());
    case v1::RosterChange::kServiceUser:
      return ValidateServiceUser(change.service_user());
    case v1::RosterChange::kVisit:
      return ValidateVisit(change.visit());
    case v1::RosterChange::kEmployeeGroup:
      RETURN_IF_ERROR(ValidateName("employee_group.name", change.employee_group().name()));
      return ValidateMembers(change.employee_group());
    case v1::RosterChange::RECORD_NOT_SET:
      return errors::RecordMissing();
  }
  return errors::RecordMissing();
}

bool IsSourceCharacter(unsigned char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
}

}  // namespace

absl::Status Validate(const v1::RosterChange& change) {
  RETURN_IF_ERROR(ValidateSource(change.source()));
  const std::string wrong = WrongExternalId(change.external_id());
  if (!wrong.empty()) return errors::InvalidExternalId(wrong);
  if (change.has_changed_time()) RETURN_IF_ERROR(ValidateInstant("changed_time", change.changed_time()));
  return ValidateRecord(change);
}

absl::Status ValidateSource(std::string_view source) {
  const bool valid = !source.empty() && source.size() <= limits::kSourceBytes &&
                     std::all_of(source.begin(), source.end(), IsSourceCharacter);
  if (valid) return absl::OkStatus();
  return errors::InvalidArgument("source", absl::StrCat("is no name of a source: give 1 to ", limits::kSourceBytes,
                                                        " characters of a-z, 0-9, '-', '_' and '.'"));
}

bool IsNhsNumber(std::string_view digits) {
  constexpr size_t kDigits = 10;
  if (digits.size() != kDigits || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit)) return false;
  size_t weighted = 0;
  for (size_t i = 0; i + 1 < kDigits; ++i) weighted += static_cast<size_t>(digits[i] - '0') * (kDigits - i);
  // 11 counts as 0; 10 is the check digit of no number.
  const size_t check = (11 - weighted % 11) % 11;
  return check == static_cast<size_t>(digits.back() - '0');
}

}  // namespace caresync::roster
