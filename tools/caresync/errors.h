// The errors that the command line itself makes, and those of calls in the same form. Each says what was wrong and what
// to do.
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_ERRORS_H_
#define CARESYNC_TOOLS_CARESYNC_ERRORS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace caresync::cli {

// The stable reason of an error made below, or of the server's error that it carries. Never empty for an error.
std::string ErrorReason(const absl::Status& status);
// True where the command line was used wrongly, as opposed to something that failed.
bool IsUsageError(const absl::Status& status);
// True where it is the standard output that failed: what is told of it cannot be told there.
bool IsOutputError(const absl::Status& status);

namespace errors {

// ---- The command line
absl::Status Usage(const std::string& what);

// ---- Calls
// What a call came to: OK, or the server's error with its reason and when to come back (base::RetryDelay). What the
// server says is Printable in it.
absl::Status FromCall(const grpc::Status& status, const std::string& server);
absl::Status SigningKeyMissing(const absl::Status& cause, const std::string& file);

// ---- Files
absl::Status FileNotReadable(const std::string& file, const std::string& why);
absl::Status FileTooLarge(const std::string& file, size_t most);
absl::Status FileNotWritable(const std::string& file);
absl::Status FileNotImported(const std::string& file);
absl::Status RotaNotValid(const std::string& file, const std::string& what);

// ---- The standard output
absl::Status OutputClosed();
absl::Status OutputNotWritable();

// ---- People and places that a command names
absl::Status CarerNotFound(const std::string& text);
absl::Status CarerAmbiguous(const std::string& text, const std::vector<std::string>& candidates);
absl::Status BranchNotFound(const std::string& text);
absl::Status BranchAmbiguous(const std::string& text, const std::vector<std::string>& candidates);
absl::Status VisitNotFound(const std::string& text);
absl::Status VisitAmbiguous(const std::string& text, const std::vector<std::string>& candidates);
absl::Status VisitAlreadyOpen(const std::string& visit);
absl::Status NoVisitOpen();

// ---- The device's store
absl::Status DeviceStoreFailed(const std::string& file, const std::string& detail);
absl::Status DeviceStoreNotValid(const std::string& file);
absl::Status DeviceStoreTooNew(const std::string& file);
absl::Status DeviceOfOtherTenant(const std::string& file, const std::string& tenant);
absl::Status SyncRunsAlready(const std::string& file);

// ---- The sync
absl::Status ServerBrokeProtocol(const std::string& what);

// ---- Checking a client
absl::Status CannotListen(const std::string& address);
absl::Status ScenarioUnknown(const std::string& name);
// `where` is a file, or a line of one.
absl::Status ScenarioNotValid(const std::string& where, const std::string& what);
absl::Status CommandNotRun(const std::string& command);

}  // namespace errors
}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_ERRORS_H_
