#include "tools/caresync/errors.h"

#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/base/errors.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

constexpr char kReasonUrl[] = "caresync.cli/reason";
constexpr char kUsageReason[] = "USAGE";
constexpr char kOutputClosedReason[] = "OUTPUT_CLOSED";
constexpr char kOutputNotWritableReason[] = "OUTPUT_NOT_WRITABLE";

absl::Status Make(absl::StatusCode code, const std::string& reason, const std::string& message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  return status;
}

// Where the call never reached a caresync server, gRPC's own words help nobody.
absl::Status FromTransport(const grpc::Status& status, const std::string& server) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  switch (code) {
    case absl::StatusCode::kUnavailable:
      return Make(code, "SERVER_UNREACHABLE",
                  absl::StrCat("no answer from ", server, " (", Printable(status.error_message()),
                               "). Is caresyncd running? Start it, or name another server with --server"));
    case absl::StatusCode::kDeadlineExceeded:
      return Make(code, "TIMED_OUT", absl::StrCat(server, " took too long to answer. Try again"));
    case absl::StatusCode::kUnimplemented:
      return Make(
          code, "NOT_A_CARESYNC_SERVER",
          absl::StrCat(server, " answers, but does not know this call. Check --server and the server's version"));
    default:
      return Make(code, absl::StatusCodeToString(code), Printable(status.error_message()));
  }
}

// What the server advises is said for whoever calls it; here the same goes by a command, or by an option.
std::string HintFor(const std::string& reason) {
  if (reason == "DEVICE_UNKNOWN") return "`caresync device update --enrol` makes one known before its first sync";
  if (reason == "MISMATCH_UNKNOWN") return "`caresync mismatches` lists them, with --ended those that are over";
  if (reason == "OUTBOX_FULL") return "`caresync outbox` lists them";
  if (reason == "TOKEN_NOT_VALID") {
    return "of a --token-file: it keeps the place in another stream; name another file, or take it away to begin anew";
  }
  return "";
}

}  // namespace

std::string ErrorReason(const absl::Status& status) {
  if (const auto reason = status.GetPayload(kReasonUrl)) return std::string(*reason);
  return absl::StatusCodeToString(status.code());
}

bool IsUsageError(const absl::Status& status) { return ErrorReason(status) == kUsageReason; }

bool IsOutputError(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return reason == kOutputClosedReason || reason == kOutputNotWritableReason;
}

namespace errors {

absl::Status Usage(const std::string& what) { return Make(absl::StatusCode::kInvalidArgument, kUsageReason, what); }

absl::Status FromCall(const grpc::Status& status, const std::string& server) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return FromTransport(status, server);
  std::string reason;
  std::string message = Printable(status.error_message());
  std::optional<absl::Duration> delay;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) reason = Printable(info.reason());
    if (any.UnpackTo(&retry)) {
      delay = absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  if (reason.empty()) return FromTransport(status, server);
  if (delay)
    absl::StrAppend(&message, " (come back in ", absl::ToInt64Seconds(absl::Ceil(*delay, absl::Seconds(1))), " s)");
  if (const std::string hint = HintFor(reason); !hint.empty()) absl::StrAppend(&message, " (", hint, ")");
  absl::Status error = Make(static_cast<absl::StatusCode>(status.error_code()), reason, message);
  return delay ? base::WithRetryDelay(std::move(error), *delay) : error;
}

absl::Status SigningKeyMissing(const absl::Status& cause, const std::string& file) {
  return Make(absl::StatusCode::kFailedPrecondition, "NO_SIGNING_KEY",
              absl::StrCat("cannot make a token with the key ", file, ": ", cause.message(),
                           ". Name the server's data directory with --data-dir, or give a token with --token"));
}

absl::Status FileNotReadable(const std::string& file, const std::string& why) {
  return Make(absl::StatusCode::kNotFound, "FILE_NOT_READABLE",
              absl::StrCat("cannot read ", file, ": ", why, ". Check that it is a file and that you may read it"));
}

absl::Status FileTooLarge(const std::string& file, size_t most) {
  return Make(absl::StatusCode::kInvalidArgument, "FILE_TOO_LARGE",
              absl::StrCat(file, " has more than ", most, " bytes. Check that it is the right file"));
}

absl::Status FileNotWritable(const std::string& file) {
  return Make(absl::StatusCode::kUnavailable, "FILE_NOT_WRITABLE",
              absl::StrCat("cannot write ", file,
                           ". Check that nothing but a file has its name, the folder, its permissions and the "
                           "free space"));
}

absl::Status FileNotImported(const std::string& file) {
  return Make(absl::StatusCode::kUnavailable, "FILE_NOT_IMPORTED",
              absl::StrCat(file, " was not sent: the server had stopped answering. Import it again"));
}

absl::Status RotaNotValid(const std::string& file, const std::string& what) {
  return Make(absl::StatusCode::kInvalidArgument, "ROTA_NOT_VALID",
              absl::StrCat(file, ": ", what, ". Nothing of this file was sent"));
}

absl::Status OutputClosed() {
  return Make(absl::StatusCode::kCancelled, kOutputClosedReason, "nobody reads the output any more");
}

