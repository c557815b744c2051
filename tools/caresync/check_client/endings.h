// How the server ends a stream, by reason.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_ENDINGS_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_ENDINGS_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace caresync::cli::check {

// OK, or a reason of docs/protocol.md that a scenario may end a stream with.
bool IsEnding(std::string_view reason);
// As the server ends a stream: with ErrorInfo, and RetryInfo where coming back helps. `reason` is one that IsEnding
// knows. `retry_after` is what a notice said before, in whole seconds; without it the reason has its own.
grpc::Status EndingOf(std::string_view reason, std::optional<absl::Duration> retry_after = std::nullopt);
// As a client sees a connection that broke: no word of the server.
grpc::Status CutEnding();

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_ENDINGS_H_
