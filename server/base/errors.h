// One named function an error. Each returns a status that carries a stable reason (google.rpc.ErrorInfo on the wire),
// says what was wrong and what to do. docs/protocol.md lists the reasons.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_BASE_ERRORS_H_
#define CARESYNC_SERVER_BASE_ERRORS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace caresync::base {

// The stable name of an error made here; empty for any other status.
std::string Reason(const absl::Status& status);
// How long to wait before coming back, where that helps.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);
// `status` with such a wait, as a client finds it in an error's google.rpc.RetryInfo. OK stays OK.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// `status`, or where it has no name because it comes from the store, which knows no names: STORE_UNAVAILABLE,
// DAMAGED_ROW.
absl::Status Named(const absl::Status& status);

namespace errors {

// ---- Credentials
absl::Status NoCredential();                                                     // UNAUTHENTICATED
absl::Status CredentialNotValid(std::string_view what);                          // UNAUTHENTICATED
absl::Status CredentialExpired();                                                // UNAUTHENTICATED
absl::Status CredentialLifetimeTooLong();                                        // UNAUTHENTICATED
absl::Status RoleNotAllowed(std::string_view role, std::string_view call);       // PERMISSION_DENIED
absl::Status OtherTenant(std::string_view tenant);                               // PERMISSION_DENIED
absl::Status SourceNotYours(std::string_view source, std::string_view subject);  // PERMISSION_DENIED

// ---- Requests in general
absl::Status InvalidArgument(std::string_view field, std::string_view what);  // INVALID_ARGUMENT, INVALID_FIELD
absl::Status MessageTooLarge(std::string_view what, size_t most);             // INVALID_ARGUMENT
absl::Status PageTokenNotValid();                                             // INVALID_ARGUMENT

// ---- Tenants
absl::Status InvalidTenantId(std::string_view text);  // INVALID_ARGUMENT
absl::Status TenantUnknown(std::string_view tenant);  // NOT_FOUND
absl::Status TenantExists(std::string_view tenant);   // ALREADY_EXISTS

// ---- Rotas (in results, and as statuses of the whole call)
absl::Status InvalidExternalId(std::string_view what);
absl::Status RecordMissing();  // A change without a record.
absl::Status RecordTooLarge(size_t bytes);
absl::Status TooManyWaiting(std::string_view source);
absl::Status CommitTooLarge();  // The message's changes together have too many rows; alone it fits.
absl::Status TooManyChanges(size_t count);
absl::Status ChangesSilent();  // DEADLINE_EXCEEDED: no message for a long time.

// ---- Devices
absl::Status DeviceUnknown(std::string_view uuid);    // NOT_FOUND
absl::Status CarerUnknown(std::string_view carer);    // NOT_FOUND
absl::Status BranchUnknown(std::string_view branch);  // NOT_FOUND
absl::Status TooManyDrops();                          // FAILED_PRECONDITION
absl::Status OutboxFull();                            // RESOURCE_EXHAUSTED: nobody takes the tenant's notices.

// ---- Service users, groups, care events
absl::Status ServiceUserUnknown(std::string_view id);     // NOT_FOUND
absl::Status GroupUnknown(std::string_view id);           // NOT_FOUND
absl::Status CarePlanUnknown(std::string_view id);        // NOT_FOUND
absl::Status VisitUnknown(std::string_view id);           // NOT_FOUND
absl::Status ReviewUnknown(std::string_view id);          // NOT_FOUND
absl::Status EventResolved();                             // FAILED_PRECONDITION: another resolution stands.
absl::Status EventCannotBeStored(std::string_view what);  // FAILED_PRECONDITION: only discarding is left.
absl::Status MismatchUnknown();                           // NOT_FOUND
absl::Status MismatchResolved();                          // FAILED_PRECONDITION: the device has it.
absl::Status MismatchClosed();                            // FAILED_PRECONDITION: a person cleared it.
absl::Status MismatchChanged();                           // ABORTED: the visit changed since the person looked.
absl::Status TooManyGroups(std::string_view carer);       // A carer in more groups than limits::kGroupsOfCarer.

// ---- Sync
absl::Status StartExpected();  // A message before `start`.
absl::Status StartRepeated();
absl::Status StartTooLate();
absl::Status OtherDevice();  // The credential is of another device.
absl::Status OtherCarer();   // The credential's subject is another carer.
absl::Status CarerNotAUser(std::string_view carer);
absl::Status CleanSyncWouldLoseWork(std::string_view what);
absl::Status TokenNotValid();       // Not made here, or changed.
absl::Status TokenOfAnotherCopy();  // Of another device or carer.
absl::Status AckNeverIssued();
absl::Status TooManyEvents(std::string_view what);
absl::Status DeviceBlocked();                                  // PERMISSION_DENIED
absl::Status DeviceCloned();                                   // FAILED_PRECONDITION
absl::Status CarerLeft();                                      // PERMISSION_DENIED
absl::Status AppTooOld(std::string_view least);                // FAILED_PRECONDITION
absl::Status WaitingAfterRestore(absl::Duration retry_after);  // UNAVAILABLE
absl::Status FanOutUnderWay(absl::Duration retry_after);       // UNAVAILABLE
absl::Status DeviceSilent();                                   // DEADLINE_EXCEEDED
absl::Status DeviceNotReading();                               // DEADLINE_EXCEEDED
absl::Status StreamNotRead();                                  // DEADLINE_EXCEEDED: of whoever else reads a stream.
absl::Status LeftUnfinished();                                 // ABORTED: half-closed before the end.
absl::Status SessionTakenOver();                               // ABORTED
absl::Status StreamCut();                                      // CANCELLED: the connection is gone.
absl::Status CopyDiverged();  // DATA_LOSS: the device's count and sum are not what they should be.
absl::Status EmptyMessage();

// Also WAITING_AFTER_RESTORE: the rota is waited for no longer, and only the device's own turn is to come.
absl::Status TurnAfterRestore(absl::Duration retry_after);

// ---- The server
absl::Status Overloaded(absl::Duration retry_after);     // RESOURCE_EXHAUSTED
absl::Status StoreFull();                                // RESOURCE_EXHAUSTED
absl::Status StoreUnavailable(std::string_view detail);  // UNAVAILABLE
absl::Status ShuttingDown(absl::Duration retry_after);   // UNAVAILABLE
absl::Status DamagedRow(std::string_view what);          // DATA_LOSS
absl::Status CommitConflict();                           // ABORTED: tried too often.

// ---- Starting up
absl::Status SigningKeyMissing(std::string_view file);                             // NOT_FOUND
absl::Status SigningKeyNotUsable(std::string_view file, std::string_view what);    // FAILED_PRECONDITION
absl::Status SigningKeyUnavailable(std::string_view file, std::string_view what);  // UNAVAILABLE
absl::Status SigningKeyLost(std::string_view file);              // FAILED_PRECONDITION: the store had one.
absl::Status SigningKeyReadableByOthers(std::string_view file);  // FAILED_PRECONDITION
absl::Status NoRoomToStart(std::string_view detail);             // RESOURCE_EXHAUSTED: a new store takes no write.
absl::Status DataFolderNotUsable(std::string_view folder, std::string_view what);  // UNAVAILABLE
absl::Status CannotListen(std::string_view address, std::string_view why);         // UNAVAILABLE

// ---- Messages
absl::Status MessageNotUnderstood(
    std::string_view type);  // INVALID_ARGUMENT: no such message, or text that is not UTF-8.

}  // namespace errors
}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_ERRORS_H_