absl::Status OutputNotWritable() {
  return Make(absl::StatusCode::kUnavailable, kOutputNotWritableReason,
              "the output could not be written, and is not complete. Check the free space where it goes");
}

absl::Status CarerNotFound(const std::string& text) {
  return Make(absl::StatusCode::kNotFound, "CARER_NOT_FOUND",
              absl::StrCat("no carer \"", text,
                           "\". Give the carer's ID, external ID, or the part of it after the last \"/\"; "
                           "`caresync carers` lists them"));
}

absl::Status CarerAmbiguous(const std::string& text, const std::vector<std::string>& candidates) {
  return Make(absl::StatusCode::kInvalidArgument, "CARER_AMBIGUOUS",
              absl::StrCat("\"", text, "\" may be any of these carers; give one of them in full:\n  ",
                           absl::StrJoin(candidates, "\n  ")));
}

absl::Status BranchNotFound(const std::string& text) {
  return Make(absl::StatusCode::kNotFound, "BRANCH_NOT_FOUND",
              absl::StrCat("no carer belongs to a branch \"", text,
                           "\". Give the branch's name or ID; `caresync carers` shows them"));
}

absl::Status BranchAmbiguous(const std::string& text, const std::vector<std::string>& candidates) {
  return Make(absl::StatusCode::kInvalidArgument, "BRANCH_AMBIGUOUS",
              absl::StrCat("\"", text, "\" may be any of these branches; give the ID of one of them:\n  ",
                           absl::StrJoin(candidates, "\n  ")));
}

absl::Status VisitNotFound(const std::string& text) {
  return Make(absl::StatusCode::kNotFound, "VISIT_NOT_HELD",
              absl::StrCat("this device holds no visit \"", text, "\". `caresync device visits` lists what it holds"));
}

absl::Status VisitAmbiguous(const std::string& text, const std::vector<std::string>& candidates) {
  return Make(absl::StatusCode::kInvalidArgument, "VISIT_AMBIGUOUS",
              absl::StrCat("\"", text, "\" may be any of these visits; give more of the ID:\n  ",
                           absl::StrJoin(candidates, "\n  ")));
}

absl::Status VisitAlreadyOpen(const std::string& visit) {
  return Make(absl::StatusCode::kFailedPrecondition, "VISIT_ALREADY_OPEN",
              absl::StrCat("the carer is in visit ", visit, ". Finish it first, with `caresync device finish-visit`"));
}

absl::Status NoVisitOpen() {
  return Make(absl::StatusCode::kFailedPrecondition, "NO_VISIT_OPEN",
              "the carer is in no visit, so none can be finished. Start one with `caresync device start-visit`");
}

absl::Status DeviceStoreFailed(const std::string& file, const std::string& detail) {
  return Make(absl::StatusCode::kUnavailable, "DEVICE_STORE_FAILED",
              absl::StrCat("the device's store ", file, " failed: ", detail,
                           ". Check the folder, its permissions and the free space, then sync again"));
}

absl::Status DeviceStoreNotValid(const std::string& file) {
  return Make(
      absl::StatusCode::kFailedPrecondition, "DEVICE_STORE_NOT_VALID",
      absl::StrCat(file, " is no device's store, but something else. Move it away, or give another --state-dir"));
}

absl::Status DeviceStoreTooNew(const std::string& file) {
  return Make(absl::StatusCode::kFailedPrecondition, "DEVICE_STORE_TOO_NEW",
              absl::StrCat(file, " was written by a later caresync. Use that one, or another --state-dir"));
}

absl::Status DeviceOfOtherTenant(const std::string& file, const std::string& tenant) {
  return Make(absl::StatusCode::kFailedPrecondition, "DEVICE_OF_OTHER_TENANT",
              absl::StrCat(file, " holds records of tenant ", tenant,
                           ". Give that --tenant, or another --uuid or --state-dir"));
}

absl::Status SyncRunsAlready(const std::string& file) {
  return Make(absl::StatusCode::kFailedPrecondition, "SYNC_RUNS_ALREADY",
              absl::StrCat("another process is syncing with ", file, ". Wait until it has ended"));
}

absl::Status ServerBrokeProtocol(const std::string& what) {
  return Make(absl::StatusCode::kInternal, "SERVER_BROKE_PROTOCOL",
              absl::StrCat("the server sent what makes no sense here: ", what, ". Please report it"));
}

absl::Status CannotListen(const std::string& address) {
  return Make(
      absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
      absl::StrCat("cannot listen on ", address,
                   ". Is another process using the port? Give another one with --listen; port 0 is any free one"));
}

absl::Status ScenarioUnknown(const std::string& name) {
  return Make(absl::StatusCode::kNotFound, "SCENARIO_UNKNOWN",
              absl::StrCat("there is no scenario \"", name, "\". `caresync check-client --list` shows them"));
}

absl::Status ScenarioNotValid(const std::string& where, const std::string& what) {
  return Make(absl::StatusCode::kInvalidArgument, "SCENARIO_NOT_VALID", absl::StrCat(where, ": ", what));
}

absl::Status CommandNotRun(const std::string& command) {
  return Make(absl::StatusCode::kUnavailable, "COMMAND_NOT_RUN",
              absl::StrCat("the shell could not be started for \"", command, "\""));
}

}  // namespace errors
}  // namespace caresync::cli
