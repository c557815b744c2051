#include "server/records/care_event_form.h"

#include <optional>
#include <string_view>

#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/text.h"
#include "server/base/uuid.h"
#include "server/records/attachments.h"
#include "server/records/record_key.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;

bool HasCharacters(std::string_view text, size_t least, size_t most) {
  const std::optional<size_t> characters = base::CountCharacters(text);
  return characters.has_value() && *characters >= least && *characters <= most;
}

bool IsOutcomeUnderstood(const v1::ActivityOutcome& outcome) {
  return HasCharacters(outcome.activity_id(), 1, limits::kActivityIdCharacters) &&
         outcome.outcome() != v1::ActivityOutcome::OUTCOME_UNSPECIFIED &&
         v1::ActivityOutcome::Outcome_IsValid(outcome.outcome()) &&
         HasCharacters(outcome.comment(), 0, limits::kOutcomeCommentCharacters);
}

bool IsFormUnderstood(const v1::FormSubmitted& form) {
  if (!HasCharacters(form.form_id(), 1, limits::kFormIdCharacters)) return false;
  if (form.answers().size() > limits::kFormAnswers) return false;
  for (const auto& [question, answer] : form.answers()) {
    if (!HasCharacters(answer, 0, limits::kFormAnswerCharacters)) return false;
  }
  return true;
}

}  // namespace

bool IsUnderstood(const v1::CareEvent& event) {
  if (!ParentOf(event).has_value() || !base::Uuid::Parse(event.carer_id()).has_value()) return false;
  if (!event.has_occurred_time() || !base::FromTimestamp(event.occurred_time()).has_value()) return false;
  if (FaultOf(event.attachments()).has_value()) return false;
  switch (event.what_case()) {
    case v1::CareEvent::kVisitStarted:
    case v1::CareEvent::kVisitFinished:
    case v1::CareEvent::kRotaChangeSeen:
      return true;
    case v1::CareEvent::kActivityOutcome:
      return IsOutcomeUnderstood(event.activity_outcome());
    case v1::CareEvent::kFormSubmitted:
      return IsFormUnderstood(event.form_submitted());
    case v1::CareEvent::kNote:
      return HasCharacters(event.note().text(), 1, limits::kNoteCharacters);
    case v1::CareEvent::WHAT_NOT_SET:
      return false;
  }
  return false;
}

}  // namespace caresync::records
