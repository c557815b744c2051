#include "server/base/errors.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/limits.h"
#include "server/base/text.h"

namespace caresync::base {
namespace {

using absl::StatusCode;
using absl::StrCat;

constexpr absl::string_view kReasonUrl = "type.caresync/reason";
constexpr absl::string_view kRetryUrl = "type.caresync/retry_after_us";

// What callers sent is quoted in messages only this far: a message travels in a header of limited size.
constexpr size_t kQuotedBytes = 100;

std::string Quoted(std::string_view text) {
  size_t end = std::min(text.size(), kQuotedBytes);
  // Half a character would make the whole answer one that no client can read.
  while (end > 0 && end < text.size() && ContinuesCharacter(text[end])) --end;
  std::string quoted = "\"";
  quoted.append(text.substr(0, end));
  quoted.append(end == text.size() ? "\"" : "...\"");
  return quoted;
}

absl::Status Make(StatusCode code, absl::string_view reason, absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  return status;
}

absl::Status MakeRetryable(StatusCode code, absl::string_view reason, absl::string_view message,
                           absl::Duration retry_after) {
  return WithRetryDelay(Make(code, reason, message), retry_after);
}

}  // namespace

std::string Reason(const absl::Status& status) {
  absl::optional<absl::Cord> reason = status.GetPayload(kReasonUrl);
  return reason.has_value() ? std::string(*reason) : std::string();
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryUrl, absl::Cord(StrCat(absl::ToInt64Microseconds(delay))));
  return status;
}

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  absl::optional<absl::Cord> payload = status.GetPayload(kRetryUrl);
  int64_t microseconds = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &microseconds)) return std::nullopt;
  return absl::Microseconds(microseconds);
}

absl::Status Named(const absl::Status& status) {
  if (status.ok() || !Reason(status).empty()) return status;
  if (absl::IsUnavailable(status)) return errors::StoreUnavailable(std::string(status.message()));
  if (absl::IsDataLoss(status)) return errors::DamagedRow(std::string(status.message()));
  return status;
}

