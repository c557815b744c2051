#include "server/mismatch/transitions.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"
#include "server/base/uuid.h"
#include "server/mismatch/delivery.h"
#include "server/mismatch/due.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/teller.h"
#include "server/records/carer_signs.h"
#include "server/records/record_key.h"
#include "server/tenants/tenants.h"

namespace caresync::mismatch {
namespace {

namespace errors = base::errors;
namespace limits = base::limits;

// Which one the request names, in a tenant that there is.
template <typename Request>
absl::StatusOr<CarerVisit> Named(const commit::Transaction& transaction, const Request& request) {
  RETURN_IF_ERROR(tenants::GetTenant(transaction, transaction.tenant()).status());
  const std::optional<base::Uuid> carer = base::Uuid::Parse(request.carer_id());
  if (!carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  const std::optional<base::Uuid> visit = base::Uuid::Parse(request.visit_id());
  if (!visit.has_value()) return errors::InvalidArgument("visit_id", "is no UUID");
  return CarerVisit{*carer, records::KeyOf({v1::RECORD_KIND_VISIT, *visit})};
}

absl::Status CheckNote(const std::string& note) {
  if (base::CountCharacters(note).value_or(limits::kMismatchNoteCharacters + 1) <= limits::kMismatchNoteCharacters) {
    return absl::OkStatus();
  }
  return errors::InvalidArgument(
      "note", absl::StrCat("has more than ", limits::kMismatchNoteCharacters, " characters, or is not UTF-8"));
}

// One that people have seen, and that is not resolved.
absl::StatusOr<store::Mismatch> Seen(const commit::Transaction& transaction, const CarerVisit& of) {
  ASSIGN_OR_RETURN(std::optional<store::Mismatch> row, GetMismatch(transaction, transaction.tenant(), of));
  if (!row.has_value() || row->state() == store::Mismatch::PENDING) return errors::MismatchUnknown();
  if (row->state() == store::Mismatch::RESOLVED) return errors::MismatchResolved();
  return *std::move(row);
}

// A change that the person has not seen must not go with those that were.
template <typename Request>
absl::Status CheckSeenChange(const Request& request, const store::Mismatch& row) {
  if (!request.has_seen_change_time()) return absl::OkStatus();
  const std::optional<absl::Time> seen = base::FromTimestamp(request.seen_change_time());
  if (!seen.has_value()) return errors::InvalidArgument("seen_change_time", "is no time");
  return base::ToStoredTime(*seen) == row.last_change_us() ? absl::OkStatus() : errors::MismatchChanged();
}

absl::StatusOr<absl::Time> UntilIn(const v1::SnoozeMismatchRequest& request, absl::Time now) {
  const std::optional<absl::Time> until = base::FromTimestamp(request.until_time());
  if (request.has_until_time() && until.has_value() && *until > now && *until <= now + limits::kSnoozeMost) {
    return *until;
  }
  return errors::InvalidArgument(
      "until_time", absl::StrCat("must lie within the next ", absl::ToInt64Hours(limits::kSnoozeMost), " hours"));
}

absl::StatusOr<v1::Mismatch> AsItStands(const commit::Transaction& transaction, const CarerVisit& of,
                                        const store::Mismatch& row, const devices::SyncsUnderWay& syncs) {
  const devices::AsOf as_of{.syncs = syncs, .now = transaction.now()};
  return Teller(transaction, transaction.tenant(), as_of).Tell(of, row);
}

// Keeps who made `row` of what it was, and writes it.
absl::StatusOr<v1::Mismatch> Put(commit::Transaction& transaction, const CarerVisit& of, const store::Mismatch& old,
                                 store::Mismatch row, const std::string& person, const std::string& note,
                                 const devices::SyncsUnderWay& syncs) {
  if (row.transitions_size() >= limits::kMismatchTransitions) {
    row.mutable_transitions()->DeleteSubrange(0, row.transitions_size() - limits::kMismatchTransitions + 1);
  }
  store::Mismatch::Transition& transition = *row.add_transitions();
  transition.set_to(row.state());
  transition.set_person(person);
  transition.set_time_us(base::ToStoredTime(transaction.now()));
  transition.set_note(note);
  RETURN_IF_ERROR(PutMismatch(transaction, of, old, row));
  return AsItStands(transaction, of, row, syncs);
}

}  // namespace

absl::StatusOr<v1::Mismatch> Close(commit::Transaction& transaction, const v1::CloseMismatchRequest& request,
                                   const std::string& person, const devices::SyncsUnderWay& syncs) {
  ASSIGN_OR_RETURN(const CarerVisit of, Named(transaction, request));
  RETURN_IF_ERROR(CheckNote(request.note()));
  ASSIGN_OR_RETURN(const store::Mismatch old, Seen(transaction, of));
  RETURN_IF_ERROR(CheckSeenChange(request, old));
  if (!IsLive(old)) return AsItStands(transaction, of, old, syncs);
  store::Mismatch row = old;
  row.set_state(store::Mismatch::CLOSED);
  row.clear_snoozed_until_us();
  // What a snooze had put off is closed with it.
  row.clear_due_us();
  row.clear_again_us();
  row.set_ended_us(base::ToStoredTime(transaction.now()));
  return Put(transaction, of, old, std::move(row), person, request.note(), syncs);
}

absl::StatusOr<v1::Mismatch> Snooze(commit::Transaction& transaction, const v1::SnoozeMismatchRequest& request,
                                    const std::string& person, const devices::SyncsUnderWay& syncs) {
  ASSIGN_OR_RETURN(const CarerVisit of, Named(transaction, request));
  RETURN_IF_ERROR(CheckNote(request.note()));
  ASSIGN_OR_RETURN(const absl::Time until, UntilIn(request, transaction.now()));
  ASSIGN_OR_RETURN(const store::Mismatch old, Seen(transaction, of));
  RETURN_IF_ERROR(CheckSeenChange(request, old));
  if (!IsLive(old)) return errors::MismatchClosed();
  const bool is_so = old.state() == store::Mismatch::SNOOZED && old.snoozed_until_us() == base::ToStoredTime(until);
  if (is_so) return AsItStands(transaction, of, old, syncs);
  store::Mismatch row = old;
  // What was to be looked at for what was taken back of it is looked at when it wakes: it may end no snooze.
  if (old.state() == store::Mismatch::OPEN) row.clear_due_us();
  row.set_state(store::Mismatch::SNOOZED);
  row.set_snoozed_until_us(base::ToStoredTime(until));
  return Put(transaction, of, old, std::move(row), person, request.note(), syncs);
}

absl::StatusOr<v1::Mismatch> Reopen(commit::Transaction& transaction, const v1::ReopenMismatchRequest& request,
                                    const std::string& person, const devices::SyncsUnderWay& syncs) {
  ASSIGN_OR_RETURN(const CarerVisit of, Named(transaction, request));
  RETURN_IF_ERROR(CheckNote(request.note()));
  ASSIGN_OR_RETURN(const store::Mismatch old, Seen(transaction, of));
  if (old.state() == store::Mismatch::OPEN) {
    return AsItStands(transaction, of, old, syncs);
  }
  Delivery delivery(transaction, transaction.tenant());
  ASSIGN_OR_RETURN(const bool settled, delivery.IsSettled(of));
  if (settled) return errors::MismatchResolved();
  ASSIGN_OR_RETURN(const std::optional<records::CarerSign> sign,
                   records::FindSign(transaction, transaction.tenant(), of.carer, of.visit, EarliestSign(old)));
  if (sign.has_value()) return errors::MismatchResolved();
  // As where it is opened because it is due: an ack that comes meanwhile would not find it open.
  RETURN_IF_ERROR(delivery.RequireUnmoved(of.carer, transaction));
  store::Mismatch row = old;
  Open(transaction.now(), row);
  return Put(transaction, of, old, std::move(row), person, request.note(), syncs);
}

}  // namespace caresync::mismatch
