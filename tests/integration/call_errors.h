// What a server says of a call that failed.
#ifndef CARESYNC_TESTS_INTEGRATION_CALL_ERRORS_H_
#define CARESYNC_TESTS_INTEGRATION_CALL_ERRORS_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace caresync::integration {

// The stable reason of an error; empty where it has none.
std::string ReasonOf(const grpc::Status& status);
// How long the server said to wait before coming back; nullopt where it said nothing.
std::optional<absl::Duration> RetryDelayOf(const grpc::Status& status);

}  // namespace caresync::integration

#endif  // CARESYNC_TESTS_INTEGRATION_CALL_ERRORS_H_