namespace errors {

absl::Status NoCredential() {
  return Make(StatusCode::kUnauthenticated, "NO_CREDENTIAL",
              "the call carries no credential; send \"authorization: Bearer <token>\"");
}

absl::Status CredentialNotValid(std::string_view what) {
  return Make(StatusCode::kUnauthenticated, "CREDENTIAL_NOT_VALID",
              StrCat("the credential is not valid: ", std::string(what), "; get a new one"));
}

absl::Status CredentialExpired() {
  return Make(StatusCode::kUnauthenticated, "CREDENTIAL_EXPIRED", "the credential has expired; get a new one");
}

absl::Status CredentialLifetimeTooLong() {
  return Make(StatusCode::kUnauthenticated, "CREDENTIAL_LIFETIME_TOO_LONG",
              StrCat("the credential expires more than ", limits::kTokenLifetimeMost / absl::Hours(24),
                     " days from now; get one of a shorter lifetime"));
}

absl::Status RoleNotAllowed(std::string_view role, std::string_view call) {
  return Make(
      StatusCode::kPermissionDenied, "ROLE_NOT_ALLOWED",
      StrCat("the role ", Quoted(role), " may not call ", std::string(call), "; use a credential of a role that may"));
}

absl::Status OtherTenant(std::string_view tenant) {
  return Make(StatusCode::kPermissionDenied, "OTHER_TENANT",
              StrCat("the credential is not one of the tenant ", Quoted(tenant), "; use one that is"));
}

absl::Status SourceNotYours(std::string_view source, std::string_view subject) {
  return Make(StatusCode::kPermissionDenied, "SOURCE_NOT_YOURS",
              StrCat("the credential is of the source ", Quoted(subject), ", so it cannot speak for ", Quoted(source),
                     "; use that source's own credential"));
}

absl::Status InvalidArgument(std::string_view field, std::string_view what) {
  return Make(StatusCode::kInvalidArgument, "INVALID_FIELD", StrCat(std::string(field), ": ", std::string(what)));
}

absl::Status MessageTooLarge(std::string_view what, size_t most) {
  return Make(StatusCode::kInvalidArgument, "MESSAGE_TOO_LARGE",
              StrCat(std::string(what), " may have at most ", most, " bytes; send less at once"));
}

absl::Status PageTokenNotValid() {
  return Make(StatusCode::kInvalidArgument, "PAGE_TOKEN_NOT_VALID",
              "page_token is not one that this list gave; begin again without it");
}

absl::Status InvalidTenantId(std::string_view text) {
  return Make(StatusCode::kInvalidArgument, "INVALID_TENANT_ID",
              StrCat(Quoted(text), " is not a tenant ID: it takes 1 to ", limits::kTenantIdBytes,
                     " characters of a-z, 0-9 and '-', the first a letter"));
}

absl::Status TenantUnknown(std::string_view tenant) {
  return Make(StatusCode::kNotFound, "TENANT_UNKNOWN",
              StrCat("there is no tenant ", Quoted(tenant), "; create it first"));
}

absl::Status TenantExists(std::string_view tenant) {
  return Make(StatusCode::kAlreadyExists, "TENANT_EXISTS",
              StrCat("there is a tenant ", Quoted(tenant), " already; use it, or choose another ID"));
}

absl::Status InvalidExternalId(std::string_view what) {
  return Make(StatusCode::kInvalidArgument, "INVALID_EXTERNAL_ID",
              StrCat(std::string(what), ": it takes 1 to ", limits::kExternalIdBytes, " bytes of valid UTF-8"));
}

absl::Status RecordMissing() {
  return Make(StatusCode::kInvalidArgument, "RECORD_MISSING", "the change has no record; set one of its kinds");
}

absl::Status RecordTooLarge(size_t bytes) {
  return Make(StatusCode::kInvalidArgument, "RECORD_TOO_LARGE",
              StrCat("the record has ", bytes, " bytes of at most ", limits::kRecordBytes, "; shorten its texts"));
}

absl::Status TooManyWaiting(std::string_view source) {
  return Make(StatusCode::kResourceExhausted, "TOO_MANY_WAITING",
              StrCat("the source ", Quoted(source), " has ", limits::kWaitingChanges,
                     " changes that wait for records not seen yet; send those records first"));
}

absl::Status CommitTooLarge() {
  return Make(StatusCode::kFailedPrecondition, "COMMIT_TOO_LARGE",
              "the message's changes together are too large for one commit; send this one again in a message of fewer");
}

absl::Status TooManyChanges(size_t count) {
  return Make(StatusCode::kInvalidArgument, "TOO_MANY_CHANGES",
              StrCat("the message has ", count, " changes of at most ", limits::kRosterChanges,
                     "; send them in several messages"));
}

absl::Status ChangesSilent() {
  return Make(StatusCode::kDeadlineExceeded, "CHANGES_SILENT",
              StrCat("no changes came for ", absl::FormatDuration(limits::kChangesSilence),
                     "; what was answered is applied. Open a new stream when there are changes"));
}

absl::Status DeviceUnknown(std::string_view uuid) {
  return Make(StatusCode::kNotFound, "DEVICE_UNKNOWN",
              StrCat("there is no device ", Quoted(uuid),
                     "; its first sync makes it known, or UpdateDevice with `allow_missing`"));
}

absl::Status CarerUnknown(std::string_view carer) {
  return Make(StatusCode::kNotFound, "CARER_UNKNOWN",
              StrCat("there is no carer ", Quoted(carer), "; the rostering system must send the carer first"));
}

absl::Status TooManyDrops() {
  return Make(StatusCode::kFailedPrecondition, "TOO_MANY_DROPS",
              StrCat("the device has not dropped the copies of ", limits::kDeviceDrops,
                     " former users yet; let it sync first, or block it"));
}

absl::Status OutboxFull() {
  return MakeRetryable(StatusCode::kResourceExhausted, "OUTBOX_FULL",
                       StrCat(limits::kOutboxWaiting,
                              " notices of the tenant wait to be sent already, since its webhook does not take them; "
                              "list them (TenantService.ListOutbox), see to what is wrong, and come back"),
                       absl::Minutes(1));
}

absl::Status ServiceUserUnknown(std::string_view id) {
  return Make(StatusCode::kNotFound, "SERVICE_USER_UNKNOWN",
              StrCat("there is no service user ", Quoted(id), "; take the record ID of one that the rota holds"));
}

absl::Status GroupUnknown(std::string_view id) {
  return Make(StatusCode::kNotFound, "GROUP_UNKNOWN",
              StrCat("there is no employee group ", Quoted(id), "; groups come from the rostering system"));
}

absl::Status CarePlanUnknown(std::string_view id) {
  return Make(StatusCode::kNotFound, "CARE_PLAN_UNKNOWN",
              StrCat("there is no care plan ", Quoted(id), "; take the ID that the call answered which wrote it"));
}

absl::Status VisitUnknown(std::string_view id) {
  return Make(StatusCode::kNotFound, "VISIT_UNKNOWN",
              StrCat("there is no visit ", Quoted(id), "; take the record ID of one that the rota holds"));
}

absl::Status ReviewUnknown(std::string_view id) {
  return Make(StatusCode::kNotFound, "REVIEW_UNKNOWN",
              StrCat("there is no event for review ", Quoted(id), "; take a review_id from ListEventsForReview"));
}

absl::Status MismatchUnknown() {
  return Make(StatusCode::kNotFound, "MISMATCH_UNKNOWN",
              "there is no mismatch of this carer and visit that was ever open; take both from ListMismatches");
}

absl::Status MismatchResolved() {
  return Make(StatusCode::kFailedPrecondition, "MISMATCH_RESOLVED",
              "the mismatch is resolved: the device has the change, or the carer started the visit; nothing is left to "
              "be done");
}

absl::Status MismatchClosed() {
  return Make(StatusCode::kFailedPrecondition, "MISMATCH_CLOSED",
              "the mismatch is closed; reopen it before it is snoozed");
}

absl::Status MismatchChanged() {
  return Make(StatusCode::kAborted, "MISMATCH_CHANGED",
              "the visit has changed since the time in `seen_change_time`; look at the mismatch again");
}

absl::Status EventResolved() {
  return Make(StatusCode::kFailedPrecondition, "EVENT_RESOLVED",
              "the event is resolved already, in another way; list it with `with_resolved` to see how");
}

absl::Status EventCannotBeStored(std::string_view what) {
  return Make(StatusCode::kFailedPrecondition, "EVENT_CANNOT_BE_STORED",
              StrCat("the event cannot be stored: ", std::string(what), "; discard it with a reason"));
}

absl::Status TooManyGroups(std::string_view carer) {
  return Make(StatusCode::kFailedPrecondition, "TOO_MANY_GROUPS",
              StrCat("the carer ", Quoted(carer), " would be in more than ", limits::kGroupsOfCarer,
                     " employee groups; take it out of another one first"));
}

absl::Status BranchUnknown(std::string_view branch) {
  return Make(StatusCode::kNotFound, "BRANCH_UNKNOWN",
              StrCat("there is no branch ", Quoted(branch), "; the rostering system must send the branch first"));
}

absl::Status StartExpected() {
  return Make(StatusCode::kFailedPrecondition, "START_EXPECTED", "the first message of a sync must be start");
}

absl::Status StartRepeated() {
  return Make(StatusCode::kFailedPrecondition, "START_REPEATED",
              "start was sent already; open another stream for another sync");
}

absl::Status StartTooLate() {
  return Make(StatusCode::kDeadlineExceeded, "START_TOO_LATE",
              StrCat("no start came within ", absl::FormatDuration(limits::kStartDeadline), "; open a new stream"));
}

absl::Status OtherDevice() {
  return Make(StatusCode::kPermissionDenied, "OTHER_DEVICE",
              "the credential is of another device; use the one of the device that syncs");
}

absl::Status OtherCarer() {
  return Make(StatusCode::kPermissionDenied, "OTHER_CARER",
              "the credential is of another carer; the carer who syncs must sign in");
}

absl::Status CarerNotAUser(std::string_view carer) {
  return Make(StatusCode::kPermissionDenied, "CARER_NOT_A_USER",
              StrCat("the carer ", Quoted(carer), " is no user of this device; the office can make them one"));
}

absl::Status CleanSyncWouldLoseWork(std::string_view what) {
  return Make(StatusCode::kFailedPrecondition, "CLEAN_SYNC_WOULD_LOSE_WORK",
              StrCat("a clean sync is refused while the device has ", std::string(what),
                     "; finish that and do a standard sync first"));
}

absl::Status TokenNotValid() {
  return Make(StatusCode::kInvalidArgument, "TOKEN_NOT_VALID",
              "the resume token was not made here, or has been changed; sync again with an empty one");
}

absl::Status TokenOfAnotherCopy() {
  return Make(StatusCode::kInvalidArgument, "TOKEN_OF_ANOTHER_COPY",
              "the resume token is of another device or carer; send the one of this carer's copy on this device");
}

absl::Status AckNeverIssued() {
  return Make(StatusCode::kInvalidArgument, "ACK_NEVER_ISSUED",
              "the acknowledged token was not issued in this session; acknowledge only tokens of its batches");
}

absl::Status TooManyEvents(std::string_view what) {
  return Make(StatusCode::kInvalidArgument, "TOO_MANY_EVENTS", StrCat(std::string(what), "; send the rest later"));
}

absl::Status DeviceBlocked() {
  return Make(StatusCode::kPermissionDenied, "DEVICE_BLOCKED",
              "this device is blocked; its events were taken, and the office can unblock it");
}

absl::Status DeviceCloned() {
  return Make(StatusCode::kFailedPrecondition, "DEVICE_CLONED",
              "two phones seem to use this device's UUID; install the app anew on one of them, then let the office "
              "clear the device");
}

absl::Status CarerLeft() {
  return Make(StatusCode::kPermissionDenied, "CARER_LEFT",
              "the carer works here no more, says the rostering system; drop the carer's copy");
}

absl::Status AppTooOld(std::string_view least) {
  return Make(
      StatusCode::kFailedPrecondition, "APP_TOO_OLD",
      StrCat("the app is older than ", std::string(least), "; its events were taken, update it to get changes"));
}

absl::Status WaitingAfterRestore(absl::Duration retry_after) {
  return MakeRetryable(
      StatusCode::kUnavailable, "WAITING_AFTER_RESTORE",
      StrCat("the server was put back to an earlier state and waits until the rota was sent again; keep "
             "what is shown and come back in ",
             absl::FormatDuration(retry_after)),
      retry_after);
}

absl::Status TurnAfterRestore(absl::Duration retry_after) {
  return MakeRetryable(StatusCode::kUnavailable, "WAITING_AFTER_RESTORE",
                       StrCat("the server was put back to an earlier state and devices come back one by one, each at "
                              "its own time; keep what is shown and come back in ",
                              absl::FormatDuration(retry_after)),
                       retry_after);
}

absl::Status FanOutUnderWay(absl::Duration retry_after) {
  return MakeRetryable(StatusCode::kUnavailable, "FAN_OUT_UNDER_WAY",
                       StrCat("a large change to what this carer may see is under way; come back in ",
                              absl::FormatDuration(retry_after)),
                       retry_after);
}

absl::Status DeviceSilent() {
  return Make(StatusCode::kDeadlineExceeded, "DEVICE_SILENT",
              StrCat("the device sent nothing for ", absl::FormatDuration(limits::kDeviceSilence),
                     " though it was its turn; sync again, it goes on where it was"));
}

absl::Status DeviceNotReading() {
  return Make(StatusCode::kDeadlineExceeded, "DEVICE_NOT_READING",
              StrCat("the device did not read for ", absl::FormatDuration(limits::kWriteDeadline),
                     "; sync again, it goes on where it was"));
}

absl::Status StreamNotRead() {
  return Make(StatusCode::kDeadlineExceeded, "STREAM_NOT_READ",
              StrCat("nobody read the stream for ", absl::FormatDuration(limits::kWriteDeadline),
                     "; open another with the last token, it goes on where this one was"));
}

absl::Status LeftUnfinished() {
  return Make(StatusCode::kAborted, "LEFT_UNFINISHED",
              "the device ended the stream before sync_recorded; sync again, it goes on where it was");
}

absl::Status SessionTakenOver() {
  return Make(StatusCode::kAborted, "SESSION_TAKEN_OVER",
              "another stream of the same device has taken over; the sync goes on in that one");
}

absl::Status StreamCut() {
  return Make(StatusCode::kCancelled, "STREAM_CUT", "the connection was cut; sync again, it goes on where it was");
}

absl::Status CopyDiverged() {
  return Make(StatusCode::kDataLoss, "COPY_DIVERGED",
              "the device's count and sum are not those of its copy; sync again, a new copy will be made beside it");
}

absl::Status EmptyMessage() {
  return Make(StatusCode::kInvalidArgument, "EMPTY_MESSAGE",
              "the message has none of the contents that are known here; set one");
}

absl::Status Overloaded(absl::Duration retry_after) {
  return MakeRetryable(StatusCode::kResourceExhausted, "OVERLOADED",
                       StrCat("the server has too much to do; come back in ", absl::FormatDuration(retry_after)),
                       retry_after);
}

absl::Status StoreFull() {
  return MakeRetryable(StatusCode::kResourceExhausted, "STORE_FULL",
                       "the server has no room to store this; nothing was changed, come back later", absl::Minutes(1));
}

absl::Status StoreUnavailable(std::string_view detail) {
  return MakeRetryable(
      StatusCode::kUnavailable, "STORE_UNAVAILABLE",
      StrCat("the server cannot read or write its store now (", std::string(detail), "); come back later"),
      absl::Seconds(5));
}

absl::Status ShuttingDown(absl::Duration retry_after) {
  return MakeRetryable(StatusCode::kUnavailable, "SHUTTING_DOWN",
                       StrCat("the server is shutting down; connect again in ", absl::FormatDuration(retry_after)),
                       retry_after);
}

absl::Status DamagedRow(std::string_view what) {
  return Make(StatusCode::kDataLoss, "DAMAGED_ROW",
              StrCat("a stored row cannot be read (", std::string(what),
                     "); the operator must restore the store from a backup"));
}

absl::Status CommitConflict() {
  return MakeRetryable(
      StatusCode::kAborted, "COMMIT_CONFLICT",
      StrCat("other commits came first ", limits::kConflictTries, " times; see whether it took effect, then try again"),
      absl::Seconds(1));
}

absl::Status SigningKeyMissing(std::string_view file) {
  return Make(StatusCode::kNotFound, "SIGNING_KEY_MISSING",
              StrCat("there is no signing key in ", std::string(file),
                     "; start the server once on this data directory, or name the right one"));
}

absl::Status SigningKeyNotUsable(std::string_view file, std::string_view what) {
  return Make(
      StatusCode::kFailedPrecondition, "SIGNING_KEY_NOT_USABLE",
      StrCat(std::string(file), " is no signing key: ", std::string(what),
             "; put back the right file, or move this one away and start once with --new-signing-key (tokens of the "
             "old one are refused then)"));
}

absl::Status SigningKeyUnavailable(std::string_view file, std::string_view what) {
  return Make(StatusCode::kUnavailable, "SIGNING_KEY_UNAVAILABLE",
              StrCat("cannot read or write the signing key ", std::string(file), ": ", std::string(what),
                     "; check the disk and the file's owner"));
}

absl::Status SigningKeyLost(std::string_view file) {
  return Make(
      StatusCode::kFailedPrecondition, "SIGNING_KEY_LOST",
      StrCat("there is a store, but no signing key in ", std::string(file),
             ": it signed every token that phones and rostering systems hold; put the file back from the "
             "backup, or start once with --new-signing-key to have another one made (all tokens are void then)"));
}

absl::Status SigningKeyReadableByOthers(std::string_view file) {
  return Make(StatusCode::kFailedPrecondition, "SIGNING_KEY_READABLE_BY_OTHERS",
              StrCat("the signing key ", std::string(file),
                     " can be read by others than its owner, who could make tokens of any tenant; chmod 600 it"));
}

absl::Status NoRoomToStart(std::string_view detail) {
  return Make(StatusCode::kResourceExhausted, "NO_ROOM_TO_START",
              StrCat("a first start has to write, and cannot: ", std::string(detail)));
}

absl::Status DataFolderNotUsable(std::string_view folder, std::string_view what) {
  return Make(StatusCode::kUnavailable, "DATA_FOLDER_NOT_USABLE",
              StrCat("cannot use the data folder ", std::string(folder), ": ", std::string(what),
                     "; name another one, or make this one and give it to the server's user"));
}

absl::Status CannotListen(std::string_view address, std::string_view why) {
  return Make(StatusCode::kUnavailable, "CANNOT_LISTEN",
              StrCat("cannot listen on ", Quoted(address), ": ", std::string(why)));
}

absl::Status MessageNotUnderstood(std::string_view type) {
  return Make(StatusCode::kInvalidArgument, "MESSAGE_NOT_UNDERSTOOD",
              StrCat("the message is no ", std::string(type), ", or a text in it is not valid UTF-8; correct it"));
}

}  // namespace errors
}  // namespace caresync::base
